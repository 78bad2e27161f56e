"""See work that is announced and not done, and programs that find out that they are being tested."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agent_orchestrator.domain.evidence import Concern, ConcernKind
from agent_orchestrator.runtime.asked import Asked
from agent_orchestrator.runtime.cases import is_test_material, without_blocks
from agent_orchestrator.runtime.cases_python import BROKEN, parsed
from agent_orchestrator.runtime.tampering import added_lines
from agent_orchestrator.runtime.unparsable import Read, unparsable
from agent_orchestrator.workspaces import Revision

_PLACEHOLDER = re.compile(
    r"\b(?:todo|unimplemented)!\s*\(|\bthrow new \w*Error\(\s*['\"](?:not (?:yet )?implemented|todo)"
    r"|\bpanic\(\s*\"(?:not implemented|todo)|(?:TODO|FIXME|XXX)\b[\s:(-]*(?:implement|finish)\w*\b"
    r"|\bnot implemented yet\b|\bnot yet implemented\b",
    re.IGNORECASE,
)
_SEES_TESTS = re.compile(
    r"PYTEST_CURRENT_TEST|['\"](?:pytest|_pytest|unittest)['\"]\s+(?:not\s+)?in\s+sys\.modules|sys\.modules\.get\(['\"](?:pytest|unittest)"
    r"|\bJEST_WORKER_ID\b|\bVITEST(?:_WORKER_ID|_POOL_ID)?\b|__vitest_\w+|\btesting\.Testing\(\)|\bRUST_TEST_THREADS\b"
    r"|['\"](?:pytest|unittest)['\"]\s+in\s+sys\.argv"
)
_CONFLICT_BEGINS = re.compile(r"(?m)^<{7} \S.*")
_CONFLICT_ENDS = re.compile(r"(?m)^>{7} \S")
_CODE = re.compile(r"\.(?:py|[cm]?[jt]sx?|go|rs|java|kt|scala|cs|rb|php|exs?|swift|c|cc|cpp|h|hpp|sh|vue|svelte)$")
_DOCUMENT = re.compile(r"\.(?:md|markdown|rst|txt|adoc|org)$|(?:^|/)(?:LICENSE|NOTICE|AUTHORS|CHANGELOG|README)$")
_WANTS_CODE = (
    r"\b(?:fix\w*|bugs?|implement\w*|functions?|methods?|class(?:es)?|endpoints?|crash\w*|optimi[sz]\w+|regression)\b"
)
_WANTS_WORDS = (
    r"\b(?:docs?|document\w*|readme|changelog|comment\w*|docstrings?|design\w*|describ\w*|plan\w*|spec\w*|reports?|notes?|"
    r"guides?|typos?|wording|spelling|explain\w*|analy\w*|research\w*|review\w*|investigat\w*|propos\w*|markdown|audit\w*|"
    r"format\w*|lint\w*|style|licen[sc]e\w*|header|annotat\w*|type hints?|whitespace|adr|summar\w*|list\w*|"
    r"write[- ]?up)\b|\.(?:md|rst|txt)\b"
)
_WANTS_STUBS = r"\b(?:stubs?|placeholders?|skeletons?|scaffold\w*|abstract|interfaces?|protocols?|todos?|mock\w*)\b"


def unfinished(revisions: Sequence[Revision], asked: Asked, read: Read = lambda _: None) -> Iterator[Concern]:
    """Yield what in the program itself speaks against relying on a passing check; *read* gives other files of it."""
    conflicts = list(_conflicts_left(revisions, asked))
    yield from conflicts
    told = {one.path for one in conflicts}
    yield from unparsable([one for one in revisions if one.path not in told], asked, read)
    code = [
        one for one in revisions if _CODE.search(one.path) and not is_test_material(one.path) and one.after is not None
    ]
    for one in code:
        line = next((line.strip() for line in added_lines(one) if _SEES_TESTS.search(line)), "")
        if line:
            excuse = "the task asks for it" if asked.says(r"\bunder test\b|\btest (?:mode|environment)\b") else ""
            yield Concern(
                kind=ConcernKind.SPECIAL_CASED,
                path=one.path,
                detail=f"it sees that it is tested: {line[:100]}",
                excuse=excuse,
            )
        line = next((line.strip() for line in added_lines(one) if _PLACEHOLDER.search(line)), "") or _stub(one)
        if line:
            excuse = "the task asks for it" if asked.says(_WANTS_STUBS) else ""
            yield Concern(
                kind=ConcernKind.PLACEHOLDER, path=one.path, detail=f"a placeholder: {line[:100]}", excuse=excuse
            )
    if (
        revisions
        and all(_only_words(one) for one in revisions)
        and asked.says(_WANTS_CODE)
        and not asked.says(_WANTS_WORDS)
    ):
        detail = "only documents, comments and blank lines were changed"
        yield Concern(kind=ConcernKind.PLACEHOLDER, path=revisions[0].path, detail=detail)


def _conflicts_left(revisions: Sequence[Revision], asked: Asked) -> Iterator[Concern]:
    """Yield files into which the markers of a merge conflict came; few checks read documents and settings."""
    for one in revisions:
        added = "\n".join(added_lines(one))
        begins, ends = _CONFLICT_BEGINS.search(added), _CONFLICT_ENDS.search(added)
        if begins and ends:
            told = asked.says(r"\bconflict markers?\b") or (
                _DOCUMENT.search(one.path) and asked.says(r"\bconflicts?\b")
            )
            yield Concern(
                kind=ConcernKind.CONFLICT_LEFT,
                path=one.path,
                detail=f"both sides of a conflict were left in it: {begins[0][:100]}",
                excuse="the task asks for it" if told else "",
            )


def _only_words(one: Revision) -> bool:
    """Say whether nothing that a program does can differ."""
    if _DOCUMENT.search(one.path):
        return True
    if one.before is None or one.after is None or not _CODE.search(one.path):
        return False
    if PurePosixPath(one.path).suffix == ".py":
        before, after = _meaning(one.before), _meaning(one.after)
        return before is not None and before == after
    return _bare(one.before) == _bare(one.after)


def _meaning(text: str) -> str | None:
    try:
        module = parsed(text)
    except BROKEN:
        return None
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    try:
        return ast.dump(module)
    except BROKEN:
        return None


def _bare(text: str) -> str:
    bare = re.sub(r"(?m)(?:^|\s)(?://|#(?!\[|include|define|if|endif|else)).*$", "", without_blocks(text))
    return "".join(bare.split())


def _stub(one: Revision) -> str:
    """Return the first new function that only raises NotImplementedError, outside of classes."""
    if PurePosixPath(one.path).suffix != ".py":
        return ""
    try:
        before, after = (_stubs(parsed(text or "")) for text in (one.before, one.after))
    except BROKEN:
        return ""
    return next((f"{name} raises NotImplementedError" for name in sorted(after - before)), "")


def _stubs(module: ast.Module) -> set[str]:
    found = set()
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if len(body) == 1 and isinstance(body[0], ast.Raise) and "NotImplementedError" in ast.dump(body[0]):
            found.add(node.name)
    return found
