"""Read one specialist from its file: Markdown with front matter.

Files written for Claude Code are read as they are found in the wild: its
front matter is YAML by name only. Descriptions run over many lines, carry
line ends as a backslash and an n, examples with colons, and stray quotes. So this is no
YAML reader; it knows the few shapes that role files have, and refuses nothing
that can be understood. The files of a repository are somebody else's text:
names are reduced, sizes capped, and what is no plain word becomes no argument.
"""

import re
from collections.abc import Mapping

from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.specialist import Specialist
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.domain.text import clean

DESCRIPTION_LIMIT = 240
"""Characters kept of a description: the planner is given one of each specialist, and there can be hundreds."""

ITEMS_LIMIT = 400
"""Words, paths or tools of one role. The longest list of our own has 120."""

TURNS_LIMIT = 10_000

MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.:/@\[\]+-]{0,199}")
"""What a model's name may look like; it can never be taken for an option of a command line."""

_TOOL = re.compile(r"[A-Za-z][\w-]*(?:\([^()\n]{0,200}\))?(?:\*)?")
_KEY = re.compile(r"^([A-Za-z][\w-]*)\s*:(?:\s+(.*)|\s*)$")
_BLOCK = frozenset({"|", ">", "|-", ">-", "|+", ">+"})
_FREE_TEXT = frozenset({"description"})
"""Keys whose value may go on in lines that are not indented: many files have it so."""
_SPEAKERS = frozenset({"example", "examples", "context", "user", "assistant"})
"""What the lines of examples within a description begin with; there they are no keys."""
_EXAMPLES = re.compile(r"<example>|<commentary>|\bexamples?\s*:|\bcontext\s*:", re.I)
_ALL_TOOLS = frozenset({"*", "all"})
_NO_MODEL = frozenset({"", "inherit", "default", "null", "~"})


def parse_specialist(text: str, *, origin: str, fallback_name: str = "", file: str | None = None) -> Specialist:
    """Return the specialist that a Markdown file with front matter describes.

    Front matter is ``key: value`` lines between two ``---`` lines. A list is ``[a, b]``, ``a, b`` or ``- a`` lines; an
    indented line continues the value above it. Keys that are not ours are ignored, so that files written for other
    tools can be used; none of them can loosen anything. *fallback_name* is taken when the file names no one.

    Raises:
        BadInput: no front matter, a line that is neither key nor continuation, no usable name, an unknown tier, a
            model, tool or number of turns that cannot be meant, or no prompt.
    """
    front, prompt = _split(text)
    given = " ".join(clean(front.get("name", "")).split()) or fallback_name
    name = slug(given)
    if not name:
        raise BadInput(f"{given[:60]!r} is not a name", hint="use small letters, digits and hyphens, at most 48")
    tier = (front.get("tier") or Tier.STANDARD).lower()
    if tier not in set(Tier):
        raise BadInput(f"tier {tier[:60]!r} is unknown", hint=f"use one of {', '.join(Tier)}")
    if not prompt.strip():
        raise BadInput("the file has no text after its front matter", hint="write the role's prompt there")
    model = _model(front.get("model", ""))
    provider = slug(front.get("provider", "")) or None
    return Specialist(
        name=name,
        description=_description(front.get("description", "")) or name,
        prompt=clean(prompt).strip() + "\n",  # without what a reader of the file could not see
        words=_items(front.get("words", "")),
        paths=_items(front.get("paths", "")),
        aliases=_items(front.get("aliases", "")),
        tier=Tier(tier),
        model=model,
        provider=provider,
        tools=_tools(front, "tools"),
        denied_tools=_tools(front, "disallowedtools"),
        max_turns=_turns(front),
        origin=origin,
        file=file,
    )


def _split(text: str) -> tuple[dict[str, str], str]:
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        raise BadInput("no front matter", hint="begin the file with a line --- and name: and description:")
    front: dict[str, list[str]] = {}
    key = ""
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "---":
            return {name: _value(parts) for name, parts in front.items()}, "\n".join(lines[number:])
        if not line.strip() or (line.lstrip().startswith("#") and key not in _FREE_TEXT):
            continue
        found = _KEY.match(line)
        if found and not (key in _FREE_TEXT and found[1].lower() in _SPEAKERS):
            key = found[1].lower().replace("_", "").replace("-", "")
            front[key] = [(found[2] or "").strip()]
        elif key and (line[0] in " \t-" or key in _FREE_TEXT):
            front[key].append(line.strip())
        else:
            raise BadInput(f"line {number} of its front matter is not `key: value`")
    raise BadInput("its front matter has no end", hint="close it with a line ---")


def _value(parts: list[str]) -> str:
    first, rest = parts[0], parts[1:]
    if first in _BLOCK:
        first = ""
    items = [part[2:].strip() for part in rest if part.startswith("- ")]
    if items and len(items) == len(rest) and not first:
        return ", ".join(items)
    return _unquoted(" ".join(filter(None, [first, *rest])))


def _unquoted(value: str) -> str:
    """Return *value* without its quotes, and with the escapes of double-quoted text undone."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": ""}.get(found[1], found[1]), value[1:-1])
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value


def _description(value: str) -> str:
    """Return the part of a description that says what the role is for: before its examples, on one line, capped."""
    text = clean(value.replace("\\n", "\n").replace("\\t", " "))
    found = _EXAMPLES.search(text)
    if found and text[: found.start()].strip():
        text = text[: found.start()]
    text = re.sub(r"<[^<>\n]{1,40}>", " ", text)
    line = " ".join(text.split()).rstrip(" -:\"'")
    if len(line) <= DESCRIPTION_LIMIT:
        return line
    end = line.rfind(". ", 60, DESCRIPTION_LIMIT)
    return line[: end + 1] if end > 0 else line[: DESCRIPTION_LIMIT - 1].rsplit(" ", 1)[0] + "…"


def _items(value: str) -> tuple[str, ...]:
    """Return the parts of a list; a comma within parentheses separates nothing."""
    inner = value.strip().removeprefix("[").removesuffix("]")
    parts = (_unquoted(clean(part).strip()) for part in re.split(r",(?![^()]*\))", inner))
    return tuple(dict.fromkeys(part for part in parts if part))[:ITEMS_LIMIT]


def _tools(front: Mapping[str, str], key: str) -> tuple[str, ...]:
    written = _plain(front.get(key, ""))
    found = _items(written)
    if key == "tools" and _ALL_TOOLS & {tool.lower() for tool in found}:
        return ()
    for tool in found:
        if not _TOOL.fullmatch(tool):
            raise BadInput(f"{tool[:60]!r} is not the name of a tool", hint="write them like: tools: Read, Grep, Bash")
    if written.startswith("[") and not found and key == "tools":
        raise BadInput("an empty list of tools leaves it nothing to work with", hint="leave tools: out to allow all")
    return found


def _model(value: str) -> str | None:
    name = _unquoted(_plain(value))
    if name.lower() in _NO_MODEL:
        return None
    if not MODEL_NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!r} is not the name of a model", hint="write it like: model: sonnet")
    return name


def _turns(front: Mapping[str, str]) -> int | None:
    written = _unquoted(_plain(front.get("maxturns", "")))
    if not written:
        return None
    if not written.isascii() or not written.isdigit() or not 1 <= int(written[:9]) <= TURNS_LIMIT:
        raise BadInput(f"maxTurns {written[:60]!r} is not a number from 1 to {TURNS_LIMIT}")
    return int(written)


def _plain(value: str) -> str:
    return re.sub(r"\s+#.*$", "", value).strip()
