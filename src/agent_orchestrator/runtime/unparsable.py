"""See files that cannot be read any more: cut off, or with a slip in them, where no check reads them.

A file that may be meant so is left in peace: one that is broken on purpose, a template, a form with comments, or what a
newer Python than ours may well understand.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import PurePosixPath

from agent_orchestrator.domain.evidence import Concern, ConcernKind
from agent_orchestrator.runtime.asked import Asked
from agent_orchestrator.runtime.cases import is_test_material
from agent_orchestrator.runtime.cases_python import parsed
from agent_orchestrator.workspaces import Revision

Read = Callable[[str], str | None]
"""Return the text of a file of the work by its path; None when there is none."""

_MEANT_SO = frozenset({
    "template", "templates", "cookiecutter", "skeleton", "skeletons", "scaffold", "scaffolds", "boilerplate",
    "fixture", "fixtures", "__fixtures__", "testdata", "test-data", "test_data", "snapshots", "__snapshots__", "golden",
    "goldens", "corpus", "node_modules", "vendor", "third_party", ".vscode", ".devcontainer", ".zed",
})  # fmt: skip
"""Folders with files that are broken on purpose, not yet what they will be, of others, or with comments."""
_NAMED_SO = re.compile(
    r"(?:^|[_.\-/])(?:bad|badsyntax|broken|invalid|malformed|corrupt(?:ed)?|truncated|syntax[_-]?errors?)(?=[_.\-/\d]|$)",
    re.IGNORECASE,
)
_WITH_COMMENTS = re.compile(
    r"^(?:(?:ts|js)config.*|.*\.(?:ts|js)config|\.?devcontainer|\.eslintrc.*|\.babelrc.*|babel\.config|tslint|deno|"
    r"pyrightconfig|api-extractor.*|rush|appsettings.*|\.swcrc|\.jshintrc)\.json$",
    re.IGNORECASE,
)
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*(?:"|$))|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL | re.MULTILINE)
_TEMPLATE = re.compile(r"\{%-?\s|<%|\{\{-?\s*[\w.$]+")
_NEWER_PYTHON = re.compile(
    r"^[ \t]*type[ \t]+\w+[ \t]*(?:\[[^\n]*\][ \t]*)?=|\b(?:def|class)[ \t]+\w+[ \t]*\["
    r"|^[ \t]*except(?:[ \t]+|[ \t]*\*[ \t]*)[\w.]+[ \t]*,|^[ \t]*lazy[ \t]+(?:import|from)\b"
    r"|(?<![\w'\"])(?:f|rf|fr)(['\"])[^\n{]{0,400}\{[^}\n]{0,400}(?:\1|\\)|(?<![\w'\"])(?:t|rt|tr)['\"]"
    r"|[\[{(]\s*\*{1,2}[\w.()]+\s+(?:async\s+)?for\b|^[ \t]*print[ \t]+['\"\w%]|^[ \t]*raise[ \t]+\w+[ \t]*,"
    r"|^[ \t]*exec[ \t]+['\"\w]|^[ \t]*[%!]",
    re.IGNORECASE | re.MULTILINE,
)
"""Forms of 3.12 to 3.15 that 3.11 cannot read (PEP 695, 701, 750, 758, 798, 810), of Python 2, and of notebooks."""
_OLD_PYTHON = (
    "leading zeros in",
    "invalid decimal",
    "invalid hexadecimal",
    "Missing parentheses in",
    "(unicode error)",
)
"""How errors begin that Python 2 does not make."""
_F_STRING = re.compile(r"(?<![\w'\"])(?:f|rf|fr)['\"]", re.IGNORECASE)
_PYTHON_TEMPLATE = re.compile(r"\{\{\s*\w+\.[\w.]+\s*\}\}|\{%-?\s*(?:if|for|raw|set|block|end|include|extends)")
_FLOOR = re.compile(r"(?:>=?|==|~=|\^|^|,)\s*3\.(\d+)")
_OLD = re.compile(r"<\s*=?\s*3(?:\.0)?(?![.\d])|==?\s*2|\b2\.7")
_NEW_TOML = re.compile(r"=[ \t]*\{[^}\n]{0,200}\n|,\s*\}|\\[ex]")
"""Forms of TOML 1.1, which the standard library's reader of 1.0 refuses."""
_BROKEN_WANTED = (
    r"\b(?:invalid|malformed|broken|corrupt(?:ed)?|unpars\w+|truncated|incomplete)\s+(?:[\w-]+\s+){0,3}?"
    r"(?:json|toml|python|files?|samples?|examples?|inputs?|documents?|syntax)\b|\bsyntax errors?\b"
)


