"""The background thread."""

from __future__ import annotations

import asyncio
import queue
import signal
import threading

import pytest

from rtu_magics.errors import ClientClosed, RTUError
from rtu_magics.session.thread import Calls, LoopThread


@pytest.fixture
def loop_thread():
    thread = LoopThread()
    yield thread
    thread.stop()
    assert not thread.running


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


def test_runs_from_any_thread(loop_thread: LoopThread) -> None:
    assert not loop_thread.running
    before = sum(t.name == "rtu-magics" for t in threading.enumerate())  # of earlier tests
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(loop_thread.run(give(n))))
        for n in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(5))
    assert sum(t.name == "rtu-magics" for t in threading.enumerate()) == before + 1


def test_errors_come_back(loop_thread: LoopThread) -> None:
    async def fail() -> None:
        raise RTUError("no")

    with pytest.raises(RTUError, match="no"):
        loop_thread.run(fail())


def test_timeout_cancels(loop_thread: LoopThread) -> None:
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        loop_thread.run(wait(), timeout=0.1)
    assert cancelled.wait(60)


def test_ctrl_c_gets_through(loop_thread: LoopThread) -> None:
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        loop_thread.run(asyncio.sleep(60))


def test_turns_happen_while_waiting(loop_thread: LoopThread) -> None:
    turns: list[None] = []
    loop_thread.run(asyncio.sleep(0.35), on_turn=lambda: turns.append(None))
    assert 2 <= len(turns) <= 4


def test_calling_from_the_loop_is_refused(loop_thread: LoopThread) -> None:
    async def inner() -> None:
        loop_thread.run(give(1))

    with pytest.raises(RTUError, match="await instead"):
        loop_thread.run(inner())


def test_stop_ends_whoever_waits_and_starts_again(loop_thread: LoopThread) -> None:
    threading.Timer(0.2, loop_thread.stop).start()
    with pytest.raises(ClientClosed):
        loop_thread.run(asyncio.sleep(60))
    assert loop_thread.run(give(3)) == 3


def test_what_a_coroutine_wants_done_is_done_by_the_caller_in_order(
    loop_thread: LoopThread,
) -> None:
    calls: Calls = queue.SimpleQueue()
    done: list[tuple[int, threading.Thread]] = []

    def note(number: int) -> None:
        done.append((number, threading.current_thread()))

    async def work() -> str:
        calls.put(lambda: note(1))
        await asyncio.sleep(0)
        calls.put(lambda: note(2))
        return "over"

    assert loop_thread.run(work(), calls=calls) == "over"
    here = threading.current_thread()
    assert done == [(1, here), (2, here)]


def test_what_it_wanted_done_is_done_before_its_error_comes(loop_thread: LoopThread) -> None:
    calls: Calls = queue.SimpleQueue()
    said: list[str] = []

    async def fail() -> None:
        calls.put(lambda: said.append("before"))
        raise RTUError("no")

    with pytest.raises(RTUError, match="no"):
        loop_thread.run(fail(), calls=calls)
    assert said == ["before"]


def test_an_error_of_what_the_caller_does_cancels_the_rest(loop_thread: LoopThread) -> None:
    calls: Calls = queue.SimpleQueue()
    cancelled = threading.Event()

    def fail() -> None:
        raise BrokenPipeError("nobody reads")

    async def work() -> None:
        calls.put(fail)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(BrokenPipeError):
        loop_thread.run(work(), calls=calls)
    assert cancelled.wait(10)
