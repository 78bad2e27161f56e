"""A planning session on this terminal: what is shown, what is completed, and what becomes of the plan afterwards."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import get_terminal_size

from agent_orchestrator.app import App
from agent_orchestrator.cli import doors, expectations, plan_view, render
from agent_orchestrator.cli.plan_view import Look
from agent_orchestrator.cli.terminal import Drawn, Plain
from agent_orchestrator.domain.errors import BadInput, OrchestratorError
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.changes import MODIFIABLE
from agent_orchestrator.planning.commands import COMMANDS, FIELDS, find_command
from agent_orchestrator.planning.editing import find_task
from agent_orchestrator.planning.forecast import Forecast
from agent_orchestrator.planning.partners import Model, Stopped
from agent_orchestrator.planning.planner import InteractivePlanner, Outcome
from agent_orchestrator.services.plans import SavedPlan

PROMPT_ROWS = 3
"""Lines that stay free for what is typed, beside the plan."""
OURS = ("# Edit, then take it in again", "# Plan ", '{\n  "format":')
"""How files begin that were exported: those may be written over."""


@dataclass(slots=True)
class Kept:
    """Remembers a session in the project's database."""

    app: App
    name: str

    def change(self, plan: Plan, *, after: int, what: str, kind: str) -> int:
        """Remember a version."""
        return self.app.plans.change(self.name, plan, after=after, what=what, kind=kind).version

    def newest(self) -> tuple[int, str | None, list[tuple[str, str, Plan]]]:
        """Return the newest version, what is approved, and every version."""
        saved = self.app.plans.resolve(self.name)
        versions = [(one.kind, one.what, one.plan) for one in self.app.plans.versions(self.name)]
        return saved.version, saved.approved, versions

    def approve(self, fingerprint: str) -> None:
        """Write down that the plan is agreed to."""
        self.app.plans.approve(self.name, fingerprint)

    def rename(self, name: str) -> None:
        """Give the plan a name."""
        self.name = self.app.plans.rename(self.name, name).id

    def say(self, who: str, text: str) -> None:
        """Remember what was said."""
        self.app.plans.say(self.name, who, text)

    def said(self) -> list[tuple[str, str]]:
        """Return who said what."""
        return self.app.plans.said(self.name)

    def export(self, file: str, text: str) -> None:
        """Write *text* to *file*."""
        write_out(file, text)


def write_out(file: str, text: str) -> None:
    """Write an exported plan, whole or not at all; over nothing but an exported plan.

    Raises:
        BadInput: something else stands there, or it cannot be written.
    """
    path = Path(file).expanduser()
    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace")[:200].startswith(OURS):
            raise BadInput(f"{file} exists and is not an exported plan", hint="choose another file")
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write {file}: {error.strerror}", hint="choose another file") from error


