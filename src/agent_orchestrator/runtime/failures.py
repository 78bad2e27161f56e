"""Read which tests failed from what a test runner printed, so that new failures can be told from old ones.

Two questions, answered only when the output answers them: what are the failing tests called, and could there be others
that the run never reached? Whoever compares a branch with its base needs the second as much as the first: a run that
stops at its first failure says nothing of the rest.

Each reader looks for the lines of one runner; one output may hold several runners, as `make test` does. The formats are
those of pytest 9.2, unittest of Python 3.11, node 20, jest 29, vitest 3.2, mocha 11, cargo 1.95, ctest 3.25 and prove
3.44, each seen on 2026-11 in output made on purpose. go test and maven surefire 2 and 3 are from their documentation
and sources, not from a run of ours.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent_orchestrator.domain.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The failing tests of one run."""

    names: tuple[str, ...]
    """Sorted, never empty. A file that could not be loaded counts as one failing test."""
    cut_short: str = ""
    """Why more tests may fail than are named, such as "it stops at the first failure". Empty when all are named."""


def read_failures(output: str) -> Failures | None:
    """Return the failing tests that *output* names; None when no known runner names any.

    *output* is the run's stdout and stderr together. Colours do no harm.
    """
    lines = clean(output).splitlines()
    found = [failures for reader in _READERS if (failures := reader(lines)) is not None]
    if not found:
        return None
    names = {name for failures in found for name in failures.names}
    return Failures(
        names=tuple(sorted(names)), cut_short="; ".join(dict.fromkeys(f.cut_short for f in found if f.cut_short))
    )


def in_words(names: Iterable[str]) -> str:
    """Name the first of some failing tests, for one line: cases of one test are one, and long names lose their front.

    ``test_a (pkg.mod.Class.test_a) [i=1]``, as unittest names it, becomes ``Class.test_a``.
    """
    short = dict.fromkeys(".".join(m[1].split(".")[-2:]) if (m := _DOTTED.match(name)) else name for name in names)
    shown = [name if len(name) <= NAME_SHOWN else f"…{name[1 - NAME_SHOWN :]}" for name in list(short)[:NAMES_SHOWN]]
    more = f" and {len(short) - NAMES_SHOWN} more" if len(short) > NAMES_SHOWN else ""
    return ", ".join(shown) + more


_DOTTED = re.compile(r"\w+ \(([\w.]+\.\w+)\)")
NAMES_SHOWN = 2
NAME_SHOWN = 70


def found_no_tests(output: str, exit_code: int | None) -> bool:
    """Say whether the run failed only because there was no test to run, or no test command behind it.

    pytest and, since Python 3.12, unittest exit with 5 then; others say so in words.
    """
    if exit_code == 5 and re.search(r"(?im)^(no tests ran\b|collected 0 items|NO TESTS RAN\b|.* deselected\b)", output):
        return True
    return exit_code == 1 and _NO_TESTS.search(output) is not None


_NO_TESTS = re.compile(
    r"(?m)^(?:No tests found, exiting with code 1"  # jest
    r"|No test files found, exiting with code 1"  # vitest
    r"|Error: No test files found"  # mocha
    r"|Error: no test specified"  # what npm init writes
    r"|npm (?:ERR!|error) Missing script: \"test\")"
)

_UNCOUNTED = "its own count of failures is higher than the names it gives"


def _counted(names: list[str], expected: int | None, cut_short: str = "") -> Failures | None:
    """Return the failures if there are any, distrusting them when the runner itself counted more."""
    if not names:
        return None
    if not cut_short and expected is not None and expected > len(names):
        cut_short = _UNCOUNTED
    return Failures(names=tuple(sorted(set(names))), cut_short=cut_short)


def _last_int(lines: Iterable[str], pattern: str) -> int | None:
    """Return the number in the last line that matches, None when there is none."""
    found = None
    compiled = re.compile(pattern)
    for line in lines:
        if match := compiled.search(line):
            found = int(match[1])
    return found


