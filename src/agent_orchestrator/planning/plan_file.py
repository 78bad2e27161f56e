"""A plan in a file that people write: YAML, JSON or Markdown, out and back, with every error at its line.

Values are read by what the field is, not by how they look: ``title: 404`` is text and ``verify: yes`` a command. YAML's
anchors are refused: nobody needs them in a plan, and with them a small file can mean a huge one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning.document import plan_from_json, plan_to_json
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.roster import Roster

if TYPE_CHECKING:
    import yaml

FORMAT = 1
"""The version of the file format. A file of a later one is refused, not half understood."""

FILE_LIMIT_BYTES = 4 * 1024 * 1024
"""500 tasks of 64,000 characters never happen; this many bytes are read in about a second."""

DEPTH_LIMIT = 20
ERRORS_SHOWN = 20

SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".md": "markdown", ".markdown": "markdown"}

_NUMBERS = frozenset({"format", "version", "priority", "phase", "confidence"})
_FLAGS = {"true": True, "false": False}
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_HEAD = ("format", "plan", "version")
"""Keys of a file beside those of a plan: of which format it is, and which version of which plan it was."""

Places = dict[str, int]
"""Where each value stands: a place such as ``tasks[2].owns`` to its line, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """What a file says."""

    plan: Plan
    name: str | None = None
    """The plan it was exported from. None when it does not say."""
    version: int | None = None
    """The version that was exported."""


def format_of(file_name: str) -> str:
    """Return ``yaml``, ``json`` or ``markdown`` for a file's name; YAML for a name that says nothing."""
    found = re.search(r"\.[A-Za-z]+$", file_name)
    return SUFFIXES.get(found.group().lower(), "yaml") if found else "yaml"


def write(plan: Plan, format: str, *, name: str, version: int) -> str:
    """Return *plan* as a file in *format*, to be read back by :func:`read`."""
    if format == "markdown":
        return _markdown(plan, name, version)
    document: dict[str, object] = {"format": FORMAT, "plan": name, "version": version}
    document |= {key: value for key, value in plan_to_json(plan).items() if key not in {"notice", "findings"}}
    document["tasks"] = [_task_for_people(task) for task in plan.tasks]
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return _HINT.format(name=name) + _yaml(document)


_HINT = """\
# Edit, then take it in again: orchestrate plan-continue {name} --apply THIS-FILE
# or make a new plan of it:    orchestrate plan --from THIS-FILE   (--check only looks at it)
"""


def read(text: str, format: str, roster: Roster, *, source: str = "file") -> PlanFile:
    """Return the plan that *text* is, strictly validated.

    Raises:
        InvalidPlan: the message has a line for each thing that is wrong, beginning with ``line N:``.
    """
    if len(text.encode("utf-8", "replace")) > FILE_LIMIT_BYTES:
        raise InvalidPlan(f"the file has more than {FILE_LIMIT_BYTES:,} bytes", hint="a plan is a page or ten")
    data, places = read_data(text, format)
    if not isinstance(data, Mapping):
        raise InvalidPlan("line 1: a plan has keys such as goal and tasks", hint="plan-continue ID --export FILE")
    try:
        version = _checked_format(data)
        plan = plan_from_json({key: value for key, value in data.items() if key not in _HEAD})
        problems = [_at(place, message, places) for place, message in _structure(plan)]
        if problems:
            more = [f"and {len(problems) - ERRORS_SHOWN} more"] if len(problems) > ERRORS_SHOWN else []
            raise _Located("\n".join([text for _, text in sorted(problems)[:ERRORS_SHOWN]] + more))
        checked = lint(replace(plan, findings=(), source=plan.source or source), roster, strict=True)
    except _Located:
        raise
    except InvalidPlan as error:
        place = _place_in(error.message, data)
        raise _Located(_at(place, error.message, places)[1], hint=error.hint) from error
    name = data.get("plan")
    return PlanFile(plan=checked, name=name if isinstance(name, str) and name else None, version=version)


class _Located(InvalidPlan):
    """An error that says its line already."""


def _checked_format(data: Mapping[str, object]) -> int | None:
    for key in ("format", "version"):
        value = data.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidPlan(f"{key}: expected a whole number")
    format = data.get("format")
    if isinstance(format, int) and format > FORMAT:
        raise InvalidPlan(
            f"format: {format} is newer than this program, which knows {FORMAT}", hint="upgrade agent-orchestrator"
        )
    version = data.get("version")
    return version if isinstance(version, int) else None


