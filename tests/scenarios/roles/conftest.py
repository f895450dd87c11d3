from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ...helpers.rtu import NotebookClient, open_notebook, post, raw_client
from ...helpers.server import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


@pytest.fixture
async def file_id(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """Return the id of a new, empty notebook."""
    name = f"{abs(hash(request.node.name)):x}.ipynb"
    return await open_notebook(server, name, create=True)


async def invite(server: RunningServer, file_id: str, role: str, **more: Any) -> Any:
    return await post(server, f"/v1/files/{file_id}/invites", {"role": role, **more})


async def ask(
    server: RunningServer, token: str | None, method: str, path: str, body: Any = None
) -> httpx.Response:
    """Make a REST call as whoever has a token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=server.api_url, headers=headers, timeout=30, trust_env=False, verify=False
    ) as http:
        return await http.request(method, path, json=body)


@asynccontextmanager
async def follow_as(
    server: RunningServer, file_id: str, token: str
) -> AsyncIterator[NotebookClient]:
    """Follow a notebook as whoever has a token."""
    async with raw_client(server) as raw:
        client = NotebookClient(raw.websocket)
        client.file_id = file_id
        reply = await client.authenticate(token)
        assert reply["data"]["success"], reply
        file = (await ask(server, token, "GET", f"/v1/files/{file_id}")).json()
        client.version_id = file["current_version_id"]
        reply = await client.subscribe(from_version_id=client.version_id)
        assert reply["event"] == "subscribe_reply", reply
        yield client


async def refused(client: NotebookClient, *delta: Any) -> str:
    """Submit a delta that a role forbids and return what is said."""
    data = {"delta": client.delta(*delta), "output_collection_id_to_copy": None}
    answer = await client.request(client.files, "new_delta_request", data)
    assert answer["event"] == "permission_denied", answer
    found: str = answer["data"]["message"]
    return found
