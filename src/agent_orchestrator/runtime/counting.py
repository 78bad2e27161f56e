"""Read from a runner's own words how many tests it ran, so that a check that ran fewer than before is noticed.

The forms are those of the runners that `failures` reads. Skipped tests did not run.
"""

import re


def tests_run(output: str) -> int | None:
    """Return how many tests ran, over all runners in *output*; None when none of them says so."""
    total: int | None = None
    for line in output.splitlines():
        found = _of_line(line.strip())
        if found is not None:
            total = (total or 0) + found
    skipped = sum(int(one) for one in _UNITTEST_SKIPPED.findall(output))
    return None if total is None else max(total - skipped, 0)


_UNITTEST_SKIPPED = re.compile(r"(?m)^(?:OK|FAILED) \(.*?skipped=(\d+)")
_COUNTED = re.compile(r"(\d+) (passed|failed|errors?|xfailed|xpassed|skipped|pending|todo|total)\b")


def _of_line(line: str) -> int | None:
    if match := re.fullmatch(r"Ran (\d+) tests? in [\d.]+s", line):  # unittest
        return int(match[1])
    if re.fullmatch(r"(?:=+ )?\d+ \w+.*\bin [\d.]+s(?: \([\d:]+\))?(?: =+)?", line) or line.startswith("no tests ran"):
        return _ended(line)  # pytest
    if re.match(r"Tests:\s+.*\d+ total$", line):  # jest
        return _ended(line)
    if match := re.match(r"Tests\s+(\d.*?)(?: \(\d+\))?$", line):  # vitest
        return _ended(match[1].replace("|", ","))
    if match := re.match(r"test result: \w+\. (\d+) passed; (\d+) failed;", line):  # cargo
        return int(match[1]) + int(match[2])
    if match := re.fullmatch(r"# pass (\d+)", line) or re.fullmatch(r"ℹ pass (\d+)", line):  # node --test
        return int(match[1])
    if match := re.fullmatch(r"# fail (\d+)", line) or re.fullmatch(r"ℹ fail (\d+)", line):
        return int(match[1])
    if match := re.fullmatch(r"(\d+) (?:passing|failing)\b.*", line):  # mocha
        return int(match[1])
    if match := re.match(r"(?:\[\w+\] )?Tests run: (\d+), Failures: \d+, Errors: \d+, Skipped: (\d+)$", line):  # maven
        return int(match[1]) - int(match[2])
    if match := re.match(r"(\d+) examples?, \d+ failures?(?:, (\d+) pending)?", line):  # rspec
        return int(match[1]) - int(match[2] or 0)
    if match := re.match(
        r"(?:OK \()?(?:Tests: )?(\d+)(?: tests)?, (?:Assertions: )?\d+(?: assertions)?", line
    ):  # phpunit
        return int(match[1])
    if match := re.match(r"\d+% tests passed, \d+ tests failed out of (\d+)$", line):  # ctest
        return int(match[1])
    return None


def _ended(line: str) -> int:
    counts = [(int(number), what) for number, what in _COUNTED.findall(line)]
    return sum(
        number for number, what in counts if what in {"passed", "failed", "error", "errors", "xfailed", "xpassed"}
    )
