"""A plan in Markdown: a heading for each task, below it its fields as a list, then its description as text."""

import re

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.located import Located, Places

_LISTS = {"after": "depends_on", "owns": "owns", "done when": "acceptance"}
_FIELDS = {
    "specialist": "agent_type",
    "size": "size",
    "tier": "tier",
    "priority": "priority",
    "check": "verify",
    "changes files": "expects_change",
}
_ESCAPED = re.compile(r"^(\\*)(#{1,3}(?:\s|$))", re.MULTILINE)
_UNESCAPED = re.compile(r"^\\(\\*#{1,3}(?:\s|$))", re.MULTILINE)
_QUESTION_FIELDS = ("default", "changes", "tasks", "sets", "answer")


def write(plan: Plan, *, format: int, name: str, version: int) -> str:
    """Return *plan* in Markdown, to be read back by :func:`read`; *format* is the version of the file format."""
    lines = [f"# Plan {name}, version {version}", "", f"format: {format}", "", "## Goal", "", _hidden(plan.goal), ""]
    if plan.assumptions:
        lines += ["## Assumptions", "", *(f"- {text}" for text in plan.assumptions), ""]
    if plan.questions:
        lines += ["## Questions", ""]
        for question in plan.questions:
            lines += [f"- {question.text}", f"  - default: {question.default}", f"  - changes: {question.changes}"]
            lines += [f"  - tasks: {', '.join(question.tasks)}"] if question.tasks else []
            lines += [f"  - sets: {question.sets}"] if question.sets else []
            lines += [f"  - answer: {question.answer or ''}".rstrip()]
        lines += [""]
    lines += ["## Tasks", ""]
    for task in plan.tasks:
        lines += [f"### {task.id}: {task.title}", "", f"- specialist: {task.agent_type}"]
        lines += [f"- after: {', '.join(task.depends_on)}"] if task.depends_on else []
        lines += [f"- size: {task.size}", f"- tier: {task.tier}", f"- priority: {task.priority}"]
        lines += [f"- owns: {glob}" for glob in task.owns]
        lines += [f"- done when: {text}" for text in task.acceptance]
        lines += [f"- check: {task.verify}"] if task.verify else []
        lines += [] if task.expects_change else ["- changes files: no"]
        lines += ["", _hidden(task.description), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _hidden(text: str) -> str:
    """Return *text* so that none of its lines is a heading of ours."""
    return _ESCAPED.sub(r"\\\1\2", text)


def named(message: str) -> str:
    """Return *message* about a task's field with the name that the field has in Markdown: its line says which task."""
    names = {key: name for name, key in (_FIELDS | _LISTS).items()}
    return re.sub(r"^tasks\[\d+\]\.(\w+)(?:\[\d+\])?", lambda found: names.get(found[1], found[1]), message)


def read(text: str) -> tuple[object, Places]:
    """Return the values in *text* and where each stands.

    Raises:
        Located: it is not a plan in Markdown.
    """
    reader = _Reader()
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), start=1):
        reader.take(line, number)
    return reader.document()


