"""What agents leave for each other: with whose name, in which versions, and what is refused."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.context import Kind
from agent_orchestrator.domain.errors import BadInput, NotFound, NotReady, RefusedByState
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services import entries
from steps import accept, claim, land, planned

pytestmark = pytest.mark.usefixtures("own_tmp")


def leave(view: Path, name: str, content: object) -> None:
    (view / name).write_text(content if isinstance(content, str) else json.dumps(content))


def keys(app: App, goal: Goal) -> dict[str, tuple[str, object]]:
    return {one.name: (one.author, one.value) for one in app.context.everything(goal.id) if one.kind is Kind.KEY}


def at_work(app: App, goal: Goal) -> tuple[Attempt, Task, Path]:
    """Claim a task, start it, and return it with its view."""
    attempt = claim(app)
    app.tasks.started(attempt)
    task = app.store.tasks.get(attempt.task)
    return attempt, task, app.context.write_view(goal, task)


def told(app: App, kind: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in app.events.after(limit=1000) if event.type == kind]


def test_a_dependent_is_told_what_came_before(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    attempt, task, view = at_work(app, goal)
    leave(view, "results/a.json", {"port": 8080})
    app.tasks.noted(attempt.task, "I chose port 8080.")
    assert app.context.take_in(task).refused == ()

    results = app.context.results(tasks["b"])
    seen = json.loads((app.context.write_view(goal, tasks["b"]) / "results" / "a.json").read_text())

    assert [(result.task.key, result.task.summary, result.data) for result in results] == [
        ("a", "I chose port 8080.", {"port": 8080})
    ]
    assert (seen["author"], seen["value"]) == ("a", {"port": 8080})


def test_the_view_can_be_deleted_and_comes_back(app: App) -> None:
    goal, tasks = accept(app, planned("a"))
    view = app.context.write_view(goal, tasks["a"])
    (view / "goal.json").unlink()

    again = app.context.write_view(goal, tasks["a"])

    assert json.loads((again / "goal.json").read_text())["goal"] == "Build it"
    assert json.loads((again / "tasks" / "a.json").read_text())["title"] == "Do a"
    for folder in (again, *again.parents[:3]):
        assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_nothing_is_lost_or_broken_when_the_view_is_gone_while_its_agent_works(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    _, task, _ = at_work(app, goal)
    app.context.drop_view(task)

    assert app.context.take_in(task) == app.context.take_in(task)
    app.context.put(goal.id, "api", 1)
    assert keys(app, goal) == {"api": ("user", 1)}


DEEP = "[" * 50_000 + "]" * 50_000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.json", b"{not json", "not JSON"),
        ("notes.json", b"", "not JSON"),
        ("notes.json", b"[" + b"1," * 200_000 + b"1]", "larger"),
        ("notes.json", json.dumps("x" * 70_000).encode(), "the limit is 65,536"),
        ("notes.json", b'{"x": NaN}', "NaN"),
        ("notes.json", b'{"x": -Infinity}', "Infinity"),
        ("notes.json", b'{"x": 1e999}', "too large a number"),
        ("notes.json", b"1" * 5000, "digits"),
        ("notes.json", DEEP.encode(), "nested deeper"),
        ("notes.json", b'"\xff\xfe"', "not UTF-8"),
        ("notes.json", b'"\\ud800"', "surrogate"),
        ("notes.json", '"Wörter"'.encode("utf-16"), "not UTF-8"),
        (".hidden.json", b"1", "cannot be a key"),
        ("a b.json", b"1", "cannot be a key"),
        ("ünique.json", b"1", "cannot be a key"),
        ("x" * 65 + ".json", b"1", "cannot be a key"),
        ("\x1b[31m.json", b"1", "cannot be a key"),
        ("notes.yaml", b"a: 1", "<key>.json"),
        ("../results/b.json", b"1", "only results/a.json is yours"),
        ("../discoveries/one.exe", b"1", ".md, .txt or .json"),
        ("../discoveries/one.md", b"\xff", "not UTF-8"),
        ("../discoveries/one.md", b"x" * 5000, "larger"),
        ("../discoveries/one.md", b"  \n", "empty"),
        ("../artifacts/big.bin", b"x" * (entries.ARTIFACT_LIMIT + 1), "larger"),
        ("../artifacts/a b", b"x", "cannot name an artifact"),
    ],
)
def test_a_bad_file_is_refused_and_told_and_nothing_of_it_is_kept(
    app: App, name: str, content: bytes, words: str
) -> None:
    goal, _ = accept(app, planned("a"))
    _, task, view = at_work(app, goal)
    (view / "shared" / name).write_bytes(content)
    leave(view, "shared/good.json", 1)

    taken = app.context.take_in(task)

    assert len(taken.refused) == 1 and words in taken.refused[0], taken.refused
    assert taken.refused[0].isprintable()
    assert told(app, "context.refused") == [{"refused": list(taken.refused)}]
    assert [one.address for one in app.context.everything(goal.id)] == ["good"], "its neighbour is taken in"


def test_what_is_no_plain_file_is_not_followed_opened_or_waited_for(app: App, tmp_path: Path) -> None:
    goal, _ = accept(app, planned("a"))
    _, task, view = at_work(app, goal)
    secret = tmp_path / "secret.json"
    secret.write_text('"secret"')
    (view / "shared" / "x.json").symlink_to(secret)
    os.mkfifo(view / "shared" / "y.json")
    os.link(secret, view / "shared" / "z.json")
    (view / "artifacts" / "w").symlink_to("/dev/zero")
    (view / "artifacts" / "folder").mkdir()
    (view / "discoveries").rmdir()
    (view / "discoveries").symlink_to(tmp_path)

    assert len(app.context.take_in(task).refused) == 5
    assert app.context.everything(goal.id) == []


def test_a_link_in_place_of_a_folder_does_not_lead_our_writes_elsewhere(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    app.context.put(goal.id, "api", 1)
    view = app.context.write_view(goal, tasks["a"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (view / "shared" / "api.json").unlink()
    (view / "shared").rmdir()
    (view / "shared").symlink_to(elsewhere)
    (view / "goal.json").unlink()
    (view / "goal.json").mkdir()

    app.context.write_view(goal, tasks["a"])

    assert list(elsewhere.iterdir()) == []
    assert json.loads((view / "shared" / "api.json").read_text())["value"] == 1
    assert (view / "goal.json").is_file()


def test_an_endless_number_of_files_is_not_read_to_its_end(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    _, task, view = at_work(app, goal)
    for n in range(1000):
        (view / "shared" / f"k{n}.json").write_text("1")

    taken = app.context.take_in(task)

    assert len(keys(app, goal)) == entries.KEYS_LIMIT
    assert any("more than 400 files" in one for one in taken.refused)
    assert any("keys already" in one for one in taken.refused)


def test_what_one_agent_shares_reaches_the_next_with_its_author(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    attempt, task, view = at_work(app, goal)
    leave(view, "shared/Naming.json", '"snake_case"')
    leave(view, "discoveries/1.md", "The tests need LANG=C.")
    app.context.take_in(task)
    app.tasks.handed_in(attempt)

    view = app.context.write_view(goal, tasks["b"])

    assert keys(app, goal) == {"naming": ("a", "snake_case")}
    shown = json.loads((view / "shared" / "naming.json").read_text())
    assert shown == {"author": "a", "version": 1, "value": "snake_case"}
    found = json.loads((view / "discoveries.json").read_text())
    assert [(one["author"], one["text"]) for one in found] == [("a", "The tests need LANG=C.")]
    assert [one.value for one in app.context.told(tasks["b"]).discoveries] == ["The tests need LANG=C."]
    assert app.context.take_in(tasks["b"]).taken == (), "what it only read is not its own"
    assert keys(app, goal) == {"naming": ("a", "snake_case")}


def test_each_agents_files_count_as_its_own_although_both_work_at_once(app: App) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    _, first, one = at_work(app, goal)
    _, second, other = at_work(app, goal)
    leave(one, "shared/mine.json", "1")
    leave(other, "shared/broken.json", "{")

    assert app.context.take_in(first).refused == ()
    assert len(app.context.take_in(second).refused) == 1
    assert keys(app, goal) == {"mine": (first.key, 1)}


def test_two_agents_that_write_one_key_at_once_lose_neither_value(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"), planned("b"), planned("c"))
    one, first, view = at_work(app, goal)
    leave(view, "shared/port.json", "8080")
    other, second, view = at_work(app, goal)
    leave(view, "shared/port.json", "9090")
    clock.advance(timedelta(minutes=1))

    app.context.take_in(first, since=one.started_at)
    taken = app.context.take_in(second, since=other.started_at)

    assert "at the same time (version 1)" in taken.conflicts[0]
    newest = app.context.get(goal.id, "port")
    assert (newest.author, newest.value, newest.beside) == (second.key, 9090, 1)
    assert app.context.get(goal.id, "port", 1).value == 8080
    assert [one["versions"] for one in told(app, "context.conflict")] == [[1, 2]]
    _, third, view = at_work(app, goal)
    shown = json.loads((view / "shared" / "port.json").read_text())
    assert (shown["value"], shown["also"]) == (9090, [{"author": first.key, "version": 1, "value": 8080}])
    assert app.context.take_in(third).taken == ()


def test_who_writes_over_the_version_it_saw_is_in_no_conflict(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    attempt, task, view = at_work(app, goal)
    clock.advance(timedelta(minutes=1))
    app.context.put(goal.id, "port", 8080)
    seen = json.loads((view / "shared" / "port.json").read_text())
    leave(view, "shared/port.json", {**seen, "value": 9090})

    taken = app.context.take_in(task, since=attempt.started_at)

    assert (taken.taken, taken.conflicts) == (("port",), ())
    assert (app.context.get(goal.id, "port").value, app.context.get(goal.id, "port").version) == (9090, 2)


def test_agents_at_work_see_what_is_new_and_keep_what_they_changed(app: App) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    _, first, one = at_work(app, goal)
    _, _, other = at_work(app, goal)
    leave(other, "shared/mine.json", '"being written"')
    leave(one, "discoveries/x.txt", "Port 80 is taken.")
    leave(one, "shared/mine.json", '"first"')

    app.context.take_in(first)

    assert "Port 80 is taken." in (other / "discoveries.json").read_text()
    assert (other / "shared" / "mine.json").read_text() == '"being written"'
    app.context.put(goal.id, "other", 1)
    app.context.put(goal.id, "other", 2)
    assert json.loads((other / "shared" / "other.json").read_text())["version"] == 2


def test_a_discovery_is_added_once_and_never_overwritten(app: App) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    _, task, view = at_work(app, goal)
    leave(view, "discoveries/1.md", "First.")
    app.context.take_in(task)
    leave(view, "discoveries/2.json", {"file": "a.py", "why": "generated"})

    assert app.context.take_in(task).taken == ("discoveries/2",)
    app.context.discover(goal.id, "First.")
    found = [(one.author, one.value) for one in app.context.everything(goal.id)]
    assert found == [("a", "First."), ("a", {"file": "a.py", "why": "generated"}), ("user", "First.")]


def test_an_artifact_is_kept_and_reaches_those_who_depend_on_its_author(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"), planned("c", "b"), planned("d"))
    _, task, view = at_work(app, goal)
    (view / "artifacts" / "shot.png").write_bytes(b"\x89PNG\0")

    app.context.take_in(task)

    entry = app.context.get(goal.id, "artifacts/a/shot.png")
    assert (entry.author, entry.bytes, app.context.file(entry).read_bytes()) == ("a", 5, b"\x89PNG\0")
    assert app.context.file(entry).is_relative_to(app.state)
    for key in ("b", "c"):
        assert (app.context.write_view(goal, tasks[key]) / "artifacts" / "a" / "shot.png").read_bytes() == b"\x89PNG\0"
    assert not (app.context.write_view(goal, tasks["d"]) / "artifacts" / "a").exists()
    assert app.context.take_in(tasks["b"]).refused == ()


def test_a_note_of_the_users_reaches_every_later_prompt_and_every_view(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b"))
    app.context.note(goal.id, "Use British spelling.")

    for task in tasks.values():
        assert [note.value for note in app.context.told(task, since=app.clock.now()).notes] == ["Use British spelling."]
        assert "British" in (app.context.write_view(goal, task) / "notes.json").read_text()


def test_limits_are_told_and_cut_nothing_short(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    goal, _ = accept(app, planned("a"))
    for name in ("KEYS_LIMIT", "NOTES_LIMIT", "DISCOVERIES_EACH", "ARTIFACTS_EACH"):
        monkeypatch.setattr(entries, name, 1)
    context = app.context
    context.put(goal.id, "one", 1)
    context.note(goal.id, "n")
    context.discover(goal.id, "d")
    context.keep(goal.id, "f", b"x")

    for more in (
        lambda: context.put(goal.id, "two", 2),
        lambda: context.note(goal.id, "m"),
        lambda: context.discover(goal.id, "e"),
        lambda: context.keep(goal.id, "g", b"y"),
        lambda: context.put(goal.id, "one", float("nan")),
        lambda: context.put(goal.id, "one", {1, 2}),
        lambda: context.put(goal.id, "../../etc/passwd", 1),
        lambda: context.note(goal.id, "x" * 5000),
    ):
        with pytest.raises(BadInput):
            more()
    assert len(context.everything(goal.id)) == 4
    assert context.put(goal.id, "one", 2).version == 2, "what is there may change"


def test_a_goals_keys_and_artifacts_are_bounded_together(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    goal, _ = accept(app, planned("a"))
    monkeypatch.setattr(entries, "VALUES_LIMIT", 1000)
    monkeypatch.setattr(entries, "ARTIFACTS_LIMIT", 1000)
    app.context.put(goal.id, "one", "x" * 600)
    app.context.keep(goal.id, "one", b"x" * 600)

    with pytest.raises(BadInput, match="more than 1,000 bytes"):
        app.context.put(goal.id, "two", "x" * 600)
    with pytest.raises(BadInput, match="more than 1,000 bytes"):
        app.context.keep(goal.id, "two", b"y" * 600)
    app.context.put(goal.id, "one", "y" * 900)


def test_a_key_is_set_only_over_the_version_that_was_named(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    app.context.put(goal.id, "port", 1, over=0)

    with pytest.raises(RefusedByState, match="at version 1, not 0"):
        app.context.put(goal.id, "port", 2, over=0)
    assert app.context.put(goal.id, "port", 2, over=1).version == 2


def test_nothing_of_one_goal_is_seen_by_another(app: App) -> None:
    goal, tasks = accept(app, planned("a"))
    other, others = accept(app, planned("a"), text="Something else")
    app.context.put(goal.id, "secret", 1)
    app.context.discover(goal.id, "secret")
    app.context.note(goal.id, "secret")
    entry = app.context.keep(goal.id, "secret", b"x")

    view = app.context.write_view(other, others["a"])

    assert app.context.everything(other.id) == []
    told = app.context.told(others["a"])
    assert not (told.keys or told.discoveries or told.notes or told.artifacts)
    assert "secret" not in "".join(file.read_text() for file in view.rglob("*.json"))
    assert view != app.context.write_view(goal, tasks["a"])
    with pytest.raises(NotFound):
        app.context.get(other.id, entry.address)


def test_projects_of_the_same_name_do_not_share_a_view_even_for_the_same_goal(tmp_path: Path) -> None:
    views = []
    for place in ("one", "two"):
        folder = tmp_path / place / "shop"
        folder.mkdir(parents=True)
        app = build(folder, environ=dict(os.environ))
        goal, tasks = accept(app, planned("a"))
        same = goal._replace(id=GoalId("g222222"))
        views.append(app.context.view.path(tasks["a"]._replace(goal=same.id, id="t1")))  # type: ignore[arg-type]
        app.store.close()

    assert views[0] != views[1]


def test_a_view_in_somebody_elses_hands_is_refused(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"agent_orchestrator-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotReady, match="is not ours"):
        app.context.write_view(goal, tasks["a"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
    app.context.put(goal.id, "api", 1)
    assert keys(app, goal) == {"api": ("user", 1)}, "what is only a view stops nobody"


def test_a_landed_tasks_view_can_be_taken_away_and_the_last_one_takes_the_folders_along(
    app: App, tmp_path: Path
) -> None:
    goal, tasks = accept(app, planned("a"), planned("b"))
    view, other = (app.context.write_view(goal, tasks[key]) for key in ("a", "b"))
    land(app, claim(app))

    app.context.drop_view(tasks["a"])
    assert not view.exists() and (other / "goal.json").exists()
    app.context.drop_view(tasks["b"])
    assert list((tmp_path / f"agent_orchestrator-{os.getuid()}").iterdir()) == []
    app.context.drop_view(tasks["b"])
    assert (app.context.write_view(goal, tasks["b"]) / "goal.json").exists()
