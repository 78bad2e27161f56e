"""See what a change does to what judges it: scripts, targets and settings of test runners, CI, and what shadows them.

The check command itself is fixed before the work begins. What it runs lies in the repository, so work could pass by
changing that. Only changes to what was there before count, and what is added where a runner would obey it.
"""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from agent_orchestrator.runtime.tampering import added_lines, removed_lines
from agent_orchestrator.workspaces import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEdit:
    """One change of what a check runs, or of how."""

    path: str
    detail: str
    topics: tuple[str, ...] = ()
    """Patterns of words by which a task asks for such a change, beside the file's name."""
    harmless: str = ""
    """Why it is told and no more. Empty when it may decide what the check says."""


def check_edits(revisions: Sequence[Revision], command: str) -> list[CheckEdit]:
    """Return what *revisions* change of what *command* runs."""
    called = _called(command)
    found: list[CheckEdit] = []
    for one in revisions:
        name = PurePosixPath(one.path).name
        reader = next((read for pattern, read in _READERS if pattern.search(one.path)), None)
        if one.before is not None and one.path in called:
            found.append(CheckEdit(path=one.path, detail="the check command runs this file, and it was changed"))
        elif one.before is None and _shadows(one.path, command):
            found.append(CheckEdit(path=one.path, detail=f"new, and would be taken for the real {name}"))
        elif reader is not None:
            found += reader(one, command)
    return found


_INTERPRETERS = re.compile(
    r"(?:ba|da|z|k)?sh|source|\.|python[\d.]*|pypy\d*|node|deno|bun|tsx|ts-node|ruby|perl|php|lua|Rscript|make|just"
)
_WRAPPERS = frozenset({"env", "exec", "command", "time", "nice", "nohup", "timeout", "sudo", "xargs", "!"})
_FILE_OPTIONS = frozenset({"-f", "--file", "--makefile", "--justfile"})


def _called(command: str) -> frozenset[str]:
    """Return the files that *command* executes, as they would stand in the repository.

    A file that it only looks at is the work itself: ``grep -q apple fruits.txt`` runs no fruit.
    """
    found = set()
    for part in re.split(r"[;&|\n()`]+|\$\(", command):
        words = [word.strip("'\"") for word in part.split()]
        while words and (words[0] in _WRAPPERS or re.fullmatch(r"\w+=.*|-.*|[\d.]+[smhd]?", words[0])):
            words = words[1:]
        if not words:
            continue
        program, *rest = words
        if not _INTERPRETERS.fullmatch(program):
            found.add(program)
            continue
        for at, word in enumerate(rest):
            if word in _FILE_OPTIONS:
                found.update(rest[at + 1 : at + 2])
            if word in {"-c", "-m", "-e", "--eval"}:
                break
            if not word.startswith("-"):
                found.add(word)
                break
    return frozenset(one.removeprefix("./") for one in found if re.fullmatch(r"(?:\./)?[\w][\w./-]*", one))


_RUNNERS = frozenset({"pytest", "_pytest", "unittest", "nose", "nose2", "doctest", "tox", "nox", "coverage", "pluggy"})


def _shadows(path: str, command: str) -> bool:
    place = PurePosixPath(path)
    first = place.parts[0]
    if (
        place.name in {"sitecustomize.py", "usercustomize.py"}
        or place.suffix == ".pth"
        or "node_modules" in place.parts
    ):
        return True
    if place.name in {".npmrc", ".yarnrc", ".yarnrc.yml"}:
        return bool(re.search(r"\b(?:npm|yarn|pnpm|npx)\b", command))
    return place.suffix in {".py", ""} and first.removesuffix(".py") in _RUNNERS


def _package_json(one: Revision, command: str) -> Iterator[CheckEdit]:
    was, is_now = _json(one.before), _json(one.after)
    if one.before is None:
        return
    before, after = (_table(side.get("scripts")) for side in (was, is_now))
    runs = bool(re.search(r"\b(?:npm|yarn|pnpm|bun)\b", command))
    wanted = _reached_scripts(command, before) | _reached_scripts(command, after) if runs else _testing(before)
    why = "" if runs else "the check here does not run it"
    for name in sorted(wanted):
        if before.get(name) != after.get(name):
            detail = f"script {name}: {_shown(before.get(name))} → {_shown(after.get(name))}"
            yield CheckEdit(path=one.path, detail=detail, topics=_SCRIPT_TOPICS, harmless=why)
    for key in ("jest", "vitest", "mocha", "ava", "tap", "c8", "nyc"):
        if was.get(key) != is_now.get(key):
            yield CheckEdit(path=one.path, detail=f"the settings of {key} were changed", topics=(rf"\b{key}\b",))


_SCRIPT_TOPICS = (
    r"\b(?:npm|yarn|pnpm|package|test|build) scripts?\b",
    r"\btest (?:command|runner|framework|setup)\b",
    r"\b(?:switch|migrat\w+|move|upgrade|port)\w*\b.*\b(?:jest|vitest|mocha|pytest|unittest|tox|nox)\b",
)


