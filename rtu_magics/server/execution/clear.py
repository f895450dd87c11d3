"""Clearing the outputs of cells in the notebook, for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from ...errors import SquashError
from ...models import CellOutputCollectionReplace, CodeCell
from ..outputs.cache import Collections
from ..outputs.collection import LiveCollection
from ..ports import LiveNotebook
from .events import Cleared
from .executor import Executor

__all__ = ["clear_outputs"]


async def clear_outputs(
    notebook: LiveNotebook,
    executor: Executor,
    collections: Collections,
    cell_ids: Iterable[str],
    author: UUID,
) -> list[str]:
    """Clear outputs; returns the ids of the cells that had any.

    A cell that runs goes on, and what it puts out from now on is shown. Any other gets a new,
    empty collection, so that whoever still looks at the run that made the outputs keeps them.
    What its run still puts out, from a thread for one, appears in the cleared cell, as in
    JupyterLab, and it counts as not run, as there.

    Parameters
    ----------
    notebook, executor, collections
        Where, what runs its cells, and where outputs are kept.
    cell_ids
        The cells.
    author
        Who clears them.
    """
    cleared = []
    for cell_id in cell_ids:
        if executor.clear_running(cell_id):
            cleared.append(cell_id)
            continue
        if cell_id not in notebook.chain.builder:
            continue  # deleted meanwhile
        cell = notebook.chain.builder.cell(cell_id)
        if not isinstance(cell, CodeCell) or not _has_outputs(collections, notebook.file_id, cell):
            continue
        empty = LiveCollection(uuid4(), notebook.file_id, cell_id, None, link=collections.link)
        delta = CellOutputCollectionReplace(
            file_id=notebook.file_id,
            resource_id=cell_id,
            properties={"output_collection_id": empty.id},
        )
        try:
            await notebook.apply(delta, author, also=empty.create)
        except SquashError:
            continue
        collections.put(empty)
        notebook.send("update_output_collection_event", empty.to_wire())
        executor.late.cleared(empty)
        executor.note(Cleared(cell_id))
        cleared.append(cell_id)
    if cleared:
        notebook.changed()
    return cleared


def _has_outputs(collections: Collections, file_id: UUID, cell: CodeCell) -> bool:
    if cell.output_collection_id is None:
        return bool(cell.outputs) or cell.execution_count is not None
    found = collections.of_cell(cell.output_collection_id, file_id)
    return found is not None and not found.is_empty
