import json
import os
from pathlib import Path

import pytest

from agent_orchestrator.planning.profile import languages, profile
from agent_orchestrator.planning.project_tests import find_test


def project(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def script(text: str, **more: str) -> str:
    return json.dumps({"scripts": {"test": text, **more}})


@pytest.mark.parametrize(
    ("files", "command", "reason"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "python3 -m pytest -q", "pyproject.toml configures pytest"),
        ({"pytest.ini": "[pytest]\n"}, "python3 -m pytest -q", "pytest.ini"),
        ({"tox.ini": "[pytest]\n"}, "python3 -m pytest -q", "tox.ini"),
        ({"setup.cfg": "[tool:pytest]\n"}, "python3 -m pytest -q", "setup.cfg"),
        ({"tests/test_a.py": "def test_a(): pass\n"}, "python3 -m pytest -q", "tests/test_a.py"),
        ({"test_a.py": "def test_a(): pass\n"}, "python3 -m pytest -q", "test_a.py"),
        ({"tests/test_a.py": "def test_a(): pass\n", "uv.lock": ""}, "uv run pytest -q", "uv.lock"),
        ({"tests/test_a.py": "def test_a(): pass\n", "poetry.lock": ""}, "poetry run pytest -q", "poetry.lock"),
        ({"tests/test_a.py": "import unittest\n"}, "python3 -m unittest discover -s tests", "uses unittest"),
        (
            {"tests/test_a.py": "import unittest\n", "tests/__init__.py": ""},
            "python3 -m unittest discover -s tests -t .",
            "unittest",
        ),
        ({"tests/test_a.py": "import unittest\n", "requirements.txt": "pytest\n"}, "python3 -m pytest -q", "test_a.py"),
        ({"manage.py": "import django\n"}, "python3 manage.py test", "manage.py"),
        ({"package.json": script("jest")}, "npm test", "package.json scripts.test"),
        ({"package.json": script("jest"), "pnpm-lock.yaml": ""}, "pnpm test", "pnpm-lock.yaml"),
        ({"package.json": script("jest"), "yarn.lock": ""}, "yarn test", "yarn.lock"),
        ({"package.json": script("jest"), "bun.lock": ""}, "bun run test", "bun.lock"),
        ({"package.json": script("vitest")}, "npx vitest run", "package.json"),
        (
            {"package.json": script("vitest --coverage"), "pnpm-lock.yaml": ""},
            "pnpm exec vitest run --coverage",
            "pnpm",
        ),
        ({"package.json": script("vitest run")}, "npm test", "package.json"),
        ({"package.json": script("tsc && vitest")}, "CI=1 npm test", "package.json"),
        ({"package.json": script("npm run unit", unit="vitest watch")}, "npx vitest run", "package.json"),
        ({"package.json": script("jest --watch")}, "npx jest --watchAll=false", "package.json"),
        (
            {"package.json": script("NODE_ENV=test jest --watchAll --ci")},
            "NODE_ENV=test npx jest --ci --watchAll=false",
            "package.json",
        ),
        ({"package.json": script("tsc && jest --watch")}, "CI=1 npm test -- --watchAll=false", "package.json"),
        ({"package.json": script("react-scripts test")}, "CI=true npm test", "package.json"),
        ({"package.json": script("mocha -w spec")}, "npx mocha spec", "package.json"),
        ({"package.json": script("node --test --watch")}, "node --test", "package.json"),
        ({"Cargo.toml": ""}, "cargo test", "Cargo.toml"),
        ({"go.mod": ""}, "go test ./...", "go.mod"),
        ({"pom.xml": ""}, "mvn -B -q test", "pom.xml"),
        ({"pom.xml": "", "mvnw": ""}, "./mvnw -B -q test", "pom.xml"),
        ({"build.gradle.kts": "", "gradlew": ""}, "./gradlew test", "build.gradle.kts"),
        ({"Makefile": "all:\n\ntest: all\n\t./check\n"}, "make test", "Makefile has the target test"),
        ({"justfile": "test *args:\n  ./check\n"}, "just test", "justfile has the recipe test"),
        ({".rspec": "", "Gemfile": ""}, "bundle exec rspec", ".rspec"),
        ({"Rakefile": "Rake::TestTask.new\n"}, "rake test", "Rakefile"),
        ({"composer.json": script("phpunit")}, "composer test", "composer.json scripts.test"),
        ({"phpunit.xml.dist": ""}, "vendor/bin/phpunit", "phpunit.xml.dist"),
        ({"App.sln": ""}, "dotnet test", "App.sln"),
        ({"mix.exs": ""}, "mix test", "mix.exs"),
        (
            {"api/go.mod": "", "my web/package.json": script("vitest")},
            "(cd api && go test ./...) && (cd 'my web' && npx vitest run)",
            "api/go.mod; my web/package.json scripts.test",
        ),
    ],
)
def test_the_test_command_is_found_with_the_file_that_says_so(
    tmp_path: Path, files: dict[str, str], command: str, reason: str
) -> None:
    found = profile(project(tmp_path, files)).test

    assert found is not None
    assert found.command == command
    assert reason in found.reason


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "run make test"},
        {"package.json": script('echo "Error: no test specified" && exit 1')},
        {"package.json": "{broken"},
        {"package.json": "[" * 100_000},
        {"package.json": json.dumps({"scripts": {"test": 7}})},
        {"package.json": json.dumps({"scripts": ["test"]})},
        {"Makefile": "test := no\nlatest:\n"},
        {"pyproject.toml": "[project]\n", "src/app.py": ""},
        {"node_modules/jest/package.json": script("jest")},
    ],
)
def test_without_a_way_to_test_there_is_no_command(tmp_path: Path, files: dict[str, str]) -> None:
    assert profile(project(tmp_path, files)).test is None