def _testing(scripts: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name in scripts if re.match(r"(?:pre|post)?(?:test|check|verify|ci)\b", name))


def _reached_scripts(command: str, scripts: Mapping[str, Any]) -> frozenset[str]:
    """Return the scripts that *command* runs, and those that they run."""
    reached: set[str] = set()
    waiting = [command]
    while waiting:
        text = waiting.pop()
        names = re.findall(r"\b(?:npm|yarn|pnpm|bun)\s+(?:-\S+\s+)*(?:run(?:-script)?\s+)?([\w:.-]+)", text)
        for name in ("test" if one in {"t", "tst"} else one for one in names):
            for each in (f"pre{name}", name, f"post{name}"):
                if each not in reached and (each in scripts or each == name):
                    reached.add(each)
                    waiting.append(str(scripts.get(each, "")))
    return frozenset(reached)


def _makefile(one: Revision, command: str) -> Iterator[CheckEdit]:
    if one.before is None:
        return
    runs = re.search(r"\bmake\b", command) is not None
    before, after = _targets(one.before), _targets(one.after or "")
    wanted = re.findall(r"\bmake\s+(?:-\S+\s+)*([\w.-]+)", command) or (
        ["test", "check"] if not runs else list(before)[:1]
    )
    reached, waiting = set(), list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            for side in (before, after):
                waiting += side.get(name, "").partition("\n")[0].partition(":")[2].split()
    changed = sorted(name for name in reached | {""} if before.get(name, "") != after.get(name, ""))
    for name in changed:
        what = f"target {name}" if name else "its variables"
        if not name and not runs:
            continue
        why = "" if runs else "the check here does not run it"
        topics = (r"\bmakefile\b", r"\bmake (?:target|test)\b")
        yield CheckEdit(path=one.path, detail=f"{what}: {_shown(before.get(name))} → {_shown(after.get(name))}",
                        topics=topics, harmless=why)  # fmt: skip


def _targets(text: str) -> dict[str, str]:
    """Return each target's rule; under the empty name what is assigned and included, in order."""
    found: dict[str, str] = {"": ""}
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            for name in names:
                found[name] += f"\n{line.strip()}"
        elif match := re.match(r"([\w.%/-][\w.%/ -]{0,300}?) ?::?(?!=)\s*(.*)", line):
            names = [name for name in match[1].split() if name != ".PHONY"]
            for name in names:
                found[name] = f"{name}: {match[2].strip()}"
        elif re.match(r"\s*(?:export\s+|override\s+)?[\w.]+\s*[:?+!]?=|-?include\b", line):
            found[""] += f"{line.strip()}\n"
    return found


_HARMLESS_KEYS = re.compile(
    r"markers|pythonpath|asyncio_\w+|minversion|required_plugins|log_\w+|console_output_style|cache_dir|env(?:iron)?|"
    r"junit_\w+|tmp_path_\w+|faulthandler_\w+|timeout\w*"
)
_NARROWING = re.compile(
    r"--ignore|--deselect|(?:^|\s)-[km]\b|--co\b|--collect-only|-p\s|--exitfirst|passWithNoTests|--maxfail"
)
_DECIDING = frozenset(
    {"python_files", "python_classes", "python_functions", "norecursedirs", "collect_ignore", "usefixtures"}
)


def _python_settings(one: Revision, command: str) -> Iterator[CheckEdit]:
    try:
        before, after = (_pytest_settings(one.path, text) for text in (one.before, one.after))
    except (tomllib.TOMLDecodeError, configparser.Error, ValueError) as error:
        yield CheckEdit(path=one.path, detail=f"it cannot be read any more: {str(error).splitlines()[0]}")
        return
    for key in sorted(before.keys() | after.keys()):
        was, is_now = before.get(key), after.get(key)
        if was == is_now:
            continue
        added = was is None
        suspicious = key in _DECIDING or _NARROWING.search(str(is_now)) is not None
        harmless = _HARMLESS_KEYS.fullmatch(key) is not None or (added and not suspicious)
        yield CheckEdit(
            path=one.path,
            detail=f"{key} of pytest: {_shown(was)} → {_shown(is_now)}",
            topics=(r"\bpytest(?:'s)? (?:config\w*|settings?|options?)\b", *_SCRIPT_TOPICS),
            harmless="it does not decide which tests run" if harmless else "",
        )


