"""A role: who an agent is asked to be. Read from a Markdown file with front matter."""

from dataclasses import dataclass

from agent_orchestrator.domain.task import Tier

GENERALIST = "generalist"
"""Who gets a task that no specialist clearly fits."""

WRITING_TOOLS = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit", "Bash"})
"""Tools with which an agent can change a file, by the names that role files use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """One role of the roster. It adds a prompt and limits to an agent, and can take no limit away."""

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
    model: str | None = None
    """A model that beats the task's tier, for the providers that know it. None leaves the choice to the tier."""
    provider: str | None = None
    """The provider whose name for a model ``model`` is. None: the name itself tells. It does not choose the agent."""
    tools: tuple[str, ...] = ()
    """The only tools it may use, by the names that ``claude`` gives them. Empty means all."""
    denied_tools: tuple[str, ...] = ()
    max_turns: int | None = None
    """Turns of the model after which an attempt ends. None means no limit of its own."""
    origin: str = "built in"
    """Where its file stands: ``project``, ``project .claude``, ``user``, ``user .claude`` or ``built in``."""
    file: str | None = None
    """Path of its file. None when it was not read from one."""

    @property
    def can_write(self) -> bool:
        """Whether its tools can change a file; a tool of an MCP server is taken to be able to."""
        given = self.tools or tuple(WRITING_TOOLS)
        allowed = {tool for tool in given if tool not in self.denied_tools}
        return bool(allowed & WRITING_TOOLS) or any(tool.startswith("mcp__") for tool in allowed)

    @property
    def limits(self) -> tuple[str, ...]:
        """The limits it sets itself, in words: ``only Read, Grep``, ``without WebFetch``, ``20 turns``."""
        found = []
        if self.tools:
            found.append(f"only {', '.join(self.tools)}")
        if self.denied_tools:
            found.append(f"without {', '.join(self.denied_tools)}")
        if self.max_turns is not None:
            found.append(f"{self.max_turns} turns")
        return tuple(found)
