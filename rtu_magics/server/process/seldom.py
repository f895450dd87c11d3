"""Telling an error that comes again and again: at first, and then ever more rarely."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .shortage import is_shortage

__all__ = ["Seldom"]

_AGAIN_AFTER = 60.0  # seconds, doubled each time
_AT_LATEST = 3600.0


@dataclass(slots=True)
class _Told:
    reason: tuple[type[BaseException], str]
    until: float
    pause: float


class Seldom:
    """Says whether an error is to be told.

    Parameters
    ----------
    clock
        Returns the time, in seconds.

    Examples
    --------
    >>> seldom = Seldom(clock=lambda: 0.0)
    >>> [seldom.due("a.ipynb", ValueError(text)) for text in ("x", "x", "y")]
    [True, False, True]
    >>> seldom.over("a.ipynb")
    >>> seldom.due("a.ipynb", ValueError("y"))
    True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, _Told] = {}

    def due(self, what: str, exc: Exception) -> bool:
        """Return whether to tell an error now, and take it for told if so.

        Parameters
        ----------
        what
            Goes wrong. A shortage of the system's is one for all: it hits everything at once.
        exc
            The error; another one of the same thing is told at once.
        """
        if is_shortage(exc):
            what = ""
        now = self._clock()
        # SQLAlchemy's own text has the statement in it, with its values.
        reason = (type(exc), str(getattr(exc, "orig", exc)))
        told = self._told.get(what)
        if told is not None and told.reason == reason:
            if now < told.until:
                return False
            pause = min(told.pause * 2, _AT_LATEST)
        else:
            pause = _AGAIN_AFTER
        self._told[what] = _Told(reason, now + pause, pause)
        return True

    def over(self, what: str) -> None:
        """Note that it went well: the next error is news."""
        self._told.pop(what, None)
