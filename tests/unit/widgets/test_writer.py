"""The one thread that writes to widgets."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time

import pytest

from rtu_magics.widgets.writer import Writer


def test_everything_is_called_on_one_other_thread():
    writer, threads = Writer(pace=0), []
    for key in range(20):
        writer.schedule(key, lambda: threads.append(threading.current_thread()))
    assert writer.flush()
    assert len(threads) == 20
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


def test_what_is_scheduled_again_is_called_once():
    writer, calls, started, go = Writer(pace=0), [], threading.Event(), threading.Event()

    def hold():
        started.set()
        go.wait(10)

    writer.schedule("first", hold)
    assert started.wait(10)
    for number in range(100):
        writer.schedule("same", lambda number=number: calls.append(number))
    go.set()
    assert writer.flush()
    assert calls == [99]


def test_turns_keep_their_distance():
    writer, times = Writer(pace=0.05), []

    def again():
        times.append(time.monotonic())
        if len(times) < 4:
            writer.schedule("key", again)

    writer.schedule("key", again)
    deadline = time.monotonic() + 10
    while len(times) < 4 and time.monotonic() < deadline:
        writer.flush()
    assert all(later - earlier >= 0.045 for earlier, later in itertools.pairwise(times))


def test_forgotten_is_not_called_even_in_a_turn_that_has_begun():
    writer, calls = Writer(pace=0), []
    started, go = threading.Event(), threading.Event()

    def hold():
        started.set()
        go.wait(10)

    writer.schedule("first", hold)
    writer.schedule("second", lambda: calls.append("second"))
    assert started.wait(10)
    writer.forget("second")
    go.set()
    assert writer.flush()
    assert calls == []


def test_what_fails_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture):
    writer, calls = Writer(pace=0), []

    def fail():
        raise RuntimeError("broken")

    with caplog.at_level(logging.ERROR):
        writer.schedule("fails", fail)
        writer.schedule("works", lambda: calls.append(1))
        assert writer.flush()
    assert calls == [1]
    assert "updating 'fails' failed" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own():
    writer = Writer(pace=0)
    writer.schedule("parent", lambda: None)
    assert writer.flush()
    child = os.fork()
    if child == 0:
        done = threading.Event()
        writer.schedule("child", done.set)
        os._exit(0 if done.wait(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_stopping_does_what_is_scheduled_and_ends_the_thread() -> None:
    writer = Writer(0.01)
    done: list[int] = []
    writer.schedule("key", lambda: done.append(1))
    thread = writer._thread
    assert thread is not None
    writer.stop()
    assert done == [1]
    assert not thread.is_alive()
    writer.stop()
    writer.schedule("key", lambda: done.append(2))
    assert writer.flush()
    assert done == [1, 2]
    writer.stop()
