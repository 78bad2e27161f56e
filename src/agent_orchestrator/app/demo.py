"""The demo's project: a repository of its own, and the plan that the demo's agents carry out in it."""

from pathlib import Path

from agent_orchestrator.domain.errors import BadInput, NotReady
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.document import plan_from_json
from agent_orchestrator.providers import demo
from agent_orchestrator.workspaces.project import init


def begin_demo(folder: Path) -> Plan:
    """Lay out the demo's project in *folder* as a git repository with a commit, and return the demo's plan.

    Raises:
        BadInput: *folder* exists and is not empty.
        NotReady: it cannot be made there.
    """
    try:
        demo.lay_out(folder)
    except FileExistsError as error:
        raise BadInput(str(error), hint="give a folder that does not exist yet") from error
    except OSError as error:
        raise NotReady(f"cannot make {folder}: {error.strerror}", hint="give a folder that you may write to") from error
    init(folder, of_its_own=True)
    return plan_from_json(demo.plan()).with_phases()
