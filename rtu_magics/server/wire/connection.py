"""Writing frames to connections: one write per connection and turn of the loop, or request.

What is sent within one turn of the event loop, or while one request is handled, goes out in one
write. The fast path writes frames that were built once straight to tornado's stream, which touches
tornado's internals; it is confined to `_stream_of`, and without it the public ``write_message``
does the same more slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ..access.people import Person, Role
from .frames import Frame

__all__ = ["Connection", "Outbox", "broadcast"]

_MAX_BACKLOG = 64 * 1024 * 1024


def _stream_of(handler: WebSocketHandler) -> Any:
    """Return the stream under a websocket if whole frames may be written to it, else None."""
    protocol = handler.ws_connection
    stream = getattr(protocol, "stream", None)
    if stream is None or getattr(protocol, "_compressor", None) is not None:
        return None
    if not hasattr(stream, "write") or getattr(protocol, "mask_outgoing", True):
        return None
    return stream


def _write(stream: Any, data: bytes) -> None:
    """Write to a stream, past its buffer and its futures when nothing waits there."""
    if stream.closed():
        raise StreamClosedError
    if not stream.writing():
        try:
            sent = stream.write_to_fd(memoryview(data))
        except OSError:  # the socket is full, or broken: the stream deals with both
            sent = 0
        if sent == len(data):
            return
        data = data[sent:]
    stream.write(data)


class Outbox:
    """The connections of one server that have something to send."""

    def __init__(self) -> None:
        self._waiting: list[Connection] = []
        self._later: list[Callable[[], None]] = []
        self._held = self._lingers = False

    def add(self, connection: Connection) -> None:
        """Let a connection write at the end of what goes on now."""
        if not self._waiting and not self._held:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(connection)

    def linger(self) -> None:
        """Wait for one more turn of the loop: more is about to be sent."""
        self._lingers = True

    def afterwards(self, work: Callable[[], None]) -> None:
        """Do something that nobody waits for once what was sent has been written."""
        if self._held:
            self._later.append(work)
        else:
            work()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Write what is sent within the block at its end, not in the next turn of the loop."""
        if self._held:
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._flush()

    def _flush(self) -> None:
        if self._lingers:
            self._lingers = False
            asyncio.get_running_loop().call_soon(self._flush)
            return
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                connection.flush()
        while self._later:
            self._later.pop(0)()


class Connection:
    """One websocket, and who is at its other end.

    Parameters
    ----------
    handler
        Tornado's side of it.
    base
        ``scheme://host`` under which the client reaches the server.
    outbox
        Says when to write.

    Attributes
    ----------
    session_id
        The ``rtu_session_id`` of the upgrade response.
    person
        Who authenticated, None before.
    client_type
        What kind of program it says it is.
    kernel_id
        The Jupyter kernel in which that program runs, if it says so.
    takes_partial
        Whether of cells' states only those are sent that change.
    roles
        What the person was told they are, by notebook.
    """

    def __init__(self, handler: WebSocketHandler, base: str, outbox: Outbox) -> None:
        self.session_id: UUID = uuid4()
        self.person: Person | None = None
        self.client_type = ""
        self.kernel_id: str | None = None
        self.takes_partial = False
        self.roles: dict[UUID, Role | None] = {}
        self.base = base
        self._handler = handler
        self._outbox = outbox
        self._pending: list[Frame] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed

    @property
    def more_arrived(self) -> bool:
        """Whether more than the present message has been read from the socket already."""
        # Private to tornado, which offers no such look; without it a burst is stored one by one.
        stream = getattr(self._handler.ws_connection, "stream", None)
        return bool(getattr(stream, "_read_buffer_size", 0))

    def send(self, frame: Frame) -> None:
        """Send a frame after everything that was sent before; never blocks, never fails."""
        if self._closed:
            return
        if not self._pending:
            self._outbox.add(self)
        self._pending.append(frame.for_base(self.base))

    def mark_closed(self) -> None:
        """Note that the websocket has gone."""
        self._closed = True
        self._pending.clear()

    def close(self, code: int, reason: str) -> None:
        """Close the websocket after what was sent."""
        if not self._closed:
            self.flush()
            self._handler.close(code, reason)

    def flush(self) -> None:
        """Write what was sent; never blocks, never fails."""
        pending, self._pending = self._pending, []
        if self._closed or not pending:
            return
        stream = _stream_of(self._handler)
        try:
            if stream is None:
                for frame in pending:
                    self._handler.write_message(frame.payload.decode())
                return
            if len(getattr(stream, "_write_buffer", None) or b"") > _MAX_BACKLOG:
                # A client that stopped reading; it may come back and catch up.
                stream.close()
                return
            if len(pending) == 1:
                _write(stream, pending[0].framed)
            else:
                _write(stream, b"".join([frame.framed for frame in pending]))
        except (StreamClosedError, WebSocketClosedError):
            self._closed = True


def broadcast(connections: Iterable[Connection], frame: Frame) -> None:
    """Send one frame to many connections."""
    for connection in connections:
        connection.send(frame)
