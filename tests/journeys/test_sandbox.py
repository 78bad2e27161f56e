"""Agents in the sandbox: they do their work there, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_orchestrator.workspaces import landlock
from agent_orchestrator.workspaces.reach import Reach
from agent_orchestrator.workspaces.sandbox import Landlock
from calling import Caller
from doubles.model_scripts import Shell, Turn, Write
from doubles.model_server import ModelServer
from journeys.conftest import Begin, job
from journeys.real_places import project_by_rules, wanted

CALC = "def add(a, b):\n    return a + b\n"
TEST = (
    "import unittest\nfrom calc import add\n\n\n"
    "class Calc(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
)


def need(mechanism: str) -> None:
    """Skip where this machine cannot do it, saying why."""
    if mechanism == "landlock" and landlock.abi() < landlock.ABI_NEEDED:
        pytest.skip("this kernel has no Landlock of the version that we need")
    if mechanism == "bubblewrap":
        program = shutil.which("bwrap")
        if program is None:
            pytest.skip("bubblewrap is not installed")
        trial = [program, "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "/bin/true"]
        tried = subprocess.run(trial, capture_output=True, timeout=120)
        if tried.returncode != 0:
            pytest.skip(f"bubblewrap does not work here: {tried.stderr.decode()[:200]}")


def path_without_bwrap(tmp_path: Path, path: str | None = None) -> str:
    """Return a PATH of everything in *path*, or in ours, but ``bwrap``."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in reversed((path or os.environ["PATH"]).split(os.pathsep)):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name != "bwrap" and os.access(program, os.X_OK):
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    return str(folder)


