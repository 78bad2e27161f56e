"""Notices: which are due, once each, where they go, and that no run waits for them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.domain.notice import Notice, NoticeKind
from agent_orchestrator.runtime.awake import Awake
from agent_orchestrator.runtime.sinks import CommandSink, DesktopSink, WebhookSink, checked_url
from agent_orchestrator.runtime.vigil import Seen, Vigil
from agent_orchestrator.services.notices import Notices
from calling import wait_for
from looking import HOSTILE, is_harmless
from steps import accept, claim, fail, land, planned

NOTICE = Notice(
    kind=NoticeKind.FINISHED,
    key="k",
    title="Finished: Build it",
    text="completed, verified",
    command="orchestrate status",
)


@dataclass
class Kept:
    """A sink that keeps what it is given."""

    sent: list[Notice] = field(default_factory=list)
    name: str = "kept"

    def send(self, notice: Notice) -> str:
        self.sent.append(notice)
        return ""


@dataclass
class Watch:
    """A vigil over a project, looked through by hand."""

    app: App
    clock: HandClock
    sink: Kept = field(default_factory=Kept)
    seen: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start a run: a new supervisor has a new vigil."""
        app = self.app
        self.vigil = Vigil(
            store=app.store,
            clock=self.clock,
            events=app.events,
            notices=Notices(app.store, self.clock, app.events, "shop"),
            sinks=[self.sink],
            awake=Awake(self.clock, {}, self.log.append, wanted=False),
            stuck_after_s=2700,
            log=self.log.append,
        )

    def told(self) -> list[tuple[str, str]]:
        """Look, wait until everything is sent, and return kind and title of each notice so far."""
        given = {"has_work": True, "holds": (), "all_held": False, "stopped_by": "", "output": 0, **self.seen}
        self.vigil.tell_sleep()
        self.vigil.look(lambda: Seen(**given), at_once=True)
        due = len(self.app.events.last(1000, types=("notice.due",)))
        wait_for(lambda: len(self.sink.sent) == due)
        return [(one.kind.value, one.title) for one in self.sink.sent]


@pytest.fixture
def watch(app: App, clock: HandClock) -> Iterator[Watch]:
    watch = Watch(app, clock)
    yield watch
    watch.vigil.close()


def executing(app: App, *tasks: Any, text: str = "Build it") -> Goal:
    goal, _ = accept(app, *tasks, text=text)
    return app.goals.update(goal.id, state=GoalState.EXECUTING)


def over(app: App, clock: HandClock, goal: Goal, **more: Any) -> None:
    settled = app.goals.settle(goal.id)
    assert settled is not None
    changed = {"state": settled.state, "reason": settled.reason, "verdict": settled.verdict, "ended_at": clock.now()}
    app.goals.update(goal.id, **{**changed, **more})


def clash(app: App) -> None:
    fail(app, claim(app), outcome=Outcome.CONFLICT, reason="it clashes")


def test_a_goal_that_is_finished_is_told_once(watch: Watch, app: App, clock: HandClock) -> None:
    goal = executing(app, planned("a"))
    assert watch.told() == []
    land(app, claim(app))
    over(app, clock, goal, delivery=Delivery.DELIVERED, delivery_note="main was fast-forwarded")

    assert watch.told() == [("finished", "Finished: Build it")]
    assert watch.told() == [("finished", "Finished: Build it")]
    assert "main was fast-forwarded" in watch.sink.sent[0].text


def test_a_failure_is_told_when_it_happens_and_not_again_when_the_goal_ends_by_it(
    watch: Watch, app: App, clock: HandClock
) -> None:
    goal = executing(app, planned("a"), planned("b"))
    clash(app)

    assert watch.told() == [("needs_you", "Needs you: Build it")]
    clash(app)
    over(app, clock, goal)

    assert len(watch.told()) == 1, "one for a goal, not one for each of its tasks"


def test_a_goal_that_ends_long_after_its_first_failure_is_told_again(watch: Watch, app: App, clock: HandClock) -> None:
    goal = executing(app, planned("a"), planned("b"))
    clash(app)
    watch.told()
    clock.advance(timedelta(hours=3))
    land(app, claim(app))
    over(app, clock, goal)

    assert [kind for kind, _ in watch.told()] == ["needs_you", "finished"]
    assert "failed" in watch.sink.sent[1].text


