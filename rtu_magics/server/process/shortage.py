"""What a server process of our own does when it may open no more files: says so, and waits.

Until somebody closes one, each new connection fails to be accepted, and the loop would try that as
fast as it can, with a traceback each time. So nobody is let in for a moment, and the log gets one
line in a while; who is connected notices nothing, and the others get in once it is over.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from tornado.ioloop import IOLoop

__all__ = ["ShortageFilter", "is_shortage", "wait_out_shortages"]

_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TELL_EVERY = 60.0  # seconds
_PAUSE = 1.0  # seconds


def is_shortage(exc: BaseException | None) -> bool:
    """Return whether the system had nothing left to give."""
    return isinstance(exc, OSError) and exc.errno in _ERRORS


class ShortageFilter(logging.Filter):
    """Lets one line about a shortage through in a while, without its traceback.

    Parameters
    ----------
    clock
        Returns the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        exc = record.exc_info[1] if record.exc_info else None
        if not isinstance(exc, OSError) or not is_shortage(exc):
            return True
        reason = exc.strerror or str(exc)
        now = self._clock()
        told = self._told.get(reason)
        if told is not None and now - told < _TELL_EVERY:
            return False
        self._told[reason] = now
        record.msg = (
            "%s: nobody new gets in and files wait until some are closed; close notebooks and "
            "kernels that nobody needs, or raise the limit (ulimit -n) and start the server again"
        )
        record.args = (reason,)
        record.exc_info = record.exc_text = None
        return True


def wait_out_shortages(io_loop: IOLoop, sockets: Callable[[], Mapping[int, Any]]) -> None:
    """Accept nobody for a moment whenever that fails for want of what the system gives.

    Parameters
    ----------
    io_loop
        Of the server.
    sockets
        Returns those that it listens on at the moment, by descriptor.
    """
    paused = False

    def listen(events: int) -> None:
        for socket in sockets().values():
            io_loop.update_handler(socket, events)

    def resume() -> None:
        nonlocal paused
        paused = False
        listen(IOLoop.READ)

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal paused
        loop.default_exception_handler(context)
        if is_shortage(context.get("exception")) and not paused:
            paused = True
            listen(0)
            loop.call_later(_PAUSE, resume)

    io_loop.asyncio_loop.set_exception_handler(handle)  # type: ignore[attr-defined]
