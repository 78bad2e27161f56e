"""What you can ask: one frozen class per noun. Every door calls these, nothing else.

Each method is one verb and one transaction with its event in it. Services write
wishes; the runtime makes them true.

- Work: ``goals``, ``tasks`` (the queue, with ``retries``), ``agents``, ``reviews``; ``submissions`` is how a goal
  gets in.
- Plans: ``plans`` before they are accepted, ``running_plans`` afterwards, ``replanning`` and its ``plan_changes``
  while agents work, ``questions`` to planners meanwhile; ``forecasts`` say what to expect.
- Limits: ``budget``, ``holds``.
- What agents share: ``context``, made of ``entries``, with a ``context_view`` in ``context_files``; ``messages``.
- What happened: ``events``, with ``anchors`` that prove their log whole; ``reports`` are the one snapshot of
  everything, ``waiting``, ``needs``, ``risks``, ``figures`` and ``proofs`` parts of it, ``json_values`` the shape in
  which programs get them.
- The supervisor from outside: ``supervision``, ``alive``; ``notices`` are what it tells a user who does not look.
"""
