"""What a client tells its application: how the connection is, and that something is there."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from .tasks import SideTasks

__all__ = ["ConnectionState", "Waiters"]

logger = logging.getLogger(__name__)


class Waiters:
    """Whoever waits for one thing to come true."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    def wake(self, exc: Exception | None = None) -> None:
        """End every wait, with an error if there is one."""
        for future in self._futures:
            if not future.done():
                if exc is None:
                    future.set_result(None)
                else:
                    future.set_exception(exc)

    async def wait(self, timeout: float | None) -> None:
        """Return at the next `wake`, or raise what it was given.

        Raises
        ------
        TimeoutError
            It took longer than `timeout`, in seconds; ``asyncio.TimeoutError`` on Python 3.10.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            await asyncio.wait_for(future, timeout)
        finally:
            self._futures.discard(future)


class ConnectionState:
    """The state of a connection, and whoever wants to hear of it.

    Attributes
    ----------
    state, detail
        ``connecting``, ``live``, ``reconnecting`` or ``closed``, and why, in one line.
    """

    def __init__(self, tasks: SideTasks) -> None:
        self.state = "connecting"
        self.detail = ""
        self._tasks = tasks
        self._callbacks: dict[object, Callable[[str, str], Any]] = {}

    def register(self, fn: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call ``fn(state, detail)`` at every change; return what deregisters it."""
        token = object()
        self._callbacks[token] = fn
        return lambda: self._callbacks.pop(token, None) and None

    def say(self, state: str, detail: str = "") -> None:
        """Take a state, and tell it if it is another."""
        if (state, detail) == (self.state, self.detail):
            return
        self.state, self.detail = state, detail
        for fn in list(self._callbacks.values()):
            try:
                result = fn(state, detail)
                if inspect.iscoroutine(result):
                    self._tasks.start(result)
            except Exception:
                logger.exception("a connection callback raised")
