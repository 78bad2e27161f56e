"""Kill everything of a real run again and again, and let witnesses that owe nothing to our records judge it.

python -m tests.chaos --kills 30 --seed 1
python -m tests.chaos --mutants
"""