class _Reader:
    """Reads the Markdown form line by line."""

    def __init__(self) -> None:
        self.places: Places = {"": 1}
        self.head: dict[str, object] = {"source": "file"}
        self.section = ""
        self.goal: list[str] = []
        self.tasks: list[dict[str, object]] = []
        self.texts: list[list[str]] = []
        self.questions: list[dict[str, object]] = []
        self.assumptions: list[object] = []
        self.in_fields = False

    def take(self, line: str, number: int) -> None:
        heading = re.match(r"(#{1,3})\s+(.*)$", line)
        if heading and len(heading[1]) == 1:
            titled = re.fullmatch(r"Plan (\S+), version (\d{1,9})\s*", heading[2])
            if titled:
                self.head |= {"plan": titled[1], "version": int(titled[2])}
            self.section = ""
        elif heading and len(heading[1]) == 2:
            self.section = heading[2].strip().lower()
            if self.section not in {"goal", "assumptions", "questions", "tasks"}:
                raise Located(
                    f"line {number}: there is no section {heading[2][:40]!r}",
                    hint="Goal, Assumptions, Questions or Tasks; in a text begin the line with \\##",
                )
            self.places.setdefault(self.section, number)
        elif heading:
            self._begin_task(heading[2], number)
        elif self.section == "goal":
            self.goal.append(_UNESCAPED.sub(r"\1", line))
        elif self.section == "tasks":
            self._in_task(line, number)
        elif self.section in {"questions", "assumptions"}:
            self._item(line, number)
        elif found := re.fullmatch(r"format:\s*(\d{1,9})\s*", line):
            self.head["format"] = int(found[1])
            self.places["format"] = number

    def _begin_task(self, text: str, number: int) -> None:
        if self.section != "tasks":
            raise Located(f"line {number}: a task stands outside of the section Tasks", hint="put it below ## Tasks")
        id, colon, title = text.partition(":")
        if not colon or not re.fullmatch(r"[\w.-]*", id.strip()):
            id, title = "", text
        place = f"tasks[{len(self.tasks)}]"
        self.places |= {place: number, f"{place}.id": number, f"{place}.title": number}
        self.tasks.append({"id": id.strip(), "title": title.strip()})
        self.texts.append([])
        self.in_fields = True

    def _in_task(self, line: str, number: int) -> None:
        if not self.tasks:
            if line.strip():
                raise Located(f"line {number}: a task begins with a heading", hint="such as ### docs: Write the page")
            return
        task, place = self.tasks[-1], f"tasks[{len(self.tasks) - 1}]"
        found = re.match(r"[-*]\s+([a-z ]+?):\s*(.*)$", line) if self.in_fields else None
        if found and (found[1] in _FIELDS or found[1] in _LISTS):
            self._field(task, place, found[1], found[2].strip(), number)
        elif found:
            known = ", ".join([*_FIELDS, *_LISTS])
            raise Located(f"line {number}: a task has no {found[1][:40]!r}", hint=f"it has {known}")
        elif self.in_fields and not line.strip():
            self.in_fields = len(task) <= 2  # the empty line below the heading
        else:
            undashed = re.match(r"\s*([a-z ]+?):\s", f"{line} ")
            if self.in_fields and len(task) > 2 and undashed and undashed[1] in {*_FIELDS, *_LISTS}:
                raise Located(
                    f"line {number}: {undashed[1]!r} has no dash before it",
                    hint=f"- {line.strip()[:60]}; as the beginning of the description put it below an empty line",
                )
            self.in_fields = False
            self.texts[-1].append(_UNESCAPED.sub(r"\1", line))

    def _field(self, task: dict[str, object], place: str, name: str, value: str, number: int) -> None:
        if name in _LISTS:
            key = _LISTS[name]
            kept = task.setdefault(key, [])
            assert isinstance(kept, list)
            for one in re.split(r"\s*,\s*", value) if name == "after" else [value]:
                if one:
                    self.places[f"{place}.{key}[{len(kept)}]"] = number
                    kept.append(one)
            self.places.setdefault(f"{place}.{key}", number)
            return
        key = _FIELDS[name]
        if key in task:
            raise Located(f"line {number}: {name!r} stands there twice")
        self.places[f"{place}.{key}"] = number
        if key == "expects_change":
            if value.lower() not in {"yes", "no", "true", "false"}:
                raise Located(f"line {number}: changes files is yes or no, not {value[:40]!r}")
            task[key] = value.lower() in {"yes", "true"}
        else:
            task[key] = value or None

    def _item(self, line: str, number: int) -> None:
        if not line.strip():
            return
        found = re.match(r"(\s*)[-*]\s+(.*)$", line)
        if not found:
            raise Located(f"line {number}: expected a list of {self.section}", hint="each begins with a dash")
        if self.section == "assumptions":
            self.places[f"assumptions[{len(self.assumptions)}]"] = number
            self.assumptions.append(found[2])
            return
        inner = re.match(r"(\w+):\s*(.*)$", found[2]) if found[1] else None
        if inner is None:
            self.places[f"questions[{len(self.questions)}]"] = number
            self.questions.append({"text": found[2]})
            return
        if not self.questions or inner[1] not in _QUESTION_FIELDS:
            raise Located(
                f"line {number}: a question has no {inner[1][:40]!r}", hint=f"it has {', '.join(_QUESTION_FIELDS)}"
            )
        value = inner[2].strip()
        if inner[1] == "tasks":
            self.questions[-1]["tasks"] = [one.strip() for one in value.split(",") if one.strip()]
        else:
            self.questions[-1][inner[1]] = value or (None if inner[1] == "answer" else "")
        self.places[f"questions[{len(self.questions) - 1}].{inner[1]}"] = number

    def document(self) -> tuple[object, Places]:
        tasks: list[object] = [
            {**task, "description": "\n".join(lines).strip("\n")}
            for task, lines in zip(self.tasks, self.texts, strict=True)
        ]
        goal = "\n".join(self.goal).strip("\n")
        found = {**self.head, "goal": goal, "tasks": tasks, "questions": self.questions}
        return {**found, "assumptions": self.assumptions}, self.places
