"""A role: who an agent is asked to be. Read from a Markdown file with front matter."""

from dataclasses import dataclass

from agent_orchestrator.domain.task import Tier

GENERALIST = "generalist"
"""Who gets a task that no specialist clearly fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """One role of the roster."""

    name: str
    description: str
    """One line, shown in lists and given to the planner."""
    prompt: str
    """The role's text, appended to the agent's system prompt."""
    words: tuple[str, ...] = ()
    """Whole words and phrases that speak for this role when routing by rules."""
    paths: tuple[str, ...] = ()
    """Globs of files that are this role's ground; a path beats a word."""
    aliases: tuple[str, ...] = ()
    tier: Tier = Tier.STANDARD
    provider: str | None = None
    model: str | None = None
    origin: str = "built in"
    """Where its file stands: ``built in``, ``project`` or ``user``."""
