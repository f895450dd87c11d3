"""Clearing the outputs of cells in the notebook, for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from ...errors import SquashError
from ...models import CellOutputCollectionReplace, CodeCell
from .collection import LiveCollection

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["clear_outputs"]


async def clear_outputs(room: Room, cell_ids: Iterable[str], author: UUID) -> list[str]:
    """Clear outputs; returns the ids of the cells that had any.

    A cell that runs goes on, and what it puts out from now on is shown. Any other gets a new,
    empty collection, so that whoever still looks at the run that made the outputs keeps them.
    What its run still puts out, from a thread for one, appears in the cleared cell, as in
    JupyterLab.

    Parameters
    ----------
    room
        The notebook.
    cell_ids
        The cells.
    author
        Who clears them.
    """
    cleared = []
    for cell_id in cell_ids:
        if room.executor.clear_running(cell_id):
            cleared.append(cell_id)
            continue
        if cell_id not in room.chain.builder:
            continue  # deleted meanwhile
        cell = room.chain.builder.cell(cell_id)
        if not isinstance(cell, CodeCell) or not _has_outputs(room, cell):
            continue
        empty = LiveCollection(uuid4(), room.file_id, cell_id, None, link=room.service.links.output)
        delta = CellOutputCollectionReplace(
            file_id=room.file_id,
            resource_id=cell_id,
            properties={"output_collection_id": empty.id},
        )
        try:
            await room.apply(delta, author, also=empty.create)
        except SquashError:
            continue
        room.service.collections.put(empty)
        room.send("update_output_collection_event", empty.to_wire())
        room.executor.late.cleared(empty)
        cleared.append(cell_id)
    if cleared:
        room.disk.changed()
    return cleared


def _has_outputs(room: Room, cell: CodeCell) -> bool:
    if cell.output_collection_id is None:
        return bool(cell.outputs) or cell.execution_count is not None
    found = room.service.collections.of_cell(cell.output_collection_id, room.file_id)
    return found is not None and not found.is_empty
