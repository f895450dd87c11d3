"""`NotebookBuilder`: the notebook as its deltas have made it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from ..errors import CellNotFound, SquashError
from ..models import (
    CellContentsReplace,
    CellContentsUpdate,
    CellExecute,
    CellExecuteAfter,
    CellExecuteAll,
    CellExecuteBefore,
    CellMetadataReplace,
    CellMetadataUpdate,
    CellOutputCollectionReplace,
    FileDeltaBase,
    NBCellsAdd,
    NBCellsDelete,
    NBCellsMove,
    NBMetadataUpdate,
    Notebook,
)
from .cell_types import CELL_CLASSES, change_type
from .file_parts import set_unnamed_part
from .metadata import rtu_metadata, set_path
from .order import Cell, CellOrder, Node
from .patch import apply_patch
from .plain import copy_cell, copy_json

__all__ = ["VALID_CELL_ID", "NotebookBuilder"]

logger = logging.getLogger(__name__)

VALID_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What an added cell's id has to match whole (nbformat 4.5 schema)."""


class _View(NamedTuple):
    """The notebook in one order of its cells; never changed, only replaced by the next one."""

    number: int
    nb: Notebook
    places: dict[str, int]


class NotebookBuilder:
    """Keeps a notebook and squashes deltas into it.

    Squashing one takes the same time whatever the number of cells. The builder owns its cells; it
    hands out its own live ones, to be read and not written.

    One thread squashes. Others that read meanwhile find an order that there was, never half of a
    change; what stands *in* a live cell may change under their eyes (see `copy_cell`).

    Parameters
    ----------
    seed_notebook
        The notebook to start from, usually a saved version. Cells that share an id are all kept;
        deltas reach the first of them.

    Attributes
    ----------
    last_applied_delta_id
        The head: the delta that was squashed last, None before the first.
    deleted_cell_ids
        Ids of cells that deltas have deleted; they are never used again.

    Examples
    --------
    >>> from uuid import uuid4
    >>> from rtu_magics.models import CodeCell
    >>> builder = NotebookBuilder(Notebook(cells=[CodeCell(id="a", source="x = 1")]))
    >>> builder.apply_delta(
    ...     NBCellsAdd(
    ...         file_id=uuid4(),
    ...         properties={"id": "b", "cell": {"cell_type": "markdown"}, "after_id": "a"},
    ...     )
    ... )
    >>> builder.cell_ids
    ['a', 'b']
    """

    last_applied_delta_id: UUID | None
    deleted_cell_ids: set[str]

    def __init__(self, seed_notebook: Notebook) -> None:
        if not isinstance(seed_notebook, Notebook):
            raise TypeError("seed_notebook has to be a Notebook; see also from_nbformat")
        self.last_applied_delta_id = None
        self.deleted_cell_ids = set()
        self._order = CellOrder()
        self._nodes: dict[str, Node] = {}
        self._twins: dict[str, list[Node]] = {}
        for cell in seed_notebook.cells:
            self.seed(copy_cell(cell))
        self._nb = seed_notebook.model_copy(
            update={
                "nbformat": 4,
                "nbformat_minor": max(5, seed_notebook.nbformat_minor),  # cell ids are of 4.5
                "metadata": copy_json(seed_notebook.metadata),
                "cells": [],
                **copy_json(seed_notebook.__pydantic_extra__ or {}),
            }
        )
        self._last_view: _View | None = None  # out of date once the order has another number

    @classmethod
    def from_nbformat(cls, nb: Any) -> NotebookBuilder:
        """Build from an ``nbformat`` NotebookNode, or any mapping in nbformat 4's shape.

        Raises
        ------
        pydantic.ValidationError
            It is no notebook of format 4.
        """
        return cls(Notebook.model_validate(copy_json(nb)))

    def seed(self, cell: Cell) -> None:
        """Put a cell, which is the builder's own from then on, at the end before any delta."""
        node = self._order.insert_after(self._order.root.prev, cell)
        cell.source = cell.source  # it counts as set from now on, as the builder changes it
        if cell.id in self._nodes:
            logger.warning("several cells share the id %s; deltas reach the first", cell.id)
            self._twins.setdefault(cell.id, []).append(node)
        else:
            self._nodes[cell.id] = node

    def copy(self) -> NotebookBuilder:
        """Return an independent builder in the same state."""
        twin = type(self)(self.nb)
        twin.last_applied_delta_id = self.last_applied_delta_id
        twin.deleted_cell_ids |= self.deleted_cell_ids
        return twin

    # Reading

    @property
    def nb(self) -> Notebook:
        """The notebook. Its list of cells is a new one after each change of their order."""
        return self._view().nb

    @property
    def cells(self) -> Iterator[Cell]:
        """The live cells, in order."""
        return iter(self.nb.cells)

    @property
    def cell_ids(self) -> list[str]:
        """The ids of the cells, in order."""
        return [cell.id for cell in self.nb.cells]

    def __contains__(self, cell_id: object) -> bool:
        return cell_id in self._nodes

    def __len__(self) -> int:
        return len(self.nb.cells)

    @property
    def order_number(self) -> int:
        """A number that changes whenever cells come, go, move or change their type."""
        return self._order.changes

    def index_of(self, cell_id: str) -> int:
        """Return the 0-based position of a cell.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        return self.get_cell(cell_id)[0]

    def get_cell(self, cell_id: str) -> tuple[int, Cell]:
        """Return the 0-based position of a cell, and the cell.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        view = self._view()
        index = view.places.get(cell_id)
        if index is None:
            raise self._not_found(cell_id)
        return index, view.nb.cells[index]

    def cell(self, cell_id: str) -> Cell:
        """Return a cell, in the same time whatever the number of cells.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        node = self._nodes.get(cell_id)
        if node is None:
            raise self._not_found(cell_id)
        return node.cell

    def dumps(self, indent: bool = True) -> bytes:
        """Return the notebook as JSON in nbformat 4.5, in UTF-8."""
        return self.nb.__pydantic_serializer__.to_json(self.nb, indent=1 if indent else None)

    def _view(self) -> _View:
        view = self._last_view
        if view is None or view.number != self._order.changes:
            number, cells = self._order.snapshot()
            places = {cell.id: at for at, cell in reversed(list(enumerate(cells)))}
            view = _View(number, self._nb.model_copy(update={"cells": cells}), places)
            self._last_view = view  # another thread may keep an older one here: its number tells
        return view

    def set_unnamed_part(self, cell_id: str | None, key: str, value: Any) -> None:
        """Set one of the `unnamed_parts` of a cell, or of the notebook, which no delta can.

        Parameters
        ----------
        cell_id
            The cell, which may be gone; None for the notebook.
        key, value
            Which part, and what it becomes; `ABSENT` takes it away.
        """
        if cell_id is None:
            set_unnamed_part(self._nb, key, value)
            self._last_view = None
        elif cell_id in self._nodes:
            set_unnamed_part(self._nodes[cell_id].cell, key, value)

    # Squashing

    def apply_delta(self, delta: FileDeltaBase, *, strict: bool = False) -> None:
        """Squash one delta.

        Parameters
        ----------
        delta
            Any of the thirteen kinds.
        strict
            Whether to refuse metadata and output deltas for deleted cells too. Squashing a chain
            ignores them; whoever decides what enters a chain refuses them, for a copy that starts
            after the deletion knows nothing of the cell.

        Raises
        ------
        SquashError
            It cannot be applied (`PatchFailed` for a text patch that does not fit). Notebook and
            head are exactly as they were; the message says why, in one line.
        """
        squash = _SQUASH.get(type(delta)) or _inherited(type(delta))
        squash(self, delta, strict)
        self.last_applied_delta_id = delta.id

    def apply_deltas(self, deltas: Iterable[FileDeltaBase]) -> None:
        """Squash deltas one after the other, up to the first that cannot be: `SquashError`."""
        for delta in deltas:
            self.apply_delta(delta)

    def _node(self, cell_id: str) -> Node:
        node = self._nodes.get(cell_id)
        if node is None:
            raise SquashError(self._unknown(cell_id))
        return node

    def _not_found(self, cell_id: str) -> CellNotFound:
        return CellNotFound(f"{self._unknown(cell_id)}; list the cells to see those there are")

    def _unknown(self, cell_id: str) -> str:
        gone = "was deleted" if cell_id in self.deleted_cell_ids else "is not in the notebook"
        return f"cell {cell_id[:80]!r} {gone}"

    def _is_gone(self, delta: FileDeltaBase, strict: bool) -> bool:
        if strict or delta.resource_id not in self.deleted_cell_ids:
            return False
        logger.info(
            "ignored %s %s for the deleted cell %s",
            delta.delta_type,
            delta.delta_action,
            delta.resource_id,
        )
        return True

    def _anchor(self, after_id: str | None) -> Node:
        # None is the top. So is an empty id, which no cell has and which other clients write.
        return self._node(after_id) if after_id else self._order.root

    def _add(self, delta: NBCellsAdd, strict: bool) -> None:
        new = delta.properties
        if not VALID_CELL_ID.fullmatch(new.id):
            raise SquashError(
                f"{new.id[:80]!r} cannot be a cell's id: use 1 to 64 letters, digits, '-' and '_'"
            )
        if new.id in self._nodes:
            raise SquashError(f"cell {new.id!r} is already in the notebook; use another id")
        if new.id in self.deleted_cell_ids:
            raise SquashError(f"cell {new.id!r} was deleted and its id is spent; use another id")
        if new.before_id and not new.after_id:
            anchor = self._node(new.before_id).prev
        else:
            anchor = self._anchor(new.after_id)
        try:
            cell = copy_cell(new.cell)
        except ValueError as exc:
            raise SquashError(f"the new cell cannot be stored: {exc}") from None
        cell.id = new.id
        self._nodes[new.id] = self._order.insert_after(anchor, cell)

    def _delete(self, delta: NBCellsDelete, strict: bool) -> None:
        cell_id = delta.properties.id
        self._order.remove(self._node(cell_id))
        twins = self._twins.get(cell_id)
        if twins:
            self._nodes[cell_id] = twins.pop(0)
        else:
            del self._nodes[cell_id]
            self.deleted_cell_ids.add(cell_id)

    def _move(self, delta: NBCellsMove, strict: bool) -> None:
        node, anchor = self._node(delta.properties.id), self._anchor(delta.properties.after_id)
        if node is anchor:
            raise SquashError(f"cell {delta.properties.id!r} cannot be moved after itself")
        self._order.move_after(node, anchor)

    def _patch_contents(self, delta: CellContentsUpdate, strict: bool) -> None:
        # Straight into the model's dict: the text needs no validation, and the cell may be one of
        # thousands that the processor has to fetch from memory piece by piece.
        fields = self._node(delta.resource_id).cell.__dict__
        fields["source"] = apply_patch(fields["source"], delta.properties.patch, bounded=strict)

    def _replace_contents(self, delta: CellContentsReplace, strict: bool) -> None:
        self._node(delta.resource_id).cell.source = delta.properties.source

    def _update_cell_metadata(self, delta: CellMetadataUpdate, strict: bool) -> None:
        if not self._is_gone(delta, strict):
            metadata = self._node(delta.resource_id).cell.metadata
            set_path(metadata, delta)

    def _update_nb_metadata(self, delta: NBMetadataUpdate, strict: bool) -> None:
        set_path(self._nb.metadata, delta)

    def _replace_cell_metadata(self, delta: CellMetadataReplace, strict: bool) -> None:
        if self._is_gone(delta, strict):
            return
        node = self._node(delta.resource_id)
        cell_type, language = delta.properties.type, delta.properties.language
        if cell_type and cell_type not in CELL_CLASSES:
            raise SquashError(
                f"{cell_type[:80]!r} is no cell type: use code, markdown or raw "
                "(SQL is code with the language sql)"
            )
        if language:
            rtu_metadata(node.cell)["cell_type"] = language
        if cell_type and cell_type != node.cell.cell_type:
            self._order.replace(node, change_type(node.cell, cell_type))

    def _replace_output_collection(self, delta: CellOutputCollectionReplace, strict: bool) -> None:
        if not self._is_gone(delta, strict):
            metadata = rtu_metadata(self._node(delta.resource_id).cell)
            metadata["output_collection_id"] = str(delta.properties.output_collection_id)

    def _execute(self, delta: FileDeltaBase, strict: bool) -> None:
        self._node(delta.resource_id)

    def _execute_all(self, delta: FileDeltaBase, strict: bool) -> None:
        """Nothing in the notebook changes, and there is no cell that could be unknown."""


_Squash = Callable[[NotebookBuilder, Any, bool], None]
_SQUASH: dict[type[FileDeltaBase], _Squash] = {
    NBCellsAdd: NotebookBuilder._add,
    NBCellsDelete: NotebookBuilder._delete,
    NBCellsMove: NotebookBuilder._move,
    CellContentsUpdate: NotebookBuilder._patch_contents,
    CellContentsReplace: NotebookBuilder._replace_contents,
    CellMetadataUpdate: NotebookBuilder._update_cell_metadata,
    CellMetadataReplace: NotebookBuilder._replace_cell_metadata,
    NBMetadataUpdate: NotebookBuilder._update_nb_metadata,
    CellOutputCollectionReplace: NotebookBuilder._replace_output_collection,
    CellExecute: NotebookBuilder._execute,
    CellExecuteBefore: NotebookBuilder._execute,
    CellExecuteAfter: NotebookBuilder._execute,
    CellExecuteAll: NotebookBuilder._execute_all,
}


def _inherited(delta_class: type[FileDeltaBase]) -> _Squash:
    for base in delta_class.__mro__:
        if base in _SQUASH:
            return _SQUASH[base]
    raise SquashError(f"{delta_class.__name__} is none of the thirteen kinds of delta")
