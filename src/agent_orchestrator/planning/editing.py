"""Changes to a plan, as values: what a person types, a program sends and a model proposes are the same few verbs.

Pure. A change gives a new plan that the one validator has accepted, or an error and no plan; what it did is told by
comparing the two, so nothing that the validator mended goes unsaid.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from agent_orchestrator.domain.errors import BadInput, InvalidPlan, NotFound
from agent_orchestrator.domain.ids import slug, words_of
from agent_orchestrator.domain.plan import GUESS, Plan, PlannedTask, Question, Routing
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.changes import MODIFIABLE, Change, number_of, op_of, text_of, texts_of
from agent_orchestrator.planning.document import task_from_json, task_to_json
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.quoting import OF_TASK, joined, own_text
from agent_orchestrator.planning.references import is_of_all_before
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route
from agent_orchestrator.planning.texts import DESCRIPTION_LIMIT, ITEMS_LIMIT, short_title

CHANGES_LIMIT = 500
"""More changes at once are a new plan: bring it as a file."""

_NO_COMMAND = frozenset({"", "no", "none", "nothing", "n/a", "-", "nein", "keine", "keiner", "aucune", "ninguno"})
"""Answers to the question which command checks the work. As a command each would fail every task."""


def changed(plan: Plan, changes: Sequence[Change], roster: Roster) -> Plan:
    """Return *plan* after *changes*, one after the other, validated once at the end.

    Structure that somebody wrote is not bent: a cycle, a dependency on nothing and a repeated id are refused.

    Raises:
        InvalidPlan, NotFound, BadInput: a change cannot be done, or the result is no plan. Nothing has changed then.
    """
    return validated(edited(plan, changes, roster), roster)


def edited(plan: Plan, changes: Sequence[Change], roster: Roster) -> Plan:
    """Return *plan* after *changes*, one after the other; not validated yet. Raises as :func:`changed`."""
    if len(changes) > CHANGES_LIMIT:
        raise BadInput(f"{len(changes)} changes are more than {CHANGES_LIMIT}", hint="bring the plan as a file")
    for at, change in enumerate(changes):
        try:
            plan = _with_standing_check(_OPS[op_of(change)](plan, change, roster), plan)
        except (BadInput, NotFound) as error:
            if len(changes) == 1:
                raise
            raise type(error)(f"change {at + 1}: {error.message}", hint=error.hint) from error
    return plan


def validated(plan: Plan, roster: Roster) -> Plan:
    """Return *plan* as the strict validator has it. What it found before is judged anew, not carried along."""
    return lint(replace(plan, findings=()), roster, strict=True)


def find_task(plan: Plan, name: str) -> PlannedTask:
    """Return the task that *name* means: its number in the list, its id or an unambiguous start, or words of its title.

    Raises:
        NotFound: there is none, or more than one.
    """
    name = name.strip()
    if name.isascii() and name.isdigit() and name not in {task.id for task in plan.tasks}:
        if 1 <= int(name) <= len(plan.tasks):
            return plan.tasks[int(name) - 1]
        raise NotFound(f"there is no task {name}", hint=f"they are numbered 1 to {len(plan.tasks)}")
    exact = [task for task in plan.tasks if task.id == name]
    found = exact or [task for task in plan.tasks if name and task.id.startswith(slug(name) or "\0")]
    words = set(words_of(name))
    found = found or [task for task in plan.tasks if words and words <= set(words_of(f"{task.id} {task.title}"))]
    if len(found) == 1:
        return found[0]
    if found:
        told = ", ".join(task.id for task in found[:5])
        raise NotFound(f"{name[:60]!r} could be {told}", hint="type more of it, or its number")
    import difflib

    close = difflib.get_close_matches(slug(name), [task.id for task in plan.tasks], n=1)
    raise NotFound(
        f"there is no task {name[:60]!r}",
        hint=f"did you mean {close[0]}?" if close else f"type its number, 1 to {len(plan.tasks)}, or its name",
    )


def _add(plan: Plan, change: Change, roster: Roster) -> Plan:
    title = short_title(text_of(change, "title"))
    needs = [find_task(plan, name).id for name in texts_of(change, "depends_on")]
    later = [find_task(plan, name).id for name in texts_of(change, "before")]
    fields = {key: value for key, value in change.items() if key not in {"op", "before"} and value is not None}
    described = text_of(change, "description") or text_of(change, "title")
    wanted = text_of(change, "id") or slug(title) or "task"
    if change.get("id") and wanted in _ids(plan):
        raise InvalidPlan(f"there is a task {wanted!r} already", hint="choose another id")
    id = _free(plan, wanted)
    task = task_from_json({**fields, "id": id, "title": title, "description": described, "depends_on": needs}, "add")
    if task.agent_type:
        task = replace(task, agent_type=roster.get(task.agent_type).name, routing=_by_user(task.agent_type, roster))
    else:
        task = _routed(task, roster)
    tasks = [
        replace(one, depends_on=(*one.depends_on, id)) if one.id in later and id not in one.depends_on else one
        for one in plan.tasks
    ]
    place = min((at for at, one in enumerate(tasks) if one.id in later), default=len(tasks))
    tasks.insert(place, task)
    return replace(plan, tasks=tuple(tasks))


def _remove(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Take a task out; what waited for it waits for what it waited for."""
    gone = find_task(plan, text_of(change, "task"))
    if len(plan.tasks) == 1:
        raise InvalidPlan(f"{gone.id} is the only task of the plan", hint="modify it, or quit: nothing is queued")
    tasks = [
        replace(one, depends_on=_instead(one.depends_on, gone.id, gone.depends_on))
        for one in plan.tasks
        if one.id != gone.id
    ]
    return replace(plan, tasks=tuple(tasks), questions=_about(plan.questions, gone.id, ()))


