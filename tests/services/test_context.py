import json
import os
import tempfile
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.errors import NotReady
from steps import accept, claim, land, planned


@pytest.fixture(autouse=True)
def _own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_dependent_is_told_what_came_before(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    view = app.context.write_view(goal, tasks["a"])
    (view / "results" / "a.json").write_text('{"port": 8080}')
    first = claim(app)
    app.tasks.started(first)
    app.tasks.noted(first.task, "I chose port 8080.")
    assert app.context.take_in(goal.id, app.store.tasks.get(first.task)) == []

    results = app.context.results(tasks["b"])

    assert [(result.task.key, result.task.summary, result.data) for result in results] == [
        ("a", "I chose port 8080.", {"port": 8080})
    ]


def test_the_view_can_be_deleted_and_comes_back(app: App) -> None:
    goal, tasks = accept(app, planned("a"))
    view = app.context.write_view(goal, tasks["a"])
    (view / "goal.json").unlink()

    again = app.context.write_view(goal, tasks["a"])

    assert json.loads((again / "goal.json").read_text())["goal"] == "Build it"
    assert json.loads((again / "tasks" / "a.json").read_text())["title"] == "Do a"
    assert oct(again.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    ("content", "words"), [("{not json", "Expecting"), ("[1]" + " " * 70_000, "larger"), ('{"x": NaN}', "NaN")]
)
def test_a_bad_file_is_refused_and_told_and_nothing_of_it_is_kept(app: App, content: str, words: str) -> None:
    goal, tasks = accept(app, planned("a"))
    view = app.context.write_view(goal, tasks["a"])
    (view / "shared" / "notes.json").write_text(content)

    refused = app.context.take_in(goal.id, tasks["a"])

    assert len(refused) == 1 and words in refused[0]
    assert app.context.shared(goal.id) == {}


def test_a_link_left_by_an_agent_is_not_followed(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    view = app.context.write_view(goal, tasks["a"])
    secret = tmp_path / "secret.json"
    secret.write_text('"secret"')
    (view / "shared" / "x.json").symlink_to(secret)
    os.mkfifo(view / "shared" / "y.json")

    assert len(app.context.take_in(goal.id, tasks["a"])) == 2
    assert app.context.shared(goal.id) == {}


def test_what_one_agent_shares_reaches_the_next_with_its_author(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    view = app.context.write_view(goal, tasks["a"])
    (view / "shared" / "naming.json").write_text('"snake_case"')
    app.context.take_in(goal.id, tasks["a"])
    land(app, claim(app))

    view = app.context.write_view(goal, tasks["b"])

    assert app.context.shared(goal.id) == {"naming": ("a", "snake_case")}
    assert json.loads((view / "shared" / "naming.json").read_text()) == {"author": "a", "value": "snake_case"}
    assert app.context.take_in(goal.id, tasks["b"]) == []
    assert app.context.shared(goal.id) == {"naming": ("a", "snake_case")}


def test_a_view_in_somebody_elses_hands_is_refused(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"agent_orchestrator-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotReady, match="is not ours"):
        app.context.write_view(goal, tasks["a"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
