"""Connections that have not said yet who they are: few, small and not for long.

They are turned away before the websocket opens, or after a while: other clients connect again at
once, for ever, when a connection is closed right after it was accepted (RTU protocol).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from .settings import Limits

__all__ = ["Admission", "Waiting"]

_MOST_MESSAGES = 100  # of a connection before it has authenticated


class Admission:
    """Counts the connections of one server that have not authenticated.

    Parameters
    ----------
    limits
        The server's.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._by_address: Counter[str] = Counter()
        self._count = 0

    def why_not(self, address: str) -> str:
        """Return why no more connections are taken from an address, "" if they are."""
        limits = self.limits
        if self._by_address[address] >= limits.unauthenticated_per_address:
            return (
                f"{self._by_address[address]} connections from {address} have not authenticated "
                "yet; finish or close them, or ask whoever runs the server to raise "
                "unauthenticated_per_address"
            )
        if self._count >= limits.unauthenticated_in_all:
            return "too many connections have not authenticated yet; try again in a few seconds"
        return ""

    def enter(self, address: str, close: Callable[[int, str], None]) -> Waiting:
        """Count a connection in; it is closed unless it authenticates in time."""
        self._by_address[address] += 1
        self._count += 1
        return Waiting(self, address, close)

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class Waiting:
    """One connection that has not authenticated.

    Parameters
    ----------
    admission, address
        Where it is counted.
    close
        Closes it, with a code and a reason.
    """

    def __init__(
        self, admission: Admission, address: str, close: Callable[[int, str], None]
    ) -> None:
        self._admission, self._address, self._close = admission, address, close
        self._messages = 0
        self._over = False
        seconds = admission.limits.authenticate_within
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_late, seconds)

    def took(self) -> None:
        """Note a message that did not authenticate it."""
        self._messages += 1
        if self._messages == _MOST_MESSAGES:
            self._close(1008, "authenticate first")

    def over(self) -> None:
        """Note that it has authenticated, or gone."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._admission.leave(self._address)

    def _too_late(self, seconds: float) -> None:
        self._close(1008, f"not authenticated within {seconds:g} s")
