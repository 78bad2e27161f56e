"""A checkout is usable, not just present; and a check in it runs its code, never the user's."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.environment import check_environment, ports
from workspaces.scenes import Repo, Start, ends, put, sh, write


def test_an_environment_file_is_copied_and_does_not_become_work(repo: Repo, start: Start) -> None:
    put(repo.root / ".env", "KEY=1\n").chmod(0o600)

    attempt = start()

    assert (attempt.path / ".env").read_text() == "KEY=1\n"
    assert (attempt.path / ".env").stat().st_mode & 0o777 == 0o600
    write(attempt.path, a__txt="x\n", __env="KEY=2\n")
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "mine")
    assert attempt.collect().files == ("a.txt",)
    attempt.git("add", "-f", ".env")
    assert attempt.collect().files == ("a.txt",)
    assert (repo.root / ".env").read_text() == "KEY=1\n"


def test_a_copied_link_becomes_a_file_of_its_own(repo: Repo, start: Start, tmp_path: Path) -> None:
    put(tmp_path / "real.env", "KEY=1\n")
    (repo.root / ".env").symlink_to(tmp_path / "real.env")
    put(repo.root / "fixtures" / "x", "x\n")
    (repo.root / "fixtures" / "link").symlink_to(tmp_path / "real.env")

    attempt = start(setup=Setup(copy=(".env", "fixtures", "missing")))
    write(attempt.path, __env="changed\n")
    put(attempt.path / "fixtures" / "link", "changed\n")

    assert (tmp_path / "real.env").read_text() == "KEY=1\n"
    assert attempt.collect().commit is None


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", ".", ""])
def test_only_what_lies_in_the_project_is_copied(name: str, start: Start) -> None:
    with pytest.raises(WorkspaceProblem, match="cannot copy"):
        start(setup=Setup(copy=(name,)))


def test_a_set_up_command_runs_in_the_checkout_and_what_it_makes_is_nobodys_work(start: Start) -> None:
    setup = Setup(
        command='test "$CI" = 1 && mkdir gen && echo "$MODE" > gen/made.txt && echo changed > a.txt',
        environment={"MODE": "fast"},
    )

    attempt = start(setup=setup)

    assert (attempt.path / "gen" / "made.txt").read_text() == "fast\n"
    assert (attempt.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert any("a.txt" in note for note in attempt.workspace.notes)
    put(attempt.path / "gen" / "by-agent.txt", "work\n")
    assert attempt.collect().files == ("gen/by-agent.txt",)


def test_a_set_up_that_fails_says_why_and_is_tried_anew(start: Start, tmp_path: Path) -> None:
    setup = Setup(command=f"echo no compiler >&2; touch left; test -e {tmp_path}/go")

    with pytest.raises(WorkspaceProblem, match="exit code 1: no compiler"):
        start(setup=setup)
    put(tmp_path / "go", "")

    assert start(setup=setup).collect().commit is None


def test_a_set_up_that_hangs_is_ended_with_all_it_started(start: Start, tmp_path: Path) -> None:
    setup = Setup(command=f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout_s=1)

    with pytest.raises(WorkspaceProblem, match="within 1 s"):
        start(setup=setup)

    pid = (tmp_path / "pid").read_text().strip()
    assert ends(int(pid))


def test_set_up_does_not_see_the_users_virtual_environment(
    repo: Repo, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = make_venv(repo)
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    monkeypatch.setenv("PATH", f"{active}/bin:{os.environ['PATH']}")

    attempt = start(setup=Setup(command="command -v python3 > which.txt; echo ${VIRTUAL_ENV-none} >> which.txt"))

    seen = (attempt.path / "which.txt").read_text()
    assert str(repo.root) not in seen
    assert "none" in seen


def test_agents_running_side_by_side_get_ports_of_their_own() -> None:
    blocks = [range(ports(slot), ports(slot) + 20) for slot in range(50)]

    assert len({port for block in blocks for port in block}) == 50 * 20
    assert max(ports(slot) for slot in range(5000)) + 20 <= 32_768


# What follows is the reason for all of this: with the user's tools in use, a checkout that is broken must fail.


def make_venv(repo: Repo) -> Path:
    place = repo.root / ".venv"
    venv.create(place, with_pip=False, symlinks=True)
    put(repo.root / ".git" / "info" / "exclude", ".venv\nnode_modules\n")
    return place


def site_packages(environment: Path) -> Path:
    return environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


SETUPTOOLS_FINDER = """
import sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

