"""Messages between the user and agents, and from agent to agent."""

from dataclasses import dataclass, replace

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.message import Message
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

BODY_LIMIT = 16 * 1024
"""Characters of one message. Longer things are files of the project."""


@dataclass(frozen=True, slots=True)
class Messages:
    """What can be asked of messages."""

    store: Store
    clock: Clock
    events: Events

    def send(self, goal: GoalId, body: str, *, author: str, to: str = "@all", task: TaskId | None = None) -> Message:
        """Send *body* to the agents of a goal; it goes into the prompts of what starts next, or only of *task*.

        *to* is a word on whom it is meant for; whoever starts reads it.

        Raises:
            BadInput: it is empty or longer than 16,384 characters.
        """
        if not body.strip():
            raise BadInput("the message is empty")
        if len(body) > BODY_LIMIT:
            raise BadInput(f"the message has {len(body):,} characters; the limit is {BODY_LIMIT:,}")
        message = Message(id=0, goal=goal, task=task, author=author, to=to, body=body.strip(), at=self.clock.now())
        with self.store.transaction():
            number = self.store.messages.add(message)
            self.events.record("message.sent", goal=goal, author=author, to=to)
        return replace(message, id=number)

    def of_goal(self, goal: GoalId, *, task: TaskId | None = None) -> list[Message]:
        """Return the goal's latest messages, oldest first."""
        return self.store.messages.of_goal(goal, task=task)
