"""The real supervisor, services and store in a world of virtual time in which everything fails that can.

    python -m tests.simulation --steps 100000 --seed 1
    python -m tests.simulation --mutants

Real: the supervisor's loop, scheduling, the merge queue and landing, recovery, leadership with its file lock, every
service, and SQLite (in memory). Virtual: time, agents and their minders, git, checks, and the threads, whose work is
done one piece at a time at moments that the seed chooses. One seed is one history, to the last step.
"""