def test_a_result_that_is_not_in_the_branch_needs_somebody(watch: Watch, app: App, clock: HandClock) -> None:
    goal = executing(app, planned("a"))
    land(app, claim(app))
    over(app, clock, goal, delivery=Delivery.WAITING, delivery_note="main has uncommitted changes")

    assert [kind for kind, _ in watch.told()] == ["needs_you"]
    assert "main has uncommitted changes" in watch.sink.sent[0].text


def test_what_was_told_is_not_told_again_by_the_next_run_and_a_retried_failure_is(
    watch: Watch, app: App, clock: HandClock
) -> None:
    executing(app, planned("a"))
    clash(app)
    watch.told()

    watch.begin()
    assert len(watch.told()) == 1
    app.tasks.retry(app.store.tasks.with_words(["a"])[0].id)
    clash(app)

    assert len(watch.told()) == 2


def test_a_limit_is_told_when_no_provider_can_go_on_and_once_for_each_reset(watch: Watch, clock: HandClock) -> None:
    hold = Hold(
        provider="claude",
        kind=HoldKind.USAGE_LIMIT,
        until=clock.now() + timedelta(hours=2),
        stated=True,
        reason="limit",
        since=clock.now(),
    )
    watch.seen = {"holds": (hold,)}
    assert watch.told() == [], "another provider goes on"

    watch.seen = {"holds": (hold,), "all_held": True}
    assert watch.told() == [("stopped", "Waiting: claude has reached its usage limit")]
    clock.advance(timedelta(minutes=1))
    assert len(watch.told()) == 1


def test_a_refused_login_is_told_once_a_day_though_others_go_on(watch: Watch, clock: HandClock) -> None:
    for _ in range(3):
        clock.advance(timedelta(minutes=15))
        now = clock.now()
        hold = Hold(provider="codex", kind=HoldKind.LOGIN, until=now, stated=False, reason="please log in", since=now)
        watch.seen = {"holds": (hold,)}
        told = watch.told()

    assert told == [("needs_you", "Needs you: codex is not logged in")]


@pytest.mark.parametrize("by", ["budget", "deadline", "limit"])
def test_a_run_that_was_stopped_with_work_left_is_told(watch: Watch, app: App, by: str) -> None:
    watch.seen = {"stopped_by": by}
    assert watch.told() == [], "nothing was left to do"

    executing(app, planned("a"))

    assert watch.told() == [("stopped", f"Stopped: the {by} is reached")]
    assert len(watch.told()) == 1


def test_a_run_in_which_nothing_moves_is_told_once_until_something_does(
    watch: Watch, app: App, clock: HandClock
) -> None:
    executing(app, planned("a"))
    watch.told()
    clock.advance(timedelta(minutes=44))
    assert watch.told() == []

    clock.advance(timedelta(minutes=2))
    assert watch.told() == [("stuck", "Stuck: no work goes on")]
    clock.advance(timedelta(hours=2))
    assert len(watch.told()) == 1

    watch.seen = {"output": 5}
    watch.told()
    clock.advance(timedelta(minutes=46))
    assert len(watch.told()) == 2


def test_waiting_for_a_limit_sleeping_and_having_nothing_to_do_are_not_being_stuck(
    watch: Watch, app: App, clock: HandClock
) -> None:
    executing(app, planned("a"))
    limit = Hold(
        provider="claude", kind=HoldKind.USAGE_LIMIT, until=clock.now(), stated=True, reason="529", since=clock.now()
    )
    for seen in ({"holds": (limit,)}, {"has_work": False}):
        watch.seen = seen
        watch.told()
        clock.advance(timedelta(hours=1))
        assert watch.told() == []
    watch.seen = {}
    watch.told()
    clock.suspend(timedelta(hours=8))

    assert watch.told() == []
    (slept,) = app.events.last(10, types=("machine.slept",))
    assert slept.data["seconds"] == 8 * 3600
    assert any("slept for 480 min" in line for line in watch.log)


def test_titles_of_strangers_steer_nothing_and_are_short(watch: Watch, app: App, clock: HandClock) -> None:
    executing(app, planned("a"), text=HOSTILE.replace("\x00", ""))
    fail(app, claim(app), outcome=Outcome.CONFLICT, reason=HOSTILE)
    watch.told()

    (notice,) = watch.sink.sent
    assert is_harmless(notice.title + notice.text)
    assert "\n" not in notice.title + notice.text and max(map(len, (notice.title, notice.text))) <= 300


