"""Words of the user's to the agents of a goal: who reads them, and which are refused."""

import json
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.services.messages import BODY_LIMIT
from steps import accept, planned

pytestmark = pytest.mark.usefixtures("own_tmp")


def told(view: Path, key: str) -> list[dict[str, str]]:
    """Return the messages in the briefing of the task *key*."""
    briefings = [json.loads(file.read_text()) for file in (view / "tasks").glob("*.json")]
    (messages,) = [one["messages"] for one in briefings if one["key"] == key]
    assert isinstance(messages, list)
    return messages


def test_a_message_is_read_by_every_task_that_starts_after_it_or_by_the_one_it_is_about(app: App) -> None:
    goal, tasks = accept(app, planned("one"), planned("two"))

    app.messages.send(goal.id, "  Use tabs.\n", author="user")
    app.messages.send(goal.id, "Keep the old name.", author="user", task=tasks["two"].id)

    views = {key: app.context.write_view(goal, task) for key, task in tasks.items()}
    tabs, name = ({"author": "user", "body": body} for body in ("Use tabs.", "Keep the old name."))
    assert told(views["one"], "one") == [tabs]
    assert told(views["two"], "two") == [tabs, name]
    sent = [event for event in app.events.after(0) if event.type == "message.sent"]
    assert [(event.goal, event.data["author"], event.data["to"]) for event in sent] == [(goal.id, "user", "@all")] * 2


@pytest.mark.parametrize("body", ["", " \n", "x" * (BODY_LIMIT + 1)])
def test_an_empty_or_endless_message_is_refused_and_not_kept(app: App, body: str) -> None:
    goal, _ = accept(app, planned("one"))

    with pytest.raises(BadInput, match="message"):
        app.messages.send(goal.id, body, author="user")

    assert app.messages.of_goal(goal.id) == []
