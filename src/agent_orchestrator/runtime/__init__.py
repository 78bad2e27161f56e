"""The running system: the supervisor, the processes it starts, and what it does with their work.

- Before a run: ``readiness`` looks for what would spoil it; ``lineup``, ``clis`` and ``roles`` know which agents work
  here and by which models, ``trust`` what of the repository they may obey.
- The run: ``supervisor`` is one loop on an ``inbox`` of ``happenings``, built from ``pieces``, with ``run_options``;
  ``running`` is a run from end to end, ``detaching`` one in the background. ``leadership`` lets one supervisor serve,
  ``recovery`` takes over what a dead one left, ``room`` waits while the disk is full, ``vigil`` notifies the user who
  sleeps (``sinks``) and keeps the machine ``awake``.
- What starts: ``scheduling`` decides under limits, ``open_goals``, ``provider_watch`` and ``spending`` say of what
  and by whom, ``replanner`` changes plans; ``asking`` puts one question to a model.
- An attempt: ``spawner`` makes it ready (``prompt``, ``environment``, ``launcher``), ``process`` starts its
  ``minder``, by a ``nursery`` where there is one (it is the process ``nursery_child``). ``follower`` reads its
  ``transcript`` and the ``session_log`` of its CLI, ``checkpointing`` keeps its work, ``masking`` takes secrets out.
  ``run_dir`` proves what became of its processes, ``sweeping`` ends those that a dead minder left, ``endings`` says
  how the attempt ended.
- Its work: ``merge_queue`` is the ``line`` before ``landing`` (``right_of_way`` says who waits for whom), which has
  it checked by ``verification`` (``commands``, ``failures``, ``counting``, ``check_memory``) and looked through by
  ``scrutiny`` (``tampering``, ``cases``, ``cases_python``, ``check_edits``, ``unfinished``, ``unparsable``, ``asked``);
  ``resolutions`` looks at conflicts done again.
- Afterwards: ``reviewing``, ``reverifying``, ``restoring`` and ``housekeeping``, which ``tidying`` does during a run:
  it frees ``leftovers``, of ``used_checkouts`` those that hold nothing any more. ``taken_in`` notices what the user
  merged by hand.
"""
