"""A planning session: a plan that is talked about and changed, one command after another, until it is agreed to.

It knows no terminal. It speaks through a :class:`Door` and remembers through a :class:`Keeper`, after every single
change: whenever and however the session ends, nothing that was done is lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from agent_orchestrator.domain.errors import BadInput, NotFound, OrchestratorError, RefusedByState
from agent_orchestrator.domain.plan import Plan, PlannedTask, Severity
from agent_orchestrator.planning import commands
from agent_orchestrator.planning.changes import Change
from agent_orchestrator.planning.comparing import difference, in_words
from agent_orchestrator.planning.discussing import discuss
from agent_orchestrator.planning.document import plan_hash
from agent_orchestrator.planning.doubts import told_together
from agent_orchestrator.planning.editing import changed, find_task
from agent_orchestrator.planning.partners import Door, Keeper, Model, Stopped
from agent_orchestrator.planning.plan_file import format_to_write, read, write
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.why import why_edge, why_task


class Outcome(Enum):
    """What becomes of a session after a command."""

    GO_ON = "go on"
    QUIT = "quit"
    QUEUE = "queue"
    """The plan is approved and is to be queued."""
    RUN = "run"
    """The plan is approved and is to be queued and run."""


@dataclass(slots=True, kw_only=True)
class InteractivePlanner:
    """One session on one plan."""

    door: Door
    keeper: Keeper
    roster: Roster
    look_over: Callable[[Plan], Plan]
    """Judges a plan against the project, beyond its structure."""
    models: Sequence[Model] = ()
    """Who can be talked with, best first. Empty: everything but talking works."""
    plan: Plan = field(init=False)
    version: int = field(init=False)
    approved: str | None = field(init=False)
    began: Plan = field(init=False)
    """The plan as it was when the session began: what ``diff`` compares with."""
    _done: list[Plan] = field(init=False)
    _undone: list[Plan] = field(init=False)

    def __post_init__(self) -> None:
        self._load()
        self.began = self.plan

    def _load(self) -> None:
        """Take the newest version, and by replaying all of them what can be undone and redone."""
        self.version, self.approved, versions = self.keeper.newest()
        self._done, self._undone = [], []
        current: Plan | None = None
        for kind, _, plan in versions:
            if kind == "undo" and self._done and current is not None:
                self._done.pop()
                self._undone.append(current)
            elif kind == "redo" and self._undone and current is not None:
                self._undone.pop()
                self._done.append(current)
            elif current is not None:
                self._done.append(current)
                self._undone.clear()
            current = plan
        assert current is not None, "a saved plan has a version"
        self.plan = self.look_over(current)

    @property
    def can_talk(self) -> bool:
        """Say whether there is a model to talk with."""
        return bool(self.models)

    def do(self, line: str) -> Outcome:
        """Do what *line* says. An error is shown, and has changed nothing."""
        try:
            return self._do(line)
        except Stopped:
            self.door.say(["left as it was"])
        except OrchestratorError as error:
            self.door.say([error.message, *([f"  {error.hint}"] if error.hint else [])])
        return Outcome.GO_ON

    def _do(self, line: str) -> Outcome:
        text = line.strip()
        word, rest = (*text.split(None, 1), "", "")[:2]
        if not text:
            return Outcome.GO_ON
        command = commands.command_in(text, self.plan)
        if text.casefold() in {"y", "yes"}:
            self._approve()
            return Outcome.QUEUE
        if command is None:
            if len(text.split()) < 2:
                raise BadInput(f"there is no command {word[:40]!r}", hint=self._meant(word) or "? lists the commands")
            if (meant := self._meant(word)) and (not self.models or self._names_task(rest)):
                talk = f" To say it to a model: d {text[:60]}" if self.models else ""
                raise BadInput(f"there is no command {word[:40]!r}", hint=meant + talk)
            if not self.models:
                raise BadInput(
                    f"{word[:40]!r} is no command, and there is no model to talk with",
                    hint="? lists the commands; orchestrate doctor says what a model needs",
                )
            self._discuss(text)
            return Outcome.GO_ON
        rest = rest.strip()
        match command.word:
            case "quit":
                return Outcome.QUIT
            case "approve":
                return self._proceed()
            case "run":
                self._approve()
                return Outcome.RUN
            case _:
                self._act(command.word, rest)
        return Outcome.GO_ON

    @staticmethod
    def _meant(word: str) -> str:
        """Return a question for the command that *word* may be a misspelling of, or nothing."""
        import difflib

        close = difflib.get_close_matches(word.casefold(), [one.word for one in commands.COMMANDS], n=1, cutoff=0.75)
        return f"did you mean {close[0]}?" if close else ""

    def _names_task(self, rest: str) -> bool:
        """Say whether what follows a word begins with a task of the plan, as commands do and sentences do not."""
        try:
            find_task(self.plan, rest.split(None, 1)[0])
        except (NotFound, IndexError):
            return False
        return True

    def _act(self, word: str, rest: str) -> None:
        match word:
            case "add":
                self._add(rest)
            case "remove":
                self._change(self._one(rest or self.door.ask("which task"), "remove"))
            case "modify":
                self._modify(rest)
            case "split":
                self._split(rest)
            case "merge":
                self._change(commands.merging(rest or self.door.ask("which tasks, such as 3 4"), self.plan))
            case "reorder":
                self._change(commands.moving(rest or self.door.ask("what where, such as 3 before 1"), self.plan))
            case "depend" | "undepend":
                self._change(commands.depending(word, rest or self.door.ask("such as 3 on 1,2"), self.plan))
            case "route":
                self._change(commands.routing(rest or self.door.ask("which task to whom"), self.plan))
            case "questions":
                self.ask_questions(again=True)
            case "answer":
                number, _, answer = rest.partition(" ")
                self._change({"op": "answer", "question": number or "1", "answer": answer or self.door.ask("answer")})
            case "assume":
                self._change({"op": "assume", "text": rest or self.door.ask("what is to be taken for granted")})
            case "unassume":
                self._change({"op": "unassume", "number": rest or "1"})
            case "discuss":
                self._discuss(rest or self.door.ask("what do you want to say"))
            case _:
                self._look(word, rest)

    def _look(self, word: str, rest: str) -> None:
        match word:
            case "edit":
                self._edit(rest)
            case "undo":
                self._undo()
            case "redo":
                self._redo()
            case "why":
                self._why(rest or self.door.ask("which task, or which two"))
            case "view":
                self.door.show("task" if rest else "plan", find_task(self.plan, rest).id if rest else "")
            case "graph" | "forecast" | "help":
                self.door.show(word, rest)
            case "diff":
                self._diff(rest)
            case "reload":
                self.reload()
            case "export":
                self._export(rest or self.door.ask("file", default=f"{self.keeper.name}.yaml"))
            case "save":
                self._save(rest)
            case _:
                raise BadInput(f"there is no command {word!r}", hint="? lists the commands")

    def _keep(self, plan: Plan, what: str, kind: str = "edit") -> None:
        """Remember *plan* as the newest version and show what is different."""
        was, approved = self.plan, self.approved
        looked = self.look_over(plan)
        if kind == "edit" and not difference(was, looked):
            new = [one for one in looked.findings if one not in was.findings]
            self.door.say(["nothing is different", *(f"  {one.message}" for one in new)])
            return
        self.version = self.keeper.change(looked, after=self.version, what=what, kind=kind)
        if kind == "edit":
            self._done.append(was)
            self._undone.clear()
        self.plan, self.approved = looked, None
        lines = in_words(difference(was, looked))
        known = {(one.rule, one.task) for one in was.findings}
        new = [one for one in looked.findings if (one.rule, one.task) not in known]
        lines += [f"! {one.message}" for one in told_together(new)]
        if approved:
            lines.append("the approval was for the plan before; approve it again when you are done")
        self.door.say(lines)

    def _change(self, *changes: Change, what: str = "") -> None:
        self._keep(changed(self.plan, changes, self.roster), what or self._told(changes))

    @staticmethod
    def _told(changes: Sequence[Change]) -> str:
        first = changes[0]
        about = first.get("task") or first.get("title") or first.get("tasks") or first.get("text") or ""
        told = " ".join(about) if isinstance(about, list) else str(about)
        return f"{first['op']} {told}".strip()[:200]

    def _one(self, text: str, op: str) -> Change:
        return {"op": op, "task": find_task(self.plan, text).id}

    def _add(self, rest: str) -> None:
        if rest:
            self._change(commands.adding(rest, self.plan))
            return
        title = self.door.ask("title")
        if not title:
            raise Stopped
        after = self.door.ask("waits for (numbers, Enter for none)")
        change = commands.adding(f"{title} after {after}" if after else title, self.plan)
        self._change(change)

    def _modify(self, rest: str) -> None:
        if len(rest.split()) < 2:
            task = find_task(self.plan, rest or self.door.ask("which task"))
            self.door.show("task", task.id)
            field = self.door.ask(
                "which field (title, text, specialist, after, priority, tier, size, owns, done-when, check)"
            )
            if not field:
                raise Stopped
            rest = f"{task.id} {field} {self.door.ask(f'new {field}')}"
        elif len(rest.split()) == 2:
            rest = f"{rest} {self.door.ask('new value')}"
        self._change(commands.modifying(rest, self.plan))

    def _split(self, rest: str) -> None:
        name, _, parts = rest.partition(" ")
        task = find_task(self.plan, name or self.door.ask("which task"))
        if not parts:
            offer = f", or Enter to let {self.models[0].name} propose" if self.can_talk else ""
            parts = self.door.ask(f"titles of the parts, separated by ;{offer}")
            if not parts and self.can_talk:
                self._discuss(f"Split the task {task.id} into parts that make sense.")
                return
        self._change(commands.splitting(f"{task.id} {parts}", self.plan))

    def _undo(self) -> None:
        if not self._done:
            raise BadInput("there is nothing to undo")
        before, now = self._done[-1], self.plan
        self._keep(before, "undo", "undo")
        self._done.pop()
        self._undone.append(now)

    def _redo(self) -> None:
        if not self._undone:
            raise BadInput("there is nothing to redo")
        after, now = self._undone[-1], self.plan
        self._keep(after, "redo", "redo")
        self._undone.pop()
        self._done.append(now)

    def reload(self) -> None:
        """Take the newest version, which another terminal may have made."""
        was = self.plan
        self._load()
        found = difference(was, self.plan)
        self.door.say([f"version {self.version}", *(in_words(found) if found else ["nothing is different"])])

    def _why(self, rest: str) -> None:
        words = [one for one in rest.replace(",", " ").split() if one.casefold() not in {"on", "after", "for"}]
        if len(words) == 2:
            task, need = (find_task(self.plan, one) for one in words)
            self.door.say(why_edge(self.plan, task, need))
        else:
            self.door.say(why_task(self.plan, find_task(self.plan, rest)))

    def _diff(self, rest: str) -> None:
        before = self.began
        if rest:
            versions = self.keeper.newest()[2]
            if not rest.isdigit() or not 1 <= int(rest) <= len(versions):
                raise NotFound(f"there is no version {rest[:20]}", hint=f"they are numbered 1 to {len(versions)}")
            before = versions[int(rest) - 1][2]
        found = difference(before, self.plan)
        self.door.say(in_words(found) if found else ["nothing is different"])

    def _edit(self, rest: str) -> None:
        format = {"": "markdown", "md": "markdown", "markdown": "markdown", "yaml": "yaml", "json": "json"}.get(rest)
        if format is None:
            raise BadInput(f"the plan cannot be edited as {rest[:20]!r}", hint="e md, or e yaml")
        suffix = {"markdown": ".md", "yaml": ".yaml", "json": ".json"}[format]
        text = original = write(self.plan, format, name=self.keeper.name, version=self.version)
        while True:
            text = self.door.edit(text, suffix)
            if text == original:
                self.door.say(["nothing is different"])
                return
            try:
                edited = read(text, format, self.roster, source=self.plan.source).plan
                break
            except BadInput as error:
                self.door.say([*error.message.splitlines(), *([f"  {error.hint}"] if error.hint else [])])
                if not self.door.ask("edit it again? [Y/n]", default="y").casefold().startswith("y"):
                    raise Stopped from error
        routings = {task.id: task for task in self.plan.tasks}
        tasks = tuple(_with_routing(task, routings.get(task.id)) for task in edited.tasks)
        self._keep(_replaced(self.plan, edited, tasks), "edited as a file")

    def _export(self, file: str) -> None:
        self.keeper.export(file, write(self.plan, format_to_write(file), name=self.keeper.name, version=self.version))
        self.door.say(
            [f"written to {file}; bring it back: orchestrate plan-continue {self.keeper.name} --apply {file}"]
        )

    def _save(self, name: str) -> None:
        if name:
            self.keeper.rename(name)
        self.door.say([f"saved as {self.keeper.name}, version {self.version}"])

    def _discuss(self, said: str) -> None:
        if not self.can_talk:
            raise BadInput(
                "there is no model to talk with",
                hint="everything else works: ? lists the commands (orchestrate doctor says what a model needs)",
            )
        talk = self.keeper.said()
        self.keeper.say("you", said)
        failed: OrchestratorError | None = None
        for model in self.models:
            try:
                with self.door.busy(f"asking {model.name}"):
                    found = discuss(self.plan, said, talk, self.roster, model.complete, who=model.name)
            except KeyboardInterrupt:
                raise Stopped from None
            except OrchestratorError as error:
                self.door.say([f"{model.name} could not be asked: {error.message}"])
                failed = error
                continue
            self.keeper.say(model.name, found.answer)
            self.door.say([f"{model.name}: {found.answer}"])
            if found.proposed is not None:
                self._consider(found.proposed, model.name)
            elif found.problem:
                self.door.say([found.problem])
            return
        if failed is not None:
            raise failed

    def _consider(self, proposed: Plan, who: str) -> None:
        """Show what a model proposes as a difference, and take it over when a person says so."""
        found = difference(self.plan, proposed)
        if not found:
            return
        self.door.say([f"{who} proposes:", *(f"  {line}" for line in in_words(found))])
        if self.door.ask("take it over? [y/N]", default="n").casefold().startswith("y"):
            self._keep(proposed, f"proposed by {who}")
        else:
            self.door.say(["left as it was"])

    def ask_questions(self, *, again: bool = False) -> None:
        """Go through the questions that nobody has answered; *again* through all of them.

        Raises:
            Stopped: the person broke it off; what was answered until then stays.
        """
        asked = [at for at, one in enumerate(self.plan.questions, start=1) if again or one.answer is None]
        if not asked:
            self.door.say(["nothing is asked"])
        total = len(self.plan.questions)
        for at in asked:
            if at > len(self.plan.questions):
                return
            question = self.plan.questions[at - 1]
            now = question.answer if question.answer is not None else question.default
            lines = [f"question {at} of {total}: {question.text}", f"  Enter keeps: {now or 'nothing'}"]
            lines += [f"  it decides: {question.changes}"] if question.changes else []
            lines += [f"  it touches: {', '.join(question.tasks)}"] if question.tasks else []
            self.door.say(lines)
            while (answer := self.door.ask("answer")) == "?":
                self.door.say(["  in your own words; Enter keeps what stands there, Ctrl-C leaves the rest as it is"])
            if answer:
                self._change({"op": "answer", "question": at, "answer": answer}, what=f"answer {at}")

    def _approve(self) -> None:
        """Agree with the plan as it is in front of the person, not with what it has become elsewhere."""
        wrong = [one for one in self.plan.findings if one.severity is Severity.ERROR]
        if wrong:
            raise RefusedByState(f"it cannot be queued: {wrong[0].message}", hint="fix it first")
        fingerprint = plan_hash(self.plan)
        self.keeper.approve(fingerprint)
        self.approved = fingerprint
        guessed = sum(1 for one in self.plan.questions if one.answer is None)
        told = f"; {guessed} {'question keeps its default' if guessed == 1 else 'questions keep their defaults'}"
        count = f"{len(self.plan.tasks)} {'task' if len(self.plan.tasks) == 1 else 'tasks'}"
        self.door.say([f"approved: version {self.version}, {count}, {fingerprint[:12]}{told if guessed else ''}"])

    def _proceed(self) -> Outcome:
        self._approve()
        self.door.show("expected", "")
        answer = self.door.ask("Queue this plan? [y/N]", default="n").casefold()
        if answer.startswith("y"):
            return Outcome.QUEUE
        self.door.say([f"approved and not queued; later: orchestrate execute-plan {self.keeper.name}"])
        return Outcome.GO_ON


def _with_routing(task: PlannedTask, was: PlannedTask | None) -> PlannedTask:
    """Return *task* with the reason for its specialist, which files do not carry, while it is still the same one."""
    if was is None or task.routing is not None or task.agent_type != was.agent_type:
        return task
    return replace(task, routing=was.routing)


def _replaced(old: Plan, new: Plan, tasks: tuple[PlannedTask, ...]) -> Plan:
    return replace(new, tasks=tasks, source=old.source, notice=old.notice)
