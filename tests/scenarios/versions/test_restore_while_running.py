"""A version is restored while a cell runs: the notebook is that version, and every run ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import pytest

from rtu_magics.client import APIClient
from rtu_magics.errors import CellNotFound, RTUError
from rtu_magics.models import (
    BulkCellStateUpdateResponse,
    CellStateName,
    CodeCell,
    Notebook,
    parse_notebook,
)

pytestmark = [pytest.mark.kernel, pytest.mark.server]

PATIENCE = 30.0  # seconds
ACTIVE = {CellStateName.QUEUED, CellStateName.EXECUTING}

SLOW = """import pathlib, time
pathlib.Path('{name}.begun').touch()
while not pathlib.Path('{name}.go').exists():
    time.sleep(0.02)
print('{name} ended')"""


async def until(found):
    async def look():
        while not found():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), PATIENCE)


class Lesson:
    """A notebook of the server, its kernel, and who has it open."""

    def __init__(self, server, api, name):
        self.root, self.api, self.name = server.root, api, name

    async def open(self, **cells):
        seed = Notebook(cells=[CodeCell(id=name, source=source) for name, source in cells.items()])
        project_id = (await self.api.info()).project_id
        self.file = await self.api.create_notebook(project_id, f"{self.name}.ipynb", seed)
        self.first = (await self.api.get_file_versions(self.file.id))[-1]
        self.clients = [await self.api.connect_realtime(self.file) for _ in range(2)]
        await self.api.launch_kernel(self.file.id)
        for client in self.clients:
            await client.wait_for_kernel_idle(PATIENCE)

    async def close(self):
        (self.root / f"{self.name}.go").touch()  # also when a test fails
        for client in self.clients:
            await client.shutdown()
        session = await self.api.get_session(self.file.id)
        await self.api.shutdown_kernel(session.session_id)

    async def begun(self):
        await until((self.root / f"{self.name}.begun").exists)

    def go(self):
        (self.root / f"{self.name}.go").touch()

    async def restore(self, version=None):
        """Restore a version, by default the first, and wait until everybody has it."""
        states = asyncio.Queue()
        stop = [
            client.register_connection_callback(lambda state, detail: states.put_nowait(state))
            for client in self.clients
        ]
        await self.api.restore_version(self.file.id, (version or self.first).id)
        live = 0
        while live < len(self.clients):
            live += await asyncio.wait_for(states.get(), PATIENCE) == "live"
        for end in stop:
            end()

    async def settled(self):
        """Wait until nothing runs for anybody who has it open."""

        def rests(client):
            return client.kernel_state == "idle" and not ACTIVE & set(client.cell_states.values())

        await until(lambda: all(map(rests, self.clients)))

    def sources(self):
        """Return what everybody sees, which has to be the same."""
        first, *others = (
            {cell.id: cell.source for cell in client.builder.cells} for client in self.clients
        )
        assert all(other == first for other in others)
        return first

    async def on_disk(self):
        await self.api.save_file(self.file.id)
        cells = json.loads((self.root / self.file.path).read_text())["cells"]
        return {cell["id"]: "".join(cell["source"]) for cell in cells}

    async def run(self, cell_id):
        """Run a cell; returns what it prints."""
        found = await ended(await self.clients[0].queue_execution(cell_id))
        return await self.outputs(found[cell_id])

    async def outputs(self, cell):
        found = await self.api.get_output_collection(cell.output_collection_id)
        return "".join(output.content.raw for output in found.outputs)


@pytest.fixture
async def lesson(server, request):
    async with APIClient(server.token, server.api_url) as api:
        found = Lesson(server, api, request.node.name)
        yield found
        await found.close()


async def ended(futures):
    """Return what the futures of a run brought, by cell."""
    done, waiting = await asyncio.wait(futures, timeout=PATIENCE)
    assert not waiting, [futures[future] for future in waiting]
    return {futures[future]: future.exception() or future.result() for future in done}


async def test_cells_of_the_version_run_on(lesson):
    await lesson.open(slow=SLOW.format(name=lesson.name), after="print('as it was')")
    me, other = lesson.clients
    await me.replace_cell_content("after", "print('edited')")
    await me.add_cell(cell=CodeCell(id="extra", source="extra = 1"))
    mine = await me.queue_execution(run_all=True)
    theirs = await other.queue_execution("after")
    await lesson.begun()
    await lesson.restore()
    restored = {"slow": SLOW.format(name=lesson.name), "after": "print('as it was')"}
    assert lesson.sources() == restored
    assert me.cell_states["slow"] == "executing"
    assert me.cell_states["after"] == "queued"

    lesson.go()
    assert (await ended(mine)).keys() == {"slow", "after", "extra"}
    await ended(theirs)
    await lesson.settled()
    for client in lesson.clients:
        assert client.cell_states == dict.fromkeys(("slow", "after"), CellStateName.FINISHED)
    assert lesson.sources() == restored == await lesson.on_disk()
    # And on it goes.
    assert await lesson.run("after") == "as it was\n"
    assert await lesson.run("slow") == f"{lesson.name} ended\n"


async def test_what_the_run_had_put_out_is_in_the_version_before(lesson):
    slow = "print('before', flush=True)\n" + SLOW.format(name=lesson.name)
    await lesson.open(slow=slow)
    mine = await lesson.clients[0].queue_execution("slow")
    await lesson.begun()
    await lesson.restore()
    lesson.go()
    await ended(mine)
    await lesson.settled()
    for client in lesson.clients:
        assert client.cell_states == {"slow": CellStateName.FINISHED}
        assert client.builder.cell("slow").output_collection_id is None
    restored, before, _ = await lesson.api.get_file_versions(lesson.file.id)
    assert (restored.reason, before.reason) == ("restore", "restore")
    response = await lesson.api.rest.request("GET", before.content_presigned_url)
    (kept,) = parse_notebook(response.content).cells
    assert await lesson.outputs(kept) == f"before\n{lesson.name} ended\n"


async def test_a_cell_that_the_version_lacks(lesson):
    await lesson.open(one="1")
    me, other = lesson.clients
    source = f"kept = 1\n{SLOW.format(name=lesson.name)}"
    await me.add_cell(cell=CodeCell(id="slow", source=source))
    states = asyncio.Queue()
    me.register_rtu_event_callback(
        BulkCellStateUpdateResponse,
        lambda msg: [states.put_nowait(s) for s in msg.data.cell_states if s.cell_id == "slow"],
    )
    slow = await me.queue_execution("slow")
    await lesson.begun()
    await lesson.restore()
    await ended(slow)  # nobody waits for the kernel
    while (state := await asyncio.wait_for(states.get(), PATIENCE)).state != CellStateName.FAILED:
        assert state.state in ACTIVE
    assert state.cause == "the cell was deleted"
    # It holds the kernel until it has ended.
    one = await other.queue_execution("one")
    await until(lambda: other.cell_states == {"one": CellStateName.QUEUED})
    lesson.go()
    await ended(one)
    await lesson.settled()
    for client in lesson.clients:
        assert client.cell_states == {"one": CellStateName.FINISHED}
    assert lesson.sources() == {"one": "1"} == await lesson.on_disk()
    await other.replace_cell_content("one", "print(kept)")
    assert await lesson.run("one") == "1\n"


@pytest.mark.parametrize("seed", range(3))
async def test_again_and_again(lesson, seed):
    """Two people run what there is while the notebook goes to and fro between two versions."""
    await lesson.open(one="x = 1", two="print('two')", three="1 / 0", four="print('four')")
    api, file_id = lesson.api, lesson.file.id
    me = lesson.clients[0]
    await me.delete_cell("two")
    await me.replace_cell_content("three", "print('three')")
    await me.add_cell(cell=CodeCell(id="five", source="import time; time.sleep(0.02)"))
    now = await api.create_version(file_id)
    chance = random.Random(seed)
    asked = []

    async def run(client):
        for _ in range(20):
            with contextlib.suppress(RTUError):  # what it has is no longer so
                asked.append(await client.queue_execution(run_all=True))
            await asyncio.sleep(chance.uniform(0, 0.04))

    async def go_back():
        for version in (lesson.first, now, lesson.first):
            await asyncio.sleep(chance.uniform(0, 0.2))
            await api.restore_version(file_id, version.id)

    await asyncio.gather(go_back(), *map(run, lesson.clients))
    for futures in asked:
        if futures:
            await ended(futures)
    await until(lambda: all(client.is_live for client in lesson.clients))
    await lesson.settled()
    assert lesson.sources().keys() == {"one", "two", "three", "four"}
    assert lesson.sources() == await lesson.on_disk()
    assert await lesson.run("two") == "two\n"


async def test_to_and_fro_between_versions(lesson):
    """Whoever tries out versions is not taken for a client that loads anew in vain."""
    await lesson.open(one="1")
    await lesson.clients[0].replace_cell_content("one", "2")
    now = await lesson.api.create_version(lesson.file.id)
    for version in (lesson.first, now) * 3:
        await lesson.restore(version)
    assert [client.connection_state for client in lesson.clients] == ["live", "live"]
    assert [client.builder.cell("one").source for client in lesson.clients] == ["2", "2"]


async def test_a_cell_that_went_while_its_client_was_away(lesson, monkeypatch):
    await lesson.open(one="1")
    me, _ = lesson.clients
    await me.add_cell(cell=CodeCell(id="slow", source=SLOW.format(name=lesson.name)))
    slow = await me.queue_execution("slow")
    await lesson.begun()
    restored = asyncio.Event()
    connect = me.manager._connect

    async def connect_later(*args, **kwargs):
        await restored.wait()
        return await connect(*args, **kwargs)

    monkeypatch.setattr(me.manager, "_connect", connect_later)
    await me.manager.slot.connection.close()
    await until(lambda: me.connection_state != "live")
    await lesson.api.restore_version(lesson.file.id, lesson.first.id)
    restored.set()
    lesson.go()
    assert isinstance((await ended(slow))["slow"], CellNotFound)
    await until(lambda: me.connection_state == "live")
