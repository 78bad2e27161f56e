"""Exit codes that are results rather than errors; errors carry their own (see domain/errors.py)."""

NOTHING_TO_DO = 3
PARTLY = 6
"""The run ended, but some tasks failed or need a person."""
LIMITED = 7
"""The run was stopped by a budget, a deadline or a hold."""
INTERRUPTED = 130