MAPPING: dict[str, str] = {mapping!r}

class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            return spec_from_file_location(fullname, Path(MAPPING[fullname]) / "__init__.py")
        return None

def install():
    sys.meta_path.{how}
"""
"""The shape of what setuptools 84 writes (September 2026); meson-python 0.22 differs in going first."""

LAYOUTS = {"flat": "shop", "src": "src/shop", "odd": "lib/python/shop", "renamed": "source/code"}
EDITABLE = ("path", "appended", "first")


def install_editable(repo: Repo, environment: Path, package: str, how: str) -> None:
    folder = repo.root / package
    site = site_packages(environment)
    if how == "path":
        put(site / "_shop.pth", f"{folder.parent}\n")
        return
    call = "append(_EditableFinder)" if how == "appended" else "insert(0, _EditableFinder)"
    put(site / "__editable___shop_finder.py", SETUPTOOLS_FINDER.format(mapping={"shop": str(folder)}, how=call))
    put(site / "__editable__.shop.pth", "import __editable___shop_finder; __editable___shop_finder.install()\n")


@contextmanager
def check(workspaces: CheckoutWorkspaces, commit: str) -> Iterator[tuple[Path, dict[str, str]]]:
    with workspaces.checked_out(commit, setup=Setup()) as place:
        plain = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
        yield place, workspaces.check_environment(place, plain)


def run(place: Path, environment: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=place, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("layout", "how"),
    [(layout, how) for layout in LAYOUTS for how in EDITABLE if (layout, how) != ("renamed", "path")],
)
def test_a_line_broken_in_the_checkout_turns_a_python_check_red(
    layout: str, how: str, workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    package = LAYOUTS[layout]
    environment = make_venv(repo)
    put(repo.root / package / "__init__.py", "from shop.price import total\n")
    put(repo.root / package / "price.py", "def total(): return 42\n")
    put(repo.root / "checks" / "test_price.py", "import shop\nassert shop.total() == 42, shop.__file__\n")
    good = repo.commit("shop", pyproject__toml="[project]\nname = 'shop'\n")
    install_editable(repo, environment, package, how)
    attempt = start(base=good)
    put(attempt.path / package / "price.py", "def total(): return 41\n")
    broken = attempt.collect().commit
    assert broken is not None

    plain = {"PATH": f"{environment}/bin:{os.environ['PATH']}"}
    with workspaces.checked_out(broken, setup=Setup()) as place:
        unguarded = run(place, plain, "python", "checks/test_price.py")
    assert unguarded.returncode == 0, "the trap is not set: without our environment the user's code must be imported"

    with check(workspaces, good) as (place, ours):
        assert shutil.which("python", path=ours["PATH"]) == str(environment / "bin" / "python")
        green = run(place, ours, "python", "checks/test_price.py")
        assert green.returncode == 0, green.stderr
    with check(workspaces, broken) as (place, ours):
        red = run(place, ours, "python", "checks/test_price.py")
    assert red.returncode == 1
    assert str(repo.root) not in red.stderr


@pytest.mark.parametrize("how", EDITABLE)
def test_a_package_the_agent_removed_is_not_found_in_the_users_files(
    how: str, workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    environment = make_venv(repo)
    put(repo.root / "src" / "shop" / "__init__.py", "")
    good = repo.commit("shop", pyproject__toml="[project]\nname = 'shop'\n")
    install_editable(repo, environment, "src/shop", how)
    attempt = start(base=good)
    shutil.move(attempt.path / "src" / "shop", attempt.path / "src" / "store")
    renamed = attempt.collect().commit
    assert renamed is not None

    with check(workspaces, renamed) as (place, ours):
        assert run(place, ours, "python", "-c", "import store").returncode == 0
        gone = run(place, ours, "python", "-c", "import shop")

    assert gone.returncode == 1
    assert "No module named 'shop'" in gone.stderr


def test_no_folder_of_the_users_sources_is_on_the_search_path(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    environment = make_venv(repo)
    put(repo.root / "src" / "shop" / "__init__.py", "")
    good = repo.commit("shop", pyproject__toml="")
    install_editable(repo, environment, "src/shop", "path")

    with check(workspaces, good) as (place, ours):
        seen = run(place, ours, "python", "-c", "import sys; print(*sys.path, sep='\\n')")

    theirs = [entry for entry in seen.stdout.splitlines() if entry.startswith(f"{repo.root}/")]
    assert theirs == [str(site_packages(environment))], "pytest asks the search path without asking other finders"


def test_a_namespace_package_comes_from_the_checkout(workspaces: CheckoutWorkspaces, repo: Repo, start: Start) -> None:
    environment = make_venv(repo)
    put(repo.root / "lib" / "corp" / "shop.py", "X = 1\n")
    good = repo.commit("shop", pyproject__toml="")
    install_editable(repo, environment, "lib/corp", "path")

    with check(workspaces, good) as (place, ours):
        seen = run(place, ours, "python", "-c", "import corp.shop; print(corp.shop.__file__, *corp.__path__)")

    assert seen.returncode == 0, seen.stderr
    assert str(place) in seen.stdout and str(repo.root) not in seen.stdout


def test_the_users_tools_and_their_own_start_up_code_still_work(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    environment = make_venv(repo)
    put(site_packages(environment) / "tool" / "__init__.py", "NAME = 'tool'\n")
    put(site_packages(environment) / "sitecustomize.py", "import builtins\nbuiltins.customised = True\n")
    good = repo.commit("shop", pyproject__toml="")

    script = "import tool, builtins; print(tool.NAME, getattr(builtins, 'customised', False))"

    with check(workspaces, good) as (place, ours):
        seen = run(place, ours, "python", "-c", script)
        # Some distributions have a start-up file of their own, which goes first.
        without_us = run(place, {"PATH": ours["PATH"]}, "python", "-c", script)

    assert (seen.returncode, seen.stderr) == (0, "")
    assert seen.stdout == without_us.stdout


def test_paths_into_the_users_files_are_turned_to_the_checkout(tmp_path: Path) -> None:
    project, checkout = tmp_path / "p" / "sub", tmp_path / "c" / "sub"
    (project / "src").mkdir(parents=True)
    (checkout / "src").mkdir(parents=True)
    given = {
        "PATH": f"{project}/node_modules/.bin:/usr/bin",
        "PYTHONPATH": f"{tmp_path}/p/other:/opt/x",
        "NODE_PATH": f"{project}/js",
    }

    found = check_environment(project, checkout, given, top=tmp_path / "c")

    assert found["PATH"] == f"{checkout}/node_modules/.bin:/usr/bin"
    assert found["PYTHONPATH"] == f"{tmp_path}/c/other:/opt/x"
    assert found["NODE_PATH"] == f"{checkout}/js"
    assert found["CI"] == "1"


@pytest.fixture
def npm_workspace(repo: Repo) -> str:
    """Packages a and b, linked as npm does; b's test uses a."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    put(repo.root / ".git" / "info" / "exclude", "node_modules\n")
    put(repo.root / "package.json", '{"name": "x", "private": true, "workspaces": ["packages/*"]}\n')
    put(repo.root / "packages" / "a" / "package.json", '{"name": "@x/a", "main": "index.js"}\n')
    put(repo.root / "packages" / "a" / "index.js", "module.exports = () => 42\n")
    put(repo.root / "packages" / "b" / "package.json", '{"name": "@x/b"}\n')
    put(
        repo.root / "packages" / "b" / "test.js",
        'const left = require("left")\nrequire("assert").strictEqual(require("@x/a")(), 42 + left)\n',
    )
    put(repo.root / "node_modules" / "left" / "index.js", "module.exports = 0\n")
    put(repo.root / "packages" / "b" / "node_modules" / "own" / "index.js", "\n")
    (repo.root / "node_modules" / "@x").mkdir()
    return repo.commit("npm workspace")


