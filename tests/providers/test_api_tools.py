"""What the API's model may do in a checkout, and what it is told when it may not or cannot."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.providers import api_tools
from agent_orchestrator.providers.api_tools import Toolbox, ToolProblem, definitions
from calling import wait_for

Use = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("one = 1\ntwo = 2\none = 1\n")
    (folder / "README.md").write_text("Hello.\n")
    (tmp_path / "secret.txt").write_text("outside\n")
    return folder


@pytest.fixture
def use(root: Path) -> Use:
    box = Toolbox(root=root, environment={**os.environ, "ANTHROPIC_API_KEY": "made-up"}, shell_seconds=20)
    return lambda name, **given: box.use(name, given)


def refused(use: Use, name: str, **given: object) -> str:
    with pytest.raises(ToolProblem) as problem:
        use(name, **given)
    return str(problem.value)


def test_every_tool_that_is_offered_can_be_used_and_takes_what_it_says(root: Path, use: Use) -> None:
    given = {"command": "true", "path": "README.md", "content": "x", "old": "x", "new": "y", "pattern": "y"}
    for tool in definitions(20):
        schema = tool["input_schema"]
        assert isinstance(schema, dict)
        assert use(str(tool["name"]), **{name: given[name] for name in schema["required"]})
    assert (root / "README.md").read_text() == "y"


def test_a_command_runs_in_the_checkout_and_its_failure_is_said_with_its_output(root: Path, use: Use) -> None:
    assert use("bash", command="pwd").strip() == str(root)
    assert use("bash", command="echo out; echo err >&2; exit 3") == "out\nerr\n[exit code 3]"
    assert use("bash", command="true") == "(no output)"


def test_no_command_sees_the_key(use: Use) -> None:
    assert "made-up" not in use("bash", command="env")


def test_a_command_that_runs_too_long_is_ended_with_all_it_started(root: Path, use: Use) -> None:
    said = refused(use, "bash", command="sleep 300 & echo $! > pid; trap '' TERM; wait", timeout_seconds=0.5)

    assert "it ran longer than" in said
    pid = int((root / "pid").read_text())
    wait_for(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    """Say whether nothing runs under *pid*; a zombie that nobody reaps here is gone too."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return True


def test_what_a_command_leaves_running_does_not_keep_its_answer_back(root: Path, use: Use) -> None:
    assert use("bash", command="sleep 300 & echo $!; echo $! > pid").strip().isdigit()

    os.kill(int((root / "pid").read_text()), signal.SIGKILL)


def test_long_output_is_shown_with_its_beginning_and_its_end(use: Use) -> None:
    said = use("bash", command="echo first; seq 100000; echo last")

    assert said.startswith("first\n") and said.rstrip().endswith("last")
    assert "left out" in said
    assert len(said) < api_tools.SHOWN_CHARS + 200


def test_a_command_that_prints_without_end_is_ended(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tools, "DISK_BYTES", 1024**2)

    assert "it printed more than 1 MiB" in refused(use, "bash", command="yes")


def test_a_file_is_read_with_line_numbers_and_in_parts(use: Use) -> None:
    assert use("read", path="src/a.py", first_line=2, lines=1) == "2\ttwo = 2\n[… 2 more lines; first_line=3 reads on]"
    assert "not among them" in refused(use, "read", path="src/a.py", first_line=99)


def test_what_is_no_text_is_not_read(root: Path, use: Use) -> None:
    (root / "image").write_bytes(b"\xff\xfe\x00")

    assert "no UTF-8" in refused(use, "read", path="image")
    assert "folder" in refused(use, "read", path="src")
    assert "no such file" in refused(use, "read", path="nothing")


def test_an_edit_replaces_what_occurs_once_and_keeps_every_other_byte(root: Path, use: Use) -> None:
    (root / "dos.txt").write_bytes(b"a\r\nb\r\n")

    use("edit", path="dos.txt", old="b", new="c")

    assert (root / "dos.txt").read_bytes() == b"a\r\nc\r\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("one = 1", "x", "occurs 2 times"), ("three", "x", "does not occur"), ("", "x", "empty"), ("two", "two", "same")],
)
def test_an_edit_that_is_not_exact_changes_nothing_and_says_why(
    root: Path, use: Use, old: str, new: str, said: str
) -> None:
    before = (root / "src" / "a.py").read_text()

    assert said in refused(use, "edit", path="src/a.py", old=old, new=new)
    assert (root / "src" / "a.py").read_text() == before


def test_an_edit_of_all_places_is_asked_for(root: Path, use: Use) -> None:
    use("edit", path="src/a.py", old="one = 1", new="one = 0", all=True)

    assert (root / "src" / "a.py").read_text() == "one = 0\ntwo = 2\none = 0\n"


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "link", "folder/secret.txt", "src/../../secret.txt"])
@pytest.mark.parametrize("tool", ["read", "write", "edit", "list", "search"])
def test_no_file_tool_leaves_the_checkout_by_whatever_way(
    tmp_path: Path, root: Path, use: Use, tool: str, path: str
) -> None:
    (root / "link").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path)

    said = refused(use, tool, path=path, content="x", old="outside", new="x", pattern="outside")

    assert "outside of the working directory" in said
    assert (tmp_path / "secret.txt").read_text() == "outside\n"


def test_neither_listing_nor_searching_follows_a_link_out(tmp_path: Path, root: Path, use: Use) -> None:
    (root / "folder").symlink_to(tmp_path)

    assert use("list", pattern="*secret*") == "(no file)"
    assert use("search", pattern="outside") == "(no match)"


def test_the_contexts_view_may_be_written_too(tmp_path: Path, root: Path) -> None:
    view = tmp_path / "view"
    view.mkdir()

    Toolbox(root=root, also=(view,)).use("write", {"path": f"{view}/shared/key.json", "content": "1"})

    assert (view / "shared" / "key.json").read_text() == "1"


def test_what_git_keeps_is_not_written_as_a_file(root: Path, use: Use) -> None:
    assert "git commands" in refused(use, "write", path=".git/hooks/pre-commit", content="evil")
    assert not (root / ".git").exists()


def test_files_are_listed_by_pattern_and_searched_by_expression(root: Path, use: Use) -> None:
    assert use("list").splitlines() == ["README.md", "src/a.py"]
    assert use("list", pattern="**/*.md") == "README.md"
    assert use("search", pattern="^two", files="*.py").strip() == "./src/a.py:2:two = 2"
    assert use("search", pattern="^two", path="README.md") == "(no match)"
    assert refused(use, "search", pattern="(")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("fly", {}),
        ("bash", {}),
        ("bash", {"command": 3}),
        ("bash", {"command": "true", "timeout_seconds": "long"}),
        ("bash", {"command": "true", "timeout_seconds": -1}),
        ("read", {"path": "a\0b"}),
        ("read", {"path": "x" * 5000}),
        ("write", {"path": "src", "content": "x"}),
        ("write", {"path": "README.md/x", "content": "x"}),
        ("write", {"path": "half", "content": "\ud800"}),
    ],
)
def test_a_call_that_cannot_be_meant_is_told_and_raises_nothing_else(
    use: Use, name: str, given: dict[str, object]
) -> None:
    assert refused(use, name, **given)
