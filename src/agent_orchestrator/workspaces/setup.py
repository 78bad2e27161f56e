"""What makes a checkout usable: files the user never committed, dependencies, a set-up command."""

from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.workspaces import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What set-up did."""

    notes: tuple[str, ...] = ()


def make_usable(*, project: Path, project_root: Path, checkout: Path, checkout_root: Path, setup: Setup) -> Ready:
    """Make *checkout* usable."""
    return Ready()