def _structure(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield place and message of everything in the structure that cannot be meant; the validator names the first."""
    seen: dict[str, int] = {}
    for at, task in enumerate(plan.tasks):
        if not task.title.strip() and not task.description.strip():
            yield f"tasks[{at}]", "a task needs a title"
        if task.id and task.id in seen:
            yield f"tasks[{at}].id", f"two tasks have the id {task.id!r}"
        seen.setdefault(task.id, at)
    known = {task.id for task in plan.tasks} | {task.title for task in plan.tasks}
    for at, task in enumerate(plan.tasks):
        for number, need in enumerate(task.depends_on):
            if need == task.id:
                yield f"tasks[{at}].depends_on[{number}]", f"task {task.id!r} depends on itself"
            elif need not in known:
                import difflib

                close = difflib.get_close_matches(need, [one for one in seen if one], n=1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                yield f"tasks[{at}].depends_on[{number}]", f"there is no task {need[:60]!r}{meant}"


def _at(place: str, message: str, places: Places) -> tuple[int, str]:
    """Return the line of *place*, or of the nearest thing around it that has one, and the message with it."""
    where = place
    while where and where not in places:
        where = re.sub(r"(\.[^.\[]+|\[\d+\]|^[^.\[]+)$", "", where)
    line = places.get(where, 1)
    return line, f"line {line}: {message}"


def _place_in(message: str, data: Mapping[str, object]) -> str:
    """Return the place that a message of the reader begins with, else that of the task it quotes."""
    found = re.match(r"(?:plan\.)?((?:tasks|questions|findings|assumptions|goal|format|version)[\w.\[\]]*)", message)
    if found:
        return found[1]
    tasks = data.get("tasks")
    for id in re.findall(r"'([^']+)'", message) + re.findall(r"\b([a-z0-9-]+) →", message):
        for at, task in enumerate(tasks if isinstance(tasks, list) else ()):
            if isinstance(task, Mapping) and task.get("id") == id:
                return f"tasks[{at}]"
    unknown = re.match(r"plan: unknown key '([^']+)'", message)
    return unknown[1] if unknown else ""


def read_data(text: str, format: str) -> tuple[object, Places]:
    """Return the values in *text* and where each stands.

    Raises:
        InvalidPlan: it is not of that format; the message begins with the line.
    """
    if format == "markdown":
        return _read_markdown(text)
    if format == "json":
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise _Located(f"line {error.lineno}: {error.msg}", hint=f"column {error.colno}") from error
        except RecursionError as error:
            raise _Located("line 1: it is nested too deeply") from error
        try:
            return data, _read_yaml(text)[1]  # JSON is YAML, nearly; without lines an error still names its place
        except InvalidPlan:
            return data, {}
    return _read_yaml(text)


def _read_yaml(text: str) -> tuple[object, Places]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    places: Places = {}
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # before anything is put together: that goes as deep as the file
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_LIMIT:
                raise _Located(f"line {_line(event.start_mark)}: it is nested too deeply")
            anchor = getattr(event, "anchor", None)
            if anchor or isinstance(event, yaml.AliasEvent):
                raise _Located(f"line {_line(event.start_mark)}: anchors (& and *) are not for plans")
        node = yaml.compose(text, Loader=loader)
        if node is None:
            raise _Located("line 1: the file is empty")
        return _value(node, "", "", places), places
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        quoted = " (a value with ': ' in it needs quotes)" if "mapping values" in (error.problem or "") else ""
        raise _Located(f"line {line}: {error.problem or 'this is not YAML'}{quoted}") from error
    except yaml.YAMLError as error:
        raise _Located(f"line 1: this is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise _Located("line 1: it is nested too deeply") from error


def _line(mark: object) -> int:
    return int(getattr(mark, "line", 0)) + 1


def _value(node: "yaml.Node", key: str, place: str, places: Places) -> object:
    import yaml

    places[place] = _line(node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, key, f"{place}[{at}]", places) for at, one in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for name, one in node.value:
            word = str(name.value) if isinstance(name, yaml.ScalarNode) else "?"
            where = f"{place}.{word}" if place else word
            if word in found:
                raise _Located(f"line {_line(name.start_mark)}: {word!r} stands there twice")
            found[word] = _value(one, word, where, places)
            places[where] = _line(name.start_mark)
        return found
    return _scalar(str(node.value), key, quoted=getattr(node, "style", None) in {"'", '"', "|", ">"})


def _scalar(text: str, key: str, *, quoted: bool) -> object:
    if quoted:
        return text
    if text in _NOTHING:
        return None
    if key in _NUMBERS and re.fullmatch(r"[-+]?\d{1,15}", text):
        return int(text)
    if key == "confidence" and re.fullmatch(r"\d*\.\d+", text):
        return float(text)
    return _FLAGS.get(text.lower(), text) if key in {"expects_change", "in_order"} else text


def _yaml(document: Mapping[str, object]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def items(dumper: yaml.SafeDumper, value: list[object]) -> yaml.Node:
        short = all(isinstance(one, str) and len(one) <= 48 and re.fullmatch(r"[a-z0-9-]+", one) for one in value)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short)

    Dumper.add_representer(str, text)
    Dumper.add_representer(list, items)
    dumped: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return re.sub(r"\n- id:", "\n\n- id:", dumped)


def _task_for_people(task: PlannedTask) -> dict[str, object]:
    """Return what a person may change of *task*, the description last, where its length is in nobody's way."""
    return {
        "id": task.id,
        "title": task.title,
        "agent_type": task.agent_type,
        "depends_on": list(task.depends_on),
        "size": str(task.size),
        "tier": str(task.tier),
        "priority": task.priority,
        "owns": list(task.owns),
        "acceptance": list(task.acceptance),
        "verify": task.verify,
        "expects_change": task.expects_change,
        "description": task.description,
    }


# Markdown: one heading for each task, its fields as a list, then its description as text.

_LISTS = {"after": "depends_on", "owns": "owns", "done when": "acceptance"}
_FIELDS = {
    "specialist": "agent_type",
    "size": "size",
    "tier": "tier",
    "priority": "priority",
    "check": "verify",
    "changes files": "expects_change",
}
_ESCAPED = re.compile(r"^(\\*)(#{1,3}\s)", re.MULTILINE)
_UNESCAPED = re.compile(r"^\\(\\*#{1,3}\s)", re.MULTILINE)
_QUESTION_FIELDS = ("default", "changes", "tasks", "sets", "answer")


def _markdown(plan: Plan, name: str, version: int) -> str:
    lines = [f"# Plan {name}, version {version}", "", f"format: {FORMAT}", "", "## Goal", "", _hidden(plan.goal), ""]
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


def _read_markdown(text: str) -> tuple[object, Places]:
    reader = _Markdown()
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), start=1):
        reader.take(line, number)
    return reader.document()