@pytest.mark.parametrize("link", ["relative", "absolute"])
def test_a_line_broken_in_one_npm_package_turns_the_check_of_another_red(
    link: str, workspaces: CheckoutWorkspaces, repo: Repo, start: Start, npm_workspace: str
) -> None:
    target = repo.root / "packages" / "a" if link == "absolute" else Path("../../packages/a")
    (repo.root / "node_modules" / "@x" / "a").symlink_to(target)
    attempt = start(base=npm_workspace)
    put(attempt.path / "packages" / "a" / "index.js", "module.exports = () => 41\n")
    collected = attempt.collect()
    assert collected.commit is not None
    assert collected.files == ("packages/a/index.js",)

    for commit, code in ((npm_workspace, 0), (collected.commit, 1), (npm_workspace, 0)):
        with check(workspaces, commit) as (place, ours):
            ended = run(place, ours, "node", "packages/b/test.js")
            assert ended.returncode == code, ended.stderr
            assert (place / "packages" / "b" / "node_modules" / "own").is_dir()
            linked = (place / "node_modules" / "@x" / "a").resolve()
            assert linked == place / "packages" / "a"


def test_nothing_written_to_copied_dependencies_reaches_the_users(repo: Repo, start: Start, npm_workspace: str) -> None:
    (repo.root / "node_modules" / "@x" / "a").symlink_to(repo.root / "packages" / "a")
    attempt = start(base=npm_workspace)

    write(attempt.path / "node_modules" / "left", index__js="module.exports = 1\n")
    write(attempt.path / "node_modules" / "@x" / "a", index__js="module.exports = 1\n")

    assert (repo.root / "node_modules" / "left" / "index.js").read_text() == "module.exports = 0\n"
    assert "42" in (repo.root / "packages" / "a" / "index.js").read_text()
    assert attempt.collect().files == ("packages/a/index.js",)


