"""Outputs that come from somewhere else than a run: from the file on disk, or from another cell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from ...errors import SquashError
from ...models import CellOutputCollectionReplace, CodeCell, NBCellsAdd, NewDeltaRequestData
from ..access.people import Person
from ..notebook.writer import NotStored
from ..store import AnyConnection
from .collection import LiveCollection

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["adopt_outputs", "copy_outputs"]

_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly


async def adopt_outputs(room: Room, cell: CodeCell, author: UUID) -> None:
    """Make a cell's outputs an output collection and give it to the cell with this id.

    Parameters
    ----------
    room
        The notebook; a cell that is gone from it gets nothing.
    cell
        The id and the outputs.
    author
        Who does it.

    Raises
    ------
    NotStored
        The store does not take it now.
    """
    collection = LiveCollection(
        uuid4(), room.file_id, cell.id, None, link=room.service.links.output
    )
    collection.execution_count = cell.execution_count
    collection.adopt([output.model_dump() for output in cell.outputs])

    def store(connection: AnyConnection) -> None:
        collection.create(connection)
        collection.store(connection)

    delta = CellOutputCollectionReplace(
        file_id=room.file_id,
        resource_id=cell.id,
        properties={"output_collection_id": collection.id},
    )
    room.service.collections.put(collection)
    try:
        await room.apply(delta, author, also=store)
    except NotStored:
        raise
    except SquashError:
        return
    collection.drain()
    room.send("update_output_collection_event", collection.to_wire(16 * 1024))


def copy_outputs(room: Room, data: NewDeltaRequestData, person: Person) -> None:
    """Give a cell that was just submitted the outputs that its sender wants copied, if any."""
    if data.output_collection_id_to_copy is None or not isinstance(data.delta, NBCellsAdd):
        return
    work = _copy(room, data.delta, data.output_collection_id_to_copy, person)
    task = asyncio.create_task(work, name="rtu-copy-outputs")
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _copy(room: Room, added: NBCellsAdd, collection_id: UUID, person: Person) -> None:
    accepted = await room.exclusively(lambda: room.chain.find(added.id))
    found = room.service.collections.get(collection_id)
    cell_id = added.properties.id
    if accepted is None or found is None or cell_id not in room.chain.builder:
        return
    if found.file_id != room.file_id or found.private_to not in (None, person.id):
        return
    cell = room.chain.builder.cell(cell_id)
    if not isinstance(cell, CodeCell) or cell.output_collection_id is not None:
        return  # a retry: it has them already, or it has run since
    copied = CodeCell(
        id=cell_id, outputs=found.to_nbformat(), execution_count=found.execution_count
    )
    try:
        await adopt_outputs(room, copied, person.id)
    except NotStored:
        return  # the writer has said why
    room.disk.changed()