def test_a_sink_that_hangs_holds_up_nothing_and_one_that_fails_is_told(app: App, clock: HandClock) -> None:
    release = threading.Event()

    @dataclass
    class Hanging:
        name: str = "hanging"

        def send(self, notice: Notice) -> str:
            release.wait(120)
            return "the line was dead"

    watch = Watch(app, clock)
    kept = watch.sink
    watch.vigil = Vigil(
        store=app.store,
        clock=clock,
        events=app.events,
        notices=Notices(app.store, clock, app.events, "shop"),
        sinks=[Hanging(), kept],
        awake=Awake(clock, {}, watch.log.append, wanted=False),
        stuck_after_s=2700,
        log=watch.log.append,
    )
    executing(app, planned("a"))
    clash(app)
    given = Seen(has_work=True, holds=(), all_held=False, stopped_by="", output=0)

    watch.vigil.look(lambda: given, at_once=True)

    assert not kept.sent, "the look returned while the first sink still hangs"
    release.set()
    watch.vigil.close()
    assert [one.kind for one in kept.sent] == [NoticeKind.NEEDS_YOU]
    (failed,) = app.events.last(10, types=("notice.failed",))
    assert (failed.data["sink"], failed.data["reason"]) == ("hanging", "the line was dead")


# Sinks


def test_a_command_gets_the_notice_on_its_input_and_in_its_environment(tmp_path: Path) -> None:
    script = 'cat > told.json; echo "$ORCHESTRATE_NOTICE_KIND: $ORCHESTRATE_NOTICE_TITLE" > told.txt'
    sink = CommandSink(command=script, folder=tmp_path, environment={"PATH": "/usr/bin:/bin"})

    assert sink.send(NOTICE) == ""

    told = json.loads((tmp_path / "told.json").read_text())
    assert told["kind"] == "finished" and told["title"] == "Finished: Build it"
    assert told["text"] == "Finished: Build it. completed, verified (orchestrate status)"
    assert (tmp_path / "told.txt").read_text() == "finished: Finished: Build it\n"


def test_a_command_that_fails_or_hangs_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    failing = CommandSink(command="echo no such room >&2; exit 3", folder=tmp_path, environment=environment)
    hanging = CommandSink(
        command="sleep 1000 & echo $! > pid; wait", folder=tmp_path, environment=environment, takes_s=1
    )

    assert failing.send(NOTICE) == "exit code 3: no such room"
    assert "killed" in hanging.send(NOTICE)
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())


class Hook(BaseHTTPRequestHandler):
    """A webhook on loopback."""

    answer = 204
    bodies: list[tuple[str, Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Hook.bodies.append((self.headers["Content-Type"], json.loads(body)))
        self.send_response(Hook.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.answer, Hook.bodies = 204, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    server.server_close()
    thread.join(120)


def test_a_webhook_is_posted_to_once_and_its_refusal_is_told(hook: str) -> None:
    sink = WebhookSink(url=checked_url(hook))
    assert sink.send(NOTICE) == ""
    assert Hook.bodies == [
        (
            "application/json",
            {
                "kind": "finished",
                "title": "Finished: Build it",
                "text": "Finished: Build it. completed, verified (orchestrate status)",
                "command": "orchestrate status",
                "goal": "",
            },
        )
    ]

    Hook.answer = 500
    assert "500" in sink.send(NOTICE)
    assert len(Hook.bodies) == 2


def test_a_webhook_where_nobody_listens_is_told_and_only_web_addresses_are_taken(hook: str) -> None:
    assert "refused" in WebhookSink(url="http://127.0.0.1:1/").send(NOTICE)

    for url in ("file:///etc/passwd", "ftp://example.invalid", "example.invalid", "http://"):
        with pytest.raises(BadInput, match="not an http or https address"):
            checked_url(url)


@pytest.mark.parametrize(
    ("tool", "before"),
    [("notify-send", "--app-name=Agent Orchestrator --"), ("osascript", "-e on run argv -e display notification")],
)
def test_the_desktop_is_told_by_what_is_there_with_the_texts_as_arguments(
    tmp_path: Path, tool: str, before: str
) -> None:
    script = tmp_path / tool
    script.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/called\nfor last; do :; done\necho "$last" >> {tmp_path}/called\n'
    )
    script.chmod(0o755)
    sink = DesktopSink(environment={"PATH": str(tmp_path)})

    assert sink.send(NOTICE) == ""

    first, last = (tmp_path / "called").read_text().splitlines()
    assert first.startswith(before) and NOTICE.title in first
    assert last == NOTICE.text


def test_without_a_desktop_that_is_said(tmp_path: Path) -> None:
    assert "neither notify-send nor osascript" in DesktopSink(environment={"PATH": str(tmp_path)}).send(NOTICE)
