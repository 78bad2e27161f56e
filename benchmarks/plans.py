"""How good are plans by rules, their routing and their order, on labelled sets that are not part of the project?

    python benchmarks/plans.py [--goals GOALS.jsonl] [--titles TITLES.jsonl ...] [--graphs GRAPHS.json] [--markdown]

Each set is optional; what is given is measured against the bars below, and 1 is the exit code when one is missed.

- goals, one JSON object a line: ``goal``; ``kind`` (``small`` for what should stay one task); ``size`` with ``min`` and
  ``max`` tasks; ``aspects``, each with ``id``, ``any`` (a regular expression that finds it in a task) and ``agents``;
  ``order`` and ``parallel``, pairs of aspects; ``specialists`` with ``required`` and ``forbidden``.
- titles: ``title``, ``body``, ``gold`` (the specialist whose work it was) and ``accept`` (all that would do).
- graphs, one JSON list: ``tasks`` with ``id``, ``depends_on``, ``size``, ``priority`` (0 high to 2 low) and ``dur`` in
  minutes, which the order may not see; ``conflicts``, pairs that cannot work at the same time.

The learned weights may have seen titles: benchmarks/routing_weights.py measures with whole repositories left out.
"""

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.plan import Plan, order
from agent_orchestrator.domain.ranking import ranks
from agent_orchestrator.domain.task import SIZE_MINUTES, Size, Task
from agent_orchestrator.planning.decomposer import TaskDecomposer
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route
from agent_orchestrator.planning.turns import in_turn

Json = dict[str, Any]
Row = tuple[str, str, float, str, float]
"""Set, figure, value, how it compares (``>=``, ``<=`` or nothing) and the bar."""

WEIGHTS = {"coverage": 0.28, "order": 0.14, "parallel": 0.08, "size": 0.18, "agents": 0.16, "apart": 0.06}
WEIGHTS |= {"no echo": 0.06, "verified": 0.04}
"""What makes up the composite of one goal; an invalid plan has none."""
TRIES = 300
"""Random orders, with the real durations known, of which the best is "the best found"."""
PRIORITIES = (10, 50, 90)


def lines(path: Path) -> list[Json]:
    """Return the objects of a file, one a line or as one list."""
    text = path.read_text(encoding="utf-8")
    found: list[Json] = (
        json.loads(text) if text.lstrip().startswith("[") else [json.loads(x) for x in text.splitlines()]
    )
    return found