class _Markdown:
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
                raise _Located(
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
            raise _Located(f"line {number}: a task stands outside of the section Tasks", hint="put it below ## Tasks")
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
                raise _Located(f"line {number}: a task begins with a heading", hint="such as ### docs: Write the page")
            return
        task, place = self.tasks[-1], f"tasks[{len(self.tasks) - 1}]"
        found = re.match(r"[-*]\s+([a-z ]+?):\s*(.*)$", line) if self.in_fields else None
        if found and (found[1] in _FIELDS or found[1] in _LISTS):
            self._field(task, place, found[1], found[2].strip(), number)
        elif found:
            known = ", ".join([*_FIELDS, *_LISTS])
            raise _Located(f"line {number}: a task has no {found[1][:40]!r}", hint=f"it has {known}")
        elif self.in_fields and not line.strip():
            self.in_fields = len(task) <= 2  # the empty line below the heading
        else:
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
            raise _Located(f"line {number}: {name!r} stands there twice")
        self.places[f"{place}.{key}"] = number
        if key == "expects_change":
            if value.lower() not in {"yes", "no", "true", "false"}:
                raise _Located(f"line {number}: changes files is yes or no, not {value[:40]!r}")
            task[key] = value.lower() in {"yes", "true"}
        else:
            task[key] = value or None

    def _item(self, line: str, number: int) -> None:
        if not line.strip():
            return
        found = re.match(r"(\s*)[-*]\s+(.*)$", line)
        if not found:
            raise _Located(f"line {number}: expected a list of {self.section}", hint="each begins with a dash")
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
            raise _Located(
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
