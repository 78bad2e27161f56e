"""Who waits for whom when several change the same files."""

from dataclasses import replace

import pytest

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.ids import AgentId, AttemptId, GoalId, TaskId, Token
from agent_orchestrator.runtime.right_of_way import RightOfWay

FILES = ("f.txt",)


def attempt(task: str, goal: str = "g1") -> Attempt:
    return Attempt(
        id=AttemptId(f"{task}.1"),
        task=TaskId(task),
        goal=GoalId(goal),
        number=1,
        token=Token(1),
        agent=AgentId("a"),
        provider="generic",
        run_dir="",
    )


class Scene:
    """Tasks, of which some are being done again, and what has gone on."""

    def __init__(self) -> None:
        self.coming: set[str] = set()
        self.gone_on: list[str] = []
        self.rule = RightOfWay(is_coming=lambda task: task in self.coming)

    def conflicted(self, task: str) -> None:
        self.rule.settled(attempt(task), Outcome.CONFLICT, FILES)
        self.coming.add(task)

    def comes(self, one: Attempt, files: tuple[str, ...] = FILES) -> str | None:
        return self.rule.wait(one, files, lambda: self.gone_on.append(one.task))


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.conflicted("first")
    return made


def test_work_on_the_same_files_waits_until_the_one_that_gave_way_is_through(scene: Scene) -> None:
    assert scene.comes(attempt("other")) == "first"
    scene.rule.release()
    assert scene.gone_on == []

    scene.rule.settled(attempt("first"), Outcome.SUCCEEDED)
    scene.rule.release()

    assert scene.gone_on == ["other"]


@pytest.mark.parametrize("free", ["other files", "another goal", "not done again", "itself"])
def test_what_has_nothing_to_do_with_it_waits_for_nobody(scene: Scene, free: str) -> None:
    one = replace(attempt("other"), goal=GoalId("g2")) if free == "another goal" else attempt("other")
    if free == "not done again":
        scene.coming.clear()
    ahead = scene.comes(attempt("first") if free == "itself" else one, ("g.txt",) if free == "other files" else FILES)

    assert ahead is None


def test_two_that_gave_way_never_wait_for_each_other(scene: Scene) -> None:
    scene.conflicted("second")
    scene.conflicted("first")  # again: it keeps its place

    assert scene.comes(attempt("first")) is None
    assert scene.comes(attempt("second")) == "first"


def test_nobody_waits_when_there_is_no_time_or_when_it_is_not_done_again_after_all(scene: Scene) -> None:
    scene.comes(attempt("other"))
    scene.coming.clear()
    scene.rule.release()
    assert scene.gone_on == ["other"]

    scene.coming.add("first")
    scene.comes(attempt("third"))
    scene.rule.release(everyone=True)
    assert scene.gone_on == ["other", "third"]
