"""Read the tests that a source file holds: their names, how much each asserts, and which do not run.

Python is parsed. Other languages are read by the forms in which their test runners expect tests, which is enough to
compare two versions of one file, and is never used to say that a test is good.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test in a file. The one with an empty name stands for all that is outside of tests."""

    name: str
    body: str
    """Its text without comments and white space, to be compared."""
    asserts: int
    """Assertions that could fail; a parametrised test has them once for each of its sets of arguments."""
    idle: int = 0
    """Marks by which it does not run, whatever holds: skips, expected failures."""
    idle_if: int = 0
    """Marks by which it does not run on a condition."""
    alone: int = 0
    """Marks by which no other test runs."""
    hollow: bool = False
    """It asserts nothing that could fail and calls nothing that could break."""


_TEST_FOLDERS = frozenset(
    {"test", "tests", "spec", "specs", "__tests__", "testing", "testdata", "__snapshots__", "e2e", "t"}
)
_TEST_NAME = re.compile(
    r"^(?:test_.*|.*_test|tests|conftest)\.py$"
    r"|\.(?:test|spec)\.[cm]?[jt]sx?$"
    r"|_test\.go$|_spec\.rb$|_test\.rb$|_test\.exs$|\.bats$|\.snap$"
    r"|(?:Test|Tests|TestCase|IT|Spec)\.(?:java|kt|scala|groovy|cs|php|swift)$"
)


def is_test_material(path: str) -> bool:
    """Say whether the file at *path* belongs to the tests: holds some, or what they compare with."""
    place = PurePosixPath(path)
    return bool(_TEST_NAME.search(place.name)) or any(part.lower() in _TEST_FOLDERS for part in place.parts[:-1])


