"""init, doctor, config, completion, called as a user's shell does."""

import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator import settings
from agent_orchestrator.runtime.readiness import file_system
from calling import Caller, wait_for


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project")


def checks(call: Caller, **environ: str) -> dict[str, Any]:
    return {check["name"]: check for check in call("doctor", "--json", **environ).json["checks"]}


def executable(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{says}'\n")
    (folder / name).chmod(0o755)


def test_init_writes_what_is_not_there_and_overwrites_nothing(call: Caller) -> None:
    first = call("init", "--json").json
    config = call.folder / ".orchestrate" / "config.toml"
    config.write_text("max_agents = 2\n")
    second = call("init", "--json").json

    assert [Path(name).name for name in first["made"]] == ["config.toml", ".gitkeep"]
    assert second["made"] == []
    assert config.read_text() == "max_agents = 2\n"
    assert Path(second["state"]).is_relative_to(call.environ["HOME"])
    assert call("config", "max_agents").out == "2\n"


def test_the_configuration_that_init_writes_holds_every_default(tmp_path: Path) -> None:
    text = settings.config_example()
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and " = " in line]
    folder = tmp_path / "project"
    (folder / ".orchestrate").mkdir(parents=True)
    (folder / ".orchestrate" / "config.toml").write_text("\n".join(lines))

    assert tomllib.loads(text) == {}
    assert len(lines) == len(settings.FIELDS)
    loaded, default = settings.load(folder, {"HOME": str(tmp_path)}), settings.Settings()
    for one in settings.FIELDS:
        assert getattr(loaded, one.name) == getattr(default, one.name), one.name


def test_init_git_makes_a_first_commit_once(call: Caller) -> None:
    (call.folder / "a.txt").write_text("a\n")

    assert call("init", "--git", "--json").json["first_commit"] is True
    assert call("init", "--git", "--json").json["first_commit"] is False
    assert call.git("log", "--format=%s") == "First commit"


def test_init_in_a_repository_says_what_to_do_with_its_folder(call: Caller) -> None:
    assert "Commit" not in call("init").err
    assert "Commit .orchestrate/" in call("init", "--git").err


def test_init_where_a_file_stands_in_the_way_says_so(call: Caller) -> None:
    (call.folder / ".orchestrate").write_text("")

    answer = call("init")

    assert answer.code == 8
    assert "not a folder" in answer.err


def test_doctor_without_an_agent_fails_and_says_what_to_install(call: Caller) -> None:
    answer = call("doctor")

    assert answer.code == 8
    assert "npm install -g" in answer.out
    assert checks(call)["agents"]["level"] == "fail"
    assert not list(Path(call.environ["HOME"]).rglob("tasks.db"))


def test_on_a_narrow_terminal_what_does_not_fit_stands_below_and_is_whole(call: Caller) -> None:
    _, shown = call.in_shell("sh", "-c", "stty cols 60; orchestrate doctor", typed=b"")

    lines = [line.rstrip() for line in shown.splitlines()]
    assert "    npm install -g @anthropic-ai/claude-code" in lines
    assert not any(line.endswith(" -") for line in lines)


