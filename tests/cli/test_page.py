"""The report as a page: everything in one file, nothing that runs, nothing from a stranger that is markup."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.cli.page import as_html
from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import Verdict
from agent_orchestrator.services.goals import Submission
from looking import HOSTILE, is_harmless, orchestrate
from steps import accept, claim, fail, planned

VOID = {"meta", "br"}
PASSED = CheckRun(
    command="pytest -q",
    origin="project",
    result=CheckResult.PASSED,
    exit_code=0,
    duration_ms=4_000,
    tail="test_a\n    3 passed",
)


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags, its attributes, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def a_night(app: App, clock: HandClock) -> Goal:
    """One goal: a task landed after a rejection, one that failed, one that waits for it."""
    goal, _ = accept(app, planned("a"), planned("b", "a"), planned("c", "b"))
    app.goals.update(goal.id, state=GoalState.EXECUTING, started_at=clock.now())
    first = app.tasks.started(claim(app))
    clock.advance(timedelta(minutes=10))
    spent = replace(first, usage=Usage(cost_micro_usd=400_000))
    app.tasks.ended(spent, outcome=Outcome.REJECTED, reason="the checks failed")
    clock.advance(timedelta(minutes=1))
    app.tasks.release_due()
    second = replace(app.tasks.started(claim(app)), usage=Usage(cost_micro_usd=600_000))
    clock.advance(timedelta(minutes=20))
    app.tasks.handed_in(second)
    evidence = Evidence(checks=(PASSED,), files=("src/a.py",), insertions=3, commit="c0ffee")
    app.tasks.landing(second, evidence)
    app.tasks.finished(second, verdict=Verdict.VERIFIED, commit="c0ffee", evidence=evidence)
    third = app.tasks.started(claim(app))
    clock.advance(timedelta(minutes=5))
    fail(app, third, outcome=Outcome.STALLED, reason="silent for 15 minutes")
    ended = {"state": GoalState.FAILED, "reason": "1 failed (b), 1 wait for them", "ended_at": clock.now()}
    return app.goals.update(goal.id, delivery=Delivery.WAITING, delivery_note="main moved", **ended)


def page_of(app: App, goal: Goal) -> str:
    return as_html(app.reports.goal(goal))


def drawings(page: str) -> Iterator[ElementTree.Element]:
    for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        yield ElementTree.fromstring(one)


def test_a_page_needs_no_script_no_network_and_no_other_file(here: App, clock: HandClock) -> None:
    page = page_of(here, a_night(here, clock))

    read = Reader(page)
    assert read.open == []
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for _, found in read.tags for name in found if name.startswith("on") or name in {"src", "style"}]
    assert all(one["href"].startswith(("#", "file:///")) for one in read.all("a"))
    assert not re.search(r"url\(|@import|https?:", page)
    (policy,) = [one["content"] for one in read.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "script" not in policy


def test_a_page_begins_with_the_verdict_and_what_needs_the_user_and_is_honest_about_a_failed_night(
    here: App, clock: HandClock
) -> None:
    page = page_of(here, a_night(here, clock))

    sections = [one["id"] for one in Reader(page).all("section")]
    assert sections == ["needs", "look", "plan", "timeline", "spend", "tasks", "figures"]
    head, _, rest = Reader(page).text.partition("Needs you")
    assert "Failed: 1 failed (b)" in head and "Completed" not in head + rest
    needs = rest.partition("Look at first")[0]
    assert needs.index("Task b failed: silent for 15 minutes") < needs.index("The result is not in your branch")
    assert "high" in needs.partition("Task b")[0], "a task waits for it"


def test_every_task_tells_its_evidence_and_every_link_within_the_page_leads_somewhere(
    here: App, clock: HandClock
) -> None:
    read = Reader(page_of(here, a_night(here, clock)))

    ids = [found["id"] for _, found in read.tags if "id" in found]
    assert len(ids) == len(set(ids))
    links = {one["href"][1:] for one in read.all("a") if one["href"].startswith("#")}
    assert links <= set(ids)
    assert len(read.all("article")) == 3
    assert "test_a\n    3 passed" in "".join(read.words), "output keeps its lines and its indentation"
    for evidence in (
        "3 passed",
        "c0ffee",
        "`pytest -q` passed (exit 0, 4.0 s)",
        "src/a.py (+3 -0)",
        "the checks failed",
    ):
        assert evidence in read.text


def test_the_plan_the_night_and_the_spend_are_drawn(here: App, clock: HandClock) -> None:
    page = page_of(here, a_night(here, clock))

    plan, night, spend = drawings(page)
    words = [" ".join(one.itertext()) for one in (plan, night, spend)]
    assert sum("node" in (one.get("class") or "") for one in plan.iter()) == 3
    assert sum(one.get("class") == "arrow" for one in plan.iter()) == 2
    bars = [one for one in night.iter() if (one.get("class") or "").startswith("bar ")]
    assert [bar.get("class") for bar in bars] == ["bar bad", "bar good", "bar bad"]
    first, second, third = (float(bar.get("width") or 0) for bar in bars)
    assert second == pytest.approx(2 * first, rel=0.02) and third == pytest.approx(first / 2, rel=0.02)
    assert "rejected" in words[1] and "a #2" in words[1]
    assert "$1.00" in words[2]


def test_drawings_have_names_for_those_who_do_not_see_them(here: App, clock: HandClock) -> None:
    read = Reader(page_of(here, a_night(here, clock)))

    ids = {found["id"] for _, found in read.tags if "id" in found}
    for drawing in read.all("svg"):
        assert set(drawing["aria-labelledby"].split()) <= ids
    for region in (found for _, found in read.tags if found.get("role") == "region"):
        assert region["aria-label"] and region["tabindex"] == "0", "what scrolls is reached by the keyboard"
    assert read.all("html") == [{"lang": "en"}] and len(read.all("h1")) == 1 and len(read.all("main")) == 1
    assert all(one.get("scope") in {"col", "row"} for one in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table")) == 2


def test_a_page_has_colours_for_light_and_for_dark_that_can_be_read(here: App, clock: HandClock) -> None:
    page = page_of(here, a_night(here, clock))

    light, dark = re.findall(r":root\{([^}]*)\}", page)
    for theme in light, dark:
        colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]+)", theme))
        pairs = [("fg", "bg"), ("soft", "bg"), ("link", "bg"), ("fg", "panel")]
        pairs += [(one, f"{one}-bg") for one in ("good", "odd", "bad", "busy", "quiet")]
        pairs += [(text, f"{one}-bg") for one in ("good", "odd", "bad", "busy", "quiet") for text in ("fg", "soft")]
        for text, ground in pairs:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours as WCAG 2.2 defines it; 4.5 is what its level AA asks of text."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "hostile", [HOSTILE, '"><img src=x onerror=alert(1)>', "</style><script>x</script>", "]]>&#x3c;b"]
)
def test_no_text_of_a_stranger_is_markup(here: App, hostile: str) -> None:
    task = replace(planned("a"), title=hostile, description=hostile, agent_type="generalist")
    text = hostile.replace("\x00", "")
    goal, _ = here.goals.accept(Plan(goal=text, source="rules", tasks=(task,), notice=hostile), Submission(text=text))
    here.goals.update(goal.id, state=GoalState.EXECUTING)
    attempt = replace(here.tasks.started(claim(here)), model=hostile, session=hostile, branch=hostile)
    here.tasks.progressed(attempt)
    here.tasks.noted(attempt.task, hostile)
    check = replace(PASSED, command=hostile, tail=hostile, result=CheckResult.FAILED)
    evidence = Evidence(checks=(check,), files=(hostile,), notes=(hostile,), commit=hostile)
    fail(here, attempt, outcome=Outcome.REJECTED, reason=hostile, evidence=evidence)
    note = {"delivery": Delivery.WAITING, "delivery_note": hostile}
    goal = here.goals.update(goal.id, state=GoalState.FAILED, reason=hostile, **note)

    page = page_of(here, goal)

    harmless = Reader(page_of(here, here.goals.update(goal.id, reason="plain")))
    read = Reader(page)
    assert is_harmless(page)
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in harmless.tags}
    assert not {tag for tag, _ in read.tags} & {"script", "img", "b"}
    assert not [name for _, found in read.tags for name in found if name.startswith("on")]
    for drawing in drawings(page):
        assert drawing.tag == "svg"


def test_a_page_goes_to_a_file_or_to_standard_output(here: App, clock: HandClock, tmp_path: Path) -> None:
    goal = a_night(here, clock)

    printed = orchestrate("report", goal.id, "--html")
    written = orchestrate("report", "--html", str(tmp_path / "night.html"))

    assert printed.code == written.code == 0
    assert printed.out.startswith("<!DOCTYPE html>")
    assert written.out.strip() == str(tmp_path / "night.html")
    assert (tmp_path / "night.html").read_text().startswith("<!DOCTYPE html>")


def test_a_goal_is_not_taken_for_a_file_and_a_file_that_cannot_be_is_said(here: App, tmp_path: Path) -> None:
    goal, _ = accept(here, planned("a"))

    mistaken = orchestrate("report", "--html", goal.id)
    impossible = orchestrate("report", "--html", str(tmp_path / "no" / "night.html"))

    assert mistaken.code == 2 and f"orchestrate report {goal.id} --html FILE" in mistaken.err
    assert impossible.code == 2 and "No such file" in impossible.err
    assert orchestrate("report", "--html", "--json").code == 2


@pytest.mark.parametrize("count", [1, 2, 130, 600])
def test_a_goal_of_any_size_has_a_page(here: App, count: int) -> None:
    goal, _ = accept(here, *(planned(f"t{number}") for number in range(count)))

    read = Reader(page_of(here, goal))

    assert len(read.all("article")) == count
    assert len(read.all("svg")) == (1 if count == 2 else 0), "a plan is drawn while a person could read it"
