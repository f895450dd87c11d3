"""The seam between the client and the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

__all__ = ["Connect", "Connection", "QuickConnection"]


class Connection(Protocol):
    """One open connection that carries whole text messages, in order, both ways.

    A connection may also offer the methods of `QuickConnection`.
    """

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the server's upgrade response; names in any case."""
        ...

    async def send(self, text: str) -> None:
        """Send one message.

        Raises
        ------
        ConnectionLost
            The connection has ended.
        """
        ...

    async def recv(self) -> str | bytes:
        """Wait for the next message.

        Raises
        ------
        ConnectionLost
            The connection has ended.
        """
        ...

    async def close(self) -> None:
        """End the connection; does nothing to one that has ended."""
        ...


@runtime_checkable
class QuickConnection(Protocol):
    """A connection that can send and hand over messages without a turn of the loop."""

    def send_now(self, text: str) -> bool:
        """Send one message if nothing stands in the way; return whether that was so."""
        ...

    def deliver_to(self, take: Callable[[bytes], bool]) -> None:
        """Hand each message over as it arrives, unless earlier ones wait for `recv`.

        Parameters
        ----------
        take
            Takes a message and returns True, or declines it: then `recv` returns it.
        """
        ...


Connect = Callable[[str], Awaitable[Connection]]
"""Opens a connection to a URL, or raises `ConnectFailed`."""
