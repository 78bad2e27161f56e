"""How a project tests itself: the command, and the file that says so. Nothing is executed.

Places are asked in a fixed order and the first that answers is taken, so that
the same project always gives the same command. Commands must end by themselves:
a runner that would watch for changes gets the form that runs once.
"""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

READ_LIMIT_BYTES = 256 * 1024
TEST_FILES_READ = 20
FOLDERS_READ = 30

_WATCHES = re.compile(r"^--watch(?:All)?(?:=true)?$|^-w$")
_COMPOUND = re.compile(r"[;&|$`<>()]")
_NESTED = re.compile(r"^(?:npm run|npm run-script|pnpm run|pnpm|yarn run|yarn|bun run)\s+([\w:.-]+)$")
_RUNNERS = frozenset({"vitest", "jest", "mocha", "ava", "tap", "react-scripts", "ng", "node", "karma"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTest:
    """A shell command whose exit code 0 means that the project's tests pass."""

    command: str
    reason: str
    """The file, and what in it, that says so."""


def find_test(folder: Path) -> ProjectTest | None:
    """Return how the project at *folder* is tested; None when nothing says so.

    Looks at the folder itself. When nothing there says how, its immediate subfolders are asked, and their commands are
    joined into one that runs each in its place.
    """
    if found := _found(folder):
        return found
    parts = [(sub.name, below) for sub in _folders(folder) if (below := _found(sub))]
    if not parts:
        return None
    joined = " && ".join(f"(cd {shlex.quote(name)} && {below.command})" for name, below in parts)
    reason = "; ".join(f"{name}/{below.reason}" for name, below in parts)
    return ProjectTest(command=joined, reason=reason)


def _found(folder: Path) -> ProjectTest | None:
    detectors: tuple[Callable[[Path], ProjectTest | None], ...] = (
        *(_python, _javascript, _cargo, _go, _jvm, _make, _ruby, _php, _dotnet, _elixir),
    )
    return next((command for detect in detectors if (command := detect(folder)) is not None), None)


def _python(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    runner, lock = ("uv run ", "uv.lock") if "uv.lock" in names else ("", "")
    if not lock and "poetry.lock" in names:
        runner, lock = "poetry run ", "poetry.lock"
    python = f"{runner}python" if runner else "python3"  # Debian and others install no plain `python`
    pytest = f"{runner}pytest -q" if runner else f"{python} -m pytest -q"
    because = f", {lock}" if lock else ""
    for name, mark in (
        ("pytest.ini", "["),
        ("pyproject.toml", "[tool.pytest"),
        ("tox.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
    ):
        if name in names and mark in read_small(folder / name):
            return ProjectTest(command=pytest, reason=f"{name} configures pytest{because}")
    if "manage.py" in names and "django" in read_small(folder / "manage.py").lower():
        return ProjectTest(command=f"{python} manage.py test", reason=f"manage.py is Django's{because}")
    place, files = _python_tests(folder)
    if not files:
        return None
    texts = [read_small(file) for file in files[:TEST_FILES_READ]]
    declared = any(
        "pytest" in read_small(folder / n) for n in names if n.startswith(("requirements", "pyproject", "setup."))
    )
    uses_unittest = all(re.search(r"^\s*(?:import|from) unittest", text, re.M) for text in texts)
    where = f"{place}/" if place else ""
    if declared or not uses_unittest or any(re.search(r"\bpytest\b", text) for text in texts):
        return ProjectTest(command=pytest, reason=f"{where}{files[0].name} is a test file{because}")
    command = f"{python} -m unittest discover" + (f" -s {place}" if place else "")
    if place and (folder / place / "__init__.py").is_file():
        command += " -t ."
    return ProjectTest(command=command, reason=f"{where}{files[0].name} uses unittest{because}")


def _python_tests(folder: Path) -> tuple[str, list[Path]]:
    for place in ("tests", "test", ""):
        try:
            found = (folder / place).rglob("*.py") if place else folder.glob("*.py")
            files = []
            for number, path in enumerate(found):
                if number > 2_000:
                    break
                if path.name.startswith("test_") or path.name.endswith("_test.py"):
                    files.append(path)
        except OSError:
            continue
        if files:
            return place, sorted(files)
    return "", []


def _javascript(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    if "package.json" not in names:
        return None
    try:
        package = json.loads(read_small(folder / "package.json"))
    except (ValueError, RecursionError):
        return None
    scripts = package.get("scripts") if isinstance(package, dict) else None
    script = scripts.get("test") if isinstance(scripts, dict) else None
    if not isinstance(scripts, dict) or not isinstance(script, str) or not script.strip():
        return None
    if "no test specified" in script:  # what npm init writes
        return None
    manager, because = _package_manager(names, package)
    return ProjectTest(command=_runs_once(script, scripts, manager), reason=f"package.json scripts.test{because}")


def _package_manager(names: frozenset[str], package: dict[str, object]) -> tuple[str, str]:
    for lock, manager in (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")):
        if lock in names:
            return manager, f", {lock}"
    asked = str(package.get("packageManager", "")).split("@")[0]
    return (asked, ", packageManager") if asked in {"pnpm", "yarn", "bun"} else ("npm", "")


def _runs_once(script: str, scripts: dict[str, object], manager: str) -> str:
    """Return the command for a ``test`` script, in the form that does not wait for changes."""
    plain = "bun run test" if manager == "bun" else f"{manager} test"
    inner = script.strip()
    for _ in range(3):
        nested = _NESTED.match(inner)
        target = scripts.get(nested[1]) if nested else None
        if not isinstance(target, str):
            break
        inner = target.strip()
    words = inner.split()
    runner = next((word for word in words if word in _RUNNERS), "")
    watches = any(_WATCHES.match(word) for word in words)
    if runner == "react-scripts":
        return f"CI=true {plain}"
    if runner == "vitest":
        if {"run", "--run", "--watch=false", "--no-watch"} & set(words):
            return plain
        if _COMPOUND.search(inner):
            return f"CI=1 {plain}"
        return _directly(["run" if word == "watch" else word for word in words], "vitest", manager, after=("run",))
    if runner == "ng" and "--watch=false" not in words:
        return f"{plain}{' --' if manager == 'npm' else ''} --watch=false"
    if watches and runner == "jest":
        if _COMPOUND.search(inner):
            return f"CI=1 {plain}{' --' if manager == 'npm' else ''} --watchAll=false"
        return _directly([*words, "--watchAll=false"], "jest", manager)
    if watches and runner and not _COMPOUND.search(inner):
        return _directly(words, runner, manager)
    return plain


def _directly(words: list[str], runner: str, manager: str, after: tuple[str, ...] = ()) -> str:
    """Call *runner* itself, without the flags that make it watch, from where the package manager keeps it."""
    execute = {"npm": "npx", "pnpm": "pnpm exec", "yarn": "yarn", "bun": "bunx"}[manager]
    kept = [word for word in words if not _WATCHES.match(word)]
    at = kept.index(runner) + 1
    kept[at:at] = [word for word in after if word not in kept]
    assignments = next((n for n, word in enumerate(kept) if not re.match(r"^\w+=", word)), 0)
    launcher = [] if runner == "node" else [execute]
    return " ".join([*kept[:assignments], *launcher, *kept[assignments:]])


def _cargo(folder: Path) -> ProjectTest | None:
    return _if(folder, "Cargo.toml", "cargo test")


def _go(folder: Path) -> ProjectTest | None:
    return _if(folder, "go.mod", "go test ./...")


def _jvm(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    if "pom.xml" in names:
        return ProjectTest(command=f"{'./mvnw' if 'mvnw' in names else 'mvn'} -B -q test", reason="pom.xml")
    for build in ("build.gradle", "build.gradle.kts"):
        if build in names:
            return ProjectTest(command=f"{'./gradlew' if 'gradlew' in names else 'gradle'} test", reason=build)
    return None


def _make(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if name in names and re.search(r"^test\s*:(?!=)", read_small(folder / name), re.M):
            return ProjectTest(command="make test", reason=f"{name} has the target test")
    for name in ("justfile", "Justfile", ".justfile"):
        if name in names and re.search(r"^test(?:\s[^:=\n]*)?:(?!=)", read_small(folder / name), re.M):
            return ProjectTest(command="just test", reason=f"{name} has the recipe test")
    return None


def _ruby(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    bundle = "bundle exec " if "Gemfile" in names else ""
    if ".rspec" in names or ("spec" in names and (folder / "spec" / "spec_helper.rb").is_file()):
        return ProjectTest(command=f"{bundle}rspec", reason=".rspec" if ".rspec" in names else "spec/spec_helper.rb")
    if "bin" in names and (folder / "bin" / "rails").is_file() and "test" in names:
        return ProjectTest(command="bin/rails test", reason="bin/rails and test/")
    if "Rakefile" in names and re.search(r"TestTask|task\s+:?[\"']?test", read_small(folder / "Rakefile")):
        return ProjectTest(command=f"{bundle}rake test", reason="Rakefile has the task test")
    return None


def _php(folder: Path) -> ProjectTest | None:
    names = _names(folder)
    if "composer.json" in names:
        try:
            scripts = json.loads(read_small(folder / "composer.json")).get("scripts", {})
        except (ValueError, AttributeError, RecursionError):
            scripts = {}
        if isinstance(scripts, dict) and "test" in scripts:
            return ProjectTest(command="composer test", reason="composer.json scripts.test")
    config = next((name for name in ("phpunit.xml", "phpunit.xml.dist") if name in names), None)
    return None if config is None else ProjectTest(command="vendor/bin/phpunit", reason=config)


def _dotnet(folder: Path) -> ProjectTest | None:
    project = next((n for n in sorted(_names(folder)) if n.endswith((".sln", ".slnx", ".csproj", ".fsproj"))), None)
    return None if project is None else ProjectTest(command="dotnet test", reason=project)


def _elixir(folder: Path) -> ProjectTest | None:
    return _if(folder, "mix.exs", "mix test")


def _if(folder: Path, name: str, command: str) -> ProjectTest | None:
    return ProjectTest(command=command, reason=name) if name in _names(folder) else None


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in folder.iterdir())
    except OSError:
        return frozenset()


def _folders(folder: Path) -> list[Path]:
    try:
        found = sorted(e for e in folder.iterdir() if e.is_dir() and not e.is_symlink() and not e.name.startswith("."))
    except OSError:
        return []
    skipped = {"node_modules", "vendor", "dist", "build", "target", "venv", "examples", "example", "third_party"}
    return [sub for sub in found if sub.name not in skipped][:FOLDERS_READ]


def read_small(path: Path, limit: int = READ_LIMIT_BYTES) -> str:
    """Return the beginning of a regular file as text; empty when it is not one, cannot be read, or is a link."""
    try:
        if path.is_symlink() or not path.is_file():  # a link may lead out of the project, a pipe may block for ever
            return ""
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""
