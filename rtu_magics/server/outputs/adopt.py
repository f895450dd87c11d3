"""Outputs that come from somewhere else than a run: from the file on disk, or from another cell."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from ...errors import SquashError
from ...models import CellOutputCollectionReplace, CodeCell, NBCellsAdd, NewDeltaRequestData
from ...tasks import TaskSet
from ..access.people import Person
from ..notebook.chain import NotStored
from ..ports import LiveNotebook
from ..store import AnyConnection
from .cache import Collections
from .collection import LiveCollection

__all__ = ["adopt_outputs", "copy_outputs"]

_tasks = TaskSet()


async def adopt_outputs(
    notebook: LiveNotebook,
    collections: Collections,
    cell: CodeCell,
    author: UUID,
    bodies: list[dict[str, Any]] | None = None,
) -> None:
    """Make a cell's outputs an output collection and give it to the cell with this id.

    Parameters
    ----------
    notebook
        A cell that is gone from it gets nothing.
    collections
        Those of the server.
    cell
        The id and the outputs.
    author
        Who does it.
    bodies
        The outputs, if they are those of a run: with their display ids.

    Raises
    ------
    NotStored
        The store does not take it now.
    """
    collection = LiveCollection(uuid4(), notebook.file_id, cell.id, None, link=collections.link)
    collection.execution_count = cell.execution_count
    collection.adopt([o.model_dump() for o in cell.outputs] if bodies is None else bodies)

    def store(connection: AnyConnection) -> None:
        collection.create(connection)
        collection.store(connection)

    delta = CellOutputCollectionReplace(
        file_id=notebook.file_id,
        resource_id=cell.id,
        properties={"output_collection_id": collection.id},
    )
    collections.put(collection)
    try:
        await notebook.apply(delta, author, also=store)
    except NotStored:
        raise
    except SquashError:
        return
    collection.drain()
    notebook.send("update_output_collection_event", collection.to_wire(16 * 1024))


def copy_outputs(
    notebook: LiveNotebook, collections: Collections, data: NewDeltaRequestData, person: Person
) -> None:
    """Give a cell that was just submitted the outputs that its sender wants copied, if any."""
    if data.output_collection_id_to_copy is None or not isinstance(data.delta, NBCellsAdd):
        return
    work = _copy(notebook, collections, data.delta, data.output_collection_id_to_copy, person)
    _tasks.spawn(work, "rtu-copy-outputs")


async def _copy(
    notebook: LiveNotebook,
    collections: Collections,
    added: NBCellsAdd,
    collection_id: UUID,
    person: Person,
) -> None:
    accepted = await notebook.exclusively(lambda: notebook.chain.find(added.id))
    found = collections.get(collection_id)
    cell_id = added.properties.id
    if accepted is None or found is None or cell_id not in notebook.chain.builder:
        return
    if found.file_id != notebook.file_id or found.private_to not in (None, person.id):
        return
    cell = notebook.chain.builder.cell(cell_id)
    if not isinstance(cell, CodeCell) or cell.output_collection_id is not None:
        return  # a retry: it has them already, or it has run since
    copied = CodeCell(id=cell_id, execution_count=found.execution_count)
    try:
        await adopt_outputs(notebook, collections, copied, person.id, found.bodies())
    except NotStored:
        return  # the writer has said why
    notebook.changed()
