import os
import signal
import threading

from agent_orchestrator.runtime.inbox import Inbox


def test_what_is_posted_from_a_thread_or_a_signal_handler_arrives() -> None:
    inbox: Inbox[str] = Inbox()
    before = signal.signal(signal.SIGUSR1, lambda *_: inbox.put("signal"))
    try:
        thread = threading.Thread(target=inbox.put, args=("thread",))
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGUSR1)

        assert set(inbox.take(5)) == {"thread", "signal"}
        assert list(inbox.take(0)) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
        inbox.close()


def test_a_watched_descriptor_yields_its_happening_until_it_is_forgotten() -> None:
    inbox: Inbox[str] = Inbox()
    read, write = os.pipe()
    inbox.watch(read, "readable")
    os.write(write, b"x")

    assert list(inbox.take(5)) == ["readable"]
    inbox.forget(read)
    assert list(inbox.take(0)) == []

    inbox.forget(read)
    inbox.close()
    os.close(read)
    os.close(write)


def test_more_posts_than_the_pipe_holds_lose_nothing() -> None:
    inbox: Inbox[int] = Inbox()
    for number in range(100_000):
        inbox.put(number)

    assert list(inbox.take(0)) == list(range(100_000))
    inbox.close()
