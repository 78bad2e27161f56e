"""What a person types in a planning session: the commands, their letters, and how their words become changes."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.changes import MODIFIABLE, Change
from agent_orchestrator.planning.editing import find_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a session."""

    word: str
    letter: str
    usage: str
    about: str
    others: tuple[str, ...] = ()
    """Further words for it."""
    takes: str = "task"
    """What may follow it: ``task``, a task first; ``text``, anything; ``word``, at most one; empty, nothing.

    A sentence that happens to begin with a command is not one: "I think so", "split the front end in two".
    """


COMMANDS = (
    Command(
        word="discuss", takes="text", letter="d", usage="d TEXT", about="talk with the model; it may propose changes"
    ),
    Command(
        word="add",
        takes="text",
        letter="a",
        usage="a TITLE [after 1,2] [before 3] [to SPECIALIST]",
        about="add a task",
        others=("new",),
    ),
    Command(
        word="remove",
        letter="r",
        usage="r 3",
        about="remove a task; what waited for it waits for what it waited for",
        others=("rm", "delete"),
    ),
    Command(
        word="modify",
        letter="m",
        usage="m 3 FIELD VALUE",
        about="change title, text, specialist, after, priority, tier, size, owns, done-when, check, id",
        others=("set", "change"),
    ),
    Command(word="split", letter="s", usage="s 3 ONE; TWO [in order]", about="make several tasks of one"),
    Command(word="merge", letter="j", usage="j 3 4 [TITLE]", about="make one task of several", others=("join",)),
    Command(word="reorder", letter="o", usage="o 3 before 1", about="change the order of the list", others=("move",)),
    Command(word="depend", letter="l", usage="l 3 on 1,2", about="let a task wait for others", others=("after",)),
    Command(word="undepend", letter="k", usage="k 3 on 1", about="let it no longer wait"),
    Command(
        word="route",
        letter="t",
        usage="t 3 [SPECIALIST]",
        about="give a task to a specialist, or to whom its words speak for",
    ),
    Command(word="edit", takes="word", letter="e", usage="e [md|yaml]", about="edit the whole plan in $EDITOR"),
    Command(word="undo", takes="", letter="u", usage="u", about="take the last change back"),
    Command(word="redo", takes="", letter="", usage="redo", about="do it again"),
    Command(word="why", letter="w", usage="w 3 [1]", about="why this specialist and size; why one waits for another"),
    Command(
        word="questions", takes="", letter="i", usage="i", about="answer what the plan had to guess", others=("ask",)
    ),
    Command(word="answer", takes="text", letter="", usage="answer 1 TEXT", about="answer one question"),
    Command(word="assume", takes="text", letter="", usage="assume TEXT", about="something every task is told"),
    Command(word="unassume", takes="word", letter="", usage="unassume 1", about="take an assumption away"),
    Command(word="view", letter="v", usage="v [3]", about="show the plan, or all of one task", others=("show",)),
    Command(word="graph", takes="", letter="g", usage="g", about="draw what waits for what"),
    Command(
        word="forecast",
        takes="word",
        letter="f",
        usage="f [AGENTS]",
        about="how long it may take, and what decides that",
    ),
    Command(
        word="diff",
        takes="word",
        letter="",
        usage="diff [VERSION]",
        about="what was changed, in this session or since VERSION",
    ),
    Command(word="reload", takes="", letter="", usage="reload", about="take what was changed in another terminal"),
    Command(
        word="export",
        takes="word",
        letter="",
        usage="export FILE",
        about="write the plan to a file (.yaml, .md, .json)",
    ),
    Command(
        word="save",
        takes="word",
        letter="",
        usage="save [NAME]",
        about="every change is saved already; this gives it a name",
    ),
    Command(
        word="approve",
        takes="",
        letter="p",
        usage="p",
        about="agree with the plan as it is now, then queue it",
        others=("proceed",),
    ),
    Command(word="run", takes="", letter="x", usage="x", about="approve, queue and run it", others=("execute",)),
    Command(word="quit", takes="", letter="q", usage="q", about="leave; the plan stays saved", others=("exit", "bye")),
    Command(
        word="help",
        takes="word",
        letter="?",
        usage="? [WORD]",
        about="this list, or how one command is written",
        others=("h",),
    ),
)

FIELDS = {
    "text": "description",
    "specialist": "agent_type",
    "agent": "agent_type",
    "after": "depends_on",
    "done-when": "acceptance",
    "done": "acceptance",
    "accept": "acceptance",
    "check": "verify",
    "changes-files": "expects_change",
}
"""What people call the fields of a task, beside the fields' own names."""

_LISTS = {"depends_on": r"[\s,]+", "owns": r"\s*,\s*", "acceptance": r"\s*;\s*"}


def find_command(word: str) -> Command | None:
    """Return the command that *word* is: its letter as it is, or its word, another one or an unambiguous start."""
    for one in COMMANDS:
        if word and (word == one.letter or word.casefold() in (one.word, *one.others)):
            return one
    started = [one for one in COMMANDS if len(word) > 2 and one.word.startswith(word.casefold())]
    return started[0] if len(started) == 1 else None


def command_in(text: str, plan: Plan) -> Command | None:
    """Return the command that *text* is, or None when it is none or a sentence that only begins like one."""
    word, rest = (*text.split(None, 1), "", "")[:2]
    command = find_command(word)
    if command is None or ("\n" in text.strip() and command.word != "discuss"):
        return None
    words = rest.split()
    if command.takes == "text" or not words:
        return command
    if command.takes in ("", "word"):
        return command if len(words) <= len(command.takes[:1]) else None
    if len(words) < 3 or words[0].isdigit():
        return command
    try:
        find_task(plan, words[0])
    except NotFound:
        return None
    return command


