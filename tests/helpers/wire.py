"""A connection that breaks when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Wire(threading.Thread):
    """What connects two servers, and can be cut.

    Parameters
    ----------
    port
        Of the one that is connected to, on this machine.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._to = port
        self._open: set[asyncio.StreamWriter] = set()
        self._listening = threading.Event()
        self.port = 0
        self.cuts = 0
        self.down = False

    def __enter__(self) -> Wire:
        self.start()
        assert self._listening.wait(60)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(10)

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._end.wait()
        server.close()
        self._cut()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        there, to = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, to}
        await asyncio.gather(self._pump(reader, to), self._pump(there, writer))
        self._open -= {writer, to}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    def _cut(self) -> None:
        self.cuts += len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()

    def cut(self) -> None:
        """End all connections, and let none come before `mend`."""
        self.down = True
        self._loop.call_soon_threadsafe(self._cut)

    def mend(self) -> None:
        self.down = False