def test_of_several_ways_to_test_a_language_of_its_own_comes_before_a_makefile(tmp_path: Path) -> None:
    every = {"pytest.ini": "[pytest]", "package.json": script("jest"), "Makefile": "test:\n"}
    commands = []

    while every:
        folder = tmp_path / str(len(every))
        found = find_test(project(folder, every))
        commands.append(found.command if found else None)
        del every[next(iter(every))]

    assert commands == ["python3 -m pytest -q", "npm test", "make test"]


def test_a_profile_tells_languages_layout_readme_and_instructions(tmp_path: Path) -> None:
    files = {
        "README.md": "# Shop\n",
        "AGENTS.md": "Be kind.",
        "api/main.go": "",
        "api/other.go": "",
        "web/App.tsx": "",
        "web/package.json": "{}",
        "node_modules/left/pad.js": "",
        ".git/config": "",
    }

    found = profile(project(tmp_path, files))

    assert found.languages == (("Go", 2), ("TypeScript (TSX)", 1))
    assert found.manifests == ("web/package.json",)
    assert found.layout == ("AGENTS.md", "README.md", "api/", "node_modules/", "web/")
    assert found.readme == "# Shop\n"
    assert found.instructions == ("AGENTS.md",)
    assert found.has_ui
    assert found.complete


def test_a_walk_that_runs_out_of_time_says_so(tmp_path: Path) -> None:
    project(tmp_path, {"a.py": ""})

    assert not profile(tmp_path, limit_s=-1).complete


def test_nothing_outside_the_project_is_read_and_a_pipe_does_not_block(tmp_path: Path) -> None:
    secret = project(tmp_path / "outside", {"secret.py": "", "README.md": "secret"})
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "README.md").symlink_to(secret / "README.md")
    (inside / "linked").symlink_to(secret, target_is_directory=True)
    (inside / "loop").symlink_to(inside, target_is_directory=True)
    os.mkfifo(inside / "package.json")

    found = profile(inside)

    assert found.readme == ""
    assert found.languages == ()
    assert found.test is None


def test_a_folder_that_is_not_there_has_an_empty_profile(tmp_path: Path) -> None:
    found = profile(tmp_path / "nowhere")

    assert (found.languages, found.layout, found.test) == ((), (), None)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"package.json": script("touch ran"), "tests/test_a.py": "open('ran', 'w')"})
    seen = sorted(tmp_path.rglob("*"))

    assert find_test(tmp_path)
    profile(tmp_path)

    assert sorted(tmp_path.rglob("*")) == seen


def test_a_glance_tells_the_same_languages_as_a_profile_and_nothing_of_a_folder_that_is_not_there(
    tmp_path: Path,
) -> None:
    here = project(tmp_path, {"a.py": "", "b/c.py": "", "b/d.rs": "", "node_modules/e.js": ""})

    assert languages(here) == profile(here).languages == (("Python", 2), ("Rust", 1))
    assert languages(here / "nowhere") == ()
