"""What a page does while its notebook is held: nothing is lost, and nothing is undone by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from .live_room import LiveRoom, bridged  # isort: skip  (skips without pycrdt)
from rtu_magics.document import NotebookBuilder
from rtu_magics.models import NIL_UUID, CellContentsReplace, CodeCell, Notebook
from rtu_magics.server.notebook.chain import Chain
from rtu_magics.server.room import Room
from rtu_magics.server.store.deltas import current_version

from ..replicas.world import World
from ..server.test_disk import eventually


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    sources = {"c1": "x = 1", "c2": "y = 2", "c3": "z = 3"}
    cells = [CodeCell(id=cell_id, source=source) for cell_id, source in sources.items()]
    made = World(tmp_path, Notebook(cells=cells))
    await made.open()
    yield made
    await made.aclose()


def texts(room: Room) -> list[str]:
    return [cell.source for cell in room.chain.builder.cells]


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def all_hold(room: Room, live: LiveRoom, wanted: list[str]) -> None:
    await eventually(lambda: texts(room) == live.sources == wanted, 20)
    assert Chain(room.chain.database, room.file_id).builder.dumps() == room.chain.builder.dumps()


class Held:
    """A notebook that is held until somebody lets go."""

    def __init__(self, room: Room) -> None:
        self._room, self._go, self._holds = room, asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        async with self._room.versions.held():
            self._holds.set()
            await self._go.wait()

    async def begin(self) -> None:
        await self._holds.wait()

    async def end(self) -> None:
        self._go.set()
        await self._task


@asynccontextmanager
async def restoring(room: Room, *sources: str) -> AsyncIterator[None]:
    """Restore c1, c2 … with these sources; what is done within comes while it is made."""
    restored = NotebookBuilder(
        Notebook(cells=[CodeCell(id=f"c{n}", source=text) for n, text in enumerate(sources, 1)])
    )
    holds, go = asyncio.Event(), asyncio.Event()

    async def make() -> NotebookBuilder:
        holds.set()
        await go.wait()
        return restored

    anew = room.versions.begin_anew(make, reason="restore", before="before")
    task = asyncio.create_task(anew)
    await holds.wait()
    yield
    go.set()
    assert await task


async def test_a_page_that_types_and_leaves(world: World) -> None:
    async with bridged(world) as (room, live, bridge):
        held = Held(room)
        await held.begin()
        live.type(0, "0")
        leaving = asyncio.create_task(bridge.detach())
        await turns()
        live.type(1, "0")
        assert not leaving.done()
        await held.end()
        await leaving
        assert texts(room) == ["x = 10", "y = 20", "z = 3"]


async def test_a_page_that_types_before_another_programs_file_takes_its_place(
    world: World,
) -> None:
    async with bridged(world) as (room, live, _):
        held = Held(room)
        await held.begin()
        live.type(0, "0")
        content: Any = json.loads((world.root / "n.ipynb").read_text())
        content["cells"][2]["source"] = "z = 'theirs'"
        replacing = asyncio.create_task(live.replace(content))
        await turns()
        live.type(1, "0")
        await held.end()
        await replacing
        await all_hold(room, live, ["x = 10", "y = 20", "z = 'theirs'"])


async def test_what_a_page_does_meanwhile_is_done_to_what_is_restored(world: World) -> None:
    async with bridged(world) as (room, live, _):
        async with restoring(room, "x = 1", "y = 'then'"):
            live.type(0, "0")
            live.add(3, "new", "of the page")
            await turns()
            assert texts(room) == ["x = 1", "y = 2", "z = 3"]
        await all_hold(room, live, ["x = 10", "y = 'then'", "of the page"])
        live.type(1, "!")
        await all_hold(room, live, ["x = 10", "y = 'then'!", "of the page"])


async def test_what_both_changed_in_one_cell_is_there_with_both(world: World) -> None:
    async with bridged(world) as (room, live, _):
        live.type(0, "\ny = 2\n")
        async with restoring(room, "a = 0\nx = 1\ny = 2\n", "y = 2", "z = 3"):
            live.type(0, "z = 3\n")
        await all_hold(room, live, ["a = 0\nx = 1\ny = 2\nz = 3\n", "y = 2", "z = 3"])


async def test_a_page_that_does_nothing_sees_what_is_restored(world: World) -> None:
    async with bridged(world) as (room, live, _):
        async with restoring(room, "x = 'then'", "y = 'then'"):
            await turns()
        await all_hold(room, live, ["x = 'then'", "y = 'then'"])


async def test_a_page_sees_what_is_restored_and_what_waited_for_that(world: World) -> None:
    async with bridged(world) as (room, live, _):
        async with restoring(room, "x = 'then'", "y = 'then'"):
            delta = CellContentsReplace(
                file_id=room.file_id, resource_id="c1", properties={"source": "x = 'waited'"}
            )
            waiting = asyncio.create_task(room.apply(delta, NIL_UUID))
            await turns()
            assert not waiting.done()
        await waiting
        await all_hold(room, live, ["x = 'waited'", "y = 'then'"])


@pytest.mark.parametrize("times", [1, 5])
async def test_a_page_changes_what_no_delta_says_while_a_version_is_saved(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The notebook begins anew past what is being saved, once, or as often as it is tried."""
    async with bridged(world) as (room, live, _):
        run, done = room.versions.slices.run, 0

        async def beside(work: Any) -> Any:
            nonlocal done
            found = await run(work)
            if done < times:
                done += 1
                live.attach(0, {f"{done}.png": {"image/png": "iVBORw0KGgo="}})
                await turns()
            return found

        monkeypatch.setattr(room.versions.slices, "run", beside)
        version = await room.versions.save(name="mine")
        monkeypatch.undo()
        await eventually(lambda: room.chain.epoch == min(times, 4), 20)
        with room.chain.database.transaction() as connection:
            current = current_version(connection, room.file_id)
        assert current == room.chain.version
        if times == 1:
            assert version == current
        await all_hold(room, live, ["x = 1", "y = 2", "z = 3"])