def _pytest_settings(path: str, text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    if path.endswith(".toml"):
        tools = _table(tomllib.loads(text).get("tool"))
        pytest = _table(tools.get("pytest"))
        return {**_table(pytest.get("ini_options")), **{k: v for k, v in pytest.items() if k != "ini_options"}}
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    return {
        key: value
        for name in ("pytest", "tool:pytest")
        if parser.has_section(name)
        for key, value in parser[name].items()
    }


_MEDDLING = re.compile(
    r"pytest_collection|pytest_ignore_collect|collect_ignore|pytest_runtest|pytest_pyfunc_call|pytest_sessionfinish|"
    r"pytest_report|exitstatus|pytest_configure|pytest_cmdline|deselect|\.skip\b|\bxfail\b|autouse|monkeypatch\.setattr|"
    r"mock\.patch|os\._exit|sys\.exit|pytest\.exit|__test__"
)


def _conftest(one: Revision, command: str) -> Iterator[CheckEdit]:
    topics = (r"\bconftest\b", r"\bfixtures?\b")
    if one.after is None:
        yield CheckEdit(path=one.path, detail="the file is deleted", topics=topics)
        return
    meddling = [line.strip() for line in added_lines(one) if _MEDDLING.search(line)]
    if meddling:
        yield CheckEdit(
            path=one.path, detail=f"it takes a hand in how tests run: {meddling[0][:100]}", topics=(topics[0],)
        )
    elif removed_lines(one):
        yield CheckEdit(
            path=one.path, detail="fixtures of the tests were changed", topics=topics, harmless="it decides no result"
        )


def _any_change(one: Revision, command: str) -> Iterator[CheckEdit]:
    if one.before is not None:
        what = "deleted" if one.after is None else "changed"
        yield CheckEdit(path=one.path, detail=f"it says how tests are run, and was {what}", topics=_SCRIPT_TOPICS)
    elif (one.after is not None) and _NARROWING.search(one.after):
        yield CheckEdit(path=one.path, detail="new, and narrows which tests are run", topics=_SCRIPT_TOPICS)


_ABOUT_TESTS = re.compile(
    r"\b(?:skip\w*tests?|auto\w*tests|harness|surefire|failsafe|add_test|enable_testing|ignoreFailures|failIfNoTests"
    r"|testFailureIgnore)\b|\btest\s*=\s*false|\[\[test\]\]|\btests?\s*\{|exclude.{0,200}test",
    re.IGNORECASE,
)


def _lines_about_tests(one: Revision, command: str) -> Iterator[CheckEdit]:
    if one.before is None:
        return
    lines = [*removed_lines(one), *added_lines(one)]
    about = [line.strip() for line in lines if _ABOUT_TESTS.search(line)]
    if about:
        yield CheckEdit(
            path=one.path, detail=f"how tests are built or run was changed: {about[0][:100]}", topics=_SCRIPT_TOPICS
        )


def _ci(one: Revision, command: str) -> Iterator[CheckEdit]:
    if one.before is not None:
        what = "deleted" if one.after is None else "changed"
        yield CheckEdit(
            path=one.path,
            detail=f"the continuous integration was {what}",
            topics=(
                r"\bCI\b",
                r"\bcontinuous integration\b",
                r"\bworkflows?\b",
                r"\bpipelines?\b",
                r"\bgithub actions?\b",
            ),
        )


_Reader = Callable[[Revision, str], Iterator[CheckEdit]]
_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"(?:^|/)package\.json$"), _package_json),
    (re.compile(r"(?:^|/)(?:GNUm|m|M)akefile$"), _makefile),
    (re.compile(r"(?:^|/)(?:\.?pytest\.ini|setup\.cfg|tox\.ini|pyproject\.toml|\.?pytest\.toml)$"), _python_settings),
    (re.compile(r"(?:^|/)conftest\.py$"), _conftest),
    (
        re.compile(
            r"(?:^|/)(?:jest|vitest|karma|playwright|cypress|ava|web-test-runner)\.(?:config|conf)\.[\w.]+$"
            r"|(?:^|/)(?:vitest\.workspace\.\w+|\.mocharc(?:\.\w+)?|\.rspec|phpunit\.xml(?:\.dist)?|[jJ]ustfile|\.justfile|"
            r"noxfile\.py|Rakefile|\.coveragerc|test_helper\.exs)$"
        ),
        _any_change,
    ),
    (
        re.compile(r"(?:^|/)(?:Cargo\.toml|pom\.xml|build\.gradle(?:\.kts)?|CMakeLists\.txt|Directory\.Build\.props)$"),
        _lines_about_tests,
    ),
    (
        re.compile(
            r"^(?:\.github/workflows/|\.circleci/|\.buildkite/|\.gitlab/ci/)"
            r"|^(?:\.gitlab-ci\.yml|\.travis\.yml|azure-pipelines\.yml|bitbucket-pipelines\.yml|Jenkinsfile|"
            r"\.pre-commit-config\.yaml|\.drone\.yml|appveyor\.yml)$"
        ),
        _ci,
    ),
)


def _json(text: str | None) -> dict[str, Any]:
    try:
        return _table(json.loads(text or "{}"))
    except (ValueError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else f"`{' '.join(str(value).split())[:80]}`"
