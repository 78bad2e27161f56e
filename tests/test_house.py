"""The house rules that a reviewer would otherwise have to remember."""

import ast
import json
import pwd
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from agent_orchestrator.cli import SECTIONS, exits, orchestrate
from agent_orchestrator.domain.errors import OrchestratorError

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "src" / "agent_orchestrator"
THIS = "tests/test_house.py"
RECORDED_IN = "/home/ada/checkout"
"""The folder that stands in recorded transcripts in place of the real one."""
MODULES = sorted(PACKAGE.rglob("*.py"))
ELSEWHERE = {"AGENTS.md", "CLAUDE.md", "GEMINI.md", "CONTRIBUTING.md", "GOVERNANCE.md", "ROADMAP.md", "SECURITY.md"}
"""Documents of our users' projects, which code and tests speak of."""
EMPTY_NAMES = {"manager", "util", "utils", "helper", "helpers", "common", "base"}
HEAVY = {"rich", "pydantic", "anthropic", "asyncio", "prompt_toolkit", "dotenv"}
"""Each costs more than the rest of a short command; they are imported by the functions that use them."""
HEADINGS = [
    "We considered",
    "It would have given",
    "Why not",
    "Evidence",
    "What would change our mind",
]


def project_files() -> list[Path]:
    """Return every file that git keeps or would keep."""
    said = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    names = said.stdout.decode().split("\0")
    return sorted(CHECKOUT / name for name in names if name and (CHECKOUT / name).is_file())


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    tops = {CHECKOUT / top for top in ("src", "tests", "examples", "benchmarks")}
    found = [
        str(file.relative_to(CHECKOUT))
        for file in project_files()
        if tops & set(file.parents) and file.suffix in {".py", ".sh", ".sql"}
        if EMPTY_NAMES & {part.removeprefix("test_") for part in file.relative_to(CHECKOUT).with_suffix("").parts}
    ]

    assert found == []


