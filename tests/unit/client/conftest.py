import asyncio

import pytest

from rtu_magics.client import RTUClient
from rtu_magics.models import CodeCell
from rtu_magics.protocol import Backoff
from rtu_magics.transport.memory import MemoryNetwork

from .scripted_server import ScriptedServer


class World:
    """A scripted server, its network, and clients that are shut down at the end."""

    def __init__(self, *cells):
        self.server = ScriptedServer(*cells)
        self.network = MemoryNetwork(self.server)
        self.clients = []

    def client(self, *, reload=False, cls=RTUClient, token=None, **options):
        version_id, builder = self.server.copy_of_version()

        async def reload_hook():
            return self.server.copy_of_version()

        client = cls(
            "ws://server.test/rtu",
            token or self.server.token,
            self.server.file_id,
            version_id,
            builder,
            reload_hook=reload_hook if reload is True else reload or None,
            connect=self.network.connect,
            backoff=Backoff(first=0.005, cap=0.02),
            **options,
        )
        self.clients.append(client)
        return client

    async def ready(self, **options):
        client = self.client(**options)
        await client.initialize()
        await client.wait_ready(5)
        return client

    async def aclose(self):
        for client in self.clients:
            await client.shutdown(now=True)
        await self.network.aclose()


@pytest.fixture
async def make_world():
    worlds = []

    def make(*cells):
        worlds.append(World(*cells))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.aclose()


@pytest.fixture
def world(make_world):
    return make_world(CodeCell(id="a", source="1 + 1"), CodeCell(id="b", source="b = 2"))


@pytest.fixture
def until():
    """Wait until something is true; fail after a time that suits a busy machine, too."""

    async def wait(condition, what="the condition"):
        deadline = asyncio.get_running_loop().time() + 20
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"{what} did not come true"
            await asyncio.sleep(0.002)

    return wait
