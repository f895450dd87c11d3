"""A bare RTU client for tests: it sends and receives JSON and knows nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

from rtu_magics.models import kernel_channel

from .server import RunningServer

Message = dict[str, Any]


class RawClient:
    """One websocket, with everything that has come over it."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.log: list[Message] = []
        self.at = 0  # how far `next` and `wait_for` have read

    @property
    def session_header(self) -> str | None:
        assert self.websocket.response is not None
        return self.websocket.response.headers.get("rtu_session_id")

    async def send(self, channel: str, event: str, data: Any = None) -> str:
        transaction_id = str(uuid4())
        await self.websocket.send(
            json.dumps(
                {
                    "transaction_id": transaction_id,
                    "channel": channel,
                    "event": event,
                    "data": data,
                    "channel_prefix": channel.partition("/")[0],
                }
            )
        )
        return transaction_id

    async def next(self, timeout: float = 60.0) -> Message:
        """Return the next message."""
        if self.at == len(self.log):
            raw = await asyncio.wait_for(self.websocket.recv(), timeout)
            assert isinstance(raw, str), "frames are text"
            self.log.append(json.loads(raw))
        self.at += 1
        return self.log[self.at - 1]

    async def wait_for(
        self,
        event: str,
        where: Callable[[Message], bool] = lambda message: True,
        timeout: float = 60.0,
    ) -> Message:
        """Return the next message of this event, passing over all others."""

        async def look() -> Message:
            while True:
                message = await self.next(timeout)
                if message["event"] == event and where(message):
                    return message

        return await asyncio.wait_for(look(), timeout)

    async def request(self, channel: str, event: str, data: Any = None) -> Message:
        """Send a request and return the first message that answers it."""
        transaction_id = await self.send(channel, event, data)
        while True:
            message = await self.next()
            if message["transaction_id"] == transaction_id:
                return message

    async def nothing_more(self, seconds: float = 0.3) -> None:
        """Check that nothing else arrives, but for what comes every few seconds anyhow."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                message = await self.next(left)
            except (asyncio.TimeoutError, TimeoutError):
                return
            assert message["event"] == "usage_metrics_event", f"unexpected {message}"

    async def authenticate(self, token: str) -> Message:
        return await self.request(
            "system", "authenticate_request", {"token": token, "rtu_client_type": "test"}
        )


class NotebookClient(RawClient):
    """A client that follows one notebook."""

    file_id: str
    version_id: str
    head: str
    reply: dict[str, Any]  # to its subscription

    @property
    def files(self) -> str:
        return f"files/{self.file_id}"

    @property
    def kernels(self) -> str:
        from uuid import UUID

        return kernel_channel(UUID(self.file_id))

    async def subscribe(self, **point: str | None) -> Message:
        data = {"from_version_id": None, "from_delta_id": None, **point}
        return await self.request(self.files, "subscribe_request", data)

    def delta(
        self, kind: str, action: str, properties: Any = None, resource_id: str | None = None
    ) -> dict[str, Any]:
        return {
            "id": str(uuid4()),
            "file_id": self.file_id,
            "delta_type": kind,
            "delta_action": action,
            "resource_id": resource_id or "__NULL_RESOURCE__",
            "parent_delta_id": None,
            "properties": properties,
            "created_at": None,
            "created_by_id": None,
        }

    async def submit(self, delta: dict[str, Any], **more: Any) -> str:
        return await self.send(
            self.files,
            "new_delta_request",
            {"delta": delta, "output_collection_id_to_copy": None, **more},
        )

    async def change(
        self, kind: str, action: str, properties: Any = None, resource_id: str | None = None
    ) -> Message:
        """Submit a delta and return its event, checking the acknowledgement before it."""
        delta = self.delta(kind, action, properties, resource_id)
        transaction_id = await self.submit(delta)
        reply = await self.wait_for(
            "new_delta_reply", lambda message: message["transaction_id"] == transaction_id
        )
        assert reply["data"] == {"success": True}, reply
        return await self.wait_for(
            "new_delta_event", lambda message: message["data"]["id"] == delta["id"]
        )

    async def rejected(
        self, kind: str, action: str, properties: Any = None, resource_id: str | None = None
    ) -> str:
        """Submit a delta that has to be refused and return the cause."""
        transaction_id = await self.submit(self.delta(kind, action, properties, resource_id))
        mine = lambda message: message["transaction_id"] == transaction_id  # noqa: E731
        reply = await self.wait_for("new_delta_reply", mine)
        assert reply["data"]["success"] is False
        rejection = await self.wait_for("delta_rejected", mine)
        return rejection["data"]["cause"]

    async def add(
        self, cell_id: str, source: str = "", after_id: str | None = None, **cell: Any
    ) -> Message:
        content = {"cell_type": "code", "id": cell_id, "source": source, "metadata": {}, **cell}
        return await self.change(
            "nb_cells", "add", {"id": cell_id, "cell": content, "after_id": after_id}
        )

    async def execute(self, cell_id: str) -> str:
        """Ask for a cell to run; returns the execution id."""
        delta = self.delta("cell_execute", "execute", None, cell_id)
        await self.submit(delta)
        return delta["id"]

    async def finished(self, cell_id: str, timeout: float = 120.0) -> Message:
        """Wait for a finished state of a cell and return it."""

        def states(message: Message) -> list[Message]:
            return [
                state
                for state in message["data"]["cell_states"]
                if state["cell_id"] == cell_id and state["state"].startswith("finished_")
            ]

        message = await self.wait_for(
            "bulk_cell_state_update_event", lambda message: bool(states(message)), timeout
        )
        return states(message)[0]


@asynccontextmanager
async def raw_client(server: RunningServer) -> AsyncIterator[RawClient]:
    """Connect without authenticating."""
    async with connect(server.rtu_url, max_size=None, proxy=None) as websocket:
        yield RawClient(websocket)


@asynccontextmanager
async def follow(server: RunningServer, file_id: str) -> AsyncIterator[NotebookClient]:
    """Connect, authenticate and subscribe to a notebook from its current version."""
    async with connect(server.rtu_url, max_size=None, proxy=None) as websocket:
        client = NotebookClient(websocket)
        client.file_id = file_id
        reply = await client.authenticate(server.token)
        assert reply["data"]["success"], reply
        file = await get(server, f"/v1/files/{file_id}")
        client.version_id = file["current_version_id"]
        reply = await client.subscribe(from_version_id=client.version_id)
        assert reply["event"] == "subscribe_reply", reply
        client.reply = reply["data"]
        client.head = reply["data"]["latest_delta_id"]
        yield client


async def call(
    server: RunningServer, method: str, path: str, body: Any = None, **more: Any
) -> httpx.Response:
    """Make a REST call."""
    async with httpx.AsyncClient(
        base_url=server.api_url,
        headers=server.headers,
        timeout=30,
        trust_env=False,
        verify=False,  # there is no TLS, and reading the certificates takes a while
    ) as http:
        return await http.request(method, path, json=body, **more)


async def get(server: RunningServer, path: str) -> Any:
    response = await call(server, "GET", path)
    assert response.status_code == 200, response.text
    return response.json()


async def post(server: RunningServer, path: str, body: Any = None) -> Any:
    response = await call(server, "POST", path, body)
    assert response.status_code in (200, 201, 202), (response.status_code, response.text)
    return response.json()


async def open_notebook(server: RunningServer, path: str, create: bool = False) -> str:
    """Return the id of the notebook at a path."""
    file = await post(server, "/v1/files/open", {"path": path, "create": create})
    return file["id"]


async def current_notebook(server: RunningServer, file_id: str) -> Any:
    """Return the notebook as a new version of it holds it."""
    version = await post(server, f"/v1/files/{file_id}/versions", {"name": None})
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.get(version["content_presigned_url"])
    assert response.status_code == 200
    return response.json()
