"""Ctrl-C in a view that stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent_orchestrator.cli.ctrl_c import CtrlC

LONG_S = 60.0
"""Nobody sleeps so long here: the press ends it."""


@pytest.fixture(autouse=True)
def _as_python_has_it() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_step_is_finished_and_then_the_block_ends() -> None:
    steps = []

    with CtrlC() as ctrl_c:
        press()
        steps.append("the step goes on")
        ctrl_c.check()
        steps.append("the next one")

    assert steps == ["the step goes on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_press_before_a_sleep_ends_the_block_without_sleeping() -> None:
    with CtrlC() as ctrl_c:
        press()
        ctrl_c.sleep(LONG_S)
        pytest.fail("it slept")


def test_a_press_ends_a_sleep() -> None:
    words = (
        "from agent_orchestrator.cli.ctrl_c import CtrlC\n"
        "with CtrlC() as ctrl_c:\n"
        "    print('asleep', flush=True)\n"
        f"    ctrl_c.sleep({LONG_S})\n"
        "print('well')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "asleep\n"
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=120)[0] == "well\n"
    assert process.returncode == 0


def test_the_second_press_ends_a_step_that_hangs() -> None:
    with CtrlC():
        press()
        press()
        pytest.fail("it went on")


def test_nothing_but_ctrl_c_is_taken_for_it() -> None:
    with pytest.raises(ValueError), CtrlC() as ctrl_c:
        ctrl_c.check()
        raise ValueError


def test_where_ctrl_c_is_ignored_it_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with CtrlC() as ctrl_c:
        press()
        ctrl_c.check()

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_class_that_is_being_made_takes_no_harm() -> None:
    class Pressed:
        def __set_name__(self, owner: type, name: str) -> None:
            press()

    with CtrlC() as ctrl_c:
        type("Made", (), {"pressed": Pressed()})
        ctrl_c.check()
        pytest.fail("it went on")
