"""The one thread that writes to widgets.

ipywidgets keeps what it is sending in attributes that no lock guards, so two threads that write to
one widget lose updates. Everything that shows something live goes through here instead, at most ten
times a second: what is scheduled again under the same key takes the place of what was.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["PACE", "Writer", "writer"]

logger = logging.getLogger(__name__)

PACE = 0.1  # seconds between two turns
_PATIENCE = 1.0  # seconds that a thread without work stays


class Writer:
    """Calls what is scheduled, on a thread of its own, in turns.

    A key has at most one call in a turn, and the first call after a pause comes at once. The thread
    is a daemon, starts with the first call, and ends after a while without one.

    Parameters
    ----------
    pace
        The least time between two turns, in seconds.
    """

    def __init__(self, pace: float = PACE) -> None:
        self._pace = pace
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition(threading.Lock())
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._turn: dict[Hashable, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None
        self._busy = False
        self._stopping = False

    def _own_process(self) -> None:
        # A fork has neither the thread nor, perhaps, a lock that anybody would release.
        if self._pid != os.getpid():
            self._reset()

    def schedule(self, key: Hashable, fn: Callable[[], None]) -> None:
        """Call `fn` in the next turn; from any thread, returns at once.

        Parameters
        ----------
        key
            A later call with the same key takes this one's place.
        fn
            Called on the writer's thread. What it raises is logged.
        """
        self._own_process()
        with self._changed:
            self._waiting[key] = fn
            self._stopping = False
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="rtu-magics-writer", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def forget(self, key: Hashable) -> None:
        """Don't call what is scheduled under this key; nothing happens without one."""
        self._own_process()
        with self._changed:
            self._waiting.pop(key, None)
            self._turn.pop(key, None)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything scheduled so far was called; False when the time, in s, was up."""
        self._own_process()
        if threading.current_thread() is self._thread:
            return not self._waiting
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def stop(self, timeout: float = 5.0) -> None:
        """Call what is scheduled, and end the thread; the next call to schedule starts another.

        Parameters
        ----------
        timeout
            How long to wait for each of the two, in seconds.
        """
        self.flush(timeout)
        with self._changed:
            thread, self._stopping = self._thread, True
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        try:
            self._take_turns()
        finally:
            _close_event_pipe()

    def _take_turns(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping, _PATIENCE)
                if not self._waiting:
                    self._thread = None
                    return
                self._turn, self._waiting = self._waiting, {}
                self._busy = True
            self._do_turn()
            with self._changed:
                self._busy = False
                self._changed.notify_all()
            time.sleep(self._pace)

    def _do_turn(self) -> None:
        # A function of its own, so that what was called last isn't kept alive by a waiting thread.
        while (call := self._next()) is not None:
            key, fn = call
            try:
                fn()
            except Exception:
                logger.exception("updating %r failed", key)

    def _next(self) -> tuple[Hashable, Callable[[], None]] | None:
        with self._changed:
            if not self._turn:
                return None
            key = next(iter(self._turn))
            return key, self._turn.pop(key)


def _close_event_pipe() -> None:
    """Give back the socket through which this thread wrote to the front end.

    ipykernel 7 keeps one for each thread that ever wrote, and closes those of ended threads every
    ten seconds; older ones let it go with the thread.
    """
    application: Any = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if application is None or not application.initialized():
        return
    with contextlib.suppress(Exception):  # nothing of it is public
        pipes = application.instance().iopub_thread._event_pipes
        pipes.pop(threading.current_thread()).close()


_writer = Writer()


def writer() -> Writer:
    """Return the process's one writer."""
    return _writer
