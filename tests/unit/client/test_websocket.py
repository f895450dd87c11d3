"""The client over a real websocket, against the scripted server."""

import asyncio
import contextlib

import httpx
import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.errors import AuthenticationFailed, ConnectionLost, FileUnknown
from rtu_magics.models import File, utcnow
from rtu_magics.protocol import Backoff

from .scripted_server import ScriptedServer


class Adapter:
    """A websocket as the connection that the scripted server takes."""

    def __init__(self, ws):
        self.ws = ws

    async def send(self, text):
        with _told():
            await self.ws.send(text)

    async def recv(self):
        with _told():
            return await self.ws.recv()

    def drop(self):
        self.ws.transport.abort()


@contextlib.contextmanager
def _told():
    try:
        yield
    except ConnectionClosed as exc:
        raise ConnectionLost(str(exc)) from exc


class Listening:
    def __init__(self):
        self.server = ScriptedServer()
        self.connections = []

    async def start(self, port=0):
        async def handle(ws):
            self.connections.append(Adapter(ws))
            with contextlib.suppress(ConnectionLost):
                await self.server(self.connections[-1])

        def headers(connection, request, response):
            response.headers["rtu_session_id"] = f"session-{len(self.connections)}"

        self.ws_server = await serve(handle, "127.0.0.1", port, process_response=headers)
        self.port = self.ws_server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/v1/rtu"

    async def stop(self):
        self.ws_server.close()
        await self.ws_server.wait_closed()


@pytest.fixture
async def listening():
    found = Listening()
    await found.start()
    yield found
    await found.stop()


def make_client(listening, **options):
    version_id, builder = listening.server.copy_of_version()
    return RTUClient(
        listening.url,
        listening.server.token,
        listening.server.file_id,
        version_id,
        builder,
        backoff=Backoff(first=0.01, cap=0.05),
        **options,
    )


async def test_edit_and_see(listening):
    client = make_client(listening)
    await client.initialize()
    await client.wait_ready(5)
    assert client.rtu_session_id == "session-0"
    cell = await client.add_cell("π = 3 🐢")
    assert listening.server.builder.cell(cell.id).source == "π = 3 🐢"
    results = await asyncio.gather(*(client.replace_cell_content("a", f"{i}") for i in range(200)))
    assert len(results) == 200
    await client.shutdown()


async def test_a_broken_socket_under_a_stream_of_edits(listening):
    client = make_client(listening)
    await client.initialize()
    await client.wait_ready(5)
    tasks = []
    for i in range(60):
        tasks.append(asyncio.create_task(client.add_cell(f"{i}", after_id="a")))
        if i % 20 == 10:
            await asyncio.sleep(0)
            listening.connections[-1].drop()
        await asyncio.sleep(0.001)
    cells = await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert len({cell.id for cell in cells}) == 60
    assert len(listening.server.chain) == 60
    await client.wait_ready(5)
    assert client.cell_ids == listening.server.builder.cell_ids
    assert client.manager.reconnections >= 3
    await client.shutdown()


async def test_a_server_that_goes_and_comes_back(listening):
    client = make_client(listening)
    states = []
    client.register_connection_callback(lambda state, detail: states.append((state, detail)))
    await client.initialize()
    await client.wait_ready(5)
    await listening.stop()
    waiting = asyncio.create_task(client.add_cell("patient"))
    await asyncio.sleep(0.2)
    assert client.connection_state == "reconnecting"
    await listening.start(listening.port)
    cell = await asyncio.wait_for(waiting, 5)
    assert listening.server.builder.cell(cell.id).source == "patient"
    details = [detail for state, detail in states if state == "reconnecting"]
    assert any("nothing listens" in detail for detail in details)
    await client.shutdown()


async def test_connect_realtime_loads_and_follows(listening):
    server = listening.server

    def rest(request):
        if request.url.path == "/signed":
            return httpx.Response(200, content=server.copy_of_version()[1].dumps())
        if request.url.path.endswith(str(server.file_id)):
            file = File(
                id=server.file_id,
                created_at=utcnow(),
                updated_at=utcnow(),
                filename="x.ipynb",
                path="x.ipynb",
                project_id=server.file_id,
                space_id=server.file_id,
                type="notebook",
                current_version_id=server.version_id,
                presigned_download_url="http://server.test/signed",
            )
            return httpx.Response(200, content=file.model_dump_json())
        return httpx.Response(404, json={"message": "no such notebook"})

    options = {"rtu_url": listening.url, "transport": httpx.MockTransport(rest)}
    async with APIClient(server.token, "http://server.test/rtu/api", **options) as api:
        client = await api.connect_realtime(server.file_id)
        await client.add_cell("x")
        other = await api.connect_realtime(await api.get_file(server.file_id))
        assert other.cell_ids == client.cell_ids
        for one in (client, other):
            await one.shutdown()
        with pytest.raises(FileUnknown, match="no such notebook"):
            await api.connect_realtime(server.version_id)
    async with APIClient("wrong", "http://server.test/rtu/api", **options) as api:
        with pytest.raises(AuthenticationFailed):
            await api.connect_realtime(str(server.file_id))
