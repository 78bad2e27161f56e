"""A plan in a file that people write: YAML, JSON or Markdown, out and back, with every error at its line.

Values are read by what the field is, not by how they look: ``title: 404`` is text and ``verify: yes`` a command. YAML's
anchors are refused: nobody needs them in a plan, and with them a small file can mean a huge one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import BadInput, InvalidPlan
from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning import plan_markdown
from agent_orchestrator.planning.document import plan_from_json, plan_to_json
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.located import Located, Places
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


def format_to_write(file_name: str) -> str:
    """Return the format in which a plan is written to *file_name*, so that it is read back from there as it was meant.

    Raises:
        BadInput: its ending says something else, such as ``.txt``.
    """
    found = re.search(r"\.[A-Za-z]+$", file_name)
    if found and found.group().lower() not in SUFFIXES:
        raise BadInput(
            f"a plan is not written as {found.group()}: {file_name}",
            hint=f"end its name in {', '.join(list(SUFFIXES)[:-1])} or {list(SUFFIXES)[-1]}; - prints YAML",
        )
    return format_of(file_name)


def write(plan: Plan, format: str, *, name: str, version: int) -> str:
    """Return *plan* as a file in *format*, to be read back by :func:`read`."""
    if format == "markdown":
        return plan_markdown.write(plan, format=FORMAT, name=name, version=version)
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
            raise Located("\n".join([text for _, text in sorted(problems)[:ERRORS_SHOWN]] + more))
        checked = lint(replace(plan, findings=(), source=plan.source or source), roster, strict=True)
    except Located:
        raise
    except InvalidPlan as error:
        place = _place_in(error.message, data)
        message = plan_markdown.named(error.message) if format == "markdown" else error.message
        raise Located(_at(place, message, places)[1], hint=error.hint) from error
    name = data.get("plan")
    return PlanFile(plan=checked, name=name if isinstance(name, str) and name else None, version=version)


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
            if isinstance(task, Mapping) and id == (task.get("id") or slug(str(task.get("title") or ""))):
                return f"tasks[{at}]"  # without an id of its own it is called by its title
    unknown = re.match(r"plan: unknown key '([^']+)'", message)
    return unknown[1] if unknown else ""


def read_data(text: str, format: str) -> tuple[object, Places]:
    """Return the values in *text* and where each stands.

    Raises:
        InvalidPlan: it is not of that format; the message begins with the line.
    """
    if format == "markdown":
        return plan_markdown.read(text)
    if format == "json":
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise Located(f"line {error.lineno}: {error.msg}", hint=f"column {error.colno}") from error
        except RecursionError as error:
            raise Located("line 1: it is nested too deeply") from error
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
                raise Located(f"line {_line(event.start_mark)}: it is nested too deeply")
            anchor = getattr(event, "anchor", None)
            if anchor or isinstance(event, yaml.AliasEvent):
                raise Located(f"line {_line(event.start_mark)}: anchors (& and *) are not for plans")
        node = yaml.compose(text, Loader=loader)
        if node is None:
            raise Located("line 1: the file is empty")
        return _value(node, "", "", places), places
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        quoted = " (a value with ': ' in it needs quotes)" if "mapping values" in (error.problem or "") else ""
        raise Located(f"line {line}: {error.problem or 'this is not YAML'}{quoted}") from error
    except yaml.YAMLError as error:
        raise Located(f"line 1: this is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise Located("line 1: it is nested too deeply") from error


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
                raise Located(f"line {_line(name.start_mark)}: {word!r} stands there twice")
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
