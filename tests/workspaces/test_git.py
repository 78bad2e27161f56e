"""Git runs what a configuration names. Ours must not, in any call, whoever wrote the configuration."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import NotReady, WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Project, Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.git import blanked, git, read_config
from agent_orchestrator.workspaces.project import detect, init
from workspaces.scenes import GOAL, Repo, ends, put, sh, write

HOOKS = (
    *("applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-checkout", "post-commit", "post-index-change"),
    *("post-merge", "post-rewrite", "pre-auto-gc", "pre-commit", "pre-merge-commit", "prepare-commit-msg"),
    "reference-transaction",
)


def poison(git_dir: Path, canary: Path) -> None:
    """Make every way we know for a repository to have a program run leave a file behind."""
    script = put(canary / "run.sh", f'#!/bin/sh\necho "$0 $*" >> {canary}/ran\ncat\n')
    script.chmod(0o755)
    hooks = canary / "hooks"
    for name in HOOKS:
        put(hooks / name, script.read_text()).chmod(0o755)
        put(git_dir / "hooks" / name, script.read_text()).chmod(0o755)
    included = put(canary / "included", f'[filter "inc"]\n\tclean = {script}\n\tsmudge = {script}\n')
    settings = {
        "core.fsmonitor": script,
        "core.hooksPath": hooks,
        "core.pager": script,
        "core.editor": script,
        "core.sshCommand": script,
        "core.askPass": script,
        "core.gitProxy": script,
        "core.alternateRefsCommand": script,
        "credential.helper": f"!{script}",
        "diff.external": script,
        "diff.evil.textconv": script,
        "diff.evil.command": script,
        "filter.evil.clean": script,
        "filter.evil.smudge": script,
        "filter.evil.required": "true",
        "filter.proc=x.process": script,
        "filter.lfs.clean": f"{script} %f",
        "filter.lfs.smudge": f"{script} %f",
        "merge.evil.driver": f"{script} %A",
        "gpg.program": script,
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "pager.diff": script,
        "pager.log": script,
        "protocol.ext.allow": "always",
        "sequence.editor": script,
        "uploadpack.packObjectsHook": script,
        "remote.origin.url": f"ext::{script}",
        "include.path": included,
    }
    for key, value in settings.items():
        sh(git_dir, "git", "config", "--file", str(git_dir / "config"), key, str(value))


ATTRIBUTES = "*.txt filter=evil diff=evil merge=evil\n*.py filter=proc=x\n*.inc filter=inc\n*.bin filter=lfs\n"


def test_no_program_that_a_configuration_names_is_run_in_the_whole_life_of_an_attempt(
    repo: Repo, tmp_path: Path
) -> None:
    base = repo.commit("attributes", __gitattributes=ATTRIBUTES, x__py="x\n", y__inc="y\n", z__bin="z\n")
    canary = tmp_path / "canary"
    poison(repo.root / ".git", canary)
    sh(repo.root, "git", "diff", "--no-pager", "HEAD~", check=False)
    repo.git("status")
    assert (canary / "ran").exists(), "the poison does not work, so this test could not fail"
    (canary / "ran").unlink()
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")

    workspaces.project()
    commits = []
    for number in (1, 2):
        id = AttemptId(f"t{number}.1")
        workspace = workspaces.open(id, base=base, setup=Setup(command="true"))
        write(workspace.path, a__txt=f"{number}\n", x__py=f"{number}\n", y__inc="n\n", z__bin="n\n")
        poison(workspace.root / ".git", canary)
        put(workspace.root / ".gitattributes", ATTRIBUTES + "* filter=evil\n")
        collected = workspaces.collect(workspace, goal=GOAL, attempt=id, message="m")
        commits.append(collected.commit or "")
        workspaces.close(workspace)
    assert workspaces.union(commits[0], commits[1]).conflicts != ()
    workspaces.diff(commits[0], commits[1])
    workspaces.landed(collected.branch or "", base)
    for _ in range(2):
        with workspaces.checked_out(commits[0], setup=Setup()) as place:
            poison(place / ".git", canary)
    write(repo.root, a__txt="dirty\n")
    workspaces.base(GOAL, include_dirty=True)
    assert not (canary / "ran").exists(), (canary / "ran").read_text()
    repo.git("-c", "filter.evil.smudge=", "-c", "core.fsmonitor=", "checkout", "-f", "-q", "--", ".", check=False)
    (canary / "ran").unlink(missing_ok=True)
    workspaces.deliver(branch=collected.branch or "", into="main", base=base)
    workspaces.undo(into="main", moved_from=base, moved_to=commits[1])

    assert not (canary / "ran").exists(), (canary / "ran").read_text()


def test_a_merge_driver_of_the_repositorys_own_is_replaced_by_gits_merge(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "merge.evil.driver", f"touch {tmp_path}/ran; false")
    base = repo.commit("attributes", __gitattributes="*.txt merge=evil\n", c__txt="1\n2\n3\n4\n5\n")
    repo.git("checkout", "-q", "-b", "left")
    left = repo.commit("left", c__txt="one\n2\n3\n4\n5\n")
    repo.git("checkout", "-q", "-b", "right", base)
    right = repo.commit("right", c__txt="1\n2\n3\n4\nfive\n")
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")

    union = workspaces.union(left, right)

    assert union.tree is not None
    assert repo.show(union.tree, "c.txt") == "one\n2\n3\n4\nfive"
    assert not (tmp_path / "ran").exists()


def test_git_lfs_as_its_installer_configures_it_is_left_on(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "bin" / "git-lfs", "#!/bin/sh\nexit 0\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    repo.git("config", "filter.lfs.clean", "git-lfs clean -- %f")
    repo.git("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    repo.git("config", "filter.lfs.process", "git-lfs filter-process")
    assert blanked(read_config(repo.root)) == {}

    repo.git("config", "filter.lfs.clean", "git-lfs clean -- %f; touch /tmp/x")
    assert blanked(read_config(repo.root))["filter.lfs.clean"] == ""


def test_variables_that_point_git_elsewhere_are_dropped(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'user.name'='Mallory'")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")

    assert git("rev-parse", "--show-toplevel", cwd=repo.root).text == str(repo.root)
    assert git("config", "user.name", cwd=repo.root).text == "Ada"


def test_a_failure_is_gits_own_words_in_one_line(repo: Repo) -> None:
    with pytest.raises(WorkspaceProblem, match=r"^git rev-parse failed: fatal: Needed a single revision$"):
        git("rev-parse", "--verify", "no-such-thing", cwd=repo.root)


def test_a_missing_folder_is_not_mistaken_for_a_missing_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkspaceProblem, match="is gone"):
        git("version", cwd=tmp_path / "nowhere")

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady) as caught:
        git("version", cwd=tmp_path)
    assert "install git" in caught.value.hint


def test_a_git_that_hangs_is_ended_with_all_it_started(repo: Repo, tmp_path: Path) -> None:
    alias = f"!echo $$ > {tmp_path}/pid; exec sleep 600"

    with pytest.raises(WorkspaceProblem, match="did not end within"):
        git("hang", cwd=repo.root, config={"alias.hang": alias}, timeout_s=1)

    pid = (tmp_path / "pid").read_text().strip()
    assert ends(int(pid))


def test_output_can_be_capped(repo: Repo) -> None:
    repo.commit("big", big__txt="x\n" * 500_000)

    assert len(git("show", "HEAD:big.txt", cwd=repo.root, limit_bytes=1000).out) == 1000


def test_a_folder_without_git_is_seen_as_one(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    project = detect(tmp_path / "plain")

    assert (project.root, project.head, project.branch) == (None, None, None)


def test_what_the_user_should_know_is_noted(repo: Repo) -> None:
    put(repo.root / ".gitmodules", "")
    put(repo.root / ".git" / "hooks" / "pre-commit", "#!/bin/sh\n").chmod(0o755)
    repo.git("config", "filter.crypt.clean", "rev")
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "--unset", "user.email")

    project = detect(repo.root / "lib")

    assert project.folder == repo.root / "lib" and project.root == repo.root
    assert (project.branch, project.signing, project.identity) == ("main", True, False)
    notes = " ".join(project.notes)
    assert "submodules" in notes and "pre-commit" in notes and "crypt" in notes


def test_looking_never_takes_a_lock_or_writes_the_index(repo: Repo) -> None:
    (repo.root / "a.txt").touch()
    before = repo.everything()
    put(repo.root / ".git" / "index.lock", "")

    detect(repo.root)

    assert repo.everything() == before


def test_a_folder_becomes_a_repository_with_its_files_but_not_its_secrets(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    put(folder / "main.py", "print()\n")
    put(folder / ".env", "KEY=1\n")
    put(folder / "node_modules" / "x" / "index.js", "\n")

    project = init(folder)

    assert project.branch == "main" and project.head is not None
    assert sh(folder, "git", "ls-tree", "-r", "--name-only", "HEAD") == "main.py"
    assert project.dirty == () and project.untracked == ()
    assert init(folder).head == project.head


def test_a_repository_without_a_commit_gets_its_first(tmp_path: Path) -> None:
    sh(tmp_path, "git", "init", "-q", "-b", "trunk", "empty")

    project = init(tmp_path / "empty")

    assert project.branch == "trunk" and project.head is not None


@pytest.mark.parametrize("look", [detect, lambda folder: CheckoutWorkspaces(folder=folder, state=folder).project()])
def test_a_bare_repository_has_nothing_to_work_on(look: Callable[[Path], Project], tmp_path: Path) -> None:
    sh(tmp_path, "git", "init", "-q", "--bare", "bare.git")

    project = look(tmp_path / "bare.git")

    assert project.root is None and project.bare


@pytest.mark.parametrize("what", ["an object", "a branch"])
def test_what_is_written_is_flushed_to_the_disk(repo: Repo, tmp_path: Path, what: str) -> None:
    tip = repo.git("rev-parse", "HEAD")
    told = tmp_path / "trace"
    words = ("hash-object", "-w", "--stdin") if what == "an object" else ("update-ref", "refs/heads/kept", tip)

    git(*words, cwd=repo.root, input=b"new to git", env={"GIT_TRACE2_EVENT": str(told)})

    counts = [one for one in map(json.loads, told.read_text().splitlines()) if one["event"] == "data"]
    assert [one["value"] for one in counts if one.get("key") == "fsync/hardware-flush"] == ["1"]
