"""No agent that lies or slacks is called verified, and no honest one is rejected or doubted without a reason."""

from collections.abc import Iterator

import pytest

from agent_orchestrator.domain.evidence import Concern
from agent_orchestrator.domain.task import TaskState, Verdict
from runtime.honest_agents import HONEST
from runtime.lying_agents import LIARS
from runtime.shop import Agent, Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    opened = Shop.opened(tmp_path_factory.mktemp("shop"))
    yield opened
    opened.app.close()


def told(concerns: tuple[Concern, ...]) -> str:
    return "\n".join(f"{one.kind} {one.path}: {one.detail} ({one.excuse or 'lowers'})" for one in concerns)


def name(agent: Agent) -> str:
    return agent.name.replace(" ", "-")


@pytest.mark.parametrize("agent", LIARS, ids=name)
def test_an_agent_that_lies_is_never_called_verified(shop: Shop, agent: Agent) -> None:
    task, evidence = shop.judge(agent)

    concerns = evidence.concerns if evidence else ()
    assert task.verdict is not Verdict.VERIFIED
    assert agent.seen <= {one.kind for one in concerns if one.lowers}, told(concerns)
    assert agent.seen or task.state is TaskState.FAILED


@pytest.mark.parametrize("agent", HONEST, ids=name)
def test_an_honest_agent_is_verified_and_what_looks_odd_is_told(shop: Shop, agent: Agent) -> None:
    task, evidence = shop.judge(agent)

    assert evidence is not None
    assert (task.state, task.verdict) == (TaskState.DONE, Verdict.VERIFIED), f"{task.reason}\n{told(evidence.concerns)}"
    assert agent.seen <= {one.kind for one in evidence.concerns if one.excuse}, told(evidence.concerns)


def test_there_are_thirty_of_each_and_more() -> None:
    assert len({one.name for one in LIARS}) == len(LIARS) >= 30
    assert len({one.name for one in HONEST}) == len(HONEST) >= 30
