"""A deadline for stopping: a server that was told to end is gone in the end, whatever it is at.

Everything acknowledged is in the store by then, and the next server writes the notebooks on disk
from there; so nothing is lost by it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["end_within"]

logger = logging.getLogger(__name__)

_MORE = 5.0  # seconds for the thread: code that never lets go of the interpreter holds it, too


def end_within(seconds: float, children: Callable[[], Iterable[int]] = tuple) -> None:
    """Make SIGTERM and SIGINT final: if the process still runs that long after one, it is ended.

    Parameters
    ----------
    seconds
        How long what handles the signals already may take.
    children
        The processes that must not be left behind; killed with their groups.
    """
    armed = threading.Event()

    def arm() -> None:
        if armed.is_set():
            return
        armed.set()
        timer = threading.Timer(seconds, _end, (seconds, children))
        timer.daemon = True
        timer.start()
        with contextlib.suppress(ValueError, AttributeError, OSError):  # nowhere to write to
            faulthandler.dump_traceback_later(seconds + _MORE, exit=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        _before(number, arm)


def _before(number: signal.Signals, arm: Callable[[], None]) -> None:
    handler = signal.getsignal(number)

    def take(signum: int, frame: Any) -> Any:
        arm()
        return handler(signum, frame) if callable(handler) else None

    if handler is not None and handler is not signal.SIG_IGN:
        signal.signal(number, take)


def _end(seconds: float, children: Callable[[], Iterable[int]]) -> None:
    logger.error("told to end %g seconds ago and still busy: ending now; it was at", seconds)
    with contextlib.suppress(ValueError, AttributeError, OSError):
        faulthandler.dump_traceback(sys.stderr)
    with contextlib.suppress(Exception):  # whatever state the rest is in
        for pid in children():
            with contextlib.suppress(OSError):
                _kill(pid)
    os._exit(1)


def _kill(pid: int) -> None:
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)
    else:
        os.killpg(os.getpgid(pid), signal.SIGKILL)
