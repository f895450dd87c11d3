"""The real server's rooms and the real client, joined inside one process."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tornado.websocket import WebSocketClosedError

from rtu_magics.client import RTUClient
from rtu_magics.document import NotebookBuilder
from rtu_magics.errors import ConnectionLost
from rtu_magics.models import FileDeltaAdapter, FileDeltaBase, Notebook, parse_notebook
from rtu_magics.protocol import Backoff
from rtu_magics.server.access.people import People
from rtu_magics.server.http.websocket import RTUWebSocket
from rtu_magics.server.room import Room
from rtu_magics.server.service import Service
from rtu_magics.server.store import Database
from rtu_magics.server.store import deltas as queries
from rtu_magics.transport.memory import MemoryConnection, MemoryNetwork

__all__ = ["World"]

TOKEN = "a token"


class NoKernels:
    """Jupyter's sessions where nobody has started a kernel."""

    async def find(self, path: str) -> None:
        return None

    async def end_of(self, path: str) -> None:
        return None

    def connections(self, kernel_id: str) -> int:
        return 0


class Socket(RTUWebSocket):
    """The server's websocket at its end of a memory connection: all of it but tornado."""

    ws_connection = None  # so whole messages are written, not frames

    def __init__(self, end: MemoryConnection, service: Service) -> None:
        self._end = end
        self.request = SimpleNamespace(headers={}, host="server.test", protocol="http")
        self.initialize(service)

    def write_message(self, text: str) -> None:
        # It awaits nothing, so it can be driven by hand.
        try:
            self._end.send(text).send(None)
        except StopIteration:
            pass
        except ConnectionLost as exc:
            raise WebSocketClosedError from exc

    def close(self, code: int, reason: str) -> None:
        self._end.drop(reason)


class World:
    """A server on a directory, its network, and clients of one notebook.

    Parameters
    ----------
    root
        An empty directory.
    notebook
        What it holds at the beginning.

    Attributes
    ----------
    errors
        What the server's side raised, which it never should.
    """

    def __init__(self, root: Path, notebook: Notebook) -> None:
        self.root = root
        self.seed = notebook
        self.network = MemoryNetwork(self._serve)
        self.clients: list[RTUClient] = []
        self.errors: list[Exception] = []
        (root / "n.ipynb").write_bytes(NotebookBuilder(notebook).dumps())
        self._start()
        self.file_id: UUID | None = None

    # The server

    def _start(self) -> None:
        database = Database(self.root / ".rtu_magics" / "rtu.db")
        provider = SimpleNamespace(auth_enabled=True, token=TOKEN)
        people = People(provider, database)
        self.service = Service(database, self.root, NoKernels(), people, "/rtu/api")

    async def open(self) -> None:
        """Make the notebook known."""
        self.file_id = (await self.service.open_path("n.ipynb")).id

    async def room(self) -> Room:
        assert self.file_id is not None
        room = await self.service.room(self.file_id)
        assert room is not None
        return room

    async def restart(self) -> None:
        """End the server without a warning and start it anew on the same directory."""
        for connection in self.network.connections:
            connection.drop("the server is gone", lose_pending=True)
        await self._abandon()
        self._start()

    async def _abandon(self) -> None:
        for room in self.service.rooms.values():
            await room.abandon()
        self.service.rooms.clear()
        self.service.database.close()

    async def _serve(self, end: MemoryConnection) -> None:
        service = self.service
        socket = Socket(end, service)
        try:
            while True:
                text = await end.recv()
                if service is not self.service:
                    return  # it died meanwhile
                handled = socket.on_message(text)
                if handled is not None:
                    await handled
        except ConnectionLost:
            raise
        except Exception as exc:
            self.errors.append(exc)
        finally:
            socket.on_close()

    # The clients

    async def load(self) -> tuple[UUID, NotebookBuilder]:
        """Load the current version, as the REST API would hand it out."""
        room = await self.room()
        with self.service.database.transaction() as connection:
            content = queries.version_content(connection, room.chain.version.id)
        assert content is not None
        return room.chain.version.id, NotebookBuilder(parse_notebook(content[0]))

    async def join(self) -> RTUClient:
        """Add a client; it connects on its own."""
        version_id, builder = await self.load()
        assert self.file_id is not None
        client = RTUClient(
            "ws://server.test/rtu",
            TOKEN,
            self.file_id,
            version_id,
            builder,
            file_subscribe_timeout=1,
            reload_hook=self.load,
            connect=self.network.connect,
            backoff=Backoff(first=0.002, cap=0.01),
            gap_timeout=0.03,
        )
        await client.initialize()
        self.clients.append(client)
        return client

    def chain(self) -> list[FileDeltaBase]:
        """Return the stored chain."""
        assert self.file_id is not None
        with self.service.database.transaction() as connection:
            stored = queries.deltas_after(connection, self.file_id, 0, 0)
        return [FileDeltaAdapter.validate_json(one.body) for one in stored]

    async def aclose(self) -> None:
        for client in self.clients:
            await client.shutdown(now=True)
        await self.network.aclose()
        await self._abandon()

    # The network

    def ends(self, client: RTUClient) -> tuple[Any, Any] | None:
        """Return the client's end and the server's end of its connection, None without one."""
        end = client.manager.slot.connection
        return None if end is None else (end, end.peer)  # type: ignore[attr-defined]

    def heal(self) -> None:
        """End every trouble, and make every connection anew once."""
        for server_end in self.network.connections:
            for end in (server_end, server_end.peer):
                end.lose = end.duplicate = 0
                with contextlib.suppress(Exception):
                    end.release()
            server_end.drop()