def test_doctor_with_an_agent_and_a_repository_passes_and_says_who_pays(call: Caller, tmp_path: Path) -> None:
    executable(tmp_path / "bin", "claude", "9.9.9 (Claude Code)")
    call.environ["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    call("init", "--git")

    found = checks(call, ANTHROPIC_API_KEY="made-up")

    assert call("doctor", ANTHROPIC_API_KEY="made-up").code == 0
    assert "9.9.9" in found["claude"]["detail"] and "ANTHROPIC_API_KEY pays" in found["claude"]["detail"]
    assert checks(call)["claude"]["level"] == "warn"
    assert found["project"]["level"] == "ok"


def test_doctor_names_an_old_git(call: Caller, tmp_path: Path) -> None:
    executable(tmp_path / "bin", "git", "git version 2.37.9")
    with (tmp_path / "bin" / "git").open("a") as script:
        script.write(f'[ "$1" = --version ] || exec {shutil.which("git")} "$@"\n')

    found = checks(call, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert (found["git"]["level"], found["git"]["hint"]) == ("fail", "install git 2.38 or newer")


def test_doctor_names_a_damaged_database(call: Caller) -> None:
    call("submit", "x")
    database = Path(call("config", "--json").json["paths"]["database"])
    assert checks(call)["database"]["level"] == "ok"
    with database.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8192)

    answer = call("doctor", "--json")

    assert answer.code == 8
    assert {one["name"]: one["level"] for one in answer.json["checks"]}["database"] == "fail"


def test_doctor_names_uncommitted_work_and_what_the_repository_makes_agents_run(call: Caller) -> None:
    (call.folder / "a.txt").write_text("a\n")
    call("init", "--git")
    (call.folder / "a.txt").write_text("b\n")
    (call.folder / ".mcp.json").write_text("{}")
    (call.folder / ".claude").mkdir()
    (call.folder / ".claude" / "settings.json").write_text('{"permissions": {}}')

    found = checks(call)
    assert found["changes"]["level"] == "warn"
    assert found["repository configuration"]["detail"].startswith(".mcp.json")

    (call.folder / ".mcp.json").unlink()
    assert "repository configuration" not in checks(call)
    (call.folder / ".claude" / "settings.json").write_text('{"hooks": {}}')
    assert checks(call)["repository configuration"]["detail"].startswith(".claude/settings.json")


def test_doctor_says_which_test_command_would_judge_and_who_says_so(call: Caller) -> None:
    assert checks(call)["tests"]["level"] == "warn"

    (call.folder / "Cargo.toml").write_text("[package]\n")

    detail = checks(call)["tests"]["detail"]
    assert "cargo test" in detail and "Cargo.toml" in detail
    assert "make check" in checks(call, ORCHESTRATE_VERIFY="make check")["tests"]["detail"]


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        ("no-such-runner --all", "there is no no-such-runner"),
        (f"CI=1 {sys.executable} -m no_such_runner -q", "has no module no_such_runner"),
        (f"{sys.executable} -m unittest", ""),
        ("./check.sh", ""),
        ("no-such-runner && echo whatever a shell makes of that", ""),
    ],
)
def test_doctor_names_what_the_test_command_needs_and_is_not_here(call: Caller, command: str, lacks: str) -> None:
    (call.folder / "check.sh").touch()

    found = checks(call, ORCHESTRATE_VERIFY=command)["tests"]

    assert found["level"] == ("warn" if lacks else "ok")
    assert lacks in found["detail"]


def test_doctor_notices_a_supervisor_that_died(call: Caller, tmp_path: Path) -> None:
    call.with_agent(tmp_path)
    call("init", "--git")
    pid = call("run", "--detach", "--watch", "--json").json["pid"]
    assert checks(call)["supervisor"]["detail"].startswith(f"process {pid} runs")

    os.kill(pid, 9)

    wait_for(lambda: checks(call)["supervisor"]["level"] == "warn")
    assert call("stop").code == 3