def test_a_link_that_leaves_the_project_still_leads_there_and_is_named(
    repo: Repo, start: Start, npm_workspace: str, tmp_path: Path
) -> None:
    put(tmp_path / "sibling" / "index.js", "\n")
    (repo.root / "node_modules" / "sibling").symlink_to("../../sibling")

    attempt = start(base=npm_workspace)

    assert (attempt.path / "node_modules" / "sibling").resolve() == tmp_path / "sibling"
    assert any("sibling" in note for note in attempt.workspace.notes)


def test_a_package_manager_in_the_set_up_command_makes_the_dependencies_itself(
    start: Start, npm_workspace: str
) -> None:
    attempt = start(base=npm_workspace, setup=Setup(command="true # npm ci"))

    assert not (attempt.path / "node_modules").exists()


def test_checks_keep_installed_packages_only_while_the_same_ones_are_asked_for(
    workspaces: CheckoutWorkspaces, repo: Repo, npm_workspace: str
) -> None:
    setup = Setup(command="mkdir -p node_modules .cache; touch node_modules/by-npm .cache/stale")
    with workspaces.checked_out(npm_workspace, setup=setup) as place:
        put(place / "node_modules" / "warm", "")
        put(place / "packages" / "a" / "built.js", "stale")
    with workspaces.checked_out(npm_workspace, setup=setup) as place:
        assert (place / "node_modules" / "warm").exists()
        assert not (place / "packages" / "a" / "built.js").exists()
    other = repo.commit("other dependencies", package__json='{"name": "x", "dependencies": {"y": "1"}}\n')
    with workspaces.checked_out(other, setup=setup) as place:
        assert not (place / "node_modules" / "warm").exists()
    with workspaces.checked_out(other, setup=Setup()) as place:
        assert not (place / ".cache").exists()


def test_what_git_does_in_the_checks_folder_stays_there(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    before = repo.everything()

    with workspaces.checked_out(repo.git("rev-parse", "HEAD"), setup=Setup()) as place:
        sh(place, "git", "commit", "-q", "--allow-empty", "-m", "by a check")
        sh(place, "git", "tag", "v9")

    assert repo.everything() == before
