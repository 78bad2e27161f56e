"""A run cleans up by itself: what nobody can want any more goes, work that lies nowhere else stays and is named."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.runtime.housekeeping import Housekeeping
from agent_orchestrator.runtime.leftovers import Abandoned, Leftover, Retention
from agent_orchestrator.runtime.tidying import Tidying
from calling import Caller, wait_for

LONG, NOW = timedelta(days=999), timedelta(0)
MUCH = 2**50


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    """A repository in which one goal was delivered and one task failed; the failed work stands on its branch."""
    caller = Caller(tmp_path / "project")
    caller.with_agent(tmp_path)
    (caller.folder / "README").write_text("hello\n")
    caller.begin_repository()
    caller("submit", "Too little", "--verify", "false", "--max-attempts", "1")
    assert caller("run").code == 6
    caller("submit", "Work")
    assert caller("run").code == 0
    return caller


@pytest.fixture
def app(call: Caller) -> Iterator[App]:
    built = build(call.folder, environ=call.environ)
    yield built
    built.close()


def keeping(
    app: App, *, checkouts: timedelta = LONG, transcripts: timedelta = LONG, disk_bytes: int = MUCH
) -> Housekeeping:
    return replace(
        app.housekeeping, retention=Retention(checkouts=checkouts, transcripts=transcripts, disk_bytes=disk_bytes)
    )


def kinds(leftovers: tuple[Leftover, ...]) -> list[str]:
    return [one.kind for one in leftovers]


def checkouts(app: App) -> list[Path]:
    return list((app.state / "checkouts").iterdir())


def test_an_old_checkout_whose_work_stands_on_a_branch_goes(app: App, call: Caller) -> None:
    branches = call.git("branch", "--list", "orchestrate/*")

    tidied = keeping(app, checkouts=NOW).tidy()

    assert kinds(tidied.freed) == ["checkout"]
    assert checkouts(app) == []
    assert call.git("branch", "--list", "orchestrate/*") == branches != ""


def test_an_old_checkout_whose_branch_is_gone_stays_with_the_command_that_takes_its_work(
    app: App, call: Caller, tmp_path: Path
) -> None:
    call.drop_attempts_branches()

    tidied = keeping(app, checkouts=NOW, disk_bytes=1).tidy()

    assert "checkout" not in kinds(tidied.freed)
    (kept,) = tidied.kept
    assert kept.path.exists()
    assert call(*kept.command.split()[1:], "--into", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back" / "work.txt").read_text() == "work\n"


def test_an_old_checkout_that_was_changed_after_it_was_collected_stays(app: App, call: Caller, tmp_path: Path) -> None:
    (put,) = checkouts(app)
    (put / "late.txt").write_text("written by hand")

    tidied = keeping(app, checkouts=NOW, disk_bytes=1).tidy()

    (kept,) = tidied.kept
    assert (put / "late.txt").exists()
    assert call(*kept.command.split()[1:], "--into", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back" / "late.txt").read_text() == "written by hand"


def test_only_beyond_the_disk_budget_warm_checkouts_go_and_then_needless_ones_that_are_not_old(app: App) -> None:
    (spare,) = (app.state / "spare").iterdir()
    (spare / "files" / "bulk").write_bytes(os.urandom(2**20))
    size = sum(file.lstat().st_size for file in app.state.rglob("*") if file.is_file() and not file.is_symlink())

    enough = keeping(app, disk_bytes=size + 2**20).tidy()
    assert (enough.freed, enough.kept) == ((), ())
    assert kinds(keeping(app, disk_bytes=size - 2**19).tidy().freed) == ["spare"]
    assert kinds(keeping(app, disk_bytes=1).tidy().freed) == ["checkout"]
    assert list((app.state / "spare").iterdir()) == [], "what is said to be freed is not kept as a spare"


def test_a_task_that_was_sent_back_keeps_its_checkout(app: App, call: Caller) -> None:
    housekeeping = keeping(app, checkouts=NOW)
    goes = [one for one in housekeeping.leftovers() if one.kind == "checkout" and one.free]
    assert goes and call("retry", "too-little").code == 0

    assert housekeeping._freed(goes) == []
    assert kinds(housekeeping.tidy().freed) == []
    assert len(checkouts(app)) == 1


def test_nobody_waits_for_the_end_of_it(app: App) -> None:
    with pytest.raises(Abandoned):
        replace(keeping(app, checkouts=NOW), go_on=lambda: False).tidy()
    tidying = Tidying(lambda: keeping(app, checkouts=NOW), store=app.store, events=app.events, log=lambda _: None)
    tidying._over.set()
    tidying.look(0.0)

    tidying.close()

    assert len(checkouts(app)) == 1 and not tidied(app)


def tidied(app: App) -> list[dict[str, Any]]:
    return [dict(event.data) for event in app.events.last(10, types=("run.tidied",))]


def test_once_it_is_done_it_is_done_again_when_a_goal_has_ended_but_not_every_minute(app: App) -> None:
    asked: list[int] = []

    def housekeeping() -> Housekeeping:
        asked.append(1)
        return keeping(app)

    tidying = Tidying(housekeeping, store=app.store, events=app.events, log=lambda _: None)
    for now, ended in ((0.0, False), (4000.0, False), (4000.0, True), (4100.0, True), (9000.0, False)):
        if ended:
            tidying.goal_ended()
        tidying.look(now)
        assert tidying._thread is not None
        tidying._thread.join()
    tidying.close()

    assert len(asked) == 3, "at the start, after a goal has ended, and the one that ended too soon after that"


def test_a_run_does_it_beside_its_work_and_says_it_in_one_line(call: Caller, app: App) -> None:
    call.drop_attempts_branches()
    call("submit", "Too little again", "--verify", "false", "--max-attempts", "1")
    call("run", ORCHESTRATE_AUTO_CLEANUP="false", ORCHESTRATE_CHECKOUT_DAYS="0", ORCHESTRATE_TRANSCRIPT_DAYS="0")
    assert not tidied(app) and len(checkouts(app)) == 2, "it can be switched off"
    call("submit", "More")

    call("run", "--detach", AGENT_SLEEP="60", ORCHESTRATE_CHECKOUT_DAYS="0", ORCHESTRATE_TRANSCRIPT_DAYS="0")
    try:
        wait_for(lambda: bool(tidied(app)), timeout_s=90)
    finally:
        call("stop", "--now", "--wait")

    (told,) = tidied(app)
    assert {one["kind"] for one in told["freed"]} >= {"checkout", "transcripts"}
    (kept,) = told["kept"]
    assert Path(kept["path"]).exists() and call(*kept["command"].split()[1:]).code == 0
    (line,) = [line for line in (app.state / "supervisor.log").read_text().splitlines() if "cleaned up" in line]
    assert "1 checkout" in line and kept["command"] in line
    assert json.loads(call("events", "--type", "run.tidied", "--json").out)["data"] == told