def test_a_network_file_system_is_told_by_its_mount(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    escaped = str(tmp_path / "a b").replace(" ", "\\040")
    mounts = f"/dev/sda / ext4 rw 0 0\nserver:/home {escaped} nfs4 rw 0 0\n"

    assert file_system(tmp_path / "a b", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path, "") == ""


def test_config_says_where_each_value_came_from(call: Caller) -> None:
    user = Path(call.environ["HOME"]) / ".config" / "orchestrate" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('max_agents = 7\nverify = "make test"\n')
    (call.folder / ".orchestrate").mkdir()
    project = call.folder / ".orchestrate" / "config.toml"
    project.write_text('verify = "make check"\n')

    shown = call("config", "--json", ORCHESTRATE_MAX_ATTEMPTS="4").json

    found = {one["name"]: (one["value"], one["origin"]) for one in shown["settings"]}
    assert found["max_agents"] == (7, str(user))
    assert found["verify"] == ("make check", str(project))
    assert found["max_attempts"] == (4, "$ORCHESTRATE_MAX_ATTEMPTS")
    assert found["silence_minutes"] == (15, "default")
    assert "verify\tmake check\t" in call("config", "--origin").out
    assert call("config", "verfy").code == 2


@pytest.mark.parametrize(
    ("typed", "completed"), [("sta", "status"), ("execute", "execute-plan"), ("com", "completion")]
)
def test_bash_completes_verbs(call: Caller, typed: str, completed: str) -> None:
    answer = call(_ORCHESTRATE_COMPLETE="bash_complete", COMP_WORDS=f"orchestrate {typed}", COMP_CWORD="1")

    assert (answer.code, answer.out.split()) == (0, [f"plain,{completed}"])


def test_bash_completes_options_and_ids(call: Caller) -> None:
    goal = call("submit", "x", "--json").json["goal"]["id"]

    def offered(words: str, at: int) -> list[str]:
        answer = call(_ORCHESTRATE_COMPLETE="bash_complete", COMP_WORDS=f"orchestrate {words}", COMP_CWORD=str(at))
        return answer.out.split()

    assert "plain,--decompose" in offered("submit --dec", 2)
    assert f"plain,{goal}" in offered("undo g", 2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_the_installed_name(call: Caller, shell: str) -> None:
    answer = call("completion", shell)

    assert answer.code == 0
    assert f"_ORCHESTRATE_COMPLETE={shell}_complete" in answer.out
    assert call("completion", shell, "--json").json["script"].strip() == answer.out.strip()


def test_doctor_names_each_file_that_is_no_specialist_once_and_goes_on(call: Caller) -> None:
    folder = call.folder / ".claude" / "agents"
    folder.mkdir(parents=True)
    (folder / "broken.md").write_text("no front matter")

    answer = call("doctor", "--json")

    named = [check for check in answer.json["checks"] if check["name"] == "specialists"]
    assert [check["level"] for check in named] == ["warn"]
    assert "broken.md" in named[0]["detail"]
    assert call("submit", "x").code == 0


def test_config_shows_the_model_of_each_tier_with_its_origin(call: Caller) -> None:
    call("init")
    config = call.folder / ".orchestrate" / "config.toml"
    config.write_text(config.read_text() + '\n[models.codex]\nheavy = "gpt-5"\n')

    shown = {one["name"]: one for one in call("config", "--json").json["settings"]}

    assert (shown["models.claude.heavy"]["value"], shown["models.claude.heavy"]["origin"]) == ("opus", "default")
    assert (shown["models.codex.heavy"]["value"], shown["models.codex.heavy"]["origin"]) == ("gpt-5", str(config))
    assert call("config", "models.claude.light").out == "haiku\n"


TO_SOURCE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(orchestrate completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -D; eval "$(orchestrate completion zsh)"'),
}


def installed(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("shell", TO_SOURCE)
def test_pressing_tab_in_the_shell_itself_completes_verbs_and_goals(call: Caller, shell: str) -> None:
    installed(shell)
    goal = call("submit", "Something", "--json").json["goal"]["id"]
    argv, source = TO_SOURCE[shell]

    _, shown = call.in_shell(*argv, typed=f"{source}\norchestrate repo\t{goal[:3]}\t\nexit\n".encode())

    assert "Nothing" not in shown and "No such command" not in shown
    assert "Not finished (ready)" in shown, shown


def test_fish_itself_completes_verbs_options_and_goals(call: Caller) -> None:
    installed("fish")
    goal = call("submit", "Something", "--json").json["goal"]["id"]
    lines = ["orchestrate plan-", f"orchestrate report {goal[:3]}", "orchestrate submit --dec"]
    asked = "; ".join(["orchestrate completion fish | source", *(f'complete -C "{line}"' for line in lines)])

    code, shown = call.in_shell("fish", "-N", "-c", asked, typed=b"")

    assert code == 0
    assert [word in shown for word in ("plan-continue", "plan-list", goal, "--decompose")] == [True] * 4, shown
