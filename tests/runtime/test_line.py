import threading

from agent_orchestrator.runtime.line import Line
from calling import wait_for


def test_the_lowest_rank_goes_first_and_of_equals_the_older() -> None:
    line, begun, go, done = Line("test", lambda _: None), threading.Event(), threading.Event(), []

    def hold_up() -> None:
        begun.set()
        go.wait(120)

    line.put((9,), hold_up)
    assert begun.wait(120)
    for rank, name in (((1, 5), "c"), ((1, 2), "a"), ((1, 2), "b"), ((0,), "first")):
        line.put(rank, lambda name=name: done.append(name))  # type: ignore[misc]
    go.set()
    line.close()

    assert done == ["first", "a", "b", "c"]


def test_a_job_that_raises_is_told_and_the_next_is_done() -> None:
    told, done = [], []
    line = Line("test", told.append)

    line.put((0,), lambda: [][1])
    line.put((1,), lambda: done.append(1))
    line.close()

    assert [type(error) for error in told] == [IndexError]
    assert done == [1]


def test_a_line_that_was_never_used_closes() -> None:
    Line("unused", lambda _: None).close()

    assert "unused" not in {thread.name for thread in threading.enumerate()}


def test_what_the_last_job_puts_in_while_a_line_closes_is_dropped_without_a_word() -> None:
    told, begun, go, done = [], threading.Event(), threading.Event(), []
    line = Line("test", told.append)

    def last() -> None:
        begun.set()
        go.wait(120)
        line.put((0,), lambda: done.append("late"))
        done.append("last")

    line.put((0,), last)
    assert begun.wait(120)
    closing = threading.Thread(target=line.close)
    closing.start()
    wait_for(lambda: line._closed)
    go.set()
    closing.join()

    assert (told, done) == ([], ["last"])
