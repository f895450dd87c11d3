"""Writing frames to connections: one write per connection and turn of the loop.

What is sent within one turn of the event loop goes out in one write. The fast path writes frames
that were built once straight to tornado's stream, which touches tornado's internals; it is confined
to `_stream_of`, and without it the public ``write_message`` does the same more slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .frames import Frame
from .people import Person

__all__ = ["Connection", "broadcast"]

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


class Connection:
    """One websocket, and who is at its other end.

    Parameters
    ----------
    handler
        Tornado's side of it.
    base
        ``scheme://host`` under which the client reaches the server.

    Attributes
    ----------
    session_id
        The ``rtu_session_id`` of the upgrade response.
    person
        Who authenticated, None before.
    client_type
        What kind of program it says it is.
    """

    def __init__(self, handler: WebSocketHandler, base: str) -> None:
        self.session_id: UUID = uuid4()
        self.person: Person | None = None
        self.client_type = ""
        self.base = base
        self._handler = handler
        self._pending: list[Frame] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed

    def send(self, frame: Frame) -> None:
        """Send a frame after everything that was sent before; never blocks, never fails."""
        if self._closed:
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(frame.for_base(self.base))

    def mark_closed(self) -> None:
        """Note that the websocket has gone."""
        self._closed = True
        self._pending.clear()

    def close(self, code: int, reason: str) -> None:
        """Close the websocket after what was sent."""
        if not self._closed:
            self._flush()
            self._handler.close(code, reason)

    def _flush(self) -> None:
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
            stream.write(
                pending[0].framed
                if len(pending) == 1
                else b"".join(frame.framed for frame in pending)
            )
        except (StreamClosedError, WebSocketClosedError):
            self._closed = True


def broadcast(connections: Iterable[Connection], frame: Frame) -> None:
    """Send one frame to many connections."""
    for connection in connections:
        connection.send(frame)