def adding(text: str, plan: Plan) -> Change:
    """Return the change that ``a TITLE [after 1,2] [before 3] [to SPECIALIST]`` means.

    Only words at the end that name tasks of the plan or follow ``to`` are taken so; "hash before saving" is a title.
    """
    change: dict[str, object] = {"op": "add"}
    title = text.strip()
    while found := re.search(r"\s+(after|before|to)\s+(\S+(?:\s*,\s*\S+)*)$", title, re.IGNORECASE):
        word, names = found[1].lower(), [one for one in re.split(r"[\s,]+", found[2]) if one]
        key = {"after": "depends_on", "before": "before", "to": "agent_type"}[word]
        if key in change:
            break
        if key == "agent_type":
            if len(names) != 1 or "-" not in names[0]:
                break
            change[key] = names[0]
        else:
            try:
                change[key] = [find_task(plan, name).id for name in names]
            except NotFound:
                if all(name.isdigit() for name in names):
                    raise
                break
        title = title[: found.start()].strip()
    if len(title) > 1 and title[0] in "\"'“" and title[-1] in "\"'”":
        title = title[1:-1].strip()
    return {**change, "title": title}


def modifying(text: str, plan: Plan) -> Change:
    """Return the change that ``m TASK FIELD VALUE`` means.

    Raises:
        BadInput: a task has no such field; said in the words that a person types.
        NotFound: there is no such task.
    """
    name, _, rest = text.strip().partition(" ")
    word, _, value = rest.strip().partition(" ")
    field = FIELDS.get(word.strip(":=").casefold(), word.strip(":=").casefold().replace("-", "_"))
    if field not in MODIFIABLE:
        close = get_close_matches(word.casefold(), [*FIELDS, *MODIFIABLE], 1)
        typed = [next((one for one, means in FIELDS.items() if means == name), name) for name in MODIFIABLE]
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(typed)}"
        raise BadInput(f"a task has no {word[:40]!r}", hint=hint)
    return {"op": "modify", "task": find_task(plan, name).id, "set": {field: field_value(field, value.strip())}}


def field_value(field: str, value: str) -> object:
    """Return what was typed for *field* as the value that it has in a file."""
    if field in _LISTS:
        kept = [one.strip() for one in re.split(_LISTS[field], value) if one.strip()]
        return [] if kept in (["-"], ["none"], ["nothing"]) else kept
    if field == "verify" and value.casefold() in {"", "-", "none"}:
        return None
    if field == "expects_change":
        known = {"yes": True, "true": True, "no": False, "false": False}
        if value.casefold() not in known:
            raise BadInput("changes-files is yes or no")
        return known[value.casefold()]
    return value


def splitting(text: str, plan: Plan) -> Change:
    """Return the change that ``s TASK ONE; TWO; THREE [in order]`` means."""
    name, _, rest = text.strip().partition(" ")
    in_order = re.search(r"[;\s]+in order$", rest.strip(), re.IGNORECASE)
    told = rest.strip()[: in_order.start()] if in_order else rest
    parts = [one.strip() for one in re.split(r"\s*[;\n]\s*", told) if one.strip()]
    change: dict[str, object] = {"op": "split", "task": find_task(plan, name).id, "into": parts}
    return {**change, "in_order": True} if in_order else change


def merging(text: str, plan: Plan) -> Change:
    """Return the change that ``j 3 4 [TITLE]`` means: tasks as long as words name some, then the title."""
    words = [one for one in re.split(r"[\s,+]+", text.strip()) if one]
    names: list[str] = []
    while words:
        try:
            names.append(find_task(plan, words[0]).id)
        except NotFound:
            if len(names) < 2:
                raise
            break
        words.pop(0)
        if len(names) >= 2 and words and not (words[0].isdigit() or words[0] in {task.id for task in plan.tasks}):
            break
    change: dict[str, object] = {"op": "merge", "tasks": names}
    return {**change, "title": " ".join(words)} if words else change


def moving(text: str, plan: Plan) -> Change:
    """Return the change that ``o TASK before|after TASK`` means; ``o TASK NUMBER`` gives it that place."""
    found = re.fullmatch(r"(\S+)\s+(?:(before|after)\s+)?(\S+)", text.strip(), re.IGNORECASE)
    if not found:
        raise BadInput("say what is to be moved where", hint="o 3 before 1")
    task, beside = find_task(plan, found[1]), find_task(plan, found[3])
    ids = [one.id for one in plan.tasks]
    word = found[2].lower() if found[2] else "after" if ids.index(task.id) < ids.index(beside.id) else "before"
    return {"op": "move", "task": task.id, word: beside.id}


def depending(op: str, text: str, plan: Plan) -> Change:
    """Return the change that ``l TASK on TASKS`` or ``k TASK on TASKS`` means."""
    words = [one for one in re.split(r"[\s,]+", text.strip()) if one and one.casefold() not in {"on", "after", "of"}]
    if len(words) < 2:
        raise BadInput("say which task and which others", hint="l 3 on 1,2" if op == "depend" else "k 3 on 1")
    return {"op": op, "task": find_task(plan, words[0]).id, "on": [find_task(plan, one).id for one in words[1:]]}


def routing(text: str, plan: Plan) -> Change:
    """Return the change that ``t TASK [SPECIALIST]`` means."""
    words = [one for one in text.split() if one.casefold() not in {"to"}]
    if not words or len(words) > 2:
        raise BadInput(
            "say which task and which specialist", hint="t 3 qa-test-engineer, or t 3 for what its words say"
        )
    change: dict[str, object] = {"op": "route", "task": find_task(plan, words[0]).id}
    return {**change, "to": words[1]} if len(words) == 2 else change