def unparsable(revisions: Sequence[Revision], asked: Asked, read: Read) -> Iterator[Concern]:
    """Yield files that are new, or could be read before, and cannot be read as what their names say."""
    moved = {one.before for one in revisions if one.after is None}
    for one in revisions:
        why_not = _READERS.get(PurePosixPath(one.path).suffix)
        # An empty text may be one that is no text, or too long.
        if why_not is None or not (one.after or "").strip() or one.after in moved or _may_be_so(one.path):
            continue
        problem = why_not(one.path, one.after or "", read)
        if not problem or (one.before is not None and why_not(one.path, one.before, read)):
            continue
        wanted = one.before is None and asked.says(_BROKEN_WANTED)
        yield Concern(
            kind=ConcernKind.UNPARSABLE,
            path=one.path,
            detail=f"it cannot be read as {problem}",
            excuse="the task asks for it" if wanted else "",
        )


def _may_be_so(path: str) -> bool:
    place = PurePosixPath(path)
    if _MEANT_SO & {part.lower() for part in place.parts[:-1]} or "{{" in path or "{%" in path:
        return True
    if _NAMED_SO.search(path):
        return True
    if not is_test_material(path):
        return False
    # What tests read may be broken; what runs them may not.
    return not re.match(r"(?:test_.*|.*_test|conftest|__init__)\.py$", place.name)


def _json(path: str, text: str, read: Read) -> str:
    if _WITH_COMMENTS.match(PurePosixPath(path).name):
        return ""
    try:
        json.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        return ""
    except ValueError as error:
        return "" if _is_other_json(text) or _TEMPLATE.search(text) else f"JSON: {error}"
    return ""


def _is_other_json(text: str) -> bool:
    """Say whether it is whole with its comments left out, or holds one value a line."""
    bare = _COMMENT.sub(lambda found: found[1] or " ", text)
    with suppress(ValueError, RecursionError):
        if bare != text:
            json.loads(re.sub(r",(?=\s*[}\]])", "", bare))
            return True
    lines = [line for line in text.splitlines() if line.strip()]
    with suppress(ValueError, RecursionError):
        return len(lines) > 1 and all(isinstance(json.loads(line), dict | list) for line in lines)
    return False


def _toml(path: str, text: str, read: Read) -> str:
    try:
        tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        return ""
    except ValueError as error:
        return "" if _NEW_TOML.search(text) or _TEMPLATE.search(text) else f"TOML: {error}"
    return ""


def _python(path: str, text: str, read: Read) -> str:
    try:
        parsed(text.removeprefix("\ufeff"))
    except SyntaxError as error:
        doubts = (
            "\ufffd" in text,
            str(error.msg).startswith(_OLD_PYTHON),
            _NEWER_PYTHON.search(text),
            _PYTHON_TEMPLATE.search(text),
            _is_in_f_string(text, error),
        )
        if not any(doubts) and not _is_for_another(path, read):
            return f"Python: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError):
        return ""
    return ""


def _is_in_f_string(text: str, error: SyntaxError) -> bool:
    """Say whether the error is in a line with one, which newer ones read otherwise; in the last line it is cut off."""
    lines = text.rstrip().splitlines()
    at = (error.lineno or 0) - 1
    return 0 <= at < len(lines) - 1 and bool(_F_STRING.search(lines[at]))


def _is_for_another(path: str, read: Read) -> bool:
    """Say whether the project around *path* is for a newer Python than ours, or for Python 2, by its own words."""
    for folder in PurePosixPath(path).parents:
        wanted = _required(read(str(folder / "pyproject.toml")) or "")
        wanted = f"{wanted} , {(read(str(folder / '.python-version')) or '').strip()}"
        if any(int(found) > sys.version_info.minor for found in _FLOOR.findall(wanted)) or _OLD.search(wanted):
            return True
    return False


def _required(pyproject: str) -> str:
    try:
        found = tomllib.loads(pyproject)
        poetry = found.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
        return f"{found.get('project', {}).get('requires-python', '')} , {poetry}"
    except (ValueError, AttributeError, RecursionError):
        return ""


_READERS: dict[str, Callable[[str, str, Read], str]] = {".py": _python, ".json": _json, ".toml": _toml}
"""Each says why a text is not of its form; nothing when it is, or when that cannot be told."""
