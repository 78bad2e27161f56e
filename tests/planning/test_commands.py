"""What is typed in a session, and what it means."""

from typing import Any

import pytest

from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning import commands
from agent_orchestrator.planning.commands import COMMANDS, command_in

PLAN = Plan(
    goal="g",
    source="rules",
    tasks=tuple(
        PlannedTask(id=id, title=f"Do {id}", description="", agent_type="generalist") for id in ("api", "ui", "docs")
    ),
)


def test_every_letter_and_word_means_one_command() -> None:
    spelt = [word for one in COMMANDS for word in (one.letter, one.word, *one.others) if word]

    assert len(spelt) == len(set(spelt))
    assert {one.letter for one in COMMANDS} >= set("darmsovpq"), "the keys of the system we follow"


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("r 1", "remove"),
        ("remove api", "remove"),
        ("Remove api", "remove"),
        ("rem 1", "remove"),
        ("q", "quit"),
        ("?", "help"),
        ("? add", "help"),
        ("a A page for the login, please", "add"),
        ("d\nseveral\nlines", "discuss"),
        ("m 3 title Something else entirely", "modify"),
        ("split docs guide; reference", "split"),
        ("I think so", None),
        ("A login page is missing", None),
        ("split the front end in two parts", None),
        ("run the tests first", None),
        ("undo that please", None),
        ("what is this", None),
        ("r 1\nr 2", None),
        ("u u", None),
    ],
)
def test_a_sentence_that_only_begins_like_a_command_is_none(typed: str, word: str | None) -> None:
    found = command_in(typed, PLAN)

    assert (found and found.word) == word


@pytest.mark.parametrize(
    ("typed", "change"),
    [
        ('"Write docs" after 1,ui', {"title": "Write docs", "depends_on": ["api", "ui"]}),
        ("Check it after api before docs", {"title": "Check it", "depends_on": ["api"], "before": ["docs"]}),
        ("Test it to qa-test-engineer", {"title": "Test it", "agent_type": "qa-test-engineer"}),
        ("Hash the password before saving", {"title": "Hash the password before saving"}),
        ("Add a link to home", {"title": "Add a link to home"}),
    ],
)
def test_a_title_keeps_the_words_that_name_no_task(typed: str, change: dict[str, Any]) -> None:
    assert commands.adding(typed, PLAN) == {"op": "add", **change}


def test_a_number_that_names_no_task_is_not_made_part_of_a_title() -> None:
    with pytest.raises(NotFound, match="no task 9"):
        commands.adding("Check it after 9", PLAN)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("1 foo bar", "it has id, title, text, specialist, after, priority, tier, size, owns, done-when, check"),
        ("1 prioritty 3", "did you mean priority?"),
    ],
)
def test_a_field_that_no_task_has_is_refused_in_the_words_that_are_typed(typed: str, hint: str) -> None:
    with pytest.raises(BadInput, match="a task has no") as refused:
        commands.modifying(typed, PLAN)
    assert refused.value.hint.startswith(hint)


def test_the_other_commands_become_changes() -> None:
    done = {"op": "modify", "task": "api", "set": {"acceptance": ["It runs", "It is fast"]}}
    assert commands.modifying("1 done-when It runs; It is fast", PLAN) == done
    assert commands.modifying("1 after ui, docs", PLAN)["set"] == {"depends_on": ["ui", "docs"]}
    assert commands.modifying("1 check none", PLAN)["set"] == {"verify": None}
    assert commands.splitting("ui One; Two in order", PLAN) == {
        "op": "split",
        "task": "ui",
        "into": ["One", "Two"],
        "in_order": True,
    }
    assert commands.merging("1 2 Both of them", PLAN) == {
        "op": "merge",
        "tasks": ["api", "ui"],
        "title": "Both of them",
    }
    assert commands.moving("3 before 1", PLAN) == {"op": "move", "task": "docs", "before": "api"}
    assert commands.moving("1 3", PLAN) == {"op": "move", "task": "api", "after": "docs"}
    assert commands.depending("depend", "3 on 1,2", PLAN) == {"op": "depend", "task": "docs", "on": ["api", "ui"]}
    assert commands.routing("2 to frontend-ui-engineer", PLAN) == {
        "op": "route",
        "task": "ui",
        "to": "frontend-ui-engineer",
    }
    for nonsense in (lambda: commands.moving("3", PLAN), lambda: commands.depending("depend", "3", PLAN)):
        with pytest.raises(BadInput):
            nonsense()
