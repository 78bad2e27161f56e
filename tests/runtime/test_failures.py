from pathlib import Path

import pytest

from agent_orchestrator.runtime.failures import found_no_tests, in_words, read_failures

RECORDINGS = Path(__file__).parent / "recordings"

NAMES = {
    "pytest": (
        "test_u.py::T::test_a",
        "test_u.py::T::test_b (i=1)",
        "test_u.py::test_fix",
        "test_u.py::test_p[a b]",
        "test_u.py::test_p[x - y]",
        "test_u.py::test_says",
    ),
    "pytest_conftest": ("conftest /project/conftest.py",),
    "pytest_first_failure": ("test_u.py::T::test_a",),
    "pytest_interrupted": ("test_imp.py",),
    "unittest": (
        "test_a (test_u.T.test_a)",
        "test_b (test_u.T.test_b) (i=1)",
        "test_c (test_u.T.test_c)",
        "test_imp (unittest.loader._FailedTest.test_imp)",
    ),
    "jest": (
        "j/a.test.js › math › adds bad",
        "j/a.test.js › math › inner › deep › bad",
        "j/b.test.js › Test suite failed to run",
    ),
    "jest_bail": ("j/a.test.js › math › adds bad", "j/a.test.js › math › inner › deep › bad"),
    "vitest": ("a.test.ts > math > adds bad", "b.test.ts"),
    "mocha": ('hooky > "before each" hook for "z"', "math > bad one", "math > inner > deep bad"),
    "node_tap": ("/project/n/a.test.js > suite > in bad", "/project/n/a.test.js > top bad", "/project/n/b.test.js"),
    "node_spec": ("n/a.test.js > in bad", "n/a.test.js > top bad", "n/b.test.js > /project/n/b.test.js"),
    "cargo": ("src/lib.rs: tests::bad",),
    "cargo_all_targets": (
        "Doc-tests rs: src/lib.rs - (line 1)",
        "src/lib.rs: tests::bad",
        "tests/it.rs: other_bad",
    ),
    "cargo_quiet": ("other_bad", "src/lib.rs - (line 1)", "tests::bad"),
    "cargo_compile": ("could not compile `rs` (lib test)", "could not compile `rs` (lib)"),
    "ctest": ("bad_one",),
    "prove": ("t/b.t: sums up", "t/b.t: test 2", "t/b.t: test 3", "t/c.t"),
}

CUT_SHORT = {
    "pytest_conftest": "no test was collected",
    "pytest_first_failure": "stopping after",
    "pytest_interrupted": "Interrupted",
    "jest_bail": "bail",
    "cargo": "no-fail-fast",
    "cargo_compile": "no-fail-fast",
    "prove": "No plan found",
}


def recorded(name: str) -> str:
    return (RECORDINGS / f"{name}.txt").read_text(encoding="utf-8")


def failing_tests(output: str) -> tuple[str, ...] | None:
    failures = read_failures(output)
    return None if failures is None else failures.names