@pytest.fixture(params=["bubblewrap", "landlock"])
def mechanism(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    need(name)
    return name


@pytest.fixture
def shut_in(begin: Begin, mechanism: str, tmp_path: Path) -> Caller:
    """A project whose agents run in *mechanism*, with a home that holds a secret."""
    caller = begin(**{"calc.py": CALC, "test_calc.py": TEST})
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("the private key\n")
    caller.environ |= {"HOME": str(home), "ORCHESTRATE_SANDBOX": "auto"}
    caller.environ.pop("SCRIPTED_AGENT_WITNESS")  # it lies where the sandbox lets nobody write
    if mechanism == "landlock":
        caller.environ["PATH"] = path_without_bwrap(tmp_path)
    return caller


def run(caller: Caller, script: str, *words: str) -> tuple[str, str]:
    """Have the agent do *script*; return what it left in ``found.txt`` and what the run said."""
    submitted = caller("submit", job("work", script))
    assert submitted.code == 0, submitted.err
    ran = caller("run", *words, timeout_s=120)
    assert ran.code in {0, 6}, ran.err
    found = caller.folder / "found.txt"
    return (found.read_text() if found.exists() else ""), ran.err


def test_an_agent_edits_runs_tools_and_commits_in_its_checkout(shut_in: Caller, mechanism: str) -> None:
    script = """
    append calc.py # more
    sh python3 -m unittest -q 2>> found.txt && echo tests >> found.txt
    sh echo "$ORCHESTRATE_IN_SANDBOX" >> found.txt; echo x > "$TMPDIR/x" 2>/dev/null || echo x > /tmp/x-of-sandbox-test
    sh f=$(mktemp); mkdir -p a b; echo y > a/y; mv a/y b/y; cat < "$f"; rm "$f"; echo err > /dev/stderr
    sh if command -v npm > /dev/null; then npm config get cache > /dev/null && touch "$HOME/.npm/made"; fi
    sh git log --oneline | head -1 >> found.txt; git status --short > /dev/null; git stash -q; git stash pop -q
    sh "$ORCHESTRATE_CLI" context put port 8080 && echo told >> found.txt
    commit Do it in the sandbox
    """

    found, said = run(shut_in, script)

    assert f"sandbox: {mechanism}" in said
    assert "tests\n" in found and f"{mechanism}\n" in found and " base\n" in found and "told\n" in found
    assert shut_in("context", "get", "port").out.strip().endswith("8080")


def test_an_agent_can_write_neither_to_the_users_repository_nor_to_their_home(shut_in: Caller, mechanism: str) -> None:
    project, home = shut_in.folder, shut_in.environ["HOME"]
    script = f"""
    sh echo owned > "{project}/README.md" || echo no-file >> found.txt
    sh echo owned > "{project}/.git/hooks/post-merge" || echo no-hook >> found.txt
    sh git -C "{project}" config core.fsmonitor owned || echo no-config >> found.txt
    sh rm -rf "{project}/.git" 2> /dev/null || echo no-removal >> found.txt
    sh echo owned >> "{home}/.bashrc" || echo no-home >> found.txt
    sh setsid sh -c 'echo owned > "{home}/escaped"' || echo no-escape >> found.txt
    sh echo owned > "$(dirname "$ORCHESTRATE_CLI")/project.json" || echo no-state >> found.txt
    commit Try to get out
    """
    before = {path: path.read_bytes() for path in (project / ".git" / "config", project / "README.md")}

    found, _ = run(shut_in, script)

    assert found.split() == ["no-file", "no-hook", "no-config", "no-removal", "no-home", "no-escape", "no-state"]
    assert before == {path: path.read_bytes() for path in before}
    assert not (project / ".git" / "hooks" / "post-merge").exists()
    assert not (Path(home) / ".bashrc").exists() and not (Path(home) / "escaped").exists()


def test_an_agent_cannot_change_where_the_chain_of_events_ended(shut_in: Caller, mechanism: str) -> None:
    anchors = f"{shut_in.environ['XDG_STATE_HOME']}/orchestrate/*/events.anchors"
    tries = '{ echo x > "$file" && echo wrote || echo refused; }'
    script = f'sh for file in {anchors}; do test -s "$file" && {tries} > found.txt; done'
    found, _ = run(shut_in, script)

    assert found == "refused\n"
    told = shut_in("events", "--check", "--json")
    assert told.code == 0 and told.json["anchors"] >= 2 and told.json["events"] > 5, told.out


def test_strict_hides_the_home_and_still_the_work_gets_done(shut_in: Caller, mechanism: str) -> None:
    home = shut_in.environ["HOME"]
    Path(home, ".gitconfig").write_text("[user]\n\tname = Somebody\n")
    script = f"""
    sh cat "{home}/.ssh/id_ed25519" >> found.txt 2> /dev/null || echo no-key >> found.txt
    sh cat "{home}/.gitconfig" >> found.txt 2> /dev/null || echo no-config >> found.txt
    sh python3 -m unittest -q 2> /dev/null && echo tests >> found.txt
    sh git log --oneline > /dev/null && echo git >> found.txt
    sh "$ORCHESTRATE_CLI" context put port 8080 && echo told >> found.txt
    commit Look around
    """

    found, said = run(shut_in, script, "--sandbox", "strict")

    assert f"sandbox: {mechanism}, strict" in said
    assert found.split() == ["no-key", "no-config", "tests", "git", "told"]


def test_a_home_among_thousands_of_folders_is_hidden_too(tmp_path: Path) -> None:
    need("landlock")
    home, project, state = (tmp_path / name for name in ("home", "project", "state"))
    for folder in (home, project, state, *(tmp_path / f"{n:064}" for n in range(2_000))):
        folder.mkdir()
    (home / "secret").write_text("the private key\n")
    (tmp_path / f"{7:064}" / "letter").write_text("to the world\n")
    sandbox = Landlock(reach=Reach(home=home, environ=os.environ, project=project, state=state, strict=True))
    command = sandbox.around(["cat", f"{home}/secret", f"{tmp_path}/{7:064}/letter"])

    ran = subprocess.run(command.argv, capture_output=True, text=True, timeout=120)

    assert ran.stdout == "to the world\n", ran.stderr
    assert "Permission denied" in ran.stderr


def test_a_check_runs_in_the_sandbox_too(shut_in: Caller, mechanism: str) -> None:
    escape = Path(shut_in.environ["HOME"], "escaped")
    evil = f"import pathlib\ntry:\n    pathlib.Path({str(escape)!r}).write_text('owned')\nexcept OSError:\n    pass\n"
    script = f"write test_more.py <<EOF\n{evil}\n{TEST}\nEOF\ncommit Add a test that does more than test"

    _, said = run(shut_in, script)

    assert "completed (verified)" in said, "the test was run"
    assert not escape.exists()


def test_an_agent_can_neither_read_the_environment_of_others_nor_signal_them(shut_in: Caller, mechanism: str) -> None:
    with subprocess.Popen(["sleep", "300"], env={**os.environ, "SECRET": "canary-of-a-neighbour"}) as neighbour:
        script = f"""
        sh cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -c canary-of-a-neighbour >> found.txt || true
        sh kill -0 {neighbour.pid} 2> /dev/null && echo signalled >> found.txt || true
        commit Look at the neighbours
        """
        found, _ = run(shut_in, script)
        neighbour.kill()

    if mechanism == "landlock" and landlock.abi() < 6:
        found = found.replace("signalled\n", "")  # so old a kernel cannot keep signals in
    assert found.split() == ["0"]


@pytest.mark.real
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_a_real_cli_edits_and_commits_inside_and_reads_no_secret(
    tmp_path: Path, mechanism: str, cli: str, mode: str
) -> None:
    wanted(cli)
    with ModelServer() as server:
        here = project_by_rules(tmp_path, server, cli)
        secret = Path(here.environ["HOME"], ".ssh", "id_ed25519")
        secret.parent.mkdir()
        secret.write_text("the private key\n")
        if mechanism == "landlock":
            here.environ["PATH"] = path_without_bwrap(tmp_path, here.environ["PATH"])
        look = f"cp {secret} stolen.txt; echo gone > {secret}; git add -A && git commit -q -m inside"
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        server.when(
            "Add multiplication", [Turn(actions=(mul,)), Turn(actions=(Shell(command=look),)), Turn(text="Done.")]
        )
        here("submit", "Add multiplication")

        ran = here("run", "--sandbox", mode)

    assert ran.code == 0, ran.err
    assert f"sandbox: {mechanism}" in ran.err and "completed (verified)" in ran.err
    assert "a * b" in here.git("show", "main:mul.py")
    assert secret.read_text() == "the private key\n"
    assert (here.folder / "stolen.txt").exists() == (mode == "auto"), "auto hides nothing that may be read"
