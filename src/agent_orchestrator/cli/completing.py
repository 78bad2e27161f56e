"""Shell completion of ids: the callbacks that arguments naming a task, a goal or an agent share.

Completion runs at every press of Tab: it opens the store without creating it,
reads a few rows, and on any trouble offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import doors
from agent_orchestrator.cli.render import line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP_COLUMNS = 60
"""Width of the title beside an id, where the shell shows one."""

Pair = tuple[str, str]


def tasks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer tasks by id, or by key when what was typed begins a key."""
    return _items(
        lambda app: (
            (task.id if task.id.startswith(incomplete) else task.key, f"{task.state}: {task.title}")
            for task in app.store.tasks.find(incomplete)
        )
    )


def goals(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer goals by id."""
    return _items(lambda app: ((goal.id, f"{goal.state}: {goal.title}") for goal in app.store.goals.find(incomplete)))


def plans(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer saved plans by name."""
    return _items(
        lambda app: ((id, f"{state}: {text}") for id, state, text, _ in app.plans.recent() if id.startswith(incomplete))
    )


def goals_and_tasks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer both, for commands that take either."""
    return [*goals(ctx, param, incomplete), *tasks(ctx, param, incomplete)]


def agents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer agents by id, the living first."""
    return _items(
        lambda app: (
            (agent.id, f"{agent.state}: {agent.doing or agent.specialist}")
            for agent in app.store.agents.find(incomplete)
        )
    )


def held(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the providers that are on hold."""
    return _items(
        lambda app: (
            (hold.provider, hold.reason) for hold in app.store.holds.list() if hold.provider.startswith(incomplete)
        )
    )


def shared(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer what is shared in the goal that ``--goal`` names, else in the newest one."""

    def found(app: App) -> Iterable[Pair]:
        goal = app.goals.resolve(ctx.params.get("goal_text") or "last")
        return ((one.address, f"version {one.version} by {one.author}") for one in app.context.everything(goal.id))

    return [item for item in _items(found) if item.value.startswith(incomplete)]


def _items(found: Callable[[App], Iterable[Pair]]) -> list[CompletionItem]:
    try:
        pairs = list(found(doors.app(create=False)))
    except Exception:  # a traceback in the middle of a typed command helps nobody
        return []
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=line(about, HELP_COLUMNS)) for value, about in pairs]
