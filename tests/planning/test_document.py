import json

import pytest

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.plan import Finding, Plan, PlannedTask, Routing, Severity
from agent_orchestrator.domain.task import Size, Tier
from agent_orchestrator.planning.document import plan_from_json, plan_to_json

PLAN = Plan(
    goal="Füge «Suche» hinzu; `now`",
    source="claude",
    notice="seen",
    tasks=(
        PlannedTask(id="a", title="Do a", description="All of a", agent_type="generalist"),
        PlannedTask(
            id="b",
            title="Do b",
            description="All of b",
            agent_type="qa-test-engineer",
            depends_on=("a",),
            priority=10,
            tier=Tier.HEAVY,
            size=Size.L,
            owns=("src/**",),
            acceptance=("It works.",),
            verify="make test",
            expects_change=False,
            routing=Routing(specialist="qa-test-engineer", confidence=0.5, reason="test", alternatives=("generalist",)),
        ),
    ),
    findings=(Finding(rule="cycle", severity=Severity.WARNING, message="broken", task="b"),),
)


def test_a_plan_survives_the_way_through_json() -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(PLAN)))) == PLAN


def test_the_document_has_exactly_the_promised_keys() -> None:
    document = plan_to_json(PLAN)

    assert list(document) == ["goal", "source", "notice", "tasks", "findings", "questions", "assumptions"]
    tasks = document["tasks"]
    assert isinstance(tasks, list)
    assert list(tasks[0]) == [
        *("id", "title", "description", "agent_type", "depends_on", "phase", "priority", "tier", "size", "owns"),
        *("acceptance", "verify", "expects_change", "routing"),
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "a plan is a JSON object, not a list"),
        ({}, "tasks: expected a list, not nothing"),
        ({"tasks": [], "taks": []}, "plan: unknown key 'taks'"),
        ({"tasks": ["do it"]}, r"tasks\[0\]: expected an object, not text"),
        ({"tasks": [{"id": 1}]}, r"tasks\[0\].id: expected text, not a number"),
        ({"tasks": [{"id": "a"}, {"depend_on": []}]}, r"tasks\[1\]: unknown key 'depend_on'"),
        ({"tasks": [{"depends_on": "a"}]}, r"tasks\[0\].depends_on: expected a list of texts, not text"),
        ({"tasks": [{"depends_on": [None]}]}, r"tasks\[0\].depends_on\[0\]: expected text, not nothing"),
        ({"tasks": [{"tier": "colossal"}]}, r"tasks\[0\].tier: expected light, standard or heavy"),
        ({"tasks": [{"priority": 101}]}, r"tasks\[0\].priority: expected 0 to 100"),
        ({"tasks": [{"priority": True}]}, r"tasks\[0\].priority"),
        ({"tasks": [{"expects_change": "no"}]}, r"tasks\[0\].expects_change: expected true or false"),
        ({"tasks": [{"routing": {"confidence": float("nan")}}]}, "confidence"),
        ({"tasks": [{}] * 501}, "501 tasks are too many"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_the_place(data: object, problem: str) -> None:
    with pytest.raises(InvalidPlan, match=problem):
        plan_from_json(data)


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidPlan) as caught:
        plan_from_json({"tasks": [{"depend_on": []}]})

    assert "depends_on" in caught.value.hint


def test_a_models_habits_are_taken_as_they_are_meant() -> None:
    plan = plan_from_json(
        {
            "subtasks": [
                {"id": 1, "name": "One", "agent": "qa", "tier": "high", "size": "large", "priority": "urgent"},
                {"id": 2, "title": "Two", "dependencies": 1, "acceptance_criteria": "It works.", "mood": "good"},
                "Three",
            ]
        },
        strict=False,
    )

    one, two, three = plan.tasks
    assert (one.id, one.title, one.agent_type, one.tier, one.size) == ("1", "One", "qa", Tier.HEAVY, Size.L)
    assert (two.depends_on, two.acceptance) == (("1",), ("It works.",))
    assert three.title == "Three"


def test_a_models_word_on_its_own_confidence_is_not_taken_for_a_margin() -> None:
    data = {"tasks": [{"title": "x", "routing": {"specialist": "qa", "confidence": 1, "reason": "trust me"}}]}

    assert plan_from_json(data, strict=False).tasks[0].routing is None
