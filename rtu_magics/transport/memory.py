"""Connections inside one process, for tests: with drops, duplicates and delays at will."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from uuid import uuid4

from typing_extensions import Self

from ..errors import ConnectFailed, ConnectionLost

__all__ = ["MemoryConnection", "MemoryNetwork"]


class MemoryConnection:
    """One end of a pair; what one end sends the other receives.

    Attributes
    ----------
    headers
        The headers of the "upgrade response", the same at both ends.
    duplicate
        How many of the next messages that this end sends arrive twice.
    lose
        How many of the next messages that this end sends never arrive.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.duplicate = 0
        self.lose = 0
        self.peer: MemoryConnection = self
        self._arrived: deque[str | bytes] = deque()
        self._held: deque[str | bytes] | None = None
        self._something = asyncio.Event()
        self._ended: str | None = None

    @classmethod
    def pair(
        cls, headers: Mapping[str, str] | None = None
    ) -> tuple[MemoryConnection, MemoryConnection]:
        """Return two connected ends."""
        headers = headers or {}
        one, other = cls(headers), cls(headers)
        one.peer, other.peer = other, one
        return one, other

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands."""
        return self._ended is None

    async def send(self, text: str | bytes) -> None:
        """Send one message to the other end."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        if self.lose:
            self.lose -= 1
            return
        copies = 1
        if self.duplicate:
            self.duplicate -= 1
            copies = 2
        target = self.peer._arrived if self._held is None else self._held
        target.extend([text] * copies)
        if self._held is None:
            self.peer._something.set()

    async def recv(self) -> str | bytes:
        """Wait for the next message; what arrived before the end can still be read."""
        while not self._arrived:
            if self._ended is not None:
                raise ConnectionLost(self._ended)
            self._something.clear()
            await self._something.wait()
        return self._arrived.popleft()

    async def close(self) -> None:
        """End the connection in order: the other end reads what is on its way, then the end."""
        self.drop("the other side closed the connection")

    def drop(self, reason: str = "the connection broke off", *, lose_pending: bool = False) -> None:
        """Break the connection off.

        Parameters
        ----------
        reason
            The text of the `ConnectionLost` at both ends.
        lose_pending
            Also lose what was sent and not read yet.
        """
        for end in (self, self.peer):
            if end._ended is None:
                end._ended = reason
            end._held = None
            if lose_pending:
                end._arrived.clear()
            end._something.set()

    def hold(self) -> None:
        """Delay what this end sends, until `release`."""
        if self._held is None:
            self._held = deque()

    def release(
        self, order: Callable[[list[str | bytes]], list[str | bytes]] | None = None
    ) -> None:
        """Deliver what was held, in another order if `order` gives one."""
        held, self._held = list(self._held or ()), None
        self.peer._arrived.extend(order(held) if order else held)
        self.peer._something.set()


Handler = Callable[[MemoryConnection], Awaitable[None]]


class MemoryNetwork:
    """A server inside the process; its `connect` is what a client takes as its transport.

    Parameters
    ----------
    handler
        Serves one connection: a coroutine function that gets the server's end.

    Attributes
    ----------
    connections
        The server's ends of every connection made, the newest last.
    refuse
        How many of the next attempts fail.
    close_at_once
        How many of the next connections are accepted and closed at once.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.connections: list[MemoryConnection] = []
        self.attempts = 0
        self.refuse = 0
        self.close_at_once = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, url: str) -> MemoryConnection:
        """Open a connection to the handler, whatever the URL."""
        self.attempts += 1
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse -= 1
            raise ConnectFailed(f"nothing listens at {url}: is the server running?")
        client_end, server_end = MemoryConnection.pair({"rtu_session_id": str(uuid4())})
        self.connections.append(server_end)
        if self.close_at_once:
            self.close_at_once -= 1
            await server_end.close()
            return client_end
        task = asyncio.create_task(self._serve(server_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return client_end

    async def _serve(self, server_end: MemoryConnection) -> None:
        try:
            await self._handler(server_end)
        except ConnectionLost:
            pass
        finally:
            server_end.drop()

    def drop(self, *, lose_pending: bool = False) -> None:
        """Break the newest connection off."""
        self.connections[-1].drop(lose_pending=lose_pending)

    async def aclose(self) -> None:
        """Break every connection off and end the handlers."""
        for connection in self.connections:
            connection.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