_PYTEST_SUMMARY = re.compile(r"=+ short test summary info =+$")
_PYTEST_LINE = re.compile(
    r"(?P<kind>FAILED|ERROR|SUBFAIL(?:ED)?(?P<params>\(.*?\)|\[.*?\])?) (?P<id>[^\[]*?(?:\[.*?\])?)(?: - .*)?$"
)
_PYTEST_END = re.compile(r"(?:=+ )?(?=\d+ \w+).*\bin \d+(?:\.\d+)?s(?: \([\d:]+\))?(?: =+)?$")


def _pytest(lines: list[str]) -> Failures | None:
    names: list[str] = []
    expected = 0
    cut_short = ""
    inside = False
    for line in lines:
        if line.startswith("ImportError while loading conftest "):
            names.append(line.rstrip(".").replace("ImportError while loading conftest", "conftest").replace("'", ""))
            expected, cut_short = expected + 1, "no test was collected"
        elif _PYTEST_SUMMARY.match(line):
            inside = True
        elif not inside:
            continue
        elif match := _PYTEST_LINE.match(line):
            names.append(f"{match['id']} {match['params'] or ''}".strip())
        elif line.startswith("!!!") and ("Interrupted" in line or "stopping after" in line or "Exit" in line):
            cut_short = line.strip("! ")
        elif _PYTEST_END.match(line):
            expected += sum(int(count) for count in re.findall(r"(\d+) (?:failed|errors?)\b", line))
            inside = False
    if inside and not cut_short:
        cut_short = "its last line is missing"
    return _counted(names, expected, cut_short)


