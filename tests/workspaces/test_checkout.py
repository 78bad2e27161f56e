import json
import os
import threading
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import Setup, Workspaces
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from workspaces.scenes import GOAL, Repo, Start, put, sh, write


def test_it_serves_the_contract(workspaces: CheckoutWorkspaces) -> None:
    serves: Workspaces = workspaces

    assert serves.isolation == "checkout"


def test_an_attempt_gets_the_files_of_its_base_and_nothing_uncommitted(repo: Repo, start: Start) -> None:
    write(repo.root, a__txt="changed by the user\n", new__txt="new\n")

    attempt = start()

    assert (attempt.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert not (attempt.path / "new.txt").exists()
    assert attempt.git("status", "--porcelain") == ""
    assert attempt.git("log", "--format=%s", "main") == "first"


def test_the_same_attempt_gets_its_checkout_back_as_it_left_it(start: Start) -> None:
    first = start()
    write(first.path, half__txt="half done\n")

    again = start()

    assert again.workspace == first.workspace
    assert (again.path / "half.txt").read_text() == "half done\n"


def test_a_checkout_whose_making_was_interrupted_is_made_anew(
    workspaces: CheckoutWorkspaces, start: Start, tmp_path: Path
) -> None:
    put(tmp_path / "state" / "checkouts" / "t4hw9ab.1" / "a.txt", "half")

    attempt = start()

    assert (attempt.path / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_work_in_a_subfolder_happens_in_that_subfolder(repo: Repo, tmp_path: Path) -> None:
    workspaces = CheckoutWorkspaces(folder=repo.root / "lib", state=tmp_path / "state")
    base = workspaces.base(GOAL, include_dirty=False)

    workspace = workspaces.open(AttemptId("t1.1"), base=base, setup=Setup())
    write(workspace.path, deep__txt="changed\n")
    write(workspace.root, a__txt="changed too\n")
    collected = workspaces.collect(workspace, goal=GOAL, attempt=AttemptId("t1.1"), message="work")

    assert workspace.path == workspace.root / "lib"
    assert collected.files == ("a.txt", "lib/deep.txt")
    assert collected.commit is not None
    with workspaces.checked_out(collected.commit, setup=Setup()) as place:
        assert (place / "deep.txt").read_text() == "changed\n"


def test_a_repository_without_a_commit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    sh(tmp_path, "git", "init", "-q", "empty")
    workspaces = CheckoutWorkspaces(folder=tmp_path / "empty", state=tmp_path / "state")

    assert workspaces.base(GOAL, include_dirty=True) is None
    with pytest.raises(WorkspaceProblem, match="no commit") as caught:
        workspaces.open(AttemptId("t1.1"), base=None, setup=Setup())
    assert "commit once" in caught.value.hint


def test_the_origin_is_the_users_real_remote_and_pushing_fails(repo: Repo, start: Start, tmp_path: Path) -> None:
    sh(tmp_path, "git", "init", "-q", "--bare", "remote.git")
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repo.git("push", "-q", "origin", "main")

    attempt = start()
    attempt.git("commit", "-q", "--allow-empty", "-m", "mine")

    assert attempt.git("remote", "get-url", "origin") == str(tmp_path / "remote.git")
    assert attempt.git("rev-parse", "origin/main") == repo.git("rev-parse", "main")
    attempt.git("push", "origin", "HEAD:main", check=False)
    attempt.git("push", "--force", "--all", "origin", check=False)
    assert sh(tmp_path / "remote.git", "git", "log", "--format=%s", "--all") == "first"


def test_a_password_in_the_remotes_address_does_not_reach_the_agent(repo: Repo, start: Start) -> None:
    repo.git("remote", "add", "origin", "https://ada:hunter2@example.org/x.git")

    attempt = start()

    assert attempt.git("remote", "get-url", "origin") == "https://example.org/x.git"
    assert "hunter2" not in (attempt.path / ".git" / "config").read_text()


def test_a_relative_remote_still_leads_to_the_same_place(repo: Repo, start: Start, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", "../remote.git")

    assert start().git("remote", "get-url", "origin") == str(tmp_path / "remote.git")


def test_an_agents_commits_carry_the_users_name_and_are_not_signed(repo: Repo, start: Start) -> None:
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "gpg.program", "/bin/false")

    attempt = start()
    attempt.git("commit", "-q", "--allow-empty", "-m", "mine")

    assert attempt.git("log", "-1", "--format=%an <%ae>") == "Ada <ada@example.org>"


def test_a_missing_identity_is_bridged(repo: Repo, start: Start) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")

    attempt = start()
    attempt.git("commit", "-q", "--allow-empty", "-m", "mine")
    write(attempt.path, a__txt="x\n")
    collected = attempt.collect()

    assert repo.git("log", "-1", "--format=%an <%ae>", collected.commit or "") == (
        "Agent Orchestrator <orchestrate@localhost>"
    )


def test_a_closed_checkout_is_used_again_and_shows_nothing_of_its_last_agent(repo: Repo, start: Start) -> None:
    first = start("t1.1")
    inode = (first.path / "lib" / "deep.txt").stat().st_ino
    write(first.path, a__txt="dirt\n", ignored__log="secret\n", untracked__txt="x\n")
    first.git("config", "core.fsmonitor", "/bin/false")
    first.git("config", "core.hooksPath", ".")
    first.git("branch", "mine")
    first.git("update-index", "--assume-unchanged", "b.txt")
    write(first.path, b__txt="hidden change\n")
    put(first.path / ".git" / "info" / "exclude", "*\n")
    first.collect()
    first.close()

    second = start("t1.2")

    assert not first.path.exists()
    assert (second.path / "lib" / "deep.txt").stat().st_ino == inode, "the folder was not reused"
    assert sorted(os.listdir(second.path)) == [".git", ".gitignore", "a.txt", "b.txt", "lib"]
    assert (second.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (second.path / "b.txt").read_text() == "bee\n"
    assert "mine" not in second.git("branch", "--all")
    assert second.git("config", "core.fsmonitor") == "false"
    assert second.collect().commit is None


def test_a_spare_that_cannot_be_cleaned_is_thrown_away(repo: Repo, start: Start, tmp_path: Path) -> None:
    first = start("t1.1")
    first.close()
    (spare,) = (tmp_path / "state" / "spare").iterdir()
    (spare / "files" / ".git").rename(spare / "files" / "x")
    put(spare / "index", "not an index")

    second = start("t1.2")

    assert second.git("status", "--porcelain") == ""
    assert (second.path / "a.txt").exists()


def test_a_folder_that_is_not_our_checkout_is_never_closed(repo: Repo, start: Start) -> None:
    from dataclasses import replace

    attempt = start()

    for root in (repo.root, repo.root.parent, attempt.path / ".."):
        with pytest.raises(WorkspaceProblem, match="not one of our checkouts"):
            attempt.workspaces.close(replace(attempt.workspace, root=root, path=root))
    assert (repo.root / "a.txt").exists()


def test_reopening_finds_a_checkout_by_its_path_and_says_when_it_is_gone(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    attempt = start()

    again = workspaces.reopen(attempt.path, base=attempt.workspace.base)

    assert again == attempt.workspace
    assert workspaces.reopen(repo.root, base=None) is None
    attempt.close()
    assert workspaces.reopen(attempt.path, base=None) is None


def test_an_id_cannot_lead_out_of_the_state_folder(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    for id in ("../evil", "-x", "a/b", ".", ""):
        with pytest.raises(WorkspaceProblem):
            workspaces.open(AttemptId(id), base=repo.git("rev-parse", "HEAD"), setup=Setup())


def test_many_attempts_can_be_opened_and_collected_at_once(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    problems: list[BaseException] = []

    def one(number: int) -> None:
        id = AttemptId(f"t{number}.1")
        try:
            for _ in range(2):
                workspace = workspaces.open(id, base=base, setup=Setup())
                write(workspace.path, a__txt=f"by {number}\n")
                collected = workspaces.collect(workspace, goal=GOAL, attempt=id, message="work")
                assert collected.files == ("a.txt",)
                workspaces.close(workspace)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert {repo.show(branch, "a.txt") for branch in workspaces.branches(GOAL)} == {f"by {n}" for n in range(6)}


def test_the_base_leaves_uncommitted_work_out_and_names_it(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    write(repo.root, a__txt="dirty\n", new__txt="new\n")

    assert workspaces.base(GOAL, include_dirty=False) == repo.git("rev-parse", "HEAD")
    assert workspaces.project().dirty == ("a.txt",)
    assert workspaces.project().untracked == ("new.txt",)


def test_uncommitted_work_can_be_the_base_without_touching_index_or_stash(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    write(repo.root, a__txt="staged\n")
    repo.git("add", "a.txt")
    write(repo.root, a__txt="dirty\n", new__txt="new\n", noise__log="ignored\n")
    (repo.root / "b.txt").unlink()
    put(repo.root / ".git" / "index.lock", "")
    before = repo.everything()

    base = workspaces.base(GOAL, include_dirty=True)

    assert base is not None
    assert [line for line in before[0] if "refs/orchestrate/" not in line] == [
        line for line in repo.everything()[0] if "refs/orchestrate/" not in line
    ]
    assert before[1:] == repo.everything()[1:]
    assert repo.names(base) == [".gitignore", "a.txt", "lib/deep.txt", "new.txt"]
    assert repo.show(base, "a.txt") == "dirty"
    repo.git("-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now")
    assert (start(base=base).path / "new.txt").exists()


def test_a_clean_tree_needs_no_snapshot(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    assert workspaces.base(GOAL, include_dirty=True) == repo.git("rev-parse", "HEAD")


def test_a_detached_head_is_a_base_like_any_other(workspaces: CheckoutWorkspaces, repo: Repo, start: Start) -> None:
    repo.git("checkout", "-q", "--detach")

    assert workspaces.project().branch is None
    attempt = start(base=workspaces.base(GOAL, include_dirty=False))
    write(attempt.path, a__txt="x\n")
    assert attempt.collect().files == ("a.txt",)


def test_a_users_branch_in_the_way_moves_our_prefix_for_good(repo: Repo, tmp_path: Path) -> None:
    repo.git("branch", "orchestrate")
    repo.git("branch", "orchestrate-2")
    first = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")

    assert first.result_branch(GOAL) == f"orchestrate-3/{GOAL}/result"

    repo.git("branch", "-D", "orchestrate", "orchestrate-2")
    again = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")
    assert again.result_branch(GOAL) == f"orchestrate-3/{GOAL}/result"
    assert again.advance(again.result_branch(GOAL), old=None, new=repo.git("rev-parse", "HEAD"))


def test_a_users_own_branches_below_our_prefix_do_no_harm(repo: Repo, start: Start) -> None:
    repo.git("branch", "orchestrate/mine")

    attempt = start()
    write(attempt.path, a__txt="x\n")

    assert attempt.collect().branch == f"orchestrate/{GOAL}/t4hw9ab.1"


def test_branches_of_odd_names_reach_the_checkout(repo: Repo, start: Start) -> None:
    for name in ("feature/ünï", "a-b.c", "-dash"[1:], "x@y", "100%"):
        repo.git("branch", name)

    attempt = start()

    assert attempt.git("rev-parse", "feature/ünï") == repo.git("rev-parse", "main")
    assert attempt.git("fsck", "--strict", "--no-dangling") == ""


def test_two_goals_keep_their_branches_apart(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    for goal in (GoalId("gone111"), GoalId("gtwo222")):
        workspace = workspaces.open(AttemptId(f"t{goal}.1"), base=base, setup=Setup())
        write(workspace.path, a__txt=f"{goal}\n")
        workspaces.collect(workspace, goal=goal, attempt=AttemptId(f"t{goal}.1"), message="work")

    assert workspaces.branches(GoalId("gone111")) == ("orchestrate/gone111/tgone111.1",)
    assert workspaces.branches(GoalId("gtwo222")) == ("orchestrate/gtwo222/tgtwo222.1",)


def test_a_shallow_repository_can_be_worked_in(repo: Repo, tmp_path: Path) -> None:
    repo.commit("second", a__txt="2\n")
    sh(tmp_path, "git", "clone", "-q", "--depth=1", f"file://{repo.root}", "shallow")
    workspaces = CheckoutWorkspaces(folder=tmp_path / "shallow", state=tmp_path / "state")

    workspace = workspaces.open(AttemptId("t1.1"), base=workspaces.base(GOAL, include_dirty=False), setup=Setup())

    assert sh(workspace.path, "git", "log", "--format=%s") == "second"
    assert sh(workspace.path, "git", "status", "--porcelain") == ""
    assert any("shallow" in note for note in workspaces.project().notes)


def test_a_linked_worktree_of_the_users_can_be_worked_in(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    workspaces = CheckoutWorkspaces(folder=tmp_path / "side", state=tmp_path / "state")

    workspace = workspaces.open(AttemptId("t1.1"), base=workspaces.base(GOAL, include_dirty=False), setup=Setup())
    write(workspace.path, a__txt="x\n")
    collected = workspaces.collect(workspace, goal=GOAL, attempt=AttemptId("t1.1"), message="work")
    assert collected.branch is not None and collected.commit is not None
    delivered = workspaces.deliver(branch=collected.branch, into="side", base=workspace.base)

    assert delivered.done
    assert (tmp_path / "side" / "a.txt").read_text() == "x\n"
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_large_files_that_lfs_cannot_fill_in_stay_pointers_and_are_named(repo: Repo, start: Start) -> None:
    base = repo.commit("pointer", big__bin="version https://git-lfs.github.com/spec/v1\n", c__txt="c\n")
    put(repo.root / ".gitattributes", "*.bin filter=lfs\n")
    repo.git("add", ".gitattributes")
    repo.git("commit", "-qm", "attributes")
    for part in ("clean -- %f", "smudge -- %f"):
        repo.git("config", f"filter.lfs.{part.split()[0]}", f"git-lfs {part}")
    repo.git("config", "filter.lfs.process", "git-lfs filter-process")
    repo.git("config", "filter.lfs.required", "true")
    if sh(repo.root, "git", "lfs", "version", check=False):
        pytest.skip("git-lfs is installed, and this is about what happens without it")

    attempt = start()
    write(attempt.path, c__txt="changed\n")

    assert (attempt.path / "big.bin").read_text().startswith("version")
    assert any("lfs" in note for note in attempt.workspaces.project().notes)
    assert attempt.collect().files == ("c.txt",)
    assert base != attempt.workspace.base


def test_checks_get_a_clean_tree_each_time_whatever_the_last_check_left(
    workspaces: CheckoutWorkspaces, repo: Repo
) -> None:
    first = repo.git("rev-parse", "HEAD")
    second = repo.commit("second", a__txt="2\n", c__txt="c\n")

    with workspaces.checked_out(second, setup=Setup()) as place:
        write(place, b__txt="broken\n", left__txt="x\n", built__log="x\n")
        put(place / "build" / "out", "stale")
        (place / ".git" / "index").unlink()
    with workspaces.checked_out(repo.git("rev-parse", f"{first}^{{tree}}"), setup=Setup()) as again:
        names = sorted(os.listdir(again))
        assert again == place
        assert names == [".git", ".gitignore", "a.txt", "b.txt", "lib"]
        assert (again / "b.txt").read_text() == "bee\n"
        assert sh(again, "git", "status", "--porcelain", "--ignored") == ""


def test_only_one_check_runs_at_a_time(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    commit = repo.git("rev-parse", "HEAD")
    entered = threading.Event()

    def other() -> None:
        with workspaces.checked_out(commit, setup=Setup()):
            entered.set()

    with workspaces.checked_out(commit, setup=Setup()):
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()


def test_what_is_noted_survives_a_restart(repo: Repo, start: Start, tmp_path: Path) -> None:
    attempt = start()
    write(attempt.path, a__txt="x\n")

    later = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")
    workspace = later.reopen(attempt.path, base=None)

    assert workspace is not None
    assert workspace.base == attempt.workspace.base
    assert later.collect(workspace, goal=GOAL, attempt=attempt.id, message="work").files == ("a.txt",)
    assert json.loads((tmp_path / "state" / "records" / "t4hw9ab.1" / "record.json").read_text())["base"]
