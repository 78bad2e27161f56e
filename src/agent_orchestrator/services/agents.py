"""Agents: who works, and the wish that one stops."""

from dataclasses import dataclass

from agent_orchestrator.domain.agent import Agent, AgentState
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import Ambiguous, NotFound, RefusedByState
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True)
class Agents:
    """What can be asked of agents."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier

    def list(self, *, living: bool = True) -> list[Agent]:
        """Return agents, newest first."""
        return self.store.agents.list(living=living)

    def resolve(self, text: str) -> Agent:
        """Return the agent that *text* names: an id or an unambiguous start of one; the living come before the ended.

        Raises:
            NotFound, Ambiguous.
        """
        found = self.store.agents.find(text) if text else []
        living = [agent for agent in found if agent.state is not AgentState.ENDED]
        for match in ([agent for agent in found if agent.id == text], living, found):
            if len(match) == 1:
                return match[0]
        if not found:
            raise NotFound(f"no agent {text!r}", hint="orchestrate agents lists them")
        raise Ambiguous(f"{text!r} could be {', '.join(agent.id for agent in found[:5])}", hint="type more of the id")

    def stop(self, agent: Agent) -> Agent:
        """Wish that *agent* stops; the supervisor that holds it makes it true and gives the task back.

        Raises:
            RefusedByState: it has ended already.
        """
        with self.store.transaction():
            current = self.store.agents.get(agent.id)
            if current.state is AgentState.ENDED:
                raise RefusedByState(f"agent {agent.id} has ended already", hint="orchestrate agents lists who works")
            self.store.agents.wish_stop(agent.id)
            self.events.record("agent.stop_wished", agent=agent.id, task=None)
        self.notifier.wake()
        return self.store.agents.get(agent.id)