def _unittest(lines: list[str]) -> Failures | None:
    names = [
        match[1]
        for above, line in itertools.pairwise(lines)
        if above and not above.strip("=") and (match := re.match(r"(?:FAIL|ERROR|UNEXPECTED SUCCESS): (.+)$", line))
    ]
    for line in lines:
        if match := re.match(r"FAILED \(((?:\w[\w ]*=\d+(?:, )?)+)\)$", line):
            expected = sum(int(n) for n in re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", match[1]))
            return _counted(names, expected)
    return _counted(names, None, "its last line is missing")


def _jest(lines: list[str]) -> Failures | None:
    names: list[str] = []
    file = ""
    cut_short = "its last line is missing"
    for line in lines:
        if line.startswith(("PASS ", "Test Suites: ", "Summary of all failing tests")):
            file = ""
        if match := re.match(r"FAIL (\S.*?)(?: \([\d.]+ m?s\))?$", line):
            file = match[1]
        elif file and (match := re.match(r"  ● (?!Console$)(.+)$", line)):
            names.append(f"{file} › {match[1]}")
        elif match := re.match(r"Test Suites: .*?(\d+) failed", line):
            stopped = re.search(r"\d+ of \d+ total", line)
            cut_short = "it stops after failures (--bail)" if stopped else ""
    expected = _last_int(lines, r"^Tests: .*?(\d+) failed")
    return _counted(names, expected, cut_short) if names else None


def _vitest(lines: list[str]) -> Failures | None:
    names = [match[1] for line in lines if (match := re.match(r" FAIL  (.+?)(?: \[ .* \])?$", line))]
    files = _last_int(lines, r"^ Test Files  (\d+) failed")
    tests = _last_int(lines, r"^      Tests  (\d+) failed")
    cut_short = "" if files is not None else "its last lines are missing"
    if _last_int(lines, r"^     Errors  (\d+) error") is not None:
        cut_short = "it also met errors outside of any test"
    return _counted(names, tests, cut_short)


def _mocha(lines: list[str]) -> Failures | None:
    names: list[str] = []
    expected = None
    path: list[str] = []
    for line in lines:
        if match := re.match(r"  (\d+) failing$", line):
            expected = int(match[1])
        elif expected is None:
            continue
        elif match := re.match(r"  \d+\) (.+)$", line):
            path = [match[1]]
        elif path and re.match(r" {7,}\S", line):
            path.append(line.strip())
        else:
            path = []
        if path and path[-1].endswith(":"):
            names.append(" > ".join(path)[:-1])
            path = []
    return _counted(names, expected)


def _tap(lines: list[str]) -> Failures | None:
    """Read the Test Anything Protocol as node 20 and others print it: children are indented and come first."""
    if not any(re.match(r"(?:TAP version \d+|1\.\.\d+)", line) for line in lines):
        return None
    names: list[str] = []
    parents: dict[int, str] = {}
    results, plan = 0, None
    cut_short = ""
    for at, line in enumerate(lines):
        indent = len(line) - len(line.lstrip(" "))
        text = line[indent:]
        if match := re.match(r"# Subtest: (.+)$", text):
            parents[indent] = match[1]
        elif match := re.match(r"1\.\.(\d+)", text):
            plan = (plan or 0) + int(match[1]) if indent == 0 else plan
        elif text.startswith("Bail out!"):
            cut_short = "it bailed out"
        elif match := re.match(r"(not )?ok\b(?: (\d+))?(?: ?- ?| )?(.*)$", text):
            results += indent == 0
            above = [parents[level] for level in sorted(parents) if level < indent]
            below = lines[at + 1 : at + 12]
            if not match[1] or re.search(r"# (?:TODO|SKIP)\b", match[3], re.I) or _is_suite(below, indent):
                continue
            location = _location(below, indent)
            title = match[3] or f"test {match[2]}"
            names.append(" > ".join([*([location] if location and location != title else []), *above, title]))
    if not cut_short and (plan is None or results < plan):
        cut_short = "it ended before its plan was fulfilled"
    return _counted(names, None, cut_short)


def _details(below: list[str], indent: int) -> Iterator[str]:
    """Yield the lines of the YAML block that belongs to a result."""
    if not below or below[0].strip() != "---":
        return
    for line in below[1:]:
        if line[indent:].strip() == "...":
            return
        yield line.strip()


def _is_suite(below: list[str], indent: int) -> bool:
    return "failureType: 'subtestsFailed'" in _details(below, indent)


def _location(below: list[str], indent: int) -> str:
    for line in _details(below, indent):
        if match := re.match(r"location: '(.+?)(?::\d+)*'$", line):
            return match[1]
    return ""


def _node_spec(lines: list[str]) -> Failures | None:
    """Read node's own list at the end, which it prints instead of TAP on a terminal and in newer releases."""
    names: list[str] = []
    inside = False
    location = ""
    for line in lines:
        if line == "✖ failing tests:":
            inside = True
        elif inside and (match := re.match(r"test at (.+?):\d+:\d+$", line)):
            location = match[1]
        elif inside and location and (match := re.match(r"✖ (.+?) \([\d.]+m?s\)$", line)):
            names.append(f"{location} > {match[1]}")
            location = ""
    return _counted(names, _last_int(lines, r"^ℹ fail (\d+)$"))


def _go(lines: list[str]) -> Failures | None:
    names: list[str] = []
    pending: list[str] = []
    cut_short = ""
    for line in lines:
        if match := re.match(r"\s*--- FAIL: (\S+)", line):
            pending.append(match[1])
        elif line.startswith(("panic: ", "fatal error: ")):
            cut_short = "a panic ended it"
        elif match := re.match(r"FAIL\t(\S+)(?:\t[\d.]+s|( \[.+\]))?$", line):
            names += [f"{match[1]} {name}" for name in pending] or [match[1] + (match[2] or "")]
            pending = []
    if pending:
        names += pending
        cut_short = cut_short or "the line that names the package is missing"
    return _counted(names, None, cut_short)


def _cargo(lines: list[str]) -> Failures | None:
    names: list[str] = []
    target = ""
    expected = 0
    inside = False
    cut_short = "it stops at the first target that fails; `cargo test --no-fail-fast` goes on"
    for line in lines:
        if match := re.match(r"\s+Running (?:unittests )?(\S+)|\s+(Doc-tests \S+)", line):
            target = f"{match[1] or match[2]}: "
        elif line == "failures:":
            inside = True
        elif match := re.match(r"test result: FAILED\. \d+ passed; (\d+) failed;", line):
            expected += int(match[1])
            inside = False
        elif inside and (match := re.match(r" {4}(\S.*)$", line)):
            names.append(target + match[1])
        elif inside and line.startswith("----"):
            inside = False  # the outputs; the list of names follows under the same heading
        elif match := re.match(r"error: could not compile (.+?) due to ", line):
            names.append(f"could not compile {match[1]}")
            expected += 1
        elif re.match(r"error: \d+ targets? failed:", line):
            cut_short = ""
    return _counted(names, expected, cut_short) if expected else None


def _surefire(lines: list[str]) -> Failures | None:
    names: list[str] = []
    for line in lines:
        line = line.removeprefix("[ERROR]").strip()
        if line.startswith("Tests run:"):
            continue
        if match := re.match(r"(\S+?)\((\S+?)\)\s+(?:-- )?Time elapsed:.*<<< (?:FAILURE|ERROR)!", line):
            names.append(f"{match[2]}.{match[1]}")
        elif match := re.match(r"(\S.*?)\s+(?:-- )?Time elapsed:.*<<< (?:FAILURE|ERROR)!", line):
            names.append(match[1])
    expected = sum(
        int(match[1]) + int(match[2])
        for line in lines
        if (match := re.match(r"(?:\[\w+\] )?Tests run: \d+, Failures: (\d+), Errors: (\d+), Skipped: \d+\s*$", line))
    )
    skipped = any(re.search(r"\.{3,} SKIPPED\s*$", line) for line in lines)
    cut_short = "it leaves modules out after one that fails; `mvn -fae` goes on" if skipped else ""
    return _counted(names, expected, cut_short)


def _ctest(lines: list[str]) -> Failures | None:
    names: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("The following tests FAILED:"):
            inside = True
        elif inside and (match := re.match(r"\s+\d+ - (.+?) \([^()]*\)(?:\s.*)?$", line)):
            names.append(match[1])
        elif inside:
            inside = False
    return _counted(names, _last_int(lines, r"^\d+% tests passed, (\d+) tests? failed out of \d+"))


def _prove(lines: list[str]) -> Failures | None:
    if "Test Summary Report" not in lines:
        return None
    titles: dict[str, list[str]] = {}
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if match := re.match(r"#\s+Failed test '(.*)'$", line):
            where = re.match(r"#\s+(?:at|in) (.+?) (?:at )?line \d+\.$", below)
            titles.setdefault(where[1] if where else "", []).append(match[1])
    names: list[str] = []
    file = ""
    cut_short = ""
    for line in lines[lines.index("Test Summary Report") :]:
        if match := re.match(r"(\S.*?)\s+\(Wstat: .* Failed: (\d+)\)$", line):
            file, failed = match[1], int(match[2])
            known = titles.get(file, [])
            names += [f"{file}: {title}" for title in known]
            if not failed:
                names.append(file)
            numbered = len(known) < failed
        elif file and numbered and (match := re.match(r"  Failed tests?:\s+(.+)$", line)):
            names += [f"{file}: test {number}" for number in _numbers(match[1])]
        elif file and line.startswith("  Parse errors: "):
            cut_short = f"{file}: {line.strip()}"
    return _counted(names, None, cut_short)


def _numbers(ranges: str) -> Iterator[int]:
    for part in re.findall(r"\d+(?:-\d+)?", ranges):
        first, _, last = part.partition("-")
        yield from range(int(first), min(int(last or first), int(first) + 9_999) + 1)


_READERS: tuple[Callable[[list[str]], Failures | None], ...] = (
    _pytest,
    _unittest,
    _jest,
    _vitest,
    _mocha,
    _tap,
    _node_spec,
    _go,
    _cargo,
    _surefire,
    _ctest,
    _prove,
)
