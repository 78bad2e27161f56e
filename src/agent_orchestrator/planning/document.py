"""A plan as JSON: what ``--json`` prints, what a file holds, what a model answers.

Strict reading is for what people and programs write: a wrong type or a
misspelt key is an error that says where, for it would silently change the plan.
Tolerant reading is for models: numbers for ids, one string for a list, other
systems' names for a field and unknown keys are all taken as they are meant.
"""

from collections.abc import Mapping
from typing import cast

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.plan import QUESTIONS_LIMIT, Finding, Plan, PlannedTask, Question, Routing, Severity
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Size, Tier, parse_priority

TASKS_READ_LIMIT = 500
"""A list longer than this is not read further: the validator's limit is far below, and each entry costs memory."""

_TASK_KEYS = (
    *("id", "title", "description", "agent_type", "depends_on", "phase", "priority", "tier", "size", "owns"),
    *("acceptance", "verify", "expects_change", "routing"),
)
_PLAN_KEYS = ("goal", "source", "notice", "tasks", "findings", "questions", "assumptions")
_QUESTION_KEYS = ("text", "default", "changes", "tasks", "sets", "answer")
_OTHER_NAMES = {
    "title": ("name",),
    "agent_type": ("agent", "specialist", "role"),
    "depends_on": ("dependencies", "dependsOn", "deps"),
    "acceptance": ("acceptance_criteria",),
    "verify": ("test_command",),
    "owns": ("files",),
}
_OTHER_SIZES = {"small": Size.S, "medium": Size.M, "large": Size.L}
_OTHER_TIERS = {
    "small": Tier.LIGHT,
    "low": Tier.LIGHT,
    "medium": Tier.STANDARD,
    "large": Tier.HEAVY,
    "high": Tier.HEAVY,
}


def plan_to_json(plan: Plan) -> dict[str, object]:
    """Return *plan* as values that ``json.dumps`` takes, in a stable order of keys."""
    return {
        "goal": plan.goal,
        "source": plan.source,
        "notice": plan.notice,
        "tasks": [task_to_json(task) for task in plan.tasks],
        "findings": [
            {"rule": found.rule, "severity": str(found.severity), "message": found.message, "task": found.task}
            for found in plan.findings
        ],
        "questions": [question_to_json(question) for question in plan.questions],
        "assumptions": list(plan.assumptions),
    }


def plan_hash(plan: Plan) -> str:
    """Return a fingerprint of what an approval of *plan* is about, as 64 hexadecimal digits.

    That is the goal, the tasks in their order, the answers and the assumptions. Who planned it, why a specialist was
    chosen and what the validator remarks may change without a new approval.
    """
    import hashlib
    import json

    tasks = [
        {key: value for key, value in task_to_json(task).items() if key not in {"phase", "routing"}}
        for task in plan.tasks
    ]
    questions = [question_to_json(question) for question in plan.questions]
    meant = {"goal": plan.goal, "tasks": tasks, "questions": questions, "assumptions": list(plan.assumptions)}
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()


def question_to_json(question: Question) -> dict[str, object]:
    """Return *question* as values that ``json.dumps`` takes."""
    return {
        "text": question.text,
        "default": question.default,
        "changes": question.changes,
        "tasks": list(question.tasks),
        "sets": question.sets,
        "answer": question.answer,
    }


def task_to_json(task: PlannedTask) -> dict[str, object]:
    """Return *task* as values that ``json.dumps`` takes, in a stable order of keys."""
    routing = task.routing
    return {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "agent_type": task.agent_type,
        "depends_on": list(task.depends_on),
        "phase": task.phase,
        "priority": task.priority,
        "tier": str(task.tier),
        "size": str(task.size),
        "owns": list(task.owns),
        "acceptance": list(task.acceptance),
        "verify": task.verify,
        "expects_change": task.expects_change,
        "routing": None
        if routing is None
        else {
            "specialist": routing.specialist,
            "confidence": routing.confidence,
            "reason": routing.reason,
            "alternatives": list(routing.alternatives),
        },
    }


