"""How a goal becomes a plan. Pure, but for reading the project and the roster, and for one injected question.

Everything that proposes tasks ends in :class:`~agent_orchestrator.domain.plan.Plan` and passes the same validator:

- ``decomposer`` asks a model, checks the answer, and otherwise plans by rules; it always says which it was.
- ``heuristic`` is those rules; ``reading`` and ``vocabulary`` are what it understands of a goal's text,
  ``archetypes`` what it knows about projects of a kind, ``layers`` what is built before what.
- ``lint`` validates and repairs plans, whoever wrote them; ``globs`` says when two scopes meet.
- ``roster`` holds the specialists, ``routing`` says which one a task goes to and why.
- ``profile`` reads what a project is, ``project_tests`` how it tests itself.
- ``prompt`` is what a model is asked and how its answer is read, ``document`` is the JSON form of a plan.
"""