def mean(figures: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return sum(figures) / len(figures) if figures else 0.0


# Goals


def goals(path: Path) -> Iterator[Row]:
    """Plan each goal by rules, without a project to look at."""
    roster = Roster()
    decomposer = TaskDecomposer(roster=roster, profile=None, complete=None, source="rules")
    wanted = lines(path)
    judged = [judge(one, decomposer.decompose(one["goal"]), roster) for one in wanted]
    small = [one["tasks"] for one, goal in zip(judged, wanted, strict=True) if goal["kind"] == "small"]
    kept, asked = sum(one["kept"] for one in judged), sum(one["asked"] for one in judged)
    name = f"{len(wanted)} goals"
    yield name, "valid", mean([one["valid"] for one in judged]), ">=", 1.0
    yield name, "composite", mean([one["composite"] for one in judged]), ">=", 0.80
    yield name, "coverage", mean([one["coverage"] for one in judged]), ">=", 0.78
    yield name, "order, of all pairs", kept / asked if asked else 1.0, ">=", 0.50
    yield name, "parallel", mean([one["parallel"] for one in judged]), ">=", 0.85
    yield name, "tasks of a small goal, mean", mean(small), "<=", 1.5
    yield name, "tasks of a small goal, most", max(small, default=0), "<=", 3
    yield name, "tasks that echo the goal", mean([1 - one["no echo"] for one in judged]), "<=", 0


def judge(goal: Json, plan: Plan, roster: Roster) -> dict[str, float]:
    """Compare a plan with what any right plan of the goal has."""
    if wrong := invalid(plan, roster):
        print(f"{goal['goal'][:60]!r}: {wrong}", file=sys.stderr)
        none = dict.fromkeys([*WEIGHTS, "valid", "composite", "kept"], 0.0)
        return {**none, "asked": float(len(goal["order"])), "tasks": float(len(plan.tasks))}
    above = ancestors({task.id: task.depends_on for task in plan.tasks})
    least, most = goal["size"]["min"], goal["size"]["max"]
    count = len(plan.tasks)
    carriers = {one["id"]: carrying(one["any"], goal["goal"], plan, split=least >= 2) for one in goal["aspects"]}
    found = {aspect: tasks for aspect, tasks in carriers.items() if tasks}
    each = 1 if least >= 3 else 3
    spread = matched(found, each) / min(len(carriers), most * each)
    kept = [before(carriers[first], carriers[later], above, count >= least) for first, later in goal["order"]]
    beside = [apart(carriers[one], carriers[other], above) for one, other in goal["parallel"]]
    who = {task.id: task.agent_type for task in plan.tasks}
    agents = {one["id"]: set(one["agents"]) for one in goal["aspects"]}
    required, forbidden = set(goal["specialists"]["required"]), set(goal["specialists"]["forbidden"])
    by_right = mean([any(who[task] in agents[aspect] for task in tasks) for aspect, tasks in found.items()])
    there = len(required & set(who.values())) / len(required) if required else 1.0
    fits = 1 - (least - count) / least if count < least else 1 - max(0, count - most) / max(2, most)
    figures = {
        "coverage": len(found) / len(carriers) / 2 + min(1.0, spread) / 2,
        "order": mean(kept) if kept else 1.0,
        "parallel": mean(beside) if beside else 1.0,
        "size": max(0.0, fits),
        "agents": max(0.0, there / 2 + by_right / 2 - 0.15 * len(forbidden & set(who.values()))),
        "apart": max(0.0, 1 - 2 * twins(plan) / count),
        "no echo": 1 - echoes(goal["goal"], plan) / count,
        "verified": verified(plan, above) if most >= 4 and count >= 4 else 1.0,
    }
    composite = sum(share * figures[name] for name, share in WEIGHTS.items())
    asked = {"kept": float(sum(kept)), "asked": float(len(kept)), "tasks": float(count)}
    return {**figures, **asked, "valid": 1.0, "composite": composite}


def invalid(plan: Plan, roster: Roster) -> str:
    """Return what no queue could take, empty when there is nothing of it."""
    ids = [task.id for task in plan.tasks]
    if not ids or len(set(ids)) < len(ids):
        return "no task, or two with one id"
    if lost := [need for task in plan.tasks for need in task.depends_on if need not in ids]:
        return f"depends on {lost[0]}, which is not there"
    if unknown := [task.agent_type for task in plan.tasks if roster.find(task.agent_type) is None]:
        return f"there is no specialist {unknown[0]}"
    try:
        order(plan.tasks)
    except InvalidPlan as error:
        return error.message
    return "" if all(task.title.strip() for task in plan.tasks) else "a task without a title"


def ancestors(needs: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return what each task waits for, directly or not."""
    found: dict[str, set[str]] = {}

    def of(id: str) -> set[str]:
        if id not in found:
            found[id] = set(needs[id]).union(*(of(need) for need in needs[id]))
        return found[id]

    for id in needs:
        of(id)
    return found


def carrying(pattern: str, goal: str, plan: Plan, *, split: bool) -> list[str]:
    """Return the tasks that speak of an aspect; repeating the whole goal does not count where it should be split."""
    texts = {task.id: f"{task.title} {task.description}" for task in plan.tasks}
    if split:
        texts = {id: text.replace(goal.strip(), " ") for id, text in texts.items()}
    return [id for id, text in texts.items() if re.search(pattern, text, re.I)]


def matched(carriers: Mapping[str, Sequence[str]], each: int) -> int:
    """Return how many aspects can be given tasks of their own when a task carries *each* at most (augmenting paths)."""
    holder: dict[tuple[str, int], str] = {}

    def place(aspect: str, tried: set[tuple[str, int]]) -> bool:
        for seat in ((task, at) for task in carriers[aspect] for at in range(each)):
            if seat not in tried:
                tried.add(seat)
                if seat not in holder or place(holder[seat], tried):
                    holder[seat] = aspect
                    return True
        return False

    return sum(place(aspect, set()) for aspect in carriers)


def before(first: Sequence[str], later: Sequence[str], above: Mapping[str, set[str]], whole: bool) -> bool:
    """Say whether a task of the later aspect waits for one of the first; one task for both will do in a small plan."""
    if not first or not later:
        return False
    others = [task for task in later if task not in first]
    return any(above[task] & set(first) for task in others) if others else whole


def apart(one: Sequence[str], other: Sequence[str], above: Mapping[str, set[str]]) -> bool:
    """Say whether two aspects can be worked on at the same time."""
    return any(a != b and a not in above[b] and b not in above[a] for a in one for b in other)


def words(text: str) -> set[str]:
    """Return the words of a text that say something."""
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2 or not word.isascii()}


def twins(plan: Plan) -> int:
    """Return how many pairs of tasks are called nearly the same."""
    said = [words(task.title) for task in plan.tasks]
    return sum(
        len(one & said[at]) >= 0.8 * len(one | said[at])
        for earlier, one in enumerate(said)
        for at in range(earlier)
        if one | said[at]
    )


def echoes(goal: str, plan: Plan) -> int:
    """Return how many tasks of several only repeat the goal."""
    whole = words(goal)
    if len(plan.tasks) < 2 or len(whole) < 4:
        return 0
    return sum(len(words(task.title) & whole) >= 0.85 * len(whole) for task in plan.tasks)


_CHECKS = re.compile(r"test|verif|integrat|review|e2e|valid|qa|测试|prueba", re.I)


def verified(plan: Plan, above: Mapping[str, set[str]]) -> float:
    """Return 1 when a task that checks comes after half of the others at least, less when it comes sooner or never."""
    checks = [task.id for task in plan.tasks if _CHECKS.search(f"{task.title} {task.description}")]
    if any(len(above[id]) * 2 >= len(plan.tasks) - 1 for id in checks):
        return 1.0
    return 0.4 if checks else 0.0


# Titles


def titles(path: Path, least: float | None) -> Iterator[Row]:
    """Route each title with its body."""
    roster = Roster()
    wanted = lines(path)
    route("Warm the index up", "", roster)
    began = time.perf_counter()
    found = [route(one["title"], one.get("body") or "", roster) for one in wanted]
    took_ms = (time.perf_counter() - began) * 1000 / len(wanted)
    name = f"{len(wanted)} titles"
    hits = [one.specialist in title["accept"] for one, title in zip(found, wanted, strict=True)]
    ranked = [hit for _, hit in sorted(zip(found, hits, strict=True), key=lambda pair: -pair[0].confidence)]
    half = len(ranked) // 2
    exact = [one.specialist == title["gold"] for one, title in zip(found, wanted, strict=True)]
    yield name, "strict", mean(exact), "", 0
    yield name, "lenient", mean(hits), *((">=", least) if least is not None else ("", 0.0))
    yield name, "lenient, the confident half", mean(ranked[:half]), ">=", 0.80
    yield name, "lenient, the other half", mean(ranked[half:]), "", 0
    guesses = [hit for one, hit in zip(found, hits, strict=True) if one.is_guess]
    yield name, "share shown as a guess", len(guesses) / len(found), "", 0
    yield name, "lenient, shown as a guess", mean(guesses), "", 0
    yield name, "milliseconds a title", took_ms, "<=", 2.0


# Graphs


def graphs(path: Path) -> Iterator[Row]:
    """Play each graph through in the order in which the queue would start its tasks."""
    found: list[Json] = json.loads(path.read_text(encoding="utf-8"))
    for agents, bar in ((2, None), (3, 1.07), (5, 1.04), (8, None)):
        bounds, bests = [], []
        for graph in found:
            lasts = {task["id"]: task["dur"] for task in graph["tasks"]}
            least = max(max(longest(graph, lasts).values()), sum(lasts.values()) / agents)
            end = played(graph, agents, by_product(graph))
            bounds.append(end / least)
            bests.append(end / min(end, best_found(graph, agents, least)))
        name = f"{len(found)} graphs, {agents} agents"
        middle = math.exp(mean([math.log(one) for one in bounds]))
        yield name, "makespan by the lower bound, geometric mean", middle, *(("<=", bar) if bar else ("", 0.0))
        yield name, "makespan by the best found, worst", max(bests), "<=", 1.25


Order = tuple[Mapping[str, Sequence[str]], Callable[[str], float]]
"""What each task waits for, and who starts first of those that may: the lowest figure."""


def by_product(graph: Json) -> Order:
    """Return what validation makes of the graph's conflicts, and the ranks that the queue claims by."""
    sizes = {task["id"]: Size(task["size"]) for task in graph["tasks"]}
    needs = {task["id"]: list(task["depends_on"]) for task in graph["tasks"]}
    pairs = [(one, other) for one, other in graph["conflicts"]]
    for first, later in in_turn({id: SIZE_MINUTES[size] for id, size in sizes.items()}, needs, pairs):
        needs[later].append(first)
    tasks = [
        Task(
            id=TaskId(task["id"]), goal=GoalId("g"), key=task["id"], title="", description="", specialist="",
            size=sizes[task["id"]], priority=PRIORITIES[task["priority"]],
        )
        for task in graph["tasks"]
    ]  # fmt: skip
    ranked = ranks(tasks, {TaskId(id): [TaskId(one) for one in needed] for id, needed in needs.items()})
    return needs, lambda name: ranked[TaskId(name)][1]


def longest(graph: Json, lasts: Mapping[str, float]) -> dict[str, float]:
    """Return for each task how long it is from its start to the end."""
    left: dict[str, float] = {}
    followers: dict[str, list[str]] = {id: [] for id in lasts}
    for task in graph["tasks"]:
        for need in task["depends_on"]:
            followers[need].append(task["id"])

    def of(id: str) -> float:
        if id not in left:
            left[id] = lasts[id] + max((of(later) for later in followers[id]), default=0.0)
        return left[id]

    return {id: of(id) for id in lasts}


def best_found(graph: Json, agents: int, least: float) -> float:
    """Return the best end of many orders by somebody who knows the durations, some of them turned by chance."""
    lasts = {task["id"]: task["dur"] for task in graph["tasks"]}
    needs = {task["id"]: task["depends_on"] for task in graph["tasks"]}
    ways = longest(graph, lasts)
    random = Random(5)
    best = played(graph, agents, (needs, lambda name: -ways[name]))
    for _ in range(TRIES):
        if best <= least * (1 + 1e-9):
            break
        turned = {id: way * math.exp(random.gauss(0, 0.35)) for id, way in ways.items()}
        best = min(best, played(graph, agents, (needs, lambda name, turned=turned: -turned[name])))  # type: ignore[misc]
    return best


def played(graph: Json, agents: int, how: Order) -> float:
    """Return when the last task ends; two in conflict never work at the same time, and nobody is interrupted."""
    needs, key = how
    lasts = {task["id"]: task["dur"] for task in graph["tasks"]}
    place = {id: at for at, id in enumerate(lasts)}
    rivals: dict[str, set[str]] = {id: set() for id in lasts}
    for one, other in graph["conflicts"]:
        rivals[one].add(other)
        rivals[other].add(one)
    waiting = sorted(lasts, key=lambda name: (key(name), place[name]))
    ends: dict[str, float] = {}
    working: dict[str, float] = {}
    now = 0.0
    while waiting or working:
        for id in list(waiting):
            if len(working) == agents:
                break
            if all(need in ends for need in needs[id]) and not rivals[id] & set(working):
                working[id] = now + lasts[id]
                waiting.remove(id)
        now = min(working.values())
        for id in [id for id, end in working.items() if end <= now + 1e-9]:
            ends[id] = working.pop(id)
    return now


def main() -> int:
    """Measure, print a table, and say by the exit code whether every bar holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", type=Path)
    parser.add_argument("--titles", type=Path, action="append", default=[])
    parser.add_argument("--lenient", type=float, help="the least lenient share of titles; none by default")
    parser.add_argument("--graphs", type=Path)
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/planning.md has it")
    given = parser.parse_args()
    rows = list(goals(given.goals)) if given.goals else []
    for path in given.titles:
        rows += titles(path, given.lenient)
    rows += graphs(given.graphs) if given.graphs else []
    missed = 0
    if given.markdown:
        print("| Set | Figure | Measured | Bar |\n|---|---|---|---|")
    for name, figure, value, sign, bar in rows:
        holds = not sign or (value >= bar - 1e-9 if sign == ">=" else value <= bar + 1e-9)
        missed += not holds
        told = f"{ {'>=': '≥', '<=': '≤'}[sign] } {bar:g}" if sign else ""
        if given.markdown:
            print(f"| {name} | {figure} | {value:.3f} | {told}{'' if holds else ', missed'} |")
        else:
            print(f"{name:22} {figure:46} {value:7.3f}  {told}{'' if holds else '  MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