def test_every_recording_is_read() -> None:
    assert {file.stem for file in RECORDINGS.glob("*.txt")} == set(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_failing_tests_of_real_output_are_named(name: str) -> None:
    assert failing_tests(recorded(name)) == NAMES[name]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_run_that_did_not_reach_every_test_says_so(name: str) -> None:
    failures = read_failures(recorded(name))

    assert failures is not None
    assert CUT_SHORT.get(name, "") in failures.cut_short
    assert bool(failures.cut_short) == (name in CUT_SHORT)


@pytest.mark.parametrize("name", sorted({"pytest", "unittest", "jest", "vitest", "cargo_all_targets", "node_tap"}))
def test_output_that_breaks_off_is_not_taken_for_complete(name: str) -> None:
    lines = recorded(name).splitlines()
    for end in range(len(lines) * 2 // 3, len(lines) - 4):
        failures = read_failures("\n".join(lines[:end]))
        assert failures is None or failures.cut_short or failures.names == NAMES[name]


GO = """\
=== RUN   TestSum
    sum_test.go:8: got 1
--- FAIL: TestSum (0.00s)
    --- FAIL: TestSum/negative (0.00s)
FAIL
FAIL\texample.com/a\t0.003s
ok  \texample.com/b\t0.002s
# example.com/c [example.com/c.test]
c/c_test.go:5:2: undefined: nope
FAIL\texample.com/c [build failed]
FAIL
"""

SUREFIRE_3 = """\
[INFO] Running x.FooTest
[ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0, Time elapsed: 0.05 s <<< FAILURE! -- in x.FooTest
[ERROR] x.FooTest.bad -- Time elapsed: 0.004 s <<< FAILURE!
java.lang.AssertionError: expected:<1> but was:<2>
[ERROR] x.FooTest.err -- Time elapsed: 0.001 s <<< ERROR!
[INFO] Results:
[ERROR] Failures:
[ERROR]   FooTest.bad:3 expected:<1> but was:<2>
[ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0
"""

SUREFIRE_2 = """\
Tests run: 2, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.05 sec <<< FAILURE! - in x.FooTest
bad(x.FooTest)  Time elapsed: 0.004 sec  <<< FAILURE!
Tests run: 2, Failures: 1, Errors: 0, Skipped: 0
"""


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (GO, ("example.com/a TestSum", "example.com/a TestSum/negative", "example.com/c [build failed]")),
        (SUREFIRE_3, ("x.FooTest.bad", "x.FooTest.err")),
        (SUREFIRE_2, ("x.FooTest.bad",)),
        ("TAP version 13\nok 1 - a\nnot ok 2 - b c\nnot ok 3 - d # TODO later\n1..3\n", ("b c",)),
    ],
)
def test_the_failing_tests_of_described_formats_are_named(output: str, names: tuple[str, ...]) -> None:
    failures = read_failures(output)

    assert failures is not None
    assert (failures.names, failures.cut_short) == (names, "")


def test_a_panic_and_skipped_modules_and_an_unfulfilled_plan_hide_tests() -> None:
    hidden = [
        GO.replace("FAIL\n", "panic: boom\n\nFAIL\n", 1),
        SUREFIRE_3 + "[INFO] core ....... SKIPPED\n",
        "1..9\nnot ok 1 - a\n",
        "1..1\nnot ok 1 - a\nBail out!\n",
    ]
    for output in hidden:
        failures = read_failures(output)
        assert failures is not None
        assert failures.cut_short


def test_the_names_of_several_runners_in_one_output_are_joined() -> None:
    assert failing_tests(recorded("pytest") + recorded("mocha")) == tuple(sorted(NAMES["pytest"] + NAMES["mocha"]))


def test_what_a_test_prints_is_not_taken_for_a_result() -> None:
    assert "FAILED test_u.py::printed - by a test" in recorded("pytest")
    assert "test_u.py::printed" not in (failing_tests(recorded("pytest")) or ())


def test_failures_are_read_from_coloured_output_too() -> None:
    coloured = recorded("pytest").replace("FAILED", "\x1b[31mFAILED\x1b[0m")

    assert failing_tests(coloured) == NAMES["pytest"]


@pytest.mark.parametrize(
    "output",
    [
        "",
        "make: *** [Makefile:2: test] Error 1\n",
        "src/a.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.\n",
        "= 5 passed in 0.10s =\nFound 3 errors in 1 file\n",
        "\x00\xff" * 1000,
    ],
)
def test_output_that_names_no_failing_test_is_unknown_and_not_empty(output: str) -> None:
    assert failing_tests(output) is None


def test_a_run_without_tests_is_recognised() -> None:
    assert found_no_tests("\nno tests ran in 1.57s\n", 5)
    assert found_no_tests("No tests found, exiting with code 1\nRun with `--passWithNoTests`\n", 1)
    assert found_no_tests('npm error Missing script: "test"\n', 1)
    assert not found_no_tests("ERROR: file or directory not found: x.py\n\nno tests ran in 1.53s\n", 4)
    assert not found_no_tests("something else\n", 5)


def test_failing_tests_are_named_in_one_short_line() -> None:
    cases = [f"test_last_day (tests.test_summary.Summary.test_last_day) [{day}]" for day in (28, 29, 31)]
    long = f"tests/{'deep/' * 20}test_u.py::test_x"

    assert in_words(cases) == "Summary.test_last_day"
    assert in_words([*cases, "a", "b"]) == "Summary.test_last_day, a and 1 more"
    assert in_words([long]).endswith("/test_u.py::test_x") and len(in_words([long])) == 70
