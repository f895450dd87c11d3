"""Making a live document hold what our notebook holds, where the notebook changed; pure.

As in `from_live` the two are compared, so one function serves every kind of delta, a restored
version and the first time that both meet. What is equal is not written, and texts are spliced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...document import NotebookBuilder
from ...models import (
    CodeCell,
    FileDeltaBase,
    NBCellsAdd,
    NBCellsDelete,
    NBCellsMove,
    NBMetadataUpdate,
)
from .cells import (
    BLANK,
    MARKS,
    Cell,
    cell_for_live,
    cell_from_live,
    is_blank,
    metadata_of,
    parts_of,
    same,
)
from .live_cells import LiveCells
from .order import rearrange
from .past import Past
from .touched import Touched

__all__ = ["OutputsOf", "everything", "follow", "touched_by"]

OutputsOf = Callable[[CodeCell], "list[Any] | None"]
"""Returns the outputs of a cell's latest run as models of nbformat; None if it never ran here."""


def touched_by(deltas: Iterable[FileDeltaBase]) -> Touched:
    """Return where deltas changed a notebook."""
    found = Touched()
    for delta in deltas:
        if isinstance(delta, NBCellsAdd | NBCellsDelete | NBCellsMove):
            found.order = True
            if isinstance(delta, NBCellsMove):
                found.moved.add(delta.properties.id)
        elif isinstance(delta, NBMetadataUpdate):
            found.metadata = True
        elif delta.delta_type in ("cell_contents", "cell_metadata"):
            found.cells.add(delta.resource_id)
    return found


def everything(builder: NotebookBuilder) -> Touched:
    """Return that all of a notebook is to be compared, but for outputs."""
    return Touched(cells=set(builder.cell_ids), order=True, metadata=True)


def follow(
    live: LiveCells,
    touched: Touched,
    builder: NotebookBuilder,
    outputs_of: OutputsOf = lambda cell: None,
    past: Past | None = None,
) -> None:
    """Bring a document to what a notebook holds, in one transaction.

    Parameters
    ----------
    live
        The document; nobody's transaction is open.
    touched
        Where the notebook changed.
    builder
        The notebook.
    outputs_of
        What new cells show.
    past
        Remembers what cells held before.
    """
    if not touched.content:
        return
    with live.change():
        there = {cell_id for cell_id in live.ids if isinstance(cell_id, str)}
        cells = {
            cell_id: cell_from_live(live.raw(live.index_of(cell_id), outputs=False))
            for cell_id in touched.cells
            if cell_id in builder and cell_id in there
        }
        anew = {
            cell_id
            for cell_id, cell in cells.items()
            if cell.cell_type != builder.cell(cell_id).cell_type
        }
        if past is not None:
            for cell in cells.values():
                past.note(cell)
        if touched.order or anew:
            _arrange(live, builder, anew, touched.moved, outputs_of)
        for cell_id, cell in cells.items():
            if cell_id not in anew:
                _bring_cell(live, live.index_of(cell_id), cell, builder.cell(cell_id))
        if touched.metadata:
            _bring_metadata(live, None, live.metadata(), builder.nb.metadata)


def _arrange(
    live: LiveCells,
    builder: NotebookBuilder,
    anew: set[str],
    moving: set[str],
    outputs_of: OutputsOf,
) -> None:
    for index in range(len(ids := live.ids) - 1, -1, -1):  # whatever could be no cell of ours
        if not isinstance(ids[index], str) or ids[index] in ids[:index]:
            live.delete(index)
    steps = rearrange(live.ids, builder.cell_ids, anew, moving)
    for cell_id in steps.gone:
        live.delete(live.index_of(cell_id))
    moved: dict[str, Mapping[str, Any]] = {}
    for cell_id, _, is_new in steps.placed:
        if not is_new:
            index = live.index_of(cell_id)
            moved[cell_id] = live.raw(index)
            live.delete(index)
    for cell_id, after_id, _ in steps.placed:
        index = 0 if after_id is None else live.index_of(after_id) + 1
        raw = moved.get(cell_id)
        if raw is None:
            cell = builder.cell(cell_id)
            outputs = outputs_of(cell) if isinstance(cell, CodeCell) else None
            raw = cell_for_live(cell, outputs)
        live.insert(index, raw)


def _bring_cell(live: LiveCells, index: int, shown: Cell, cell: Cell) -> None:
    if shown.source != cell.source:
        live.set_source(index, cell.source)
    _bring_metadata(live, index, metadata_of(shown), metadata_of(cell))
    had, has = parts_of(shown), parts_of(cell)
    for key, value in has.items():
        if key not in had or not same(had[key], value):
            live.set_part(index, key, value)
    for key in had.keys() - has.keys():
        live.drop_part(index, key)


def _bring_metadata(
    live: LiveCells, index: int | None, shown: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    for key, value in metadata.items():
        if key not in shown or not same(shown[key], value):
            live.set_metadata(index, key, value)
    for key in shown.keys() - metadata.keys():
        if key in MARKS or (index is None and key in BLANK and is_blank(shown[key])):
            continue
        live.drop_metadata(index, key)
