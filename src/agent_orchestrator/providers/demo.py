"""The provider ``demo``: scripted agents that do real work in real files, so that the first run needs no key.

Nothing in the orchestrator knows that they are scripted: they are started, limited, read, verified and landed like any
agent. They cost nothing and say so. The demo's project and plan lie in ``demo_project``.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from agent_orchestrator.domain.attempt import Usage
from agent_orchestrator.providers import (
    Briefing,
    Command,
    Ending,
    Finished,
    Limited,
    Meaning,
    Provider,
    Said,
    Spent,
    UsedTool,
    conclusion,
    demo_child,
    fields,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The provider ``demo``."""

    pace: str = "1"
    """Factor on the agents' pauses; ``0`` takes them out."""
    python: str = field(default_factory=lambda: sys.executable)
    name: str = "demo"
    title: str = "Demo (scripted, no model)"
    binary: str | None = None
    install: str = "nothing to install"
    environment: tuple[str, ...] = ()
    version_argv: tuple[str, ...] = ()
    is_demo: bool = True
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return our own Python with the scripted agent, which has no sessions: each attempt gets its whole prompt."""
        script = str(Path(demo_child.__file__))
        return Command(
            argv=(self.python, "-I", script), stdin=briefing.prompt, environment={"ORCHESTRATE_DEMO_PACE": self.pace}
        )

    def for_model(self, model: str) -> Provider:
        """Return itself: its lines name the model, or no price depends on it."""
        del model
        return self

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one of the scripted agent's lines means; see ``demo_child``."""
        event = fields.parse(line)
        match event.get("demo"):
            case "said":
                return (Said(text=fields.text(event.get("text"))),)
            case "used":
                return (UsedTool(tool=fields.text(event.get("tool"), 80), detail=fields.one_line(event.get("detail"))),)
            case "spent":
                tokens = (fields.count(event.get("input_tokens")), fields.count(event.get("output_tokens")))
                return (Spent(usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]), whole_session=False),)
            case "finished":
                return (
                    Finished(
                        ok=event.get("ok") is True,
                        summary=fields.text(event.get("summary")),
                        error=fields.text(event.get("error")),
                    ),
                )
            case _:
                return ()

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended."""
        return conclusion.concluded(exit_code, last, limited, stderr, who="the demo agent")

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Nobody: it asks no model."""
        del environment, home
        return "nobody (scripted, costs nothing)"


def plan() -> dict[str, object]:
    """Return the demo's plan as JSON values, in the shape of every plan file. Each task's description ends with its
    script, which a plan meant for real agents would not have.
    """
    folder = resources.files("agent_orchestrator.providers") / "demo_project"
    found: dict[str, object] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    for task in map(fields.mapping, fields.sequence(found["tasks"])):
        script = (folder / f"{task['id']}.demo").read_text(encoding="utf-8")
        task["description"] = f"{task['description']}\n\n```demo\n{script.rstrip()}\n```"
    return found


def lay_out(folder: Path) -> None:
    """Write the demo's project into *folder*: a small Python package whose tests pass. Git is the caller's business.

    Raises:
        FileExistsError: *folder* exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    base = resources.files("agent_orchestrator.providers") / "demo_project" / "base.demo"
    for step in demo_child.parse(base.read_text(encoding="utf-8")).steps:
        demo_child.write(folder, step.what, step.content)