def plan_from_json(data: object, strict: bool = True) -> Plan:
    """Return the plan that *data*, decoded JSON, describes. Only its shape is read; :mod:`.lint` checks what it says.

    A missing field has the default of :class:`~agent_orchestrator.domain.plan.PlannedTask`. ``phase`` is read over: it
    is always recomputed. Without *strict* a bare list of tasks is a plan as well.

    Raises:
        InvalidPlan: it is no plan; the message says where, such as ``tasks[2].depends_on``.
    """
    if isinstance(data, list) and not strict:
        data = {"tasks": data}
    if not isinstance(data, Mapping):
        raise InvalidPlan(f"a plan is a JSON object, not {_kind(data)}", hint='it has the key "tasks"')
    if not strict and "tasks" not in data and "subtasks" in data:
        data = {**data, "tasks": data["subtasks"]}
    reader = _Reader(strict)
    reader.check_keys(data, _PLAN_KEYS, "plan")
    tasks = data.get("tasks")
    if not isinstance(tasks, list):
        raise InvalidPlan(f"tasks: expected a list, not {_kind(tasks)}")
    if len(tasks) > TASKS_READ_LIMIT:
        raise InvalidPlan(f"tasks: {len(tasks)} tasks are too many to read", hint="split the goal")
    findings = data.get("findings", [])
    return Plan(
        goal=reader.text(data, "goal", "plan"),
        source=reader.text(data, "source", "plan", default="file"),
        notice=reader.text(data, "notice", "plan"),
        tasks=tuple(reader.task(task, f"tasks[{at}]") for at, task in enumerate(tasks)),
        findings=tuple(reader.finding(found, f"findings[{at}]") for at, found in enumerate(findings))
        if strict and isinstance(findings, list)
        else (),
        questions=reader.questions(data.get("questions")),
        assumptions=reader.texts(data, "assumptions", "plan"),
    )


def task_from_json(data: object, where: str) -> PlannedTask:
    """Return the task that *data* describes, read strictly; *where* begins the messages.

    Raises:
        InvalidPlan: a key is unknown or a value cannot be meant.
    """
    return _Reader(strict=True).task(data, where)


