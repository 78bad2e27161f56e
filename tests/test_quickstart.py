"""The two scripts a newcomer meets first: the set-up and the launcher. What needs no network."""

import os
import pty
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from calling import wait_for

CHECKOUT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of ours that is set up already: its environment's Python is the one of this test."""
    folder = tmp_path / "a checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("orchestrate", "quickstart.sh", "pyproject.toml", "uv.lock"):
        shutil.copy2(CHECKOUT / name, folder)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{CHECKOUT / "src"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return folder


def call(*argv: object, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def mark_as_set_up(checkout: Path) -> None:
    """Leave the stamp that quickstart leaves after installing, by its own function."""
    text = (checkout / "quickstart.sh").read_text()
    start = text.index("fingerprint() {")
    function = text[start : text.index("\n}\n", start) + 3]
    script = f'say() {{ printf "%s\\n" "$*"; }}\nhere=$(pwd -P)\n{function}fingerprint "" > .venv/.quickstart\n'
    subprocess.run(["bash", "-c", script], cwd=checkout, check=True)


def test_the_launcher_works_from_another_folder(checkout: Path, tmp_path: Path) -> None:
    answer = call(checkout / "orchestrate", "--version", cwd=tmp_path)

    assert (answer.returncode, answer.stdout) == (0, f"orchestrate {VERSION}\n")


def test_the_launcher_works_through_links_to_links(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "opt").symlink_to(checkout / "orchestrate")
    (tmp_path / "bin" / "orchestrate").symlink_to("../opt")

    answer = call(tmp_path / "bin" / "orchestrate", "--version", cwd=tmp_path / "bin")

    assert (answer.returncode, answer.stdout) == (0, f"orchestrate {VERSION}\n")


def test_the_launcher_is_found_on_path(checkout: Path, tmp_path: Path) -> None:
    answer = call("orchestrate", "--version", cwd=tmp_path, PATH=f"{checkout}:{os.environ['PATH']}")

    assert answer.stdout == f"orchestrate {VERSION}\n"


def test_a_file_of_the_users_project_is_not_imported_in_place_of_a_module(checkout: Path, tmp_path: Path) -> None:
    for name in ("json", "click", "agent_orchestrator"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported the wrong file')\n")

    answer = call(checkout / "orchestrate", "--version", cwd=tmp_path)

    assert (answer.returncode, answer.stdout) == (0, f"orchestrate {VERSION}\n")


def test_the_launcher_hands_on_arguments_and_the_exit_code(checkout: Path, tmp_path: Path) -> None:
    answer = call(checkout / "orchestrate", "submit", "two  words; $(touch x)", "--nonsense", cwd=tmp_path)

    assert answer.returncode == 2
    assert "--nonsense" in answer.stderr
    assert not (tmp_path / "x").exists()


def test_a_launcher_that_is_not_set_up_says_the_one_command(tmp_path: Path) -> None:
    folder = tmp_path / "fresh clone"
    folder.mkdir()
    shutil.copy2(CHECKOUT / "orchestrate", folder)

    answer = call(folder / "orchestrate", "status", cwd=tmp_path)

    assert answer.returncode == 8
    assert answer.stderr == f"orchestrate: not set up yet; run: {folder}/quickstart.sh\n"


def test_quickstarts_help_names_every_option_and_installs_nothing(tmp_path: Path) -> None:
    shutil.copy2(CHECKOUT / "quickstart.sh", tmp_path)

    answer = call(tmp_path / "quickstart.sh", "--help", PATH="/usr/bin:/bin")

    assert answer.returncode == 0
    assert all(option in answer.stdout for option in ("--demo", "--test", "--yes", "--help"))
    assert [file.name for file in tmp_path.iterdir()] == ["quickstart.sh"]


def test_an_unknown_option_of_quickstart_is_refused(tmp_path: Path) -> None:
    shutil.copy2(CHECKOUT / "quickstart.sh", tmp_path)

    answer = call(tmp_path / "quickstart.sh", "--demo", "--dem")

    assert answer.returncode == 2
    assert answer.stderr.startswith("quickstart: unknown option --dem\n")


@pytest.mark.parametrize(
    ("tools", "names"), [(("bash", "dirname", "cat"), "git"), (("bash", "dirname", "cat", "git"), "Python 3.11")]
)
def test_quickstart_names_what_is_missing(tmp_path: Path, tools: tuple[str, ...], names: str) -> None:
    shutil.copy2(CHECKOUT / "quickstart.sh", tmp_path)
    path = tmp_path / "bin"
    path.mkdir()
    for tool in (*tools, "cksum", "grep", "rm"):
        found = shutil.which(tool)
        assert found
        (path / tool).symlink_to(found)

    answer = call(tmp_path / "quickstart.sh", PATH=str(path))

    assert answer.returncode == 8
    assert names in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_second_quickstart_installs_nothing_and_asks_nothing_without_a_terminal(checkout: Path) -> None:
    mark_as_set_up(checkout)

    answer = call(checkout / "quickstart.sh", cwd=checkout)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Already set up.\n")
    assert "Paste a key" not in answer.stdout
    assert "Type next: ./orchestrate" in answer.stdout


def test_called_from_another_folder_quickstart_names_commands_that_work_there(checkout: Path, tmp_path: Path) -> None:
    mark_as_set_up(checkout)

    answer = call(checkout / "quickstart.sh", cwd=tmp_path)

    assert f"Type next: {checkout}/orchestrate" in answer.stdout


def on_a_terminal(checkout: Path, typed: str, **environ: str) -> str:
    """Run quickstart on a terminal of its own, type at its question, and return what it showed."""
    terminal, far = pty.openpty()
    started = subprocess.Popen(
        [checkout / "quickstart.sh"], stdin=far, stdout=far, stderr=far, env={**os.environ, **environ}
    )
    os.close(far)
    shown = bytearray()

    def more(until: bytes) -> bool:
        try:
            shown.extend(os.read(terminal, 4096))
        except OSError:  # what Linux says when the other side has closed
            return True
        return until in shown

    try:
        wait_for(lambda: more(b"skip): "))
        if b"skip): " in shown:
            os.write(terminal, typed.encode() + b"\n")
            wait_for(lambda: more(b"Type next"))
        assert started.wait(120) == 0, bytes(shown)
    finally:
        started.kill()
        started.wait()
        os.close(terminal)
    return shown.decode()


@pytest.mark.parametrize("before", [None, "MAX_AGENTS=2", "MAX_AGENTS=2\n"], ids=["new", "unended", "ended"])
def test_a_key_typed_at_quickstart_is_stored_for_its_owner_only_and_never_shown(
    checkout: Path, before: str | None
) -> None:
    mark_as_set_up(checkout)
    file = Path(os.environ["HOME"]) / ".config" / "orchestrate" / ".env"
    if before is not None:
        file.parent.mkdir(parents=True)
        file.write_text(before)
        file.chmod(0o644)

    shown = on_a_terminal(checkout, "  sk-ant-made-up_1 ")

    assert file.read_text().splitlines() == [*(before or "").splitlines(), "ANTHROPIC_API_KEY=sk-ant-made-up_1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sk-ant-made-up_1" not in shown


@pytest.mark.parametrize("typed", ["", "no key at all", "sk$(id)"])
def test_what_is_no_key_is_not_stored(checkout: Path, typed: str) -> None:
    mark_as_set_up(checkout)

    shown = on_a_terminal(checkout, typed)

    assert "Ready." in shown
    assert not (Path(os.environ["HOME"]) / ".config").exists()


def test_who_has_a_key_is_not_asked_for_one(checkout: Path) -> None:
    mark_as_set_up(checkout)

    assert "Paste a key" not in on_a_terminal(checkout, "", ANTHROPIC_API_KEY="sk-ant-made-up")
