"""A notebook as it was at one place of its chain, while it goes on changing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from ...document import NotebookBuilder, cell_json, lines_of, still_cell
from ...models import CodeCell, FileDeltaBase, MarkdownCell, RawCell

__all__ = ["Kept", "Label", "Still", "collections_shown", "spend_ids"]


class Still:
    """What a version is to hold, put into JSON a cell at a time.

    A delta that comes in between changes cells in place: whoever squashes it calls `before` first,
    and the cell that it is about to change is kept as it was.

    Parameters
    ----------
    builder
        The notebook, as the delta at this place has left it.
    epoch, seq, head
        The place.

    Attributes
    ----------
    deleted_cell_ids, collection_ids
        As versions have them.
    """

    def __init__(self, builder: NotebookBuilder, epoch: int, seq: int, head: UUID) -> None:
        self.epoch, self.seq, self.head = epoch, seq, head
        self.deleted_cell_ids = set(builder.deleted_cell_ids)
        self.collection_ids: set[str] = set()
        self._cells = builder.nb.cells  # never changed: the builder makes a new list
        self._kept: dict[int, CodeCell | MarkdownCell | RawCell] = {}
        self._lines = lines_of(builder.nb, self._cells_json())

    def before(self, delta: FileDeltaBase, builder: NotebookBuilder) -> None:
        """Keep what a delta is about to change."""
        if delta.resource_id in builder:
            cell = builder.cell(delta.resource_id)
            if id(cell) not in self._kept:
                self._kept[id(cell)] = still_cell(cell)

    def pieces(self) -> Iterator[bytes]:
        """Yield the JSON of the notebook, once."""
        return self._lines

    def _cells_json(self) -> Iterator[bytes]:
        for cell in self._cells:
            still = self._kept.pop(id(cell), cell)
            if isinstance(still, CodeCell) and still.output_collection_id:
                self.collection_ids.add(still.output_collection_id)
            yield cell_json(still)


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of a version: what it is called, why it is made, and by whom."""

    name: str | None = None
    reason: str = "save"
    author: UUID | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A notebook at some place, to be kept as a version.

    Attributes
    ----------
    still, label
        What it was, and what is said of it.
    body, version_id
        Its JSON, or with an id only the beginning: the rest is stored already.
    """

    still: Still
    label: Label
    body: bytes
    version_id: UUID | None = None


def spend_ids(builder: NotebookBuilder, before: NotebookBuilder) -> None:
    """Let no cell that a notebook had, and its new content has not, ever come back."""
    builder.deleted_cell_ids.update(before.deleted_cell_ids, before.cell_ids)
    builder.deleted_cell_ids.difference_update(builder.cell_ids)


def collections_shown(builder: NotebookBuilder) -> set[str]:
    """Return the ids of the output collections that a notebook's cells name."""
    cells = [cell for cell in builder.cells if isinstance(cell, CodeCell)]
    return {cell.output_collection_id for cell in cells if cell.output_collection_id}
