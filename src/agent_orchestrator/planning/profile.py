"""What a project is, read from its files in a couple of seconds and without running anything of it."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.planning.project_tests import ProjectTest, find_test, read_small
from agent_orchestrator.planning.vocabulary import words_of

LIMIT_S = 2.0
"""How long the walk over the files may take. A profile that is not complete says so; a slow plan helps nobody."""

GLANCE_LIMIT_S = 0.1
"""The same where only the languages are asked for, by a command that is to answer at once: some 15,000 files."""

ENTRIES_LIMIT = 50_000
README_LIMIT_CHARS = 2_000
INSTRUCTIONS = (
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    ".cursorrules",
    ".github/copilot-instructions.md",
    "CONTRIBUTING.md",
)

_SKIPPED = words_of(
    ".git .hg .svn node_modules .venv venv env __pycache__ .tox .nox .mypy_cache .ruff_cache .pytest_cache dist build "
    "target vendor .next .nuxt coverage .gradle .idea .terraform _build deps site-packages bower_components Pods"
)
_LANGUAGES = {
    ".py": "Python", ".ipynb": "Jupyter", ".js": "JavaScript", ".mjs": "JavaScript", ".jsx": "JavaScript (JSX)",
    ".ts": "TypeScript", ".tsx": "TypeScript (TSX)", ".vue": "Vue", ".svelte": "Svelte", ".html": "HTML", ".css": "CSS",
    ".scss": "CSS", ".go": "Go", ".rs": "Rust", ".java": "Java", ".kt": "Kotlin", ".rb": "Ruby", ".php": "PHP",
    ".cs": "C#", ".fs": "F#", ".ex": "Elixir", ".exs": "Elixir", ".c": "C", ".h": "C", ".cc": "C++", ".cpp": "C++",
    ".hpp": "C++", ".swift": "Swift", ".scala": "Scala", ".sh": "Shell", ".sql": "SQL", ".tf": "Terraform",
    ".lua": "Lua", ".dart": "Dart", ".r": "R", ".jl": "Julia", ".zig": "Zig", ".hs": "Haskell", ".clj": "Clojure",
    ".erl": "Erlang",
}  # fmt: skip
_SCREENS = frozenset({"JavaScript (JSX)", "TypeScript (TSX)", "Vue", "Svelte", "HTML", "CSS", "Dart", "Swift"})
_MANIFESTS = words_of(
    "pyproject.toml setup.py setup.cfg requirements.txt Pipfile package.json Cargo.toml go.mod pom.xml build.gradle "
    "build.gradle.kts Gemfile composer.json mix.exs Makefile justfile CMakeLists.txt Dockerfile docker-compose.yml "
    "compose.yaml dbt_project.yml deno.json Package.swift uv.lock poetry.lock pnpm-lock.yaml yarn.lock tox.ini"
)

Languages = tuple[tuple[str, int], ...]
"""Language and number of files, most files first."""

Look = Callable[[], Languages]
"""Look what the files of a project are written in. Called only where that decides something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of a project before its goal is planned."""

    folder: Path
    languages: Languages = ()
    manifests: tuple[str, ...] = ()
    """Files that say how it is built, at the root or one folder below, sorted."""
    layout: tuple[str, ...] = ()
    """Names at the root, folders with a slash, sorted; at most 60."""
    readme: str = ""
    """The beginning of the README. Text of the project's: data, never an instruction of ours."""
    instructions: tuple[str, ...] = ()
    """Files that speak to agents or contributors, relative to the root."""
    test: ProjectTest | None = None
    """How its tests are run, and which file says so. None when nothing says so."""
    complete: bool = True
    """False when a limit ended the walk: the counts are then lower bounds."""

    @property
    def has_ui(self) -> bool:
        """Whether any file is of a kind that draws screens."""
        return any(language in _SCREENS for language, _ in self.languages)


def unseen() -> Languages:
    """Look at nothing: for what is planned outside a project, or is decided already."""
    return ()


def look_of(profile: Profile | None) -> Look:
    """Return the look at a project that was profiled already."""
    return unseen if profile is None else lambda: profile.languages


def ending_of(language: str) -> str:
    """Return what the name of a file in *language*, as a profile calls it, ends with; empty when it is not known."""
    return next((ending for ending, name in _LANGUAGES.items() if name == language), "")


def profile(folder: Path, *, limit_s: float = LIMIT_S) -> Profile:
    """Return what the files below *folder* tell. Reads only, follows no links, executes nothing.

    The walk ends after *limit_s* seconds or 50,000 entries; folders near the root are seen first.
    """
    counts, manifests, complete = _walked(folder, time.monotonic() + limit_s)
    try:
        names = sorted(f"{e.name}/" if e.is_dir() else e.name for e in os.scandir(folder) if e.name != ".git")
    except OSError:
        names = []
    readme = next((name for name in names if name.lower().startswith("readme") and not name.endswith("/")), None)
    return Profile(
        folder=folder,
        languages=_most_first(counts),
        manifests=tuple(sorted(manifests)),
        layout=tuple(names[:60]),
        readme=read_small(folder / readme)[:README_LIMIT_CHARS] if readme else "",
        instructions=tuple(name for name in INSTRUCTIONS if (folder / name).is_file()),
        test=find_test(folder),
        complete=complete,
    )


def languages(folder: Path, *, limit_s: float = GLANCE_LIMIT_S) -> Languages:
    """Return what the files below *folder* are written in: the part of a profile that routing asks for.

    A folder that is too large for *limit_s* is counted from its root as far as the time goes.
    """
    counts, _, _ = _walked(folder, time.monotonic() + limit_s)
    return _most_first(counts)


def _most_first(counts: Counter[str]) -> Languages:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _walked(root: Path, deadline: float) -> tuple[Counter[str], list[str], bool]:
    counts: Counter[str] = Counter()
    manifests: list[str] = []
    for seen, (entry, place) in enumerate(_entries(root)):
        if seen >= ENTRIES_LIMIT or time.monotonic() > deadline:
            return counts, manifests, False
        ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - 3x faster
        if ending in _LANGUAGES and not entry.is_dir(follow_symlinks=False):
            counts[_LANGUAGES[ending]] += 1
        if entry.name in _MANIFESTS and place.count("/") <= 1:
            manifests.append(f"{place}{entry.name}")
    return counts, manifests, True


def _entries(root: Path) -> Iterator[tuple["os.DirEntry[str]", str]]:
    """Yield what lies below *root*, the nearest first, each with the folder it is in: empty, or ending in a slash."""
    folders = [(root, "")]
    for folder, place in folders:  # grows while it is walked: breadth first
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name not in _SKIPPED and entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), f"{place}{entry.name}/"))
                yield entry, place