def _modify(plan: Plan, change: Change, roster: Roster) -> Plan:
    old = find_task(plan, text_of(change, "task"))
    fields = change["set"]
    if not isinstance(fields, Mapping):
        raise BadInput("modify: 'set' is an object of fields and their new values", hint=", ".join(MODIFIABLE))
    unknown = [str(key) for key in fields if key not in MODIFIABLE]
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0], MODIFIABLE, n=1)
        hint = f"did you mean {close[0]}?" if close else ", ".join(MODIFIABLE)
        raise BadInput(f"a task has no {unknown[0][:40]!r} that could be set", hint=hint)
    fields = dict(fields)
    if "depends_on" in fields:
        fields["depends_on"] = [find_task(plan, name).id for name in texts_of(fields, "depends_on")]
    new = task_from_json({**task_to_json(old), **fields, "phase": old.phase}, old.id)
    if not new.title.strip():
        raise InvalidPlan(f"{old.id} needs a title")
    if "agent_type" in fields:
        new = replace(new, agent_type=roster.get(new.agent_type).name, routing=_by_user(new.agent_type, roster))
    elif fields.keys() & {"title", "description", "owns"} and old.routing is not None and old.routing.is_guess:
        found = _routed(new, roster)  # a guess goes before another only if more speaks for it
        new = found if found.routing and found.routing.confidence > old.routing.confidence else new
    if new.id != old.id:
        new = replace(new, id=slug(new.id))
        if not new.id or new.id in _ids(plan):
            problem = f"there is a task {new.id!r} already" if new.id else "an id has letters and digits"
            raise InvalidPlan(problem, hint="choose another id")
    tasks = [
        new if one.id == old.id else replace(one, depends_on=_instead(one.depends_on, old.id, (new.id,)))
        for one in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks), questions=_about(plan.questions, old.id, (new.id,)))


