"""Agent Orchestrator: submit a goal before leaving work; review verified, landed work in the morning.

Importing this package does nothing; names are loaded when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_orchestrator.app import App, build
    from agent_orchestrator.planning.decomposer import TaskDecomposer
    from agent_orchestrator.planning.planner import InteractivePlanner
    from agent_orchestrator.runtime.spawner import AgentSpawner
    from agent_orchestrator.services.context import ContextManager
    from agent_orchestrator.services.tasks import TaskQueue

__all__ = ["AgentSpawner", "App", "ContextManager", "InteractivePlanner", "TaskDecomposer", "TaskQueue", "build"]

_HOMES = {
    "App": "app",
    "build": "app",
    "TaskDecomposer": "planning.decomposer",
    "AgentSpawner": "runtime.spawner",
    "InteractivePlanner": "planning.planner",
    "ContextManager": "services.context",
    "TaskQueue": "services.tasks",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
