"""How a goal becomes a plan. Pure, but for reading the project and the roster, and for one injected question.

Everything that proposes tasks ends in :class:`~agent_orchestrator.domain.plan.Plan` and passes the same validator.

- Made: ``decomposer`` asks a model (``prompt``, ``completeness``) and otherwise plans by rules; it always says which
  it was. ``heuristic`` is those rules; ``reading``, ``references`` and ``vocabulary`` are what it understands of a
  goal's text, ``archetypes`` what it knows about projects of a kind, ``layers`` what is built before what.
  ``quoting`` tells what a task says itself from the goal that it quotes.
- Judged: ``lint`` validates and repairs plans, whoever wrote them, with ``texts``, ``globs``, ``contended``,
  ``turns`` and ``coverage``; ``doubts`` only remarks, ``questions`` asks a person what was guessed.
- Given to somebody: ``roster`` holds the specialists, each read by ``role_file``; ``routing`` says which one a task
  goes to and why, by ``words`` and by what was ``learned``.
- Fitted to the project: ``profile`` reads what it is, ``project_tests`` how it tests itself.
- Foreseen: ``forecast`` says how long it may take and what it may cost, from what ``expecting`` learns of finished
  tasks.
- Talked over: ``planner`` is a session, ``partners`` whom it works with, ``commands`` what is typed, ``discussing``
  what a model is asked; ``editing`` makes ``changes``, ``comparing`` and ``why`` explain, ``decisions`` are told to
  the tasks.
- Written down: ``document`` is a plan as JSON, ``plan_file`` a file that people write, ``plan_markdown`` one of its
  forms, with errors ``located`` at their line.
- Changed while it is worked on: ``more_work`` reads what an agent reports, ``splitting`` divides a failed task,
  ``rewriting`` arranges the rest around what has begun.
"""
