"""Choosing where attempts work: by the setting ``isolation``, else by what the project folder allows."""

from pathlib import Path

from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.workspaces import Workspaces
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.git import need_merging
from agent_orchestrator.workspaces.project import detect
from agent_orchestrator.workspaces.shared import SharedWorkspaces
from agent_orchestrator.workspaces.worktree import WorktreeWorkspaces


def choose(wanted: Isolation | None, *, folder: Path, state: Path) -> Workspaces:
    """Return the workspaces of the project in *folder*, as *wanted*; None takes a checkout where git allows it.

    Raises:
        NotReady: the isolation is impossible here, and the hint says what would make it possible.
    """
    project = detect(folder)
    if wanted is not Isolation.SHARED:
        project.need_files()
    if wanted is None:
        wanted = Isolation.CHECKOUT if project.head else Isolation.SHARED
    elif wanted is not Isolation.SHARED and not project.head:
        raise NotReady(
            f"{folder} has no git commit to make a {wanted} from",
            hint="make a first commit (orchestrate init --git does it), or use --isolation shared",
        )
    if wanted is not Isolation.SHARED:
        need_merging(folder)
    match wanted:
        case Isolation.CHECKOUT:
            return CheckoutWorkspaces(folder=folder, state=state)
        case Isolation.WORKTREE:
            return WorktreeWorkspaces(folder=folder, state=state)
        case Isolation.SHARED:
            return SharedWorkspaces(folder=folder, state=state)
