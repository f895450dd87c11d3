"""One connection's time, from the first attempt to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..transport import Connection, QuickConnection

__all__ = ["Line", "Slot", "follow_future"]


class Slot:
    """One connection, from the first attempt to its end.

    What arrives is queued with its slot, so a message of an old connection is told from one of the
    present, and each connection has futures of its own.
    """

    __slots__ = ("authed", "ended", "opened_at", "quick", "reason", "unauth")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.quick: QuickConnection | None = None
        self.unauth: asyncio.Future[Connection] = loop.create_future()
        self.authed: asyncio.Future[Connection] = loop.create_future()
        self.ended = asyncio.Event()
        self.reason: BaseException | None = None
        self.opened_at = 0.0

    @property
    def is_authenticated(self) -> bool:
        """Whether the server accepted the token on this connection."""
        return self.authed.done() and not self.authed.exception()

    @property
    def connection(self) -> Connection | None:
        """The connection while it is open."""
        if not self.unauth.done() or self.ended.is_set():
            return None
        return self.unauth.result()

    def end(self, reason: BaseException) -> None:
        """Let everybody who waits for this connection know that it is over."""
        self.reason = reason
        for future in (self.unauth, self.authed):
            if not future.done():
                future.set_exception(reason)
                future.exception()  # nobody has to be waiting: no "never retrieved" in the log
        self.quick = None
        self.ended.set()


class Line:
    """What the halves of a manager share: the present connection, and the tasks that serve it.

    Attributes
    ----------
    current
        The present slot, None until somebody asks for one.
    tasks
        The workers.
    closing, stopped
        Nothing is taken any more; the workers end.
    """

    def __init__(self) -> None:
        self.current: Slot | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self.stopped = False

    @property
    def slot(self) -> Slot:
        """The present connection, or the attempt to make one."""
        if self.current is None:
            self.current = Slot()
        return self.current

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a worker until it ends or the manager does."""
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def follow_future(inner: asyncio.Future[Connection]) -> asyncio.Future[Connection]:
    """Return a future that follows `inner`, and sets it when it is set itself.

    Cancelling it, as `asyncio.wait_for` does at a timeout, leaves `inner` and everybody else alone.
    """
    if inner.done():
        return inner
    outer: asyncio.Future[Connection] = inner.get_loop().create_future()

    def follow(_: object) -> None:
        if outer.done():
            return
        if exc := inner.exception():
            outer.set_exception(exc)
            outer.exception()  # nobody has to be waiting
        else:
            outer.set_result(inner.result())

    def lead(_: object) -> None:
        if not inner.done() and not outer.cancelled() and not outer.exception():
            inner.set_result(outer.result())

    inner.add_done_callback(follow)
    outer.add_done_callback(lead)
    return outer
