"""A notebook that goes, or gets another name, while it is being opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rtu_magics.models import CodeCell, Notebook

from ..replicas.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, Notebook(cells=[CodeCell(id=f"c{n}") for n in range(50)]))
    await made.open()
    yield made
    await made.aclose()


def _after_reading(
    world: World, monkeypatch: pytest.MonkeyPatch, then: Callable[[], Awaitable[Any]]
) -> None:
    """Let something happen between reading a notebook from the store and opening its room."""
    read = world.service.slices.run

    async def run(work: Any) -> Any:
        found = await read(work)
        monkeypatch.undo()
        await then()
        return found

    monkeypatch.setattr(world.service.slices, "run", run)


async def test_one_that_is_deleted_meanwhile_is_not_opened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.file_id is not None
    row = world.service.workspace.file(world.file_id)
    assert row is not None
    _after_reading(world, monkeypatch, lambda: world.service.delete_file(row))
    assert await world.service.room(row.id) is None
    assert not world.service.rooms
    assert not (world.root / "n.ipynb").exists()


async def test_one_that_is_renamed_meanwhile_is_opened_under_its_new_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, file_id = world.service, world.file_id
    assert file_id is not None

    async def rename() -> None:
        (world.root / "n.ipynb").rename(world.root / "m.ipynb")
        with service.database.transaction() as connection:
            service.workspace.note_path(connection, file_id, "m.ipynb")

    _after_reading(world, monkeypatch, rename)
    room = await world.room()
    assert room.path == "m.ipynb"
    assert room.disk.path == world.root / "m.ipynb"
    assert room.disk.state.gone_at is None