class Session:
    """One conversation about one plan."""

    def __init__(self, app: App, saved: SavedPlan, *, plain: bool) -> None:
        self.app = app
        self._expected_of: Plan | None = None
        self._expected: dict[int | None, Forecast] = {}
        self.keeper = Kept(app, saved.id)
        folder = app.state / "plans"
        self.door = Plain(folder, lambda: self.keeper.name, self.shown) if plain else self._drawn(folder)
        self.planner = InteractivePlanner(
            door=self.door,
            keeper=self.keeper,
            roster=app.roster,
            look_over=app.looked_over,
            models=_models(app, saved.plan.source),
        )

    def _drawn(self, folder: Path) -> Drawn:
        return Drawn(
            folder,
            lambda: self.keeper.name,
            self.shown,
            view=self.view,
            state=lambda: (self.planner.version, self.planner.approved, self.keeper.name),
            completions=self.completions,
            history=folder / "history",
            redact=self.app.redact,
        )

    def look(self, columns: int | None = None, rows: int | None = None) -> Look:
        """Return how to draw on a terminal of that size; None is the terminal as it is now, as long as it takes."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return Look(
            columns=max(20, (columns or get_terminal_size().columns) - 1),
            rows=rows,
            plain=self.door.plain,
            signs="│●".encode(encoding, "replace").decode(encoding) == "│●",
        )

    def view(self, columns: int, rows: int) -> list[str]:
        """Return the plan as it stays in view above the prompt."""
        planner = self.planner
        return plan_view.plan_lines(
            planner.plan,
            self.look(columns, max(8, rows - PROMPT_ROWS - 4)),
            name=self.keeper.name,
            version=planner.version,
            approved=planner.approved is not None,
            expected=self.expected(),
        )

    def expected(self, agents: int | None = None) -> Forecast:
        """Return what to expect of the plan as it is now; remembered, for the view is drawn at every key."""
        plan = self.planner.plan
        if self._expected_of is not plan:
            self._expected_of, self._expected = plan, {}
        if agents not in self._expected:
            self._expected[agents] = self.app.forecasts.of(plan, agents)
        return self._expected[agents]

    def shown(self, what: str, argument: str) -> Sequence[str]:
        """Return a view that was asked for."""
        plan = self.planner.plan
        match what:
            case "task":
                return plan_view.task_lines(find_task(plan, argument))
            case "graph":
                return plan_view.graph_lines(plan, self.look())
            case "forecast":
                if argument and not (argument.isascii() and argument.isdigit() and 1 <= int(argument) <= 100):
                    raise BadInput(f"{argument[:20]!r} is not a number of agents", hint="1 to 100")
                found = self.expected(int(argument) if argument else None)
                counts = sorted({1, found.at_once} - {found.agents})
                return plan_view.forecast_lines(plan, found, [self.expected(count) for count in counts])
            case "expected":
                return ["; ".join(expectations.parts(self.expected()))]
            case "help":
                return self._help(argument)
            case _:
                return plan_view.everything(
                    plan,
                    self.look(),
                    name=self.keeper.name,
                    version=self.planner.version,
                    approved=self.planner.approved is not None,
                    expected=self.expected(),
                )

    def _help(self, word: str) -> list[str]:
        one = find_command(word)
        if word and one is None:
            raise BadInput(f"there is no command {word[:40]!r}", hint="? lists them")
        if one is not None:
            return [f"{one.word}{f' or {one.letter}' if one.letter else ''}: {one.about}", f"  {one.usage}"]
        who = ", ".join(model.name for model in self.planner.models)
        talk = f"Anything else is said to {who}." if who else "There is no model to talk with; everything else works."
        if self.door.plain:
            listed = [
                f"{one.word}{f' or {one.letter}' if one.letter else ''}: {one.about}. {one.usage}" for one in COMMANDS
            ]
        elif get_terminal_size().lines < len(COMMANDS) + PROMPT_ROWS + 4:  # the head of the list would scroll away
            names = [f"{one.letter:<2}{one.word}" for one in COMMANDS]
            across = max(1, self.look().columns // (max(map(len, names)) + 3))
            names += [""] * (-len(names) % across)
            listed = render.table([names[at : at + across] for at in range(0, len(names), across)])
        elif self.look().columns >= plan_view.WIDE:
            listed = render.table([(f"{one.letter:<2}{one.word}", one.usage, one.about) for one in COMMANDS])
        else:
            listed = render.table([(f"{one.letter:<2}{one.word}", one.about) for one in COMMANDS])
        return [
            *listed,
            "A task is its number, its id or the start of it. ? WORD shows how a command is written.",
            talk,
        ]

    def completions(self, typed: str) -> Iterator[tuple[str, str]]:
        """Yield the words that could complete *typed*, each with what it means."""
        words = typed.split(" ")
        if len(words) <= 1:
            yield from ((one.word + " " * bool(one.takes), one.about) for one in COMMANDS)
            return
        command = find_command(words[0])
        if command is None or command.word == "discuss":
            return
        if command.word == "edit":
            yield from (("md", "as Markdown"), ("yaml", "as YAML"))
        elif command.word == "modify" and len(words) == 3:
            yield from ((field, "") for field in sorted({*MODIFIABLE, *FIELDS}))
        else:
            if command.word in {"route", "add"} or words[2:3] == ["specialist"]:
                yield from ((member.name, member.description) for member in self.app.roster)
            yield from ((task.id, task.title) for task in self.planner.plan.tasks)

    def talk(self, *, fresh: bool) -> Outcome:
        """Converse until the person leaves, agrees or the terminal ends. Whatever ends it, nothing is lost."""
        asks = fresh and any(one.answer is None for one in self.planner.plan.questions)
        if self.door.plain or asks:
            self.door.show("plan", "")
        self.door.say(["? lists the commands; every change is saved at once"])
        try:
            if asks:
                self._ask()
            return self._loop()
        except EOFError:
            return Outcome.QUIT

    def _ask(self) -> None:
        self.door.say(["what the plan had to guess (Ctrl-C leaves the rest at their defaults):"])
        try:
            self.planner.ask_questions()
        except Stopped:
            self.door.say(["the rest keep their defaults"])
        except OrchestratorError as error:
            self.door.say([error.message])

    def _loop(self) -> Outcome:
        left = False
        while True:
            try:
                line = self.door.line()
            except KeyboardInterrupt:
                if left:
                    return Outcome.QUIT
                left = True
                self.door.say(["Ctrl-C again, or q, leaves; everything is saved"])
                continue
            left = False
            try:
                outcome = self.planner.do(line)
            except KeyboardInterrupt:
                self.door.say(["left as it was"])
                continue
            if outcome is not Outcome.GO_ON:
                return outcome


def _models(app: App, source: str) -> list[Model]:
    """Return whom one can talk with here, first who made the plan: somebody chose that one, and pays it.

    A planner that is set and missing is told when it is talked to.
    """
    try:
        names = app.lineup.planners()
    except OrchestratorError as error:
        doors.tell(f"nobody to talk with: {error.message}")
        return []
    ranked = sorted(names, key=lambda name: name != source)
    return [Model(name=name, complete=app.asking(name)) for name in ranked]
