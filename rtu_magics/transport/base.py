"""The seam between the client and the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

__all__ = ["Connect", "Connection"]


class Connection(Protocol):
    """One open connection that carries whole text messages, in order, both ways."""

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


Connect = Callable[[str], Awaitable[Connection]]
"""Opens a connection to a URL, or raises `ConnectFailed`."""
