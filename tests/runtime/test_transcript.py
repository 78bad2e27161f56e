import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.runtime.transcript import Line, Tailer


def everything(tailer: Tailer) -> list[Line]:
    lines = tailer.read()
    while tailer.behind:
        lines += tailer.read()
    return lines


def test_lines_come_once_in_order_and_an_unfinished_one_waits(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo\nthr")
    with Tailer(log) as tailer:
        assert [line.text for line in tailer.read()] == ["one", "two"]
        assert tailer.read() == []

        with log.open("ab") as file:
            file.write(b"ee\n\nfour")

        assert [line.text for line in tailer.read()] == ["three", ""]
        assert tailer.offset == len(b"one\ntwo\nthree\n\n")


def test_the_last_line_without_newline_is_returned_when_the_writer_has_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo")
    with Tailer(log) as tailer:
        everything(tailer)

        assert tailer.finish() == Line(text="two", offset=7)
        assert tailer.finish() is None
        assert tailer.offset == 7


def test_a_file_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    with Tailer(tmp_path / "log") as tailer:
        assert (tailer.read(), tailer.behind, tailer.finish()) == ([], False, None)

        (tmp_path / "log").write_bytes(b"now\n")

        assert tailer.behind
        assert [line.text for line in tailer.read()] == ["now"]


def test_reading_goes_on_at_every_stored_offset(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes("ä\n\nlong line\r\n\x00\xff\n".encode("latin-1") * 3)
    with Tailer(log) as tailer:
        whole = everything(tailer)
    assert len(whole) == 12

    for number, line in enumerate(whole, start=1):
        with Tailer(log, line.offset) as tailer:
            assert everything(tailer) == whole[number:]


@pytest.mark.parametrize("chunks", [1, 3, 20])
def test_a_line_across_many_reads_is_one_line(tmp_path: Path, chunks: int) -> None:
    log = tmp_path / "log"
    text = "".join(f"{number:08d}" for number in range(chunks * 5000))
    log.write_text(text + "\nend\n")
    with Tailer(log) as tailer:
        lines = []
        while tailer.behind:
            lines += tailer.read(1)

    assert [line.text for line in lines] == [text, "end"]


def test_bytes_that_are_no_text_do_not_stop_the_reading(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x00\xff\xfe\xc3\n" + os.urandom(1 << 20) + b'\n{"type":"result"}\n')
    with Tailer(log) as tailer:
        lines = everything(tailer)

    assert lines[0].text == "\x00\ufffd\ufffd\ufffd"
    assert lines[-1].text == '{"type":"result"}'


@pytest.mark.parametrize("mebibytes", [8])
def test_a_huge_line_keeps_its_head_and_costs_no_more_memory(tmp_path: Path, mebibytes: int) -> None:
    log = tmp_path / "log"
    script = """
import resource, sys
from pathlib import Path
from agent_orchestrator.runtime.transcript import Tailer
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Tailer(Path(sys.argv[1])) as tailer:
    lines = tailer.read()
    while tailer.behind:
        lines += tailer.read()
for line in lines:
    print(len(line.text), line.offset)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    with log.open("wb") as file:
        for _ in range(mebibytes):
            file.write(b"y" * (1 << 20))
        file.write(b"\nresult\n")

    run = subprocess.run([sys.executable, "-c", script, str(log)], capture_output=True, text=True, check=True)

    head, result, grown_kb = run.stdout.splitlines()
    size = mebibytes << 20
    assert head == f"{1 << 20} {size + 1}"
    assert result == f"6 {size + 8}"
    assert int(grown_kb) < 5 << 10, "more than some copies of the 1 MiB kept"


def test_one_read_is_bounded_also_in_a_flood_of_empty_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\n" * (1 << 20))
    with Tailer(log) as tailer:
        assert len(tailer.read()) == 256 << 10
        assert tailer.behind


def test_a_closed_tailer_holds_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x\n")
    before = os.listdir("/proc/self/fd")

    with Tailer(tmp_path / "log") as tailer:
        tailer.read()

    assert os.listdir("/proc/self/fd") == before
