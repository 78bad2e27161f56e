"""What is read from files that an agent wrote: nothing in them may break or stall us."""

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.runtime.asked import Asked
from agent_orchestrator.runtime.cases import read_cases
from agent_orchestrator.runtime.check_edits import check_edits
from agent_orchestrator.runtime.scrutiny import out_of_scope
from agent_orchestrator.runtime.tampering import compare
from agent_orchestrator.runtime.unfinished import unfinished
from agent_orchestrator.workspaces import Revision

PATHS = [
    "web/data.json",
    "shop.toml",
    *(
        "tests/test_a.py",
        "tests/conftest.py",
        "a.test.ts",
        "a_test.go",
        "src/a.rs",
        "src/test/ATest.java",
        "spec/a_spec.rb",
    ),
    *("tests/ATest.php", "test/a_test.exs", "a.bats", "tests/ATests.cs", "package.json", "Makefile", "pyproject.toml"),
    *("tox.ini", "jest.config.js", "Cargo.toml", "README.md", "shop.py", "tests/data.json", ".github/workflows/ci.yml"),
]
PIECES = st.sampled_from(
    [
        *(
            "it('",
            "describe(",
            "@Test\n",
            "/*",
            "*/",
            "//",
            "#[test]\n",
            "fn a() {",
            "def test_a():\n",
            "    assert ",
            "'",
            '"',
        ),
        *(
            "func TestA(t *testing.T) {",
            "t.Skip(",
            "class TestA:\n",
            "[pytest]\n",
            "[tool.pytest.ini_options]\n",
            "{",
            "}",
        ),
        *(
            '"scripts": ',
            "test:\n",
            "\t",
            "\n",
            " ",
            "\\",
            "`",
            "x",
            "=",
            "[",
            "]",
            "(",
            ")",
            "raise",
            "return\n",
            "é",
            "\0",
        ),
    ]
)
TEXTS = st.none() | st.lists(PIECES, max_size=40).map("".join)


def asked(text: str) -> Asked:
    return Asked(text)


@settings(deadline=None)
@given(path=st.sampled_from(PATHS), before=TEXTS, after=TEXTS)
def test_whatever_stands_in_a_file_it_is_compared(path: str, before: str | None, after: str | None) -> None:
    revision = Revision(path=path, before=before, after=after)

    compared = compare([revision])
    check_edits([revision], "npm test && make test")
    list(unfinished([revision], asked("Fix the bug")))

    if before is not None and before == after:
        assert not compared.edits


@pytest.mark.parametrize("path", PATHS)
def test_a_long_file_of_one_piece_does_not_stall(path: str) -> None:
    for piece in ("/*", "it('", "@Test\n", "#[a]", "exclude", "(", "a", "test ", "\n", " ", "if "):
        long = Revision(path=path, before="a", after=piece * (20_000 // len(piece)))

        compare([long])
        list(check_edits([long], "npm test"))
        list(unfinished([long], asked("Fix it")))


def cases(text: str) -> dict[str, tuple[int, int, int, bool]]:
    found = read_cases("tests/test_a.py", dedent(text))
    return {name: (one.asserts, one.idle, one.idle_if, one.hollow) for name, one in found.items() if name}


@pytest.mark.parametrize(
    ("body", "asserts"),
    [
        ("assert f() == 1", 1),
        ("assert f() == f()", 0),
        ("assert True, f()", 0),
        ("assert (f() == 1, 'a tuple always holds')", 0),
        ("self.assertEqual(f(), 1)", 1),
        ("self.assertTrue(True)", 0),
        ("with pytest.raises(ValueError): f()", 1),
        ("if False: assert f()", 0),
        ("for x in f(): assert x", 1),
        ("with suppress(AssertionError): assert f()", 0),
        ("try:\n        assert f()\n    except Exception:\n        pass", 0),
        ("try:\n        assert f()\n    except OSError:\n        pass", 1),
        ("try:\n        assert f()\n    except AssertionError:\n        raise", 1),
        ("return\n    assert f()", 0),
        ("_check_all(f())", 1),
        ("mock.assert_called_once_with(1)", 1),
    ],
)
def test_only_assertions_that_can_fail_are_counted(body: str, asserts: int) -> None:
    assert cases(f"def test_a():\n    {body}\n")["test_a"][0] == asserts


@pytest.mark.parametrize(
    ("text", "idle", "idle_if"),
    [
        ("@pytest.mark.skip\ndef test_a(): f()\n", 1, 0),
        ("@pytest.mark.xfail(reason='x')\ndef test_a(): f()\n", 1, 0),
        ("@pytest.mark.skipif(sys.platform == 'win32', reason='x')\ndef test_a(): f()\n", 0, 1),
        ("@pytest.mark.skipif(True, reason='x')\ndef test_a(): f()\n", 1, 0),
        ("@unittest.skipUnless(False, 'x')\ndef test_a(): f()\n", 1, 0),
        ("@pytest.mark.parametrize('x', [])\ndef test_a(x): f()\n", 1, 0),
        ("def test_a():\n    pytest.skip('x')\n", 1, 0),
        ("def test_a():\n    if slow():\n        pytest.skip('x')\n    f()\n", 0, 1),
        ("def test_a(): f()\n", 0, 0),
    ],
)
def test_what_does_not_run_is_told_from_what_runs_on_a_condition(text: str, idle: int, idle_if: int) -> None:
    assert cases(text)["test_a"][1:3] == (idle, idle_if)


def test_what_pytest_would_not_collect_is_no_test() -> None:
    text = """
        class Helpers:
            def test_no(self): ...
        class TestOff:
            __test__ = False
            def test_no(self): ...
        class TestOn:
            def test_yes(self): f()
        if False:
            def test_never(): f()
    """

    assert set(cases(text)) == {"TestOn.test_yes"}
    assert read_cases("tests/helpers.py", "def test_a(): f()\n") == {}


@pytest.mark.parametrize(
    ("text", "removal", "skipping", "change"),
    [
        ("Remove the obsolete tests", True, False, False),
        ("The old tests of the cart should be deleted", True, False, False),
        ("Fix it. Do not delete tests", False, False, False),
        ("Never skip, remove or weaken tests", False, False, False),
        ("Remove the login page and make sure that all tests pass", False, False, False),
        ("Drop support for XML\nRemove the parser of XML", False, False, False),
        ("Skip the flaky tests", False, True, False),
        ("Update the tests to the new names", False, False, True),
        ("Add tests for tax", False, False, False),
        ("The tests must pass", False, False, False),
    ],
)
def test_a_task_asks_for_what_its_plain_words_say(text: str, removal: bool, skipping: bool, change: bool) -> None:
    words = asked(text)

    assert (words.removal_of_tests("test_tax"), words.skipping_of_tests(), words.change("test_tax")) == (
        removal,
        skipping,
        change,
    )


@pytest.mark.parametrize(
    ("owns", "file", "told"),
    [
        (("src/**",), "src/a/b.py", False),
        (("src",), "src/a/b.py", False),
        (("src/*.py",), "src/a/b.py", True),
        (("src/**",), "docs/a.md", True),
        ((), "anything", False),
    ],
)
def test_a_file_is_in_the_scope_as_the_plan_means_it(owns: tuple[str, ...], file: str, told: bool) -> None:
    task = Task(
        id=TaskId("t1"), goal=GoalId("g1"), key="t", title="Do it", description="", specialist="generalist", owns=owns
    )

    assert bool(out_of_scope(task, [file])) is told
