"""Which cells an execute delta runs: one rule for whoever asks for a run and whoever does it."""

from __future__ import annotations

from collections.abc import Iterable

from ..models import (
    CellExecute,
    CellExecuteAfter,
    CellExecuteBefore,
    CellExecuteDelta,
    CodeCell,
    MarkdownCell,
    RawCell,
)
from .builder import NotebookBuilder

__all__ = ["targets_of"]


def targets_of(delta: CellExecuteDelta, builder: NotebookBuilder) -> list[CodeCell]:
    """Return the cells that an execute delta runs, in the notebook's order.

    They are the code cells that are not blank (RTU protocol, order of execution), SQL cells
    included, as the notebook is now: server and clients ask at the delta's place in the chain.

    Parameters
    ----------
    delta
        Any of the four execute deltas; what is none of the other three runs every cell.
    builder
        The notebook.

    Raises
    ------
    CellNotFound
        The notebook has no cell of the delta's ``resource_id``.

    Examples
    --------
    >>> from uuid import UUID
    >>> from rtu_magics.models import Notebook
    >>> cells = [CodeCell(id="a", source="1"), CodeCell(id="b"), CodeCell(id="c", source="3")]
    >>> builder = NotebookBuilder(Notebook(cells=cells))
    >>> after = CellExecuteAfter(file_id=UUID(int=0), resource_id="b")
    >>> [cell.id for cell in targets_of(after, builder)]
    ['c']
    """
    cells: Iterable[CodeCell | MarkdownCell | RawCell]
    if isinstance(delta, CellExecute):
        cells = [builder.cell(delta.resource_id)]
    elif isinstance(delta, CellExecuteBefore):
        cells = builder.nb.cells[: builder.index_of(delta.resource_id) + 1]
    elif isinstance(delta, CellExecuteAfter):
        cells = builder.nb.cells[builder.index_of(delta.resource_id) :]
    else:
        cells = builder.nb.cells
    return [cell for cell in cells if isinstance(cell, CodeCell) and cell.source.strip()]
