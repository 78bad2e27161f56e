import json
import os
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.services.alive import process_identity
from looking import orchestrate
from steps import accept, claim, land, planned


def supervise(app: App) -> None:
    """Begin a supervisor's term in this very process, which surely lives."""
    with app.store.transaction():
        options = {"identity": process_identity(os.getpid())}
        app.store.leadership.begin(pid=os.getpid(), max_agents=3, options=options, now=app.clock.now())


def test_agents_lists_the_living_and_with_all_the_ended_too(here: App) -> None:
    accept(here, planned("a"), planned("b"))
    ended = claim(here)
    land(here, ended)
    living = here.tasks.started(claim(here))

    assert [line.split()[0] for line in orchestrate("agents").lines] == [living.agent]
    everyone = json.loads(orchestrate("agents", "--all", "--json").out)
    assert {agent["id"]: agent["state"] for agent in everyone} == {ended.agent: "ended", living.agent: "working"}


def test_kill_without_a_supervisor_is_refused_and_says_what_to_do(here: App) -> None:
    accept(here, planned("a"))
    attempt = here.tasks.started(claim(here))

    said = orchestrate("kill", attempt.agent)

    assert said.code == 5 and "orchestrate run" in said.err
    assert not here.agents.resolve(attempt.agent).stop_wished


def test_kill_writes_the_wish_and_says_what_becomes_of_the_task(here: App) -> None:
    accept(here, planned("a"))
    attempt = here.tasks.started(claim(here))
    supervise(here)

    said = orchestrate("kill", attempt.agent[:-1])

    assert said.code == 0 and f"{attempt.task} goes back to the queue" in said.out
    assert here.agents.resolve(attempt.agent).stop_wished


def test_killing_an_ended_or_unknown_agent_is_refused(here: App) -> None:
    accept(here, planned("a"))
    attempt = claim(here)
    land(here, attempt)

    assert orchestrate("kill", attempt.agent).code == 5
    assert orchestrate("kill", "nobody").code == 4


def test_specialists_are_listed_with_their_origin(here: App) -> None:
    folder = here.folder / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "game-designer.md").write_text("---\nname: game-designer\ndescription: Designs games.\n---\nYou do.\n")
    (folder / "broken.md").write_text("no front matter")

    said = orchestrate("specialists")

    assert any(line.split()[:2] == ["game-designer", "project"] for line in said.lines)
    assert any("built in" in line for line in said.lines)
    assert "broken.md" in said.err
    document = json.loads(orchestrate("specialists", "--json").out)
    assert "game-designer" in {one["name"] for one in document["specialists"]} and len(document["problems"]) == 1


def test_route_says_who_why_and_how_sure(here: App) -> None:
    sure = orchestrate("specialists", "--route", "Write pytest unit tests for the parser").out
    unsure = orchestrate("specialists", "--route", "Xyzzy plugh").out

    assert sure.startswith("qa-test-engineer") and "because of:" in sure and "confidence" in sure
    assert unsure.startswith("generalist") and "a guess" in unsure


def test_route_reads_one_text_a_line(here: App) -> None:
    said = orchestrate("specialists", "--route", "-", "--json", stdin="Write pytest unit tests\n\nXyzzy plugh\n")

    assert [json.loads(line)["specialist"] for line in said.lines] == ["qa-test-engineer", "generalist"]


def test_route_of_nothing_is_refused(here: App) -> None:
    assert orchestrate("specialists", "--route", " ").code == 2


@pytest.mark.parametrize("typed", ["", "t", "log"])
def test_the_shell_completes_ids_from_the_store(here: App, typed: str) -> None:
    _, tasks = accept(here, planned("login"))
    import click

    from agent_orchestrator.cli import completing

    context, parameter = click.Context(click.Command("task")), click.Argument(["task"])
    offered = [item.value for item in completing.tasks(context, parameter, typed)]

    assert offered == (["login"] if typed == "log" else [tasks["login"].id])
    assert completing.agents(context, parameter, "") == []


ROLE = """---
name: reader
description: Reads and reports.
tools: Read, Grep
model: sonnet
maxTurns: 9
---
You read.
"""


def test_specialists_show_tier_model_limits_and_the_file_they_came_from(here: App) -> None:
    file = here.folder / ".claude" / "agents" / "reader.md"
    file.parent.mkdir(parents=True)
    file.write_text(ROLE)

    row = next(line for line in orchestrate("specialists").lines if line.startswith("reader"))
    found = json.loads(orchestrate("specialists", "--json").out)
    reader = next(one for one in found["specialists"] if one["name"] == "reader")

    for words in ("project .claude", "standard", "claude sonnet", "only Read, Grep; 9 turns", "Reads and reports."):
        assert words in row
    assert (reader["file"], reader["tools"], reader["max_turns"]) == (str(file), ["Read", "Grep"], 9)
    assert (reader["models"]["claude"], reader["models"]["codex"]) == ("sonnet", None)
    assert {"claude", "codex"} <= set(found["providers"])


def test_specialists_show_the_models_that_tiers_have_by_the_settings(here: App) -> None:
    (here.folder / ".orchestrate").mkdir()
    (here.folder / ".orchestrate" / "config.toml").write_text('[models.codex]\nheavy = "gpt-5"\n')

    found = {one["name"]: one for one in json.loads(orchestrate("specialists", "--json").out)["specialists"]}

    def models(role: str) -> tuple[str | None, str | None]:
        return found[role]["models"]["claude"], found[role]["models"]["codex"]

    assert models("security-engineer") == ("opus", "gpt-5")
    assert models("documentation-writer") == ("haiku", None)
    assert models("qa-test-engineer") == (None, None)


def test_specialists_say_which_installed_agent_cannot_keep_a_limit(
    here: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.folder / ".claude" / "agents").mkdir(parents=True)
    (here.folder / ".claude" / "agents" / "reader.md").write_text(ROLE)
    (tmp_path / "bin").mkdir()
    for name in ("claude", "codex"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    said = orchestrate("specialists").err

    assert "codex cannot keep the list of tools of the role reader" in said
    assert "codex cannot keep the limit on turns of the role reader" in said
    assert "codex does not know the model sonnet" in said
    assert "claude cannot" not in said
    assert "reader has no tool to change files with" in said


def test_route_takes_the_files_a_task_will_write_as_evidence(here: App) -> None:
    by_words = json.loads(orchestrate("specialists", "--route", "Fix the button", "--json").out)
    by_files = json.loads(orchestrate("specialists", "--route", "Fix the button", "--owns", "dags/*.py", "--json").out)

    assert (by_words["specialist"], by_files["specialist"]) == ("frontend-ui-engineer", "data-pipeline-engineer")
    assert "dags/*.py" in by_files["reason"]
    assert orchestrate("specialists", "--owns", "dags/*.py").code == 2


def test_route_names_the_alternatives_and_what_is_a_guess(here: App) -> None:
    torn = json.loads(orchestrate("specialists", "--route", "Dockerfile for React", "--json").out)

    assert torn["guess"] is True and torn["confidence"] < 0.5
    assert torn["alternatives"]
    assert "else " in orchestrate("specialists", "--route", "Dockerfile for React").out


def test_a_project_role_takes_part_in_routing(here: App) -> None:
    folder = here.folder / ".claude" / "agents"
    folder.mkdir(parents=True)
    (folder / "fortran.md").write_text("---\nname: fortran-expert\ndescription: Weather kernels.\n---\nYou do.\n")

    assert orchestrate("specialists", "--route", "Speed up the Fortran loops").out.startswith("fortran-expert")
