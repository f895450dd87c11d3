"""Taking requests from a websocket in the turn of the event loop in which they arrive.

Tornado reads a frame in four steps and wakes a task for it. A small request takes a good part of
its time there, so plain frames that have arrived whole are taken straight from the socket here.
Everything else (fragments, control frames, large frames, TLS) is left to tornado, and so is all of
it should a release of tornado look different inside.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.iostream import IOStream
from tornado.websocket import WebSocketProtocol13

try:
    from tornado.util import _websocket_mask as _unmask
except ImportError:
    _unmask = None  # type: ignore[assignment]

__all__ = ["QuickProtocol"]

_PLAIN_TEXT = 0x81  # a final text frame without extensions (RFC 6455, 5.2)
_MASKED = 0x80
_NEEDED = ("_handle_read", "_read_buffer", "_read_buffer_size", "_read_future")

_buffer = bytearray(64 * 1024)  # of whoever reads just now: nothing of it is kept


class QuickProtocol(WebSocketProtocol13):
    """Tornado's websocket protocol, reading plain frames at once.

    Attributes
    ----------
    more_arrived
        Whether more has been read than the message that is handled now.
    """

    more_arrived = False
    _between_frames = False
    _unfinished: asyncio.Future[None] | None = None

    @classmethod
    def like(cls, protocol: Any) -> Any:
        """Return a protocol of this kind in place of tornado's own, if that can be."""
        if type(protocol) is not WebSocketProtocol13 or _unmask is None:
            return protocol
        return cls(protocol.handler, protocol.mask_outgoing, protocol.params)

    # Where tornado's loop stands

    async def _receive_frame_loop(self) -> None:
        stream = self.stream
        if type(stream) is IOStream and all(hasattr(stream, name) for name in _NEEDED):
            self._read_slowly = stream._handle_read
            stream._handle_read = self._read  # type: ignore[method-assign]
        try:
            await super()._receive_frame_loop()
        finally:
            if "_handle_read" in vars(stream):
                del stream._handle_read  # what refers to itself would stay in memory

    async def _receive_frame(self) -> None:
        self._between_frames = True
        await super()._receive_frame()

    async def _read_bytes(self, n: int) -> bytes:
        data = await super()._read_bytes(n)
        self._between_frames = False
        unfinished, self._unfinished = self._unfinished, None
        if unfinished is not None:
            await unfinished  # requests are handled one after the other
        return data

    # Reading

    def _read(self) -> None:
        """Do what tornado's stream does when something has arrived."""
        stream: Any = self.stream
        if (
            not self._between_frames
            or self._unfinished is not None
            or self._fragmented_message_buffer is not None
            or self.client_terminated
            or stream._read_buffer_size
            or stream._read_future is None
            or stream._read_future.done()
        ):
            self._read_slowly()
            return
        try:
            size = stream.read_from_fd(_buffer)
        except OSError as exc:
            stream.close(exc_info=exc)
            return
        if size is None:
            return
        if size == 0:
            stream.close()
            return
        data = bytes(memoryview(_buffer)[:size])
        used = self._take_frames(data)
        if used < size and not stream.closed():
            stream._read_buffer += data[used:]
            stream._read_buffer_size += size - used
            self._read_slowly()

    def _take_frames(self, data: bytes) -> int:
        """Handle the plain frames at the head of what has arrived; return their size."""
        at, size = 0, len(data)
        try:
            while size - at >= 6 and data[at] == _PLAIN_TEXT and self._unfinished is None:
                length = data[at + 1] - _MASKED
                if length < 0 or length == 127:  # unmasked, or longer than 64 KiB
                    break
                head = at + 2
                if length == 126:
                    length = int.from_bytes(data[head : head + 2], "big")
                    head += 2
                end = head + 4 + length
                if end > size:
                    break
                text = _unmask(data[head : head + 4], data[head + 4 : end]).decode()
                self.more_arrived = end < size
                self._wire_bytes_in += end - at
                at = end
                self._unfinished = self._run_callback(self.handler.on_message, text)
                if self.client_terminated or self.stream.closed():
                    break
        except UnicodeDecodeError:
            pass  # tornado knows what to do about it
        finally:
            self.more_arrived = False
        return at
