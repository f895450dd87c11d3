"""What a client tells its application: how the connection is, and when the notebook is there."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

__all__ = ["TellingClient"]

logger = logging.getLogger(__name__)


class TellingClient:
    """Keeps the connection's state and whoever wants to hear of it; part of `RTUClient`."""

    def __init__(self) -> None:
        self.connection_state = "connecting"
        self._state_detail = ""
        self._state_callbacks: dict[object, Callable[[str, str], Any]] = {}
        self._ready_waiters: set[asyncio.Future[None]] = set()
        self._side_tasks: set[asyncio.Task[Any]] = set()

    def register_connection_callback(self, fn: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call ``fn(state, detail)`` at every change of the connection's state.

        Parameters
        ----------
        fn
            A plain function that does not block. `state` is ``connecting``, ``live``,
            ``reconnecting`` or ``closed``; `detail` says why, in one line, or is empty.

        Returns
        -------
        A function that deregisters.
        """
        token = object()
        self._state_callbacks[token] = fn
        return lambda: self._state_callbacks.pop(token, None) and None

    def _set_state(self, state: str, detail: str = "") -> None:
        if (state, detail) == (self.connection_state, self._state_detail):
            return
        self.connection_state, self._state_detail = state, detail
        for fn in list(self._state_callbacks.values()):
            try:
                result = fn(state, detail)
                if inspect.iscoroutine(result):
                    self._aside(result)
            except Exception:
                logger.exception("a connection callback raised")

    def _wake_ready(self, exc: Exception | None = None) -> None:
        for waiter in self._ready_waiters:
            if not waiter.done():
                if exc is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(exc)

    def _aside(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)
        return task

    async def _guard(self, coroutine: Awaitable[None]) -> None:
        """Await a hook of the application; what it raises is logged and stops nothing."""
        try:
            await coroutine
        except Exception:
            logger.exception("a hook of the application raised")