def _split(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Make several tasks of one. Outer edges stay: every part waits for what it waited for, and all are waited for.

    A part that speaks of all the parts before it waits for those.
    """
    whole = find_task(plan, text_of(change, "task"))
    into = change["into"]
    if not isinstance(into, list) or len(into) < 2:
        raise BadInput("split: 'into' is a list of two or more parts", hint="a title each, or objects with a title")
    in_order = bool(change.get("in_order", False))
    parts: list[PlannedTask] = []
    taken = _ids(plan) - {whole.id}
    for number, given in enumerate(into, start=1):
        part = _part(whole, number, given, taken=taken, needs=whole.depends_on)
        if parts and (in_order or is_of_all_before(part.title)):  # "Test both" cannot begin with what it tests
            before = parts[-1:] if in_order else parts
            part = replace(part, depends_on=tuple(one.id for one in before))
        taken.add(part.id)
        parts.append(_assigned(part, whole, roster))
    last = parts[-1]  # what the whole promised is true once its parts are done
    parts[-1] = replace(
        last,
        acceptance=tuple(dict.fromkeys(last.acceptance + whole.acceptance))[:ITEMS_LIMIT],
        verify=last.verify or whole.verify,
    )
    waited_for = {need for part in parts for need in part.depends_on}
    ends = tuple(part.id for part in parts if part.id not in waited_for)
    tasks: list[PlannedTask] = []
    for one in plan.tasks:
        if one.id == whole.id:
            tasks += parts
        else:
            tasks.append(replace(one, depends_on=_instead(one.depends_on, whole.id, ends)))
    questions = _about(plan.questions, whole.id, tuple(part.id for part in parts))
    return replace(plan, tasks=tuple(tasks), questions=questions)


def _part(
    whole: PlannedTask, number: int, given: object, *, taken: Collection[str], needs: Sequence[str]
) -> PlannedTask:
    """Return part *number* of *whole* as it was *given*, a title or its fields; the rest it has of the whole."""
    fields = {"title": given} if isinstance(given, str) else given
    if not isinstance(fields, Mapping) or not str(fields.get("title") or "").strip():
        raise BadInput(f"split: part {number} has no title")
    title = short_title(str(fields["title"]))
    described = str(fields.get("description") or "") or f"{title}.\n\n{OF_TASK}\n\n{_told_whole(whole)}"
    return task_from_json(
        {
            "size": str(_smaller(whole.size)),
            "tier": str(whole.tier),
            "priority": whole.priority,
            "owns": list(whole.owns),
            "expects_change": whole.expects_change,
            **{key: value for key, value in fields.items() if value is not None},
            "id": _free_of(taken, slug(str(fields.get("id") or "")) or slug(title) or f"{whole.id}-{number}"),
            "title": title,
            "description": described[:DESCRIPTION_LIMIT],
            "depends_on": list(needs),
        },
        f"split: part {number}",
    )


def _assigned(part: PlannedTask, whole: PlannedTask, roster: Roster) -> PlannedTask:
    """Return *part* with its specialist: the one it names, else whom its words speak for, else that of the whole."""
    if part.agent_type:
        return replace(part, agent_type=roster.get(part.agent_type).name)
    routing = route(part.title, part.title, roster, part.owns)
    if routing.confidence >= GUESS:
        return replace(part, agent_type=routing.specialist, routing=routing)
    return replace(part, agent_type=whole.agent_type, routing=whole.routing)


def _merge(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Make one task of several, with all they had; what lies between them would make a cycle and is refused."""
    members = [find_task(plan, name) for name in texts_of(change, "tasks")]
    members = sorted({task.id: task for task in members}.values(), key=plan.tasks.index)
    if len(members) < 2:
        raise BadInput("merge needs two or more tasks", hint='such as {"op": "merge", "tasks": ["api", "api-tests"]}')
    first, ids = members[0], {task.id for task in members}
    title = short_title(text_of(change, "title") or "; ".join(task.title for task in members))
    whole = replace(
        first,
        title=title,
        description=joined((t.title, t.description) for t in members)[:DESCRIPTION_LIMIT],
        depends_on=tuple(dict.fromkeys(need for t in members for need in t.depends_on if need not in ids)),
        owns=tuple(dict.fromkeys(glob for t in members for glob in t.owns))[:ITEMS_LIMIT],
        acceptance=tuple(dict.fromkeys(line for t in members for line in t.acceptance))[:ITEMS_LIMIT],
        verify=_joined_checks(members),
        expects_change=any(t.expects_change for t in members),
        priority=min(t.priority for t in members),
        tier=max((t.tier for t in members), key=("light", "standard", "heavy").index),
        size=_bigger(max((t.size for t in members), key=list(Size).index)),
    )
    tasks = []
    for one in plan.tasks:
        if one.id == first.id:
            tasks.append(whole)
        elif one.id not in ids:
            needs = tuple(dict.fromkeys(first.id if need in ids else need for need in one.depends_on))
            tasks.append(replace(one, depends_on=needs))
    questions = plan.questions
    for task in members[1:]:
        questions = _about(questions, task.id, (first.id,))
    return replace(plan, tasks=tuple(tasks), questions=questions)


def _move(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Change the order of the list. It decides who goes first when nothing else does."""
    moved = find_task(plan, text_of(change, "task"))
    if bool(change.get("before")) == bool(change.get("after")):
        raise BadInput("move needs one of 'before' and 'after'")
    beside = find_task(plan, text_of(change, "before") or text_of(change, "after"))
    if beside.id == moved.id:
        raise BadInput(f"{moved.id} cannot be moved beside itself")
    rest = [one for one in plan.tasks if one.id != moved.id]
    place = next(at for at, one in enumerate(rest) if one.id == beside.id)
    rest.insert(place + (1 if change.get("after") else 0), moved)
    return replace(plan, tasks=tuple(rest))


def _depend(plan: Plan, change: Change, roster: Roster) -> Plan:
    task = find_task(plan, text_of(change, "task"))
    needs = [find_task(plan, name).id for name in texts_of(change, "on")]
    return _with(plan, replace(task, depends_on=tuple(dict.fromkeys((*task.depends_on, *needs)))))


def _undepend(plan: Plan, change: Change, roster: Roster) -> Plan:
    task = find_task(plan, text_of(change, "task"))
    freed = [find_task(plan, name).id for name in texts_of(change, "on")]
    for id in freed:
        if id not in task.depends_on:
            waits = ", ".join(task.depends_on) or "nothing"
            raise BadInput(f"{task.id} does not wait for {id}", hint=f"it waits for {waits}")
    return _with(plan, replace(task, depends_on=tuple(need for need in task.depends_on if need not in freed)))


def _route(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Give a task to the specialist that is named, else to the one its words and paths speak for."""
    task = find_task(plan, text_of(change, "task"))
    to = text_of(change, "to")
    if to and to != "auto":
        return _with(plan, replace(task, agent_type=roster.get(to).name, routing=_by_user(to, roster)))
    return _with(plan, _routed(task, roster))


def _answer(plan: Plan, change: Change, roster: Roster) -> Plan:
    """Write an answer down. One that is a command checks the tasks that have no check of their own."""
    number = number_of(change, "question", len(plan.questions), "question")
    question, answer = plan.questions[number - 1], text_of(change, "answer")
    answered = (*plan.questions[: number - 1], replace(question, answer=answer), *plan.questions[number:])
    plan = replace(plan, questions=answered)
    if question.sets != "verify":
        return plan
    command, before = _command(answer), _command(question.answer)
    tasks = [
        _checked_by(task, command, before)
        if task.expects_change and task.verify in (None, before) and (not question.tasks or task.id in question.tasks)
        else task
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def _command(answer: str | None) -> str | None:
    """Return the command that an answer is; None where there is none, or where it says that there is none."""
    return None if answer is None or answer.strip(" .!").casefold() in _NO_COMMAND else answer


def _checked_by(task: PlannedTask, command: str | None, before: str | None) -> PlannedTask:
    """Return *task* with the check *command* instead of *before*, and without what was derived from that."""
    stale = f"`{before}` ends with exit code 0"
    return replace(task, verify=command, acceptance=tuple(text for text in task.acceptance if text != stale))


def _with_standing_check(plan: Plan, before: Plan) -> Plan:
    """Return *plan* with the check that a person named for all tasks on those that are new and have none."""
    command = _command(next((one.answer for one in plan.questions if one.sets == "verify" and not one.tasks), None))
    if command is None:
        return plan
    known = _ids(before)
    tasks = [
        replace(task, verify=command) if task.id not in known and task.verify is None and task.expects_change else task
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def _assume(plan: Plan, change: Change, roster: Roster) -> Plan:
    if len(plan.assumptions) >= ITEMS_LIMIT:
        raise BadInput(f"a plan has {ITEMS_LIMIT} assumptions at most", hint="take one away, or put it into the goal")
    return replace(plan, assumptions=tuple(dict.fromkeys((*plan.assumptions, text_of(change, "text")))))


def _unassume(plan: Plan, change: Change, roster: Roster) -> Plan:
    number = number_of(change, "number", len(plan.assumptions), "assumption")
    return replace(plan, assumptions=plan.assumptions[: number - 1] + plan.assumptions[number:])


_OPS: Mapping[str, Callable[[Plan, Change, Roster], Plan]] = {
    "add": _add,
    "remove": _remove,
    "modify": _modify,
    "split": _split,
    "merge": _merge,
    "move": _move,
    "depend": _depend,
    "undepend": _undepend,
    "route": _route,
    "answer": _answer,
    "assume": _assume,
    "unassume": _unassume,
}


def _instead(needs: tuple[str, ...], gone: str, others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new for need in needs for new in (others if need == gone else (need,))))


def _about(questions: tuple[Question, ...], gone: str, others: tuple[str, ...]) -> tuple[Question, ...]:
    """Return *questions* with *others* in the place of *gone*; one that was about *gone* alone goes with it."""
    moved = [replace(one, tasks=_instead(one.tasks, gone, others)) for one in questions]
    return tuple(new for old, new in zip(questions, moved, strict=True) if new.tasks or not old.tasks)


def _with(plan: Plan, task: PlannedTask) -> Plan:
    return replace(plan, tasks=tuple(task if one.id == task.id else one for one in plan.tasks))


def _routed(task: PlannedTask, roster: Roster) -> PlannedTask:
    """Return *task* with the specialist for whom its own words and paths speak, not those of a goal that it quotes."""
    routing = route(task.title, own_text(task.description), roster, task.owns)
    return replace(task, agent_type=routing.specialist, routing=routing)


def _by_user(name: str, roster: Roster) -> Routing:
    return Routing(specialist=roster.get(name).name, confidence=1.0, reason="named by the user")


def _joined_checks(members: Sequence[PlannedTask]) -> str | None:
    checks = list(dict.fromkeys(task.verify for task in members if task.verify))
    return " && ".join(f"({check})" for check in checks) if len(checks) > 1 else checks[0] if checks else None


def _smaller(size: Size) -> Size:
    return Size.M if size is Size.L else Size.S


def _bigger(size: Size) -> Size:
    return Size.M if size is Size.S else Size.L


def _ids(plan: Plan) -> set[str]:
    return {task.id for task in plan.tasks}


def _free(plan: Plan, wanted: str) -> str:
    return _free_of(_ids(plan), slug(wanted) or "task")


def _told_whole(task: PlannedTask) -> str:
    """Return title and description; the description alone where it begins as the title does."""
    begins = task.description.lstrip().startswith(task.title.rstrip("…").rstrip())
    return task.description if begins else f"{task.title}\n{task.description}"


def _free_of(taken: Iterable[str], wanted: str) -> str:
    names, id, number = set(taken), wanted, 2
    while id in names:
        id, number = f"{wanted}-{number}", number + 1
    return id
