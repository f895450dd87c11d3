"""Token buckets: how much somebody may do at once and in the long run. Pure; the time is passed in.

A bucket holds up to `burst` tokens and gains `rate` a second. What is asked for takes tokens, or is
refused with how long it takes until there are enough.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["Budget", "Budgets", "Spent"]

_KEPT = 10_000  # buckets: a full one need not be kept


@dataclass(frozen=True, slots=True)
class Spent:
    """Why something is refused now.

    Attributes
    ----------
    what
        What there is too much of, in words.
    rate, burst
        How much a second, and how much at once.
    wait
        Seconds until it would be allowed; infinite if it never is.
    setting
        The setting that whoever runs the server may raise.
    """

    what: str
    rate: float
    burst: float
    wait: float
    setting: str

    def __str__(self) -> str:
        """Return one line: what, how long until the next, who may raise it."""
        after = (
            f"try again in {_seconds(self.wait)}"
            if math.isfinite(self.wait)
            else f"at most {self.burst:,.0f} fit into one"
        )
        return (
            f"too many {self.what}: at most {self.rate:,g} a second from one person; {after}, or "
            f"ask whoever runs the server to raise {self.setting}"
        )


def _seconds(seconds: float) -> str:
    if seconds >= 10:
        return f"{math.ceil(seconds)} s"
    return f"{max(0.1, math.ceil(seconds * 10) / 10):.1f} s"


@dataclass(slots=True)
class Budget:
    """One bucket, full at first.

    Examples
    --------
    >>> budget = Budget(rate=2, burst=3)
    >>> [budget.take(0.0) for _ in range(4)]
    [0.0, 0.0, 0.0, 0.5]
    >>> budget.take(0.5)
    0.0
    """

    rate: float
    burst: float
    tokens: float = -1.0
    at: float = 0.0

    def take(self, now: float, tokens: float = 1.0) -> float:
        """Take tokens; returns 0, or if there are too few, in how many seconds there are enough.

        Parameters
        ----------
        now
            Seconds on any clock that does not go back.
        tokens
            How many.
        """
        if self.tokens < 0:
            self.tokens, self.at = self.burst, now
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        if tokens <= self.tokens:
            self.tokens -= tokens
            return 0.0
        if tokens > self.burst or not self.rate:
            return math.inf
        return (tokens - self.tokens) / self.rate


class Budgets:
    """One bucket for each person, of one kind of thing.

    Parameters
    ----------
    what
        The kind, in words.
    rate, burst
        As for `Budget`.
    setting
        What raises it.
    """

    def __init__(self, what: str, rate: float, burst: float, setting: str) -> None:
        self._what, self._rate, self._burst, self._setting = what, rate, burst, setting
        self._budgets: OrderedDict[Hashable, Budget] = OrderedDict()

    def take(self, who: Hashable, now: float, tokens: float = 1.0) -> Spent | None:
        """Take tokens of somebody's; returns why not, or None."""
        budget = self._budgets.get(who)
        if budget is None:
            budget = self._budgets[who] = Budget(self._rate, self._burst)
            while len(self._budgets) > _KEPT:
                self._budgets.popitem(last=False)
        wait = budget.take(now, tokens)
        if not wait:
            return None
        return Spent(self._what, self._rate, self._burst, wait, self._setting)