def readme_index() -> list[str]:
    """Return the paths in the right column of the README's table "Where is …?"."""
    table = (CHECKOUT / "README.md").read_text().split("## Where is", 1)[1].split("\n## ", 1)[0]
    cells = [row.strip().strip("|").split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    return [path for cell in cells for path in re.findall(r"`([^`]+)`", cell) if "/" in path or "." in path]


def test_every_path_in_the_readmes_index_exists() -> None:
    paths = readme_index()

    assert len(paths) > 10
    assert [path for path in paths if not ((PACKAGE / path).exists() or (CHECKOUT / path).exists())] == []


def test_every_test_that_shows_a_promise_of_the_readme_exists() -> None:
    table = (CHECKOUT / "README.md").read_text().split("## What holds", 1)[1].split("\n## ", 1)[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| **")]
    shown = [re.findall(r"(?:tests|benchmarks)[\w./]*", row) for row in rows]

    assert len(shown) == 14 and all(shown), shown
    missing = [one for row in shown for one in row if not (CHECKOUT / one.replace("tests.", "tests/")).exists()]
    assert missing == []


def test_every_link_of_the_readme_and_the_archive_leads_to_a_file() -> None:
    pages = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", CHECKOUT / "archive" / "README.md"]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def readme_commands() -> list[list[str]]:
    """Return the words of every command in the README's blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line]


def test_every_command_that_the_readme_shows_exists_with_its_options() -> None:
    quickstart = (CHECKOUT / "quickstart.sh").read_text()
    commands = readme_commands()

    assert len(commands) > 6
    for program, *words in commands:
        assert program in {"./quickstart.sh", "orchestrate"}
        if program == "./quickstart.sh":
            assert all(f"{option})" in quickstart for option in words), words
            continue
        command = orchestrate.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None, words
        with command.make_context(words[0], words[1:]) as context:
            assert context.params


def test_the_readme_and_the_help_name_the_same_exit_codes_as_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| ", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    told = re.findall(r"(\d+) [a-z]", (orchestrate.help or "").split("Exit codes:")[1])
    classes = [OrchestratorError]
    for one in classes:
        classes.extend(one.__subclasses__())

    assert rows == told
    assert {str(one.exit_code) for one in classes} <= set(told)
    assert {str(code) for name, code in vars(exits).items() if name.isupper()} <= set(told)


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_module_says_why_it_exists(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text())), f"{module} has no docstring"


@pytest.mark.parametrize("package", ["app", "cli", "planning", "providers", "runtime", "services", "workspaces"])
def test_the_index_of_a_package_names_each_of_its_modules(package: str) -> None:
    index = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text()))
    modules = {file.stem for file in (PACKAGE / package).glob("*.py")} - {"__init__"}
    modules |= {file.parent.name for file in (PACKAGE / package).glob("*/__init__.py")}

    assert modules - set(re.findall(r"``(\w+)``", index or "")) == set()


def texts() -> list[tuple[str, str]]:
    """Return every text file of the project but the lock file, with its name."""
    found = []
    for file in project_files():
        try:
            found.append((str(file.relative_to(CHECKOUT)), file.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return [(name, text) for name, text in found if name != "uv.lock"]


def test_no_file_names_a_place_of_the_machine_it_was_written_on() -> None:
    here = [str(place) for place in (CHECKOUT, CHECKOUT.parent, Path(sys.base_prefix)) if len(place.parts) > 2]
    here = [place for place in here if place != RECORDED_IN]
    here.append(f"{pwd.getpwuid(0).pw_dir}/")
    place = re.compile("|".join([*map(re.escape, here), r"/(?:home|Users)/(?!ada\b)\w+"]))
    found = [f"{name}: {hit[0]}" for name, text in texts() for hit in place.finditer(text) if name != THIS]

    assert found == []


def test_no_file_speaks_of_a_document_that_readers_do_not_have() -> None:
    ours = {file.name for file in project_files()}
    named = {(name, hit) for name, text in texts() for hit in re.findall(r"\b[A-Z][A-Z_]+\.md\b", text)}

    assert {(name, hit) for name, hit in named if hit not in ours | ELSEWHERE} == set()


def test_every_decision_record_has_its_headings_and_fits_a_page() -> None:
    records = sorted((CHECKOUT / "archive" / "decisions").glob("*.md"))

    assert records
    for number, record in enumerate(records, 1):
        text = record.read_text()
        assert record.name.startswith(f"{number:04d}-"), "numbers have no gap"
        assert text.startswith(f"# {number:04d} ")
        assert re.search(r"^\*\*Status\*\*: (rejected|superseded), \d{4}-\d\d-\d\d", text, re.MULTILINE), record
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS, record
        assert len(text.splitlines()) <= 60, f"{record} is longer than a page"


def test_the_archive_lists_every_record_newest_first() -> None:
    listed = re.findall(r"\(decisions/([^)]+)\)", (CHECKOUT / "archive" / "README.md").read_text())
    records = sorted((file.name for file in (CHECKOUT / "archive" / "decisions").glob("*.md")), reverse=True)

    assert listed == records


@pytest.mark.parametrize(
    ("verb", "module", "about"),
    [(verb, *entry) for commands in SECTIONS.values() for verb, entry in commands.items()],
    ids=[verb for commands in SECTIONS.values() for verb in commands],
)
def test_the_help_of_the_group_says_what_the_command_itself_says(verb: str, module: str, about: str) -> None:
    command = getattr(import_module(f"agent_orchestrator.cli.{module}"), verb.replace("-", "_"))

    assert command.get_short_help_str(limit=200) == about
    assert orchestrate.get_command(None, verb) is command  # type: ignore[arg-type]
    for one in getattr(command, "commands", {"": command}).values():
        assert "--json" in {name for option in one.params for name in option.opts}, "every verb answers programs"


def test_the_import_contracts_hold() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    if not tool.exists():
        pytest.skip("import-linter comes with the development tools")

    checked = subprocess.run([tool, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, timeout=100)

    assert checked.returncode == 0, checked.stdout
    assert "3 kept, 0 broken" in checked.stdout


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a Python with *arguments* has loaded at its end."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\n' + json.dumps(sorted(sys.modules))))\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "import agent_orchestrator\n"
        "if sys.argv[1:]:\n"
        "    from agent_orchestrator.__main__ import main\n"
        "    main()\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return {name.split(".")[0] for name in json.loads(ran.stderr.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("status", "--json")], ids=" ".join)
def test_a_short_command_loads_nothing_heavy(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    loaded = loaded_by(*arguments)

    assert "agent_orchestrator" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_only_inside_functions(module: Path) -> None:
    found = []
    waiting: list[ast.AST] = [ast.parse(module.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.split(".")[0] in HEAVY]
        waiting.extend(ast.iter_child_nodes(node))

    assert found == []
