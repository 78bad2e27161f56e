"""What a planning session shows, at 40, 80 and 160 columns and in plain words: as it was when it was looked at.

A wanted change of the view: run this file as a program (with src and tests on the path), look at the difference in git.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.cli.plan_view import Look, everything, forecast_lines, graph_lines, plan_lines, task_lines
from agent_orchestrator.cli.render import width
from agent_orchestrator.domain.plan import Finding, Plan, PlannedTask, Question, Routing, Severity
from agent_orchestrator.domain.task import Size, Tier
from agent_orchestrator.planning.forecast import Cost, Forecast, forecast
from looking import HOSTILE, is_harmless

SCREENS = Path(__file__).with_name("screens")
GUESS = Routing(specialist="frontend-ui-engineer", confidence=0.3, reason="page")


def task(id: str, title: str, agent: str, *needs: str, size: Size = Size.M, **more: object) -> PlannedTask:
    made = PlannedTask(id=id, title=title, description=title, agent_type=agent, depends_on=needs, size=size)
    return replace(made, **more)  # type: ignore[arg-type]


SHOP = Plan(
    goal="Build a small shop with a catalogue, a basket and a payment page, with tests and deployment",
    source="rules",
    tasks=(
        task("schema", "Design the schema of products, baskets and orders", "data-architect-governance", size=Size.S),
        task("catalogue", "Implement the catalogue API", "backend-systems-engineer", "schema", verify="make test"),
        task("basket", "Implement the basket API", "backend-systems-engineer", "schema"),
        task("pages", "Build the 购物 pages", "frontend-ui-engineer", "catalogue", "basket", routing=GUESS),
        task("payment", "Take payments", "backend-systems-engineer", "basket", size=Size.L, tier=Tier.HEAVY),
        task("verify", "Verify that the finished parts work together", "qa-test-engineer", "pages", "payment"),
    ),
    findings=(
        Finding(rule="no-acceptance", severity=Severity.NOTE, message="payment does not say what is true", task="x"),
        Finding(rule="not-covered", severity=Severity.WARNING, message="no task speaks of 'deployment'"),
    ),
    questions=(Question(text="Which database?", default="SQLite."),),
    assumptions=("Prices are in euros.",),
).with_phases()


EXPECTED = Forecast(
    agents=3,
    p50_s=4_320,
    p90_s=9_000,
    cost=Cost(p50_micro_usd=4_210_000, p90_micro_usd=9_800_000, from_tasks=31),
    cost_unknown="",
    from_tasks=34,
    at_once=2,
    critical=("schema", "basket", "payment", "verify"),
    decides=(("schema", 1.0), ("verify", 1.0), ("payment", 0.87), ("basket", 0.87), ("pages", 0.13)),
)


def views(columns: int, *, plain: bool = False, signs: bool = True) -> str:
    look = Look(columns=columns, plain=plain, signs=signs)
    known = {"name": "shop", "version": 3, "approved": False, "expected": EXPECTED}
    parts = [plan_lines(SHOP, look, **known), graph_lines(SHOP, look)]  # type: ignore[arg-type]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


CASES = {
    "40": lambda: views(40),
    "80": lambda: views(80),
    "160": lambda: views(160),
    "plain": lambda: views(80, plain=True),
    "ascii": lambda: views(80, signs=False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_screen_is_as_it_was_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert CASES[name]() == (SCREENS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [20, 40, 69, 70, 80, 119, 120, 160, 300])
def test_no_line_is_wider_than_the_terminal_also_in_colour(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    lines = views(columns).splitlines()

    assert max(width(line) for line in lines) <= columns
    assert any("\x1b[" in line for line in lines), "in colour"


def test_more_room_than_agents_is_told_as_room() -> None:
    lines = plan_lines(
        SHOP, Look(columns=200), name="s", version=1, approved=False, expected=replace(EXPECTED, agents=1)
    )  # fmt: skip

    assert any("; 1 agent, room for 2; " in line for line in lines), lines


def test_without_colour_nothing_is_coloured_and_in_plain_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b" not in views(80)
    assert not set(views(80, plain=True)) & set("│├╰╯┼─●◆→*")
    assert views(80, signs=False).replace("购物", "").replace("…", "").isascii()


def test_a_forecast_says_what_decides_the_end_and_where_its_figures_come_from() -> None:
    alone = replace(EXPECTED, agents=1, p50_s=7_000, p90_s=14_000)

    lines = forecast_lines(SHOP, EXPECTED, [alone])

    assert lines[:4] == [
        "from 34 finished tasks of this project; limits of providers come on top",
        "  1 agent: likely 1 h 57, longest 3 h 53 (P50, P90)",
        "  3 agents: likely 1 h 12, longest 2 h 30 (P50, P90)",
        "cost likely $4.21, up to $9.80, however many agents; from 31 finished tasks that told their cost",
    ]
    assert lines[-3] == "   87 %  payment: Take payments"


def test_a_cost_that_is_not_known_is_said_to_be_unknown_and_assumptions_to_be_assumed() -> None:
    lines = plan_lines(
        SHOP, Look(columns=200), name="shop", version=1, approved=False, expected=forecast(SHOP, 3)
    )  # fmt: skip

    told = next(one for one in lines if one.startswith("likely"))
    assert "cost not known: no price is known" in told and "$" not in told
    assert "assumed per size: no history yet" in told


def test_a_plan_that_is_too_long_for_the_terminal_is_cut_and_says_so() -> None:
    many = replace(SHOP, tasks=tuple(task(f"t{n}", f"Do {n}", "generalist") for n in range(60))).with_phases()

    lines = plan_lines(many, Look(columns=80, rows=20), name="x", version=1, approved=True, expected=forecast(many, 3))

    assert len(lines) <= 20
    shown = sum("Do " in line for line in lines)
    assert any(f"… {60 - shown} more tasks; v shows all" in line for line in lines)
    whole = everything(many, Look(columns=80, rows=20), name="x", version=1, approved=True, expected=forecast(many, 3))
    assert sum("Do " in line for line in whole) == 60


def test_what_is_said_of_many_tasks_is_said_once() -> None:
    said = [
        Finding(rule="no-acceptance", severity=Severity.NOTE, message=f"t{n} is vague", task=f"t{n}") for n in range(6)
    ]
    other = Finding(rule="echo", severity=Severity.WARNING, message="t1 repeats the whole goal", task="t1")
    plan = replace(SHOP, findings=(*said, other))
    known = {"name": "x", "version": 1, "approved": False, "expected": EXPECTED}

    whole = everything(plan, Look(columns=80), **known)  # type: ignore[arg-type]
    short = plan_lines(plan, Look(columns=80), **known)  # type: ignore[arg-type]

    assert [one for one in whole if one.startswith("! note")] == [
        "! note: no acceptance is written down for t0, t1, t2, t3, t4, t5"
    ]
    assert "! 1 more remark; v shows it" in short


LONG = "Replace the hand written parser of the price list by one that reports every error with its line"
SHOPS = "把商品目录的导入从手写的解析器改为会报告每一个错误所在行的解析器并且保留旧的格式"


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("columns", [39, 79, 159])
def test_the_whole_plan_has_every_title_whole_on_lines_that_fit(
    columns: int, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    first = [task(f"t{n}", f"Do {n}", "generalist") for n in range(1, 9)]
    needs = [one.id for one in first]
    last = [task("long", LONG, "backend-systems-engineer", *needs), task("chinese", SHOPS, "generalist", "long")]
    plan = replace(SHOP, goal=f"{LONG} and then {LONG}", tasks=(*first, *last)).with_phases()

    whole = everything(
        plan, Look(columns=columns, plain=plain), name="x", version=1, approved=False, expected=forecast(plan, 3)
    )

    words = re.findall(r"\w+", " ".join(whole))
    assert all(words.count(word) >= LONG.split().count(word) * 3 for word in LONG.split()), "the goal and the title"
    assert "".join(one for one in "".join(whole) if one in SHOPS) == SHOPS
    assert "…" not in "".join(whole) and {"1", "7", "8"} <= set(words)
    assert plain or max(width(one) for one in whole if not one.startswith("! ")) <= columns


def test_what_others_wrote_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    nasty = task("a", HOSTILE, "generalist", verify=HOSTILE, acceptance=(HOSTILE,), description=HOSTILE)
    finding = Finding(rule="x", severity=Severity.WARNING, message=HOSTILE)
    plan = Plan(
        goal=HOSTILE,
        source="file",
        tasks=(nasty,),
        findings=(finding,),
        notice=HOSTILE,
        questions=(Question(text=HOSTILE, default=HOSTILE, answer=HOSTILE),),
        assumptions=(HOSTILE,),
    )
    look = Look(columns=160)

    shown = [
        *everything(plan, look, name="x", version=1, approved=False, expected=forecast(plan, 1)),
        *graph_lines(plan, look),
        *task_lines(nasty),
        *forecast_lines(plan, forecast(plan, 2), [forecast(plan, 1)]),
    ]

    assert is_harmless("\n".join(shown))


def edges_in(lines: list[str]) -> set[tuple[int, int]]:
    """Read a drawn graph back: follow each row's line from the task to the lanes that it joins."""
    lanes: dict[int, int] = {}
    found = set()
    for line in lines:
        at = next(place for place, sign in enumerate(line) if sign in "●◆")
        number = int(line[at:].lstrip("●◆ ─│┼├┤╰╯").split()[0])
        ended = []
        for place, sign in enumerate(line.split(str(number))[0]):
            if sign in "├╰┤╯":
                found.add((number, lanes[place]))
                if sign in "╰╯":
                    ended.append(place)
        if at in lanes:  # it takes the lane of one that it was the last to wait for
            found.add((number, lanes[at]))
        for place in ended:
            del lanes[place]
        lanes[at] = number
    return found


def test_a_drawn_graph_shows_every_dependency_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    numbers = {one.id: at for at, one in enumerate(SHOP.tasks, start=1)}
    real = {(numbers[one.id], numbers[need]) for one in SHOP.tasks for need in one.depends_on}

    assert edges_in(graph_lines(SHOP, Look(columns=100))[:-1]) == real


if __name__ == "__main__":
    import os

    os.environ["NO_COLOR"] = "1"
    for name, view in CASES.items():
        (SCREENS / f"{name}.txt").write_text(view(), encoding="utf-8")
