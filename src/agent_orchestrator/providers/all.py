"""The one explicit list of providers."""

from collections.abc import Mapping
from pathlib import Path

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.providers import Provider, generic
from agent_orchestrator.providers.api import Api
from agent_orchestrator.providers.claude import ENVIRONMENT, Claude, cloud, logged_in
from agent_orchestrator.providers.codex import Codex, sessions_folder
from agent_orchestrator.providers.demo import Demo
from agent_orchestrator.providers.gemini import Gemini
from agent_orchestrator.providers.opencode import OpenCode
from agent_orchestrator.providers.prices import KNOWN, with_own

AUTO = ("claude", "codex", "gemini", "opencode")
"""What ``auto`` takes for the work: the first that is installed. The others stand in where somebody pays for them."""


def providers(
    *,
    clock: Clock,
    environ: Mapping[str, str],
    home: Path,
    root: bool,
    claude_uses_key: bool = False,
    codex_model: str | None = None,
    opencode_model: str | None = None,
    generic_command: str | None = None,
    demo_pace: str = "1",
    own_prices: Mapping[str, tuple[float, ...]] | None = None,
) -> dict[str, Provider]:
    """Return every provider by its name, in the order in which ``auto`` tries them; ``demo`` is never tried,
    and ``api`` only in API mode.

    *environ* and *home* are looked at for the existence of logins, never for what is in them. *root* says whether
    agents will run as root. ``generic`` is there only when the user gave its command. *own_prices* are the user's,
    by model, in dollars per million tokens.

    Raises:
        BadInput: *generic_command* cannot be meant.
    """
    back_end = cloud(environ)
    table = with_own(own_prices) if own_prices else KNOWN
    claude = Claude(
        clock=clock,
        root=root,
        has_login=logged_in(environ, home),
        uses_key=claude_uses_key,
        table=table,
        environment=ENVIRONMENT + (back_end[1] if back_end else ()),
    )
    found: list[Provider] = [
        claude,
        Codex(clock=clock, model=codex_model, table=table, sessions=sessions_folder(environ, home)),
        Gemini(clock=clock, table=table),
        OpenCode(clock=clock, model=opencode_model, table=table),
    ]
    if generic_command:
        found.append(generic.Generic(words=generic.split(generic_command), clock=clock))
    found += [Api(clock=clock, table=table), Demo(pace=demo_pace)]
    return {provider.name: provider for provider in found}
