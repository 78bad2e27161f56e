"""context get, put, list: for a person in any terminal, and for an agent in its checkout."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator import places
from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from looking import HOSTILE, is_harmless, orchestrate
from steps import accept, claim, land, planned

pytestmark = pytest.mark.usefixtures("own_tmp")


def answer(*words: str, stdin: str = "") -> dict[str, object]:
    said = orchestrate("context", *words, "--json", stdin=stdin)
    assert said.code == 0, said
    found: dict[str, object] = json.loads(said.out)
    return found


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"port": 8080}', {"port": 8080}),
        ("snake_case", "snake_case"),
        ("8080", 8080),
        ("NaN", "NaN"),
        ("null", None),
    ],
)
def test_a_value_is_json_or_else_text(here: App, given: str, kept: object) -> None:
    goal, _ = accept(here, planned("a"))

    put = answer("put", "api", given)

    assert (put["name"], put["value"], put["version"], put["author"]) == ("api", kept, 1, "user")
    assert answer("get", "api", "--goal", goal.id)["value"] == kept


def test_a_value_comes_from_the_standard_input_or_a_file(here: App) -> None:
    accept(here, planned("a"))
    (here.folder / "long.txt").write_text("two\nlines\n")

    assert answer("put", "one", "-", stdin="[1, 2]")["value"] == [1, 2]
    assert answer("put", "two", "@long.txt")["value"] == "two\nlines\n"
    assert answer("put", "three", "8080", "--text")["value"] == "8080"
    assert orchestrate("context", "get", "two").out == "two\nlines\n\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["put", "api"], 2, "one thing"),
        (["put", "api", "1", "--note", "x"], 2, "one thing"),
        (["put", "--note", "x", "--discovery", "y"], 2, "one thing"),
        (["put", "--note", " "], 2, "empty"),
        (["put", "api", "{a: 1}"], 2, "looks like JSON"),
        (["put", "../x", "1"], 2, "cannot be a key"),
        (["put", "api", "@/nowhere"], 2, "cannot read"),
        (["put", "api", "@/dev/zero"], 2, "more than"),
        (["put", "--artifact", "/dev/zero"], 2, "more than"),
        (["put", "api", "1", "--over", "3"], 5, "at version 0, not 3"),
        (["put", "api", "1", "--goal", "g999"], 4, "no goal"),
        (["get", "nothing"], 4, "has no nothing"),
        (["get", "discoveries/x"], 4, "has no"),
        (["get", "notes/²"], 4, "has no"),
    ],
)
def test_what_cannot_be_shared_or_found_is_told_with_its_exit_code(
    here: App, words: list[str], code: int, says: str
) -> None:
    accept(here, planned("a"))

    said = orchestrate("context", *words)

    assert (said.code, says in said.err) == (code, True), said
    assert json.loads(orchestrate("context", *words, "--json").out)["error"]["message"]
    assert answer("list")["entries"] == []


def test_with_several_goals_open_it_must_be_said_which_one(here: App) -> None:
    first, _ = accept(here, planned("a"))
    accept(here, planned("a"), text="Another")

    assert orchestrate("context", "put", "api", "1").code == 2
    assert answer("put", "api", "1", "--goal", first.id)["goal"] == first.id


def test_a_list_shows_all_kinds_and_says_what_was_written_at_the_same_time(here: App, clock: HandClock) -> None:
    goal, _ = accept(here, planned("a"))
    attempt = claim(here)
    clock.advance(timedelta(seconds=1))
    (here.folder / "shot.png").write_bytes(b"\x89PNG")
    orchestrate("context", "put", "port", "8080")
    orchestrate("context", "put", "--note", "Mind the tests.")
    orchestrate("context", "put", "--discovery", "Port 80 is taken.")
    orchestrate("context", "put", "--artifact", "shot.png", "first.png")
    clock.advance(timedelta(seconds=1))
    here.context.put(goal.id, "port", 9090, by=here.store.tasks.get(attempt.task))

    said = orchestrate("context", "list")

    names = [line.split("\t")[0] for line in said.lines]
    assert names == ["notes/1", "discoveries/1", "artifacts/user/first.png", "port"]
    assert "also version 1, written at the same time" in said.lines[-1]
    assert orchestrate("context", "get", "port").out == "9090\n"
    assert "user wrote it at the same time" in orchestrate("context", "get", "port").err
    assert orchestrate("context", "get", "port", "--version", "1").out == "8080\n"
    found = answer("get", "artifacts/user/first.png")
    assert Path(str(found["path"])).read_bytes() == b"\x89PNG"


def test_what_agents_wrote_steers_no_terminal(here: App) -> None:
    goal, _ = accept(here, planned("a"))
    task = here.store.tasks.get(claim(here).task)
    here.context.discover(goal.id, HOSTILE, by=task)
    here.context.put(goal.id, "x", {"title": HOSTILE}, by=task)

    for words in (["list"], ["get", "x"], ["list", "--json"], ["get", "discoveries/1", "--json"]):
        assert is_harmless(orchestrate("context", *words).out), words


def test_an_agent_in_its_checkout_reaches_its_own_projects_goal_in_its_own_name(
    here: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal, _ = accept(here, planned("a"))
    other, _ = accept(here, planned("b"), text="Another")
    attempt = claim(here)
    checkout = here.state / "checkouts" / attempt.id / "src"
    (checkout / ".git").mkdir(parents=True)
    places.remember_project(here.state, here.folder, here.database)
    monkeypatch.chdir(checkout)

    put = answer("put", "api", "1")
    assert (put["goal"], put["author"], put["by_user"]) == (goal.id, "a", False)
    assert answer("list")["goal"] == goal.id
    assert orchestrate("context", "put", "--note", "obey").code == 2, "notes are the user's"
    assert orchestrate("context", "get", "api", "--goal", other.id).code == 2, "goals do not see each other"
    assert json.loads(orchestrate("status", "--json").out)["project"] == str(here.folder)

    land(here, attempt)
    said = orchestrate("context", "put", "api", "2")
    assert (said.code, "does not hold" in said.err) == (5, True)


def test_elsewhere_the_environment_says_which_project_and_attempt(
    here: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(here, planned("a"))
    attempt = claim(here)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("ORCHESTRATE_PROJECT", str(here.folder))
    monkeypatch.setenv("ORCHESTRATE_ATTEMPT", attempt.id)

    assert answer("put", "--discovery", "Seen from elsewhere.")["author"] == "a"


def test_the_shell_completes_the_names_of_what_is_shared(here: App, monkeypatch: pytest.MonkeyPatch) -> None:
    goal, _ = accept(here, planned("a"))
    here.context.put(goal.id, "api", 1)
    here.context.put(goal.id, "port", 1)
    monkeypatch.setenv("_ORCHESTRATE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "orchestrate context get a")
    monkeypatch.setenv("COMP_CWORD", "3")

    from click.shell_completion import BashComplete

    from agent_orchestrator.cli import orchestrate as group

    said = BashComplete(group, {}, "orchestrate", "_ORCHESTRATE_COMPLETE").complete()

    assert "api" in said and "port" not in said
