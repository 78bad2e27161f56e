"""Which of an attempt's checkpoints is brought back when nobody names one."""

from datetime import UTC, datetime

import pytest

from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.runtime.restoring import chosen
from agent_orchestrator.workspaces import Checkpoint


def checkpoint(number: int, files: int, gone: int) -> Checkpoint:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Checkpoint(
        attempt=AttemptId("t.1"),
        number=number,
        at=at,
        why="while it ran",
        commit="c",
        tree="t",
        base=None,
        files=files,
        bytes=0,
        gone=gone,
    )


@pytest.mark.parametrize(
    ("taken", "number"),
    [
        ([(1, 0), (3, 0)], 2),
        ([(3, 0), (0, 0)], 1),
        ([(3, 0), (2, 0)], 2),
        ([(3, 1), (1, 0)], 1),
        ([(1, 0), (500, 500)], 1),
        ([(1, 0), (501, 500)], 2),
        ([(8, 0), (501, 500)], 1),
        ([(5, 5), (9, 9)], 2),
    ],
    ids=[
        "more",
        "nothing",
        "less",
        "half undone",
        "all deleted",
        "a task of deleting",
        "most deleted",
        "only deleting",
    ],
)
def test_the_newest_is_brought_back_unless_most_of_the_work_was_gone_by_then(
    taken: list[tuple[int, int]], number: int
) -> None:
    its_own = [checkpoint(at + 1, files, gone) for at, (files, gone) in enumerate(taken)]

    assert chosen(its_own).number == number
