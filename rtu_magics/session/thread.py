"""The one background thread of the process and its event loop.

Magics are synchronous and the client is not: the loop runs here, and whoever calls hands it
coroutines and waits. The wait looks at a queue in short turns instead of blocking for good, so that
Ctrl-C gets through on every platform (Python's blocking waits ignore it on Windows).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import ClientClosed, RTUError

__all__ = ["Calls", "LoopThread", "background", "on_loop", "stop_background"]

T = TypeVar("T")
Calls = queue.SimpleQueue[Callable[[], object] | None]
"""What a coroutine wants done by the thread that waits for it; None ends the wait."""

TURN = 0.1  # seconds between two looks for Ctrl-C


class LoopThread:
    """A daemon thread with an event loop, started on first use.

    One instance serves the whole process, see `background`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    @property
    def running(self) -> bool:
        """Whether the thread is there, in this very process."""
        thread = self._thread
        return thread is not None and thread.is_alive() and self._pid == os.getpid()

    @property
    def here(self) -> bool:
        """Whether the caller is on the thread."""
        return threading.current_thread() is self._thread

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; starts the thread if need be."""
        with self._lock:
            if not self.running or self._loop is None:
                self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        def main() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            try:
                loop.run_forever()
            finally:
                _finish(loop)

        thread = threading.Thread(target=main, name="rtu-magics", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # a platform without threads, such as Pyodide
            loop.close()
            raise RTUError(
                "this Python cannot start threads (JupyterLite, for example), and the magics need "
                "one; use the asynchronous client rtu_magics.client instead"
            ) from None
        ready.wait()
        self._loop, self._thread, self._pid = loop, thread, os.getpid()

    def submit(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(coro, self.loop)

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        timeout: float | None = None,
        on_turn: Callable[[], None] | None = None,
        calls: Calls | None = None,
    ) -> T:
        """Run a coroutine on the loop and wait for its result; Ctrl-C cancels it.

        Parameters
        ----------
        coro
            The coroutine.
        timeout
            Seconds to wait; None waits as long as it takes.
        on_turn
            Called about every tenth of a second while waiting, on the calling thread.
        calls
            Where the coroutine puts what the calling thread is to do meanwhile; all of it is done
            before this returns.

        Raises
        ------
        TimeoutError
            The time is up; the coroutine was cancelled.
        """
        if self.here:
            coro.close()
            raise RTUError("a synchronous verb was called on the background thread; await instead")
        future = self.submit(coro)
        calls = queue.SimpleQueue() if calls is None else calls
        future.add_done_callback(lambda _: calls.put(None))
        waited = 0.0
        try:
            while True:
                try:
                    call = calls.get(timeout=TURN)
                    if call is None:
                        break
                    call()
                except queue.Empty:
                    waited += TURN
                    if on_turn is not None:
                        on_turn()
                    if timeout is not None and waited >= timeout:
                        raise TimeoutError from None
                    if not self.running:
                        raise ClientClosed("the background thread was stopped") from None
        except BaseException:
            future.cancel()
            raise
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ClientClosed("the session was closed while it was waiting") from None

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what still runs and end the thread; it starts again when needed.

        Parameters
        ----------
        timeout
            Seconds to wait for the thread.
        """
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is None or thread is None or self._pid != os.getpid():
                return  # not started, or this is a forked child without the thread
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel every task and close the loop."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=3))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


_background = LoopThread()


def background() -> LoopThread:
    """Return the process's loop thread."""
    return _background


def on_loop(read: Callable[[], T]) -> T:
    """Call a function where the document stands still meanwhile, and wait for what it returns.

    That is the loop's thread; without one nothing moves, and it is called here.

    Parameters
    ----------
    read
        Something short that does not wait.
    """
    loop = _background
    if loop.here or not loop.running:
        return read()

    async def do() -> T:
        return read()

    try:
        return loop.run(do())
    except ClientClosed:  # the thread has just ended
        return read()


def stop_background() -> None:
    """Stop the process's loop thread if it runs."""
    _background.stop()
