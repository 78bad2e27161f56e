"""What one change to a plan is: the ops there are, the keys of each, and how their values are read."""

from collections.abc import Mapping

from agent_orchestrator.domain.errors import BadInput, NotFound

Change = Mapping[str, object]
"""One change as decoded JSON: ``op`` and the keys that KEYS names for it."""

KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "add": (("title",), ("id", "description", "agent_type", "depends_on", "before", "priority", "tier", "size", "owns",
                         "acceptance", "verify", "expects_change")),
    "remove": (("task",), ()),
    "modify": (("task", "set"), ()),
    "split": (("task", "into"), ("in_order",)),
    "merge": (("tasks",), ("title",)),
    "move": (("task",), ("before", "after")),
    "depend": (("task", "on"), ()),
    "undepend": (("task", "on"), ()),
    "route": (("task",), ("to",)),
    "answer": (("question", "answer"), ()),
    "assume": (("text",), ()),
    "unassume": (("number",), ()),
}  # fmt: skip
"""Every op with the keys it must have and those it may have."""

MODIFIABLE = ("id", "title", "description", "agent_type", "depends_on", "priority", "tier", "size", "owns",
              "acceptance", "verify", "expects_change")  # fmt: skip
"""Fields of a task that the op ``modify`` can set."""


def op_of(change: object) -> str:
    """Return the op of *change*.

    Raises:
        BadInput: it has no op that is known, or keys that are not that op's.
    """
    if not isinstance(change, Mapping):
        raise BadInput("a change is an object", hint='such as {"op": "remove", "task": "docs"}')
    op = change.get("op")
    if not isinstance(op, str) or op not in KEYS:
        import difflib

        close = difflib.get_close_matches(str(op), KEYS, n=1)
        raise BadInput(
            f"there is no change {str(op)[:40]!r}", hint=f"did you mean {close[0]}?" if close else ", ".join(KEYS)
        )
    must, may = KEYS[op]
    missing = [key for key in must if change.get(key) in (None, "", [], {})]
    unknown = [str(key) for key in change if key not in {"op", *must, *may}]
    if missing:
        raise BadInput(f"{op} needs {missing[0]!r}", hint=f"its keys: {', '.join((*must, *may))}")
    if unknown:
        raise BadInput(f"{op} has no {unknown[0][:40]!r}", hint=f"its keys: {', '.join((*must, *may))}")
    return op


def text_of(change: Change, key: str) -> str:
    """Return the text under *key*, stripped; empty when it is absent. Raises BadInput for what is no text."""
    value = change.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"{key!r} must be text", hint="see docs/planning.md")
    return str(value).strip()


def texts_of(change: Change, key: str) -> list[str]:
    """Return the texts under *key*, where one may stand alone. Raises BadInput for what is neither."""
    value = change.get(key)
    if value is None:
        return []
    if isinstance(value, str | int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, str | int) for one in value):
        raise BadInput(f"{key!r} must be a list of texts", hint="see docs/planning.md")
    return [str(one) for one in value]


def number_of(change: Change, key: str, count: int, what: str) -> int:
    """Return the number under *key*, which counts a plan's *count* things of kind *what* from 1. Raises NotFound."""
    given = text_of(change, key)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= count):
        known = f"they are numbered 1 to {count}" if count else f"the plan has no {what}s"
        raise NotFound(f"there is no {what} {given[:20]}", hint=known)
    return int(given)