def read_cases(path: str, text: str) -> dict[str, Case]:
    """Return the tests in the file at *path* by name; empty when its runner would find none there."""
    place = PurePosixPath(path)
    if place.suffix == ".py":
        if not re.match(r"(?:test_.*|.*_test|tests)\.py$", place.name):
            return {}  # pytest and unittest would not look into it
        from agent_orchestrator.runtime.cases_python import read_python

        return read_python(text)
    language = next((one for one in _LANGUAGES if one.files.search(place.name)), None)
    if language is None or (language.among_tests and not is_test_material(path)):
        return {}
    return _read(language, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    """How tests look in one language. All patterns are searched in text without comments."""

    files: re.Pattern[str]
    start: re.Pattern[str]
    """Where a test begins, with the group ``name``, and ``marks`` for what stands before it."""
    asserts: re.Pattern[str]
    trivial: re.Pattern[str]
    """Assertions that cannot fail; each takes one from the count."""
    idle: re.Pattern[str]
    alone: re.Pattern[str] = re.compile(r"(?!)")
    among_tests: bool = False
    """Whether only files that belong to the tests are read."""
    is_test: Callable[[str], bool] = lambda _: True
    """Whether these marks make a test."""
    hash_comments: bool = False


def _read(language: _Language, text: str) -> dict[str, Case]:
    text = _without_comments(text, hash_comments=language.hash_comments)
    starts = [one for one in language.start.finditer(text) if language.is_test(one["marks"] or "")]
    ends = [*(one.start() for one in starts[1:]), len(text)] if starts else []
    cases = {"": _case(language, "", text[: starts[0].start()] if starts else text)}
    for start, end in zip(starts, ends, strict=True):
        name = next(value for key, value in start.groupdict().items() if key.startswith("name") and value)
        case = _case(language, name, text[start.start() : end])
        cases[name] = case if name not in cases else _joined(cases[name], case)
    return cases


def _case(language: _Language, name: str, text: str) -> Case:
    asserts = len(language.asserts.findall(text)) - len(trivial := language.trivial.findall(text))
    idle = idle_if = 0
    for mark in language.idle.finditer(text):
        before = text[max(0, mark.start() - 80) : mark.start()]
        conditional = bool(re.search(r"\b(?:if|unless|when)\b[^;\n]*[\n{(:]?\s*$", before))
        idle, idle_if = (idle, idle_if + 1) if conditional else (idle + 1, idle_if)
    return Case(
        name=name,
        body="".join(text.split()),
        asserts=max(asserts, 0),
        idle=idle,
        idle_if=idle_if,
        alone=len(language.alone.findall(text)),
        hollow=bool(name) and asserts <= 0 and bool(trivial or re.fullmatch(r"[^{]*\{[\s;]*\}[\s;)}]*", text)),
    )


def _joined(one: Case, other: Case) -> Case:
    """Return two tests of one name as one."""
    return Case(
        name=one.name,
        body=one.body + other.body,
        asserts=one.asserts + other.asserts,
        idle=one.idle + other.idle,
        idle_if=one.idle_if + other.idle_if,
        alone=one.alone + other.alone,
        hollow=one.hollow or other.hollow,
    )


def _without_comments(text: str, *, hash_comments: bool) -> str:
    if hash_comments:
        return re.sub(r"(?m)(^|\s)#(?!\{).*$", r"\1", text)
    return re.sub(r"(?m)(^|\s)//.*$", r"\1", without_blocks(text))


def without_blocks(text: str) -> str:
    """Return *text* without what stands between ``/*`` and ``*/``, in one pass over it whatever it holds."""
    kept, at = [], 0
    while (start := text.find("/*", at)) >= 0:
        end = text.find("*/", start + 2)
        if end < 0:
            break
        kept.append(text[at:start])
        at = end + 2
    return "".join([*kept, text[at:]])


_SAME = r"\(\s*(?P<a>[\w.'\"]+)\s*,\s*(?P=a)\s*[,)]"
"""Two equal arguments: an equality that holds whatever the code does."""

_LANGUAGES = (
    _Language(
        files=re.compile(r"\.[cm]?[jt]sx?$"),
        among_tests=True,
        start=re.compile(
            r"(?P<marks>(?<![\w.$])(?:x|f)?(?:it|test|specify)(?:\.\w+)*)(?:\([^()]*\))?\s*"
            r"\(\s*(?P<q>['\"`])(?P<name>(?:\\.|(?!(?P=q)).){0,300})(?P=q)",
            re.DOTALL,
        ),
        asserts=re.compile(
            r"\bexpect\s*\(|\bassert\b\s*[.(]|\.should\b|\bt\.(?:is|not|deepEqual|true|false|throws)\w*\("
        ),
        trivial=re.compile(
            r"\bexpect\s*\(\s*(?P<v>true|false|null|undefined|\d+|'[^']*'|\"[^\"]*\")\s*\)"
            r"\.(?:toBe|toEqual|toStrictEqual|to\.equal|to\.be)\(\s*(?P=v)\s*\)"
            r"|\bexpect\s*\(\s*(?:true|1)\s*\)\.toBeTruthy\(\)"
            r"|\bassert(?:\.ok)?\s*\(\s*(?:true|1)\s*[,)]|\bassert\.\w*[eE]qual\w*" + _SAME
        ),
        idle=re.compile(
            r"(?<![\w.$])(?:xit|xtest|xdescribe|xcontext|xspecify)\s*\("
            r"|\b(?:it|test|describe|context|suite|specify)\.(?:skip|todo|failing|fails|fixme)\b"
            r"|\bthis\.skip\(\)|\bt\.skip\(|\bskip:\s*true"
        ),
        alone=re.compile(
            r"\b(?:it|test|describe|context|suite|specify)\.only\b|(?<![\w.$])(?:fit|fdescribe|fcontext)\s*\("
        ),
    ),
    _Language(
        files=re.compile(r"_test\.go$"),
        start=re.compile(r"(?m)^(?P<marks>)func\s+(?P<name>(?:Test|Fuzz|Example)\w*)\s*\("),
        asserts=re.compile(r"\b[tbf]\.(?:Error|Fatal|Fail)\w*\(|\b(?:assert|require|is)\.\w+\("),
        trivial=re.compile(
            r"\b(?:assert|require)\.True\(\s*t\s*,\s*true\b|\b(?:assert|require)\.Equal\(\s*t\s*,\s*(?P<a>\w+)\s*,\s*(?P=a)\s*[,)]"
        ),
        idle=re.compile(r"\b[tbf]\.Skip(?:Now|f)?\("),
    ),
    _Language(
        files=re.compile(r"\.rs$"),
        start=re.compile(r"(?P<marks>(?:#\[[^\]]{0,200}\]\s*){1,12})(?:pub\s+)?(?:async\s+)?fn\s+(?P<name>\w+)"),
        is_test=lambda marks: re.search(r"#\[(?:[\w:]*::)?(?:test|rstest|proptest)\b", marks) is not None,
        asserts=re.compile(r"\b(?:debug_)?assert\w*!\s*\(|\bpanic!\s*\(|\bprop_assert\w*!"),
        trivial=re.compile(r"\bassert!\s*\(\s*true\b|\bassert_eq!\s*" + _SAME),
        idle=re.compile(r"#\[ignore\b|#\[should_panic\b|#!?\[cfg\(any\(\)\)\]"),
    ),
    _Language(
        files=re.compile(r"\.(?:java|kt|scala|groovy)$"),
        among_tests=True,
        start=re.compile(
            r"(?P<marks>(?:@\w{1,80}(?:\((?:[^()]|\([^()]{0,200}\)){0,300}\))?\s+){1,12})"
            r"(?:(?:public|private|protected|internal|static|final|suspend|override)\s+)*"
            r"(?:void|fun|def)\s+`?(?P<name>[^`(]+?)`?\s*\("
        ),
        is_test=lambda marks: re.search(r"@(?:\w*Test\w*|Property)\b", marks) is not None,
        asserts=re.compile(r"\bassert\w*\s*[({<]|\bverify\s*\(|\bfail\s*\(|\bshould\w*\b|\bexpected\s*="),
        trivial=re.compile(r"\bassertTrue\(\s*true\s*[,)]|\bassert\w*Equals" + _SAME),
        idle=re.compile(r"@(?:Disabled|Ignore)\b|\benabled\s*=\s*false|\bassumeTrue\(\s*false"),
    ),
    _Language(
        files=re.compile(r"\.cs$"),
        among_tests=True,
        start=re.compile(
            r"(?P<marks>(?:\[[^\]]{1,200}\]\s*){1,12})(?:(?:public|private|async|static|override)\s+)*(?:void|Task)\s+(?P<name>\w+)\s*\("
        ),
        is_test=lambda marks: re.search(r"\[(?:Fact|Theory|Test|TestCase|TestMethod)\b", marks) is not None,
        asserts=re.compile(r"\bAssert\.\w+|\.Should\w*\("),
        trivial=re.compile(r"\bAssert\.(?:True|IsTrue)\(\s*true\s*[,)]|\bAssert\.(?:Are)?Equal" + _SAME),
        idle=re.compile(r"\bSkip\s*=|\[Ignore\b"),
    ),
    _Language(
        files=re.compile(r"\.rb$"),
        among_tests=True,
        hash_comments=True,
        start=re.compile(
            r"(?m)^[ \t]*(?P<marks>[xf]?(?:it|specify|test|scenario))\s*\(?\s*(?P<q>[\"'])(?P<name>.*?)(?P=q)"
            r"|^[ \t]*def\s+(?P<name2>test_\w+)"
        ),
        asserts=re.compile(r"\bexpect\b|\bassert\w*\b|\brefute\w*\b|\.must_\w+|\.should\b"),
        trivial=re.compile(r"\bassert[ (]\s*true\b|\bexpect\(true\)\.to (?:be|eq\(?) ?\(?true\b"),
        idle=re.compile(
            r"(?m)^[ \t]*(?:x(?:it|specify|test|scenario|describe|context)|skip|pending)\b|[,:]\s*:?skip\b"
        ),
        alone=re.compile(r"(?m)^[ \t]*(?:fit|fdescribe|fcontext)\b|\bfocus:\s*true|,\s*:focus\b"),
    ),
    _Language(
        files=re.compile(r"\.php$"),
        among_tests=True,
        start=re.compile(r"(?P<marks>)function\s+(?P<name>test\w+)\s*\("),
        asserts=re.compile(r"(?:->|::)(?:assert|expect)\w+\s*\("),
        trivial=re.compile(r"(?:->|::)assertTrue\(\s*true\s*[,)]"),
        idle=re.compile(r"\bmarkTest(?:Skipped|Incomplete)\b"),
    ),
    _Language(
        files=re.compile(r"_test\.exs$"),
        hash_comments=True,
        start=re.compile(r"(?P<marks>(?:@tag[^\n]{0,200}\n\s*){0,12})\btest\s+\"(?P<name>[^\"]+)\""),
        asserts=re.compile(r"\b(?:assert|refute)\w*\b"),
        trivial=re.compile(r"\bassert\s+true\b"),
        idle=re.compile(r"@(?:module|describe)?tag\s+:?skip\b"),
    ),
    _Language(
        files=re.compile(r"\.bats$"),
        hash_comments=True,
        start=re.compile(r"(?m)^(?P<marks>)@test\s+[\"'](?P<name>.+?)[\"']"),
        asserts=re.compile(r"(?m)^[ \t]*(?:\[|run\b|assert|diff\b|grep\b|test\b)"),
        trivial=re.compile(r"(?m)^[ \t]*(?:\[ 1 (?:=|-eq) 1 \]|true)\s*$"),
        idle=re.compile(r"(?m)^[ \t]*skip\b"),
    ),
)
