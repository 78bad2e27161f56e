"""What a CLI writes down for itself while it works is read as it grows, in bounded memory, and may be missing."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Usage
from agent_orchestrator.providers import SessionLog
from agent_orchestrator.providers.codex import Codex
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.session_log import BACK_BYTES, LOOK_EVERY_S, SessionLogReader
from agent_orchestrator.runtime.transcript import Tailer
from steps import accept, claim, planned

SESSION = "01a1faae-f368-70e2-aec3-495c56b280ec"
CODEX = Codex(model="gpt-5.4")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log of SESSION lies, once somebody writes it."""
    where = replace(CODEX, sessions=tmp_path).session_log(SESSION)
    assert where is not None
    where.folders[0].mkdir(parents=True)
    return where.folders[0] / f"rollout-2026-11-20T12-00-00{where.ending}"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SessionLogReader]:
    made = SessionLogReader(replace(CODEX, sessions=tmp_path))
    yield made
    made.close()


def told(tokens: int) -> str:
    total = {"input_tokens": tokens, "cached_input_tokens": 0, "output_tokens": 0}
    return json.dumps({"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": total}}})


def write(file: Path, *lines: str) -> None:
    with file.open("a") as out:
        out.writelines(f"{line}\n" for line in lines)


def tokens(reader: SessionLogReader, now: float, *, to_end: bool = False) -> int | None:
    found = reader.read(SESSION, now, to_end=to_end)
    return None if found is None else found.usage.input_tokens


def test_figures_come_as_the_log_grows_and_the_newest_counts(log: Path, reader: SessionLogReader) -> None:
    write(log, '{"type": "session_meta"}', told(100), told(250))
    assert (tokens(reader, 1), tokens(reader, 2)) == (250, None)

    write(log, told(300), "not JSON", '{"payload": {"type": "token_count", "info": null}}')

    assert tokens(reader, 3) == 300


def test_a_log_that_is_not_there_tells_nothing_and_is_looked_for_now_and_then(
    log: Path, reader: SessionLogReader
) -> None:
    assert tokens(reader, 1) is None
    write(log, told(100))

    assert tokens(reader, 1 + LOOK_EVERY_S / 2) is None
    assert tokens(reader, 1 + LOOK_EVERY_S) == 100


def test_a_session_that_is_over_is_looked_for_once_more_and_read_to_its_end(
    log: Path, reader: SessionLogReader
) -> None:
    assert tokens(reader, 1) is None
    write(log, told(1), *(told(number) for number in range(2, 6000)))

    assert tokens(reader, 1, to_end=True) == 5999


def test_of_a_long_log_only_the_end_is_read(log: Path, reader: SessionLogReader) -> None:
    write(log, told(7), "x" * BACK_BYTES, told(9))
    os.truncate(log, 64 << 20)  # and a hole, of which nothing is read either
    write(log, "", told(11))

    assert tokens(reader, 1, to_end=True) == 11
    assert reader._tailer is not None and reader._tailer.offset > 63 << 20


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "unreadable"])
def test_what_is_no_file_of_the_agents_own_is_left_alone(log: Path, reader: SessionLogReader, kind: str) -> None:
    if kind == "link":
        write(log.with_name("elsewhere"), told(5))
        log.symlink_to(log.with_name("elsewhere"))
    elif kind == "pipe":
        os.mkfifo(log)
    elif kind == "folder":
        log.mkdir()
    else:
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
        write(log, told(5))
        log.chmod(0)

    assert tokens(reader, 1) is None


def test_a_pipe_that_takes_the_logs_place_makes_nobody_wait(log: Path) -> None:
    """It was a file when it was found."""
    os.mkfifo(log)
    with Tailer(log) as tailer, pytest.raises(OSError, match="seek"):
        tailer.read()


@pytest.mark.parametrize("session", ["", "th-1", "../../etc", "01a1faae-f368-40e2-aec3-495c56b280ec"])
def test_an_id_that_does_not_tell_when_it_began_has_no_log(tmp_path: Path, session: str) -> None:
    assert replace(CODEX, sessions=tmp_path).session_log(session) is None


def test_the_day_in_a_sessions_id_is_looked_at_in_every_time_zone(tmp_path: Path) -> None:
    where = replace(CODEX, sessions=tmp_path).session_log(SESSION.upper())

    days = [tmp_path / "2026" / "11" / day for day in ("20", "19", "21")]
    assert where == SessionLog(folders=tuple(days), ending=f"-{SESSION}.jsonl")
    assert CODEX.session_log(SESSION) is None, "nobody said where its sessions are"


@pytest.fixture
def follower(app: App, tmp_path: Path) -> Iterator[Follower]:
    accept(app, planned("one"))
    attempt = replace(claim(app), session=SESSION)
    provider = replace(CODEX, sessions=tmp_path)
    tailer = Tailer(tmp_path / "stdout.log")
    made = Follower(attempt=attempt, provider=provider, process=None, workspace=None, tailer=tailer)
    yield made
    made.close()


def test_an_attempt_that_goes_on_in_a_session_pays_only_what_it_used_itself(log: Path, follower: Follower) -> None:
    follower.continues(Usage(input_tokens=900))
    write(log, told(400), told(900))
    follower.read(1.0)
    assert follower.attempt.usage.input_tokens == 0 and follower.did_nothing

    write(log, told(1200))
    follower.read(2.0)

    assert follower.attempt.usage.input_tokens == 300
    assert follower.changed


def test_what_an_agent_prints_at_last_takes_the_place_of_what_its_log_says(
    log: Path, tmp_path: Path, follower: Follower
) -> None:
    write(log, told(100))
    follower.read(1.0)
    usage = {"input_tokens": 150, "cached_input_tokens": 0, "output_tokens": 0}
    write(tmp_path / "stdout.log", json.dumps({"type": "turn.completed", "usage": usage}))
    follower.read(2.0)
    write(log, told(100))

    follower.read(3.0, to_end=True)

    assert follower.attempt.usage.input_tokens == 150
