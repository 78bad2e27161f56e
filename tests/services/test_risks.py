"""What a report calls risky, and the figures of who worked."""

from typing import Any

import pytest

from agent_orchestrator.services.figures import figures
from agent_orchestrator.services.risks import Risk, of_work, ranked

Json = dict[str, Any]


def evidence(*files: str, result: str | None = "passed", lines: int = 10, **more: Any) -> Json:
    checks = [] if result is None else [{"result": result}]
    told = {"notes": [], "concerns": [], **more}
    return {"files": list(files), "insertions": lines, "deletions": 0, "checks": checks, **told}


def concern(detail: str, excuse: str = "") -> Json:
    return {"kind": "test_deleted", "path": "", "detail": detail, "excuse": excuse, "lowers": not excuse}


def attempt(outcome: str | None = "succeeded", seen: Json | None = None, **more: Any) -> Json:
    usage = {
        "cost_usd": more.pop("cost_usd", None),
        "cost_is_estimate": more.pop("estimate", False),
        "cost_is_partial": False,
    }
    times = {"started_at": "2026-11-21T01:00:00Z", "ended_at": more.pop("ended_at", "2026-11-21T01:10:00Z")}
    return {"outcome": outcome, "reason": "", "evidence": seen, "provider": "claude", "usage": usage, **times, **more}


def work(*attempts: Json, id: str = "t1", verdict: str = "verified", state: str = "done", by: str = "qa") -> Json:
    named = {"id": id, "key": id, "title": id, "specialist": by}
    return {**named, "state": state, "verdict": verdict if state == "done" else None, "attempts": list(attempts)}


def test_a_rejection_by_a_person_is_not_told_as_one_by_the_checks() -> None:
    again = attempt(seen=evidence("a.py"))

    assert of_work(work(attempt("rejected", reason="rejected in review: too little"), again)) == (
        Risk.LOW, ["it was done again after a rejection in review"],
    )  # fmt: skip
    assert of_work(work(attempt("rejected"), again)) == (Risk.LOW, ["its checks rejected 1 earlier attempt"])


def test_small_verified_work_has_nothing_against_it() -> None:
    assert of_work(work(attempt(seen=evidence("a.py")))) == (Risk.LOW, [])


@pytest.mark.parametrize(
    ("task", "risk", "why"),
    [
        (work(attempt(seen=evidence("a.py", result=None)), verdict="unverified"), Risk.HIGH, "no check vouches"),
        (work(attempt(seen=evidence("a.py", result="base_is_red")), verdict="unverified"), Risk.MEDIUM, "before the"),
        (work(attempt(seen=evidence("a.py", result="flaky"))), Risk.MEDIUM, "failed once and passed"),
        (
            work(attempt(seen=evidence("a.py", concerns=[concern("a test is gone")])), verdict="unverified"),
            Risk.HIGH,
            "a test",
        ),
        (
            work(attempt(seen=evidence("a.py", concerns=[concern("it is gone", "asked for")]))),
            Risk.LOW,
            "gone (asked for)",
        ),
        (work(attempt(seen=evidence("a.py", notes=["a test was skipped"]))), Risk.MEDIUM, "a test was skipped"),
        (work(attempt(seen=evidence("a.py", lines=401))), Risk.MEDIUM, "401 lines"),
        (work(attempt(seen=evidence("a.py", lines=1501))), Risk.HIGH, "1,501 lines"),
        (work(attempt(seen=evidence("src/Auth/login.py"))), Risk.MEDIUM, "touches src/Auth/login.py"),
        (work(attempt(seen=evidence(".github/workflows/ci.yml"))), Risk.MEDIUM, "touches .github"),
        (work(attempt("conflict"), attempt(seen=evidence("a.py"))), Risk.MEDIUM, "after a conflict"),
        (work(attempt("rejected"), attempt(seen=evidence("a.py"))), Risk.LOW, "rejected 1 earlier attempt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_reason_to_look_is_said_with_its_risk(task: Json, risk: Risk, why: str) -> None:
    found, reasons = of_work(task)

    assert found is risk
    assert why in reasons[0]


def test_the_riskiest_work_comes_first_and_what_is_not_landed_is_left_out() -> None:
    plain = work(attempt(seen=evidence("a.py")), id="plain")
    big = work(attempt(seen=evidence("a.py", lines=600)), id="big")
    unchecked = work(attempt(seen=evidence("a.py", result=None)), id="unchecked", verdict="unverified")
    failed = work(attempt("rejected"), id="failed", state="failed")

    assert [one["key"] for one in ranked([plain, big, failed, unchecked])] == ["unchecked", "big", "plain"]


def test_figures_tell_of_each_specialist_and_provider_how_many_how_well_how_long_and_how_dear() -> None:
    tasks = [
        work(
            attempt("limited", cost_usd=0.1),
            attempt("rejected", cost_usd=0.5, ended_at="2026-11-21T01:30:00Z"),
            attempt(cost_usd=1.0, provider="codex", estimate=True),
            id="a",
        ),
        work(attempt(cost_usd=2.0), id="b"),
        work(attempt("cancelled"), id="c", state="ready"),
        work(attempt(None, ended_at=None), id="d", state="running", by="writer"),
    ]

    found = figures(tasks)

    qa, writer = found["specialists"]
    assert (qa["name"], qa["tasks"], qa["attempts"], qa["done"], qa["success_rate"]) == ("qa", 3, 5, 2, 1.0)
    assert (qa["p50_s"], qa["p95_s"], qa["cost_usd"], qa["cost_is_estimate"]) == (600.0, 1800.0, 3.6, True)
    assert (writer["done"], writer["success_rate"], writer["p50_s"]) == (0, None, None)
    claude, codex = found["providers"]
    assert (claude["done"], claude["success_rate"], claude["cost_is_estimate"]) == (1, 0.5, False)
    assert (codex["done"], codex["success_rate"], codex["cost_usd"]) == (1, 1.0, 1.0)


def test_nobody_has_figures_before_anybody_worked() -> None:
    assert figures([work(state="ready")]) == {"specialists": [], "providers": []}


def test_a_sum_of_costs_of_which_one_is_unknown_says_so() -> None:
    tasks = [work(attempt(cost_usd=2.0), attempt(provider="codex"), id="a")]

    (qa,), (claude, codex) = figures(tasks)["specialists"], figures(tasks)["providers"]

    assert (qa["cost_usd"], qa["cost_is_partial"]) == (2.0, True)
    assert (claude["cost_usd"], claude["cost_is_partial"]) == (2.0, False)
    assert (codex["cost_usd"], codex["cost_is_partial"]) == (None, False)
