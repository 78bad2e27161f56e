"""Whatever an agent destroys, every byte that was in a checkpoint comes back, and nothing of the user's is touched."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import RefusedByState, WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Checkpoint, Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.saves import Saves
from agent_orchestrator.workspaces.shared import SharedWorkspaces
from agent_orchestrator.workspaces.worktree import WorktreeWorkspaces
from workspaces.scenes import Attempt, Repo, Start, put, sh

LETTERS = "every byte: \0\r\n\xff".encode("latin-1")


@pytest.fixture
def saves(repo: Repo, tmp_path: Path) -> Saves:
    return Saves(folder=repo.root, state=tmp_path / "state")


def keep(attempt: Attempt, why: str = "while it ran") -> Checkpoint | None:
    return attempt.workspaces.checkpoint(attempt.workspace, attempt=attempt.id, why=why).checkpoint


def work(attempt: Attempt) -> None:
    """Change, add, remove and commit, tracked and untracked, with bytes that no text has."""
    put(attempt.path / "a.txt", "one\nTWO\nthree\n")
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "half")
    (attempt.path / "b.txt").unlink()
    put(attempt.path / "new" / "raw.bin", "").write_bytes(LETTERS)
    (attempt.path / "new" / "link").symlink_to("raw.bin")
    put(attempt.path / "new" / "run.sh", "#!/bin/sh\n").chmod(0o755)


def reset(attempt: Attempt) -> None:
    attempt.git("reset", "-q", "--hard", "HEAD~1")
    attempt.git("clean", "-fdxq")


def branches_deleted(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "--detach", "HEAD~1", check=False)
    attempt.git("branch", "-D", *attempt.git("branch", "--format=%(refname:short)", "--list", "orch*").split())
    reset_all(attempt)


def reset_all(attempt: Attempt) -> None:
    attempt.git("checkout", "-qf", ".")
    attempt.git("clean", "-ffdxq")
    attempt.git("reflog", "expire", "--expire=now", "--all")
    attempt.git("gc", "-q", "--prune=now")


def checkout_deleted(attempt: Attempt) -> None:
    shutil.rmtree(attempt.workspace.root)


def git_deleted(attempt: Attempt) -> None:
    shutil.rmtree(attempt.workspace.root / ".git")
    for entry in attempt.path.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def records_deleted(attempt: Attempt) -> None:
    checkout_deleted(attempt)
    shutil.rmtree(attempt.workspace.root.parents[1] / "records")
    shutil.rmtree(attempt.workspace.root.parents[1] / "spare", ignore_errors=True)


def users_git_deleted(attempt: Attempt) -> None:
    checkout_deleted(attempt)
    shutil.rmtree(Path(str(attempt.workspaces.folder)) / ".git")


MISDEEDS = [reset, branches_deleted, reset_all, checkout_deleted, git_deleted, records_deleted, users_git_deleted]


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda misdeed: misdeed.__name__)
def test_every_byte_that_was_kept_comes_back(
    misdeed: Callable[[Attempt], None], start: Start, saves: Saves, tmp_path: Path
) -> None:
    attempt = start()
    work(attempt)
    kept = keep(attempt)
    assert kept is not None

    misdeed(attempt)
    saves.into_folder(kept, tmp_path / "back")

    back = tmp_path / "back"
    assert (back / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert (back / "new" / "raw.bin").read_bytes() == LETTERS
    assert (back / "new" / "link").readlink() == Path("raw.bin")
    assert (back / "new" / "run.sh").stat().st_mode & 0o100
    assert (back / "lib" / "deep.txt").read_text() == "deep\n"
    assert not (back / "b.txt").exists()
    assert (kept.files, kept.notes) == (5, ())
    assert kept.bytes == len("one\nTWO\nthree\n") + len(LETTERS) + len("raw.bin") + len("#!/bin/sh\n")


def test_a_branch_holds_the_work_on_the_commit_it_began_with_and_nothing_of_the_users_changes(
    start: Start, saves: Saves, repo: Repo
) -> None:
    attempt = start()
    work(attempt)
    kept = keep(attempt)
    assert kept is not None
    checkout_deleted(attempt)
    put(repo.root / "a.txt", "the user's own\n")
    before = repo.everything()

    restored = saves.into_branch(kept)
    again = saves.into_branch(kept)

    assert restored.branch == again.branch == "orchestrate/restored/t4hw9ab.1"
    assert repo.git("rev-parse", f"{restored.branch}^") == kept.base
    assert repo.git("diff", "--name-only", str(kept.base), str(restored.branch)).split() == [
        "a.txt",
        "b.txt",
        "new/link",
        "new/raw.bin",
        "new/run.sh",
    ]
    assert repo.everything() == before
    assert "missing" not in repo.git("fsck", "--no-dangling")


def test_another_checkpoint_gets_another_branch(start: Start, saves: Saves) -> None:
    attempt = start()
    put(attempt.path / "a.txt", "1")
    first = keep(attempt)
    put(attempt.path / "a.txt", "2")
    second = keep(attempt)
    assert first is not None and second is not None

    names = [saves.into_branch(one).branch for one in (first, second, first)]

    assert names == [f"orchestrate/restored/t4hw9ab.1{end}" for end in ("", "-2", "")]


def test_nothing_new_makes_no_checkpoint(start: Start, saves: Saves) -> None:
    attempt = start()
    assert keep(attempt) is None
    put(attempt.path / "a.txt", "new")
    assert keep(attempt) is not None
    assert keep(attempt) is None
    attempt.close()

    assert [one.number for one in saves.of("t4hw9ab")] == [1]


def test_checkpoints_are_listed_with_what_they_hold_oldest_first(start: Start, saves: Saves) -> None:
    attempt, other = start("t4hw9ab.2"), start("t4hw9abc.1")
    put(attempt.path / "a.txt", "new")
    keep(attempt)
    put(attempt.path / "c.txt", "sea")
    keep(attempt, "as it ended")
    put(other.path / "a.txt", "other")
    keep(other)

    listed = saves.of("t4hw9ab")

    assert [(one.attempt, one.number, one.why, one.files, one.bytes) for one in listed] == [
        ("t4hw9ab.2", 1, "while it ran", 1, 3),
        ("t4hw9ab.2", 2, "as it ended", 2, 6),
    ]
    assert saves.of("t4hw9ab.2") == listed
    assert saves.of("*") == saves.of("../x") == ()


def test_work_is_kept_before_its_checkout_is_given_to_another(start: Start, saves: Saves, tmp_path: Path) -> None:
    attempt = start()
    work(attempt)

    attempt.close()

    (kept,) = saves.of("t4hw9ab")
    assert kept.why == "before its checkout was given back"
    saves.into_folder(kept, tmp_path / "back")
    assert (tmp_path / "back" / "new" / "raw.bin").read_bytes() == LETTERS


def test_a_checkout_that_cannot_be_saved_is_not_removed(start: Start, tmp_path: Path) -> None:
    attempt = start()
    work(attempt)
    (tmp_path / "state" / "saves.git").write_text("in the way")

    with pytest.raises((WorkspaceProblem, OSError)):
        attempt.close()

    assert (attempt.path / "new" / "raw.bin").read_bytes() == LETTERS


def test_secrets_and_what_git_ignores_and_what_was_installed_are_never_kept(
    start: Start, saves: Saves, repo: Repo, tmp_path: Path
) -> None:
    put(repo.root / ".env", "KEY=copied")
    attempt = start(setup=Setup(copy=(".env",)))
    secret = ("deep/.env.local", "id_rsa", "server.PEM", ".netrc", "secrets.yaml", "build/x.o", "a.log")
    for name in (*secret, "node_modules/left/pad.js", ".env", "app/.env.example", "environment.py"):
        put(attempt.path / name, "content")

    kept = keep(attempt)

    assert kept is not None
    saves.into_folder(kept, tmp_path / "back")
    there = {str(path.relative_to(tmp_path / "back")) for path in (tmp_path / "back").rglob("*") if path.is_file()}
    assert there == {"a.txt", "b.txt", ".gitignore", "lib/deep.txt", "app/.env.example", "environment.py"}
    told = " ".join(kept.notes)
    assert [name for name in secret if name in told] == list(secret[:5])
    assert "node_modules" not in told and ".env:" not in told, "a copy of the user's own is nobody's work"


def test_what_was_left_out_is_told_each_time(start: Start) -> None:
    attempt = start()
    put(attempt.path / "id_rsa", "content")

    told = [attempt.workspaces.checkpoint(attempt.workspace, attempt=attempt.id, why="") for _ in range(2)]

    assert [(one.checkpoint, one.left_out) for one in told] == [
        (None, ("left out id_rsa: by its name it holds secrets",))
    ] * 2


def test_a_file_that_the_project_tracks_is_kept_whatever_its_name(start: Start, saves: Saves, repo: Repo) -> None:
    repo.commit(__env="A=1")
    attempt = start()
    put(attempt.path / ".env", "A=2")

    kept = keep(attempt)

    assert kept is not None and kept.notes == () and kept.files == 1


@pytest.mark.parametrize("way", ["branch", "stash"])
def test_work_that_was_committed_or_stashed_and_is_not_checked_out_is_kept(
    way: str, start: Start, saves: Saves, tmp_path: Path
) -> None:
    attempt = start()
    put(attempt.path / "a.txt", "elsewhere")
    if way == "stash":
        attempt.git("stash", "-q")
    else:
        attempt.git("checkout", "-qb", "idea")
        attempt.git("commit", "-qam", "idea")
        attempt.git("checkout", "-q", "-")

    keep(attempt)
    keep(attempt)
    attempt.git("branch", "-D", "idea", check=False)
    attempt.git("stash", "drop", check=False)
    reset_all(attempt)

    (kept,) = saves.of("t4hw9ab")
    assert way in kept.why or "idea" in kept.why
    saves.into_folder(kept, tmp_path / "back")
    assert (tmp_path / "back" / "a.txt").read_text() == "elsewhere"


def test_a_folder_with_anything_in_it_is_refused(start: Start, saves: Saves, tmp_path: Path) -> None:
    attempt = start()
    work(attempt)
    kept = keep(attempt)
    assert kept is not None
    mine = put(tmp_path / "mine" / "file", "mine")

    for folder in (mine.parent, mine):
        with pytest.raises(RefusedByState, match="not empty"):
            saves.into_folder(kept, folder)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedByState, match="not empty"):
        saves.into_folder(kept, tmp_path / "link")

    assert mine.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_forgetting_takes_what_is_named_and_leaves_the_rest(start: Start, saves: Saves, tmp_path: Path) -> None:
    one, two = start("t1aaaaa.1"), start("t2bbbbb.1")
    put(one.path / "big", "".join(map(str, range(100_000))))
    put(two.path / "a.txt", "two")
    keep(one)
    keep(two)

    freed = saves.forget(saves.of("t1aaaaa"))

    assert freed > 100_000
    assert saves.of("t1aaaaa") == ()
    (left,) = saves.all()
    saves.into_folder(left, tmp_path / "back")
    assert (tmp_path / "back" / "a.txt").read_text() == "two"
    put(two.path / "a.txt", "three")
    assert keep(two) is not None, "and the next checkpoint of a living checkout works"


def test_the_files_of_a_submodule_come_back_into_a_folder_and_the_link_into_a_branch(
    start: Start, saves: Saves, repo: Repo, tmp_path: Path
) -> None:
    inner = Repo(tmp_path / "inner")
    inner.root.mkdir()
    inner.git("init", "-q")
    inner.git("config", "user.name", "Ada")
    inner.git("config", "user.email", "ada@example.org")
    inner.commit(x__txt="x\n")
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), "sub")
    repo.commit("with a submodule")
    attempt = start()
    assert keep(attempt) is None
    put(attempt.path / "sub" / "x.txt", "worked in")

    kept = keep(attempt)
    assert kept is not None
    checkout_deleted(attempt)

    saves.into_folder(kept, tmp_path / "back")
    restored = saves.into_branch(kept)
    assert (tmp_path / "back" / "sub" / "x.txt").read_text() == "worked in"
    assert repo.git("ls-tree", str(restored.branch), "sub").startswith("160000")
    assert "--into" in restored.notes[0]


def test_a_checkpoint_in_the_middle_of_a_rebase_or_with_a_locked_index_is_as_good(start: Start, saves: Saves) -> None:
    attempt = start()
    (attempt.workspace.root / ".git" / "index.lock").touch()
    (attempt.workspace.root / ".git" / "HEAD").write_text("rubbish")
    put(attempt.path / "a.txt", "new")

    kept = keep(attempt)

    assert kept is not None and kept.files == 1


def test_a_store_that_somebody_damaged_is_made_again(start: Start, saves: Saves) -> None:
    attempt = start()
    put(attempt.path / "a.txt", "1")
    keep(attempt)
    shutil.rmtree(saves.store)
    put(attempt.path / "a.txt", "2")

    assert keep(attempt) is not None


def test_worktrees_are_saved_too(repo: Repo, saves: Saves, tmp_path: Path) -> None:
    workspaces = WorktreeWorkspaces(folder=repo.root, state=tmp_path / "state")
    id = AttemptId("t4hw9ab.1")
    attempt = Attempt(workspaces, workspaces.open(id, base=repo.git("rev-parse", "HEAD"), setup=Setup()), id)
    work(attempt)

    attempt.close()

    (kept,) = saves.of("t4hw9ab")
    assert kept.files == 5


def test_the_users_repository_gets_no_object_and_no_ref_by_a_checkpoint(
    start: Start, repo: Repo, workspaces: CheckoutWorkspaces
) -> None:
    attempt = start()
    before = sh(repo.root, "find", ".git", "-type", "f")
    work(attempt)
    keep(attempt)

    assert sh(repo.root, "find", ".git", "-type", "f") == before


@pytest.mark.parametrize("with_git", [True, False])
def test_what_lies_in_a_shared_folder_is_kept_before_an_agent_begins_and_after(
    with_git: bool, repo: Repo, saves: Saves, tmp_path: Path
) -> None:
    if not with_git:
        shutil.rmtree(repo.root / ".git")
    put(repo.root / "draft.txt", "the user's own, nowhere else")
    put(repo.root / "a.txt", "staged")
    repo.git("add", "a.txt", check=False)
    workspaces, id = SharedWorkspaces(folder=repo.root, state=tmp_path / "state"), AttemptId("t4hw9ab.1")
    workspace = workspaces.open(id, base=None, setup=Setup())
    (repo.root / "draft.txt").unlink()
    put(repo.root / "made.txt", "by the agent")

    workspaces.checkpoint(workspace, attempt=id, why="as it ended")

    first, last = saves.of(id)
    assert (first.why, last.why) == ("before it began", "as it ended")
    saves.into_folder(first, tmp_path / "first")
    saves.into_folder(last, tmp_path / "last")
    assert (tmp_path / "first" / "draft.txt").read_text() == "the user's own, nowhere else"
    assert (tmp_path / "last" / "made.txt").read_text() == "by the agent"
    assert (tmp_path / "last" / "a.txt").read_text() == "staged"