class _Reader:
    """Reads fields with or without forgiveness; every message begins with the place."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def check_keys(self, data: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
        unknown = [str(key) for key in data if key not in known]
        if not self.strict or not unknown:
            return
        import difflib

        close = difflib.get_close_matches(unknown[0], known, n=1)
        raise InvalidPlan(
            f"{where}: unknown key {unknown[0][:60]!r}",
            hint=f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}",
        )

    def task(self, data: object, where: str) -> PlannedTask:
        if isinstance(data, str) and not self.strict:
            data = {"title": data}
        if not isinstance(data, Mapping):
            raise InvalidPlan(f"{where}: expected an object, not {_kind(data)}")
        if not self.strict:
            data = _with_our_names(data)
        self.check_keys(data, _TASK_KEYS, where)
        verify = data.get("verify")
        return PlannedTask(
            id=self.text(data, "id", where),
            title=self.text(data, "title", where),
            description=self.text(data, "description", where),
            agent_type=self.text(data, "agent_type", where),
            depends_on=self.texts(data, "depends_on", where),
            priority=self.priority(data.get("priority"), where),
            tier=self.tier(data.get("tier"), where),
            size=self.size(data.get("size"), where),
            owns=self.texts(data, "owns", where),
            acceptance=self.texts(data, "acceptance", where),
            verify=None if verify is None else self.text(data, "verify", where).strip() or None,
            expects_change=self.flag(data, "expects_change", where),
            routing=self.routing(data.get("routing"), where),
        )

    def text(self, data: Mapping[str, object], key: str, where: str, default: str = "") -> str:
        value = data.get(key)
        if value is None and (key not in data or not self.strict):
            return default
        if isinstance(value, str):
            return value
        if not self.strict and isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise InvalidPlan(f"{where}.{key}: expected text, not {_kind(value)}")

    def texts(self, data: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        value = data.get(key)
        if value is None and (key not in data or not self.strict):
            return ()
        if isinstance(value, str | int) and not isinstance(value, bool) and not self.strict:
            value = [value]
        if not isinstance(value, list):
            raise InvalidPlan(f"{where}.{key}: expected a list of texts, not {_kind(value)}")
        inner: dict[str, object] = {f"{key}[{at}]": item for at, item in enumerate(value)}
        return tuple(self.text(inner, name, where) for name in inner)

    def flag(self, data: Mapping[str, object], key: str, where: str) -> bool:
        value = data.get(key, True)
        if isinstance(value, bool):
            return value
        if self.strict:
            raise InvalidPlan(f"{where}.{key}: expected true or false, not {_kind(value)}")
        return True

    def priority(self, value: object, where: str) -> int:
        if value is None:
            return PRIORITY_DEFAULT
        try:
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise ValueError
            return parse_priority(str(value))
        except ValueError:
            if not self.strict:
                return PRIORITY_DEFAULT
            message = f"{where}.priority: expected 0 to 100, high, normal or low, not {value!r:.40}"
            raise InvalidPlan(message) from None

    def tier(self, value: object, where: str) -> Tier:
        known: dict[str, Tier] = {str(tier): tier for tier in Tier} | ({} if self.strict else _OTHER_TIERS)
        return cast("Tier", self._one_of(value, known, Tier.STANDARD, f"{where}.tier"))

    def size(self, value: object, where: str) -> Size:
        known: dict[str, Size] = {size.lower(): size for size in Size} | ({} if self.strict else _OTHER_SIZES)
        return cast("Size", self._one_of(value, known, Size.M, f"{where}.size"))

    def _one_of(self, value: object, known: Mapping[str, object], default: object, where: str) -> object:
        if value is None:
            return default
        found = known.get(value.lower()) if isinstance(value, str) else None
        if found is None and self.strict:
            *others, last = dict.fromkeys(str(one) for one in known.values())
            raise InvalidPlan(f"{where}: expected {', '.join(others)} or {last}, not {value!r:.40}")
        return default if found is None else found

    def routing(self, data: object, where: str) -> Routing | None:
        if not isinstance(data, Mapping):
            if data is None or not self.strict:
                return None
            raise InvalidPlan(f"{where}.routing: expected an object or null, not {_kind(data)}")
        if not self.strict:  # a model's word on its own confidence is not a margin
            return None
        confidence = data.get("confidence", 0.0)
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
            raise InvalidPlan(f"{where}.routing.confidence: expected a number from 0 to 1")
        return Routing(
            specialist=self.text(data, "specialist", f"{where}.routing"),
            confidence=float(confidence),
            reason=self.text(data, "reason", f"{where}.routing"),
            alternatives=self.texts(data, "alternatives", f"{where}.routing"),
        )

    def questions(self, data: object) -> tuple[Question, ...]:
        if data is None:
            return ()
        if not isinstance(data, list):
            if not self.strict:
                return ()
            raise InvalidPlan(f"questions: expected a list, not {_kind(data)}")
        if len(data) > QUESTIONS_LIMIT and self.strict:
            raise InvalidPlan(f"questions: {len(data)} are more than the {QUESTIONS_LIMIT} that are asked")
        read = [self.question(one, f"questions[{at}]") for at, one in enumerate(data[:QUESTIONS_LIMIT])]
        return tuple(one for one in read if one.text.strip())

    def question(self, data: object, where: str) -> Question:
        if isinstance(data, str) and not self.strict:
            data = {"text": data}
        if not isinstance(data, Mapping):
            raise InvalidPlan(f"{where}: expected an object, not {_kind(data)}")
        if not self.strict and "text" not in data:
            data = {**data, "text": data.get("question")}
        self.check_keys(data, _QUESTION_KEYS, where)
        answer = data.get("answer")
        return Question(
            text=self.text(data, "text", where),
            default=self.text(data, "default", where),
            changes=self.text(data, "changes", where),
            tasks=self.texts(data, "tasks", where),
            sets=self.sets(data.get("sets"), where),
            answer=None if answer is None or not self.strict else self.text(data, "answer", where),
        )

    def sets(self, value: object, where: str) -> str:
        if value in (None, "") or not self.strict:  # what a model asks is answered in words
            return ""
        if value != "verify":
            raise InvalidPlan(f"{where}.sets: expected verify or nothing")
        return "verify"

    def finding(self, data: object, where: str) -> Finding:
        if not isinstance(data, Mapping):
            raise InvalidPlan(f"{where}: expected an object, not {_kind(data)}")
        severity = data.get("severity")
        if severity not in set(Severity):
            raise InvalidPlan(f"{where}.severity: expected one of {', '.join(Severity)}")
        task = data.get("task")
        return Finding(
            rule=self.text(data, "rule", where),
            severity=Severity(str(severity)),
            message=self.text(data, "message", where),
            task=None if task is None else self.text(data, "task", where),
        )


def _with_our_names(data: Mapping[str, object]) -> dict[str, object]:
    named = dict(data)
    for ours, others in _OTHER_NAMES.items():
        if ours not in named:
            present = [other for other in others if other in named]
            if present:
                named[ours] = named[present[0]]
    return named


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
