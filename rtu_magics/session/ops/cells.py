"""Reading and changing the cells of the remote notebook; the verbs are explained in `Session`."""

from __future__ import annotations

from typing import Any

from ... import models as m
from ...document import make_patch, still_cell
from ...document.three_way import EditConflict, three_way
from ...errors import DeltaRejected, NotPermitted, RTUError, SquashError
from ..context import Cell, Context
from ..execution.fetch import fetch_collection
from ..names import check_text
from ..views import CellView
from .cell_types import change_type, check_type, new_cell
from .undo import Added, Deleted, Edited, Moved, Retyped, Undo

__all__ = ["Cells"]


class Cells:
    """The cells of one notebook, as this user reads and changes them.

    Parameters
    ----------
    context
        The notebook.
    undo
        Remembers each change.
    """

    def __init__(self, context: Context, undo: Undo) -> None:
        self._context = context
        self._client = context.client
        self._undo = undo

    # ------------------------------------------------------------------ reading

    async def views(self) -> list[CellView]:
        """Return every cell with its position and state."""
        context = self._context
        await context.refs.catch_up()
        short = context.positions().short
        return [
            CellView(
                position=index + 1,
                short_id=short[cell.id],
                cell=still_cell(cell),
                state=context.known.cell_states.get(cell.id),
            )
            for index, cell in enumerate(self._client.builder.nb.cells)
        ]

    async def look(self, ref: str | int) -> Cell:
        """Return a copy of a cell, which counts as seen."""
        cell = await self._resolved(ref)
        self._context.seen[cell.id] = cell.source
        return cell.model_copy(deep=True)

    async def outputs(self, ref: str | int) -> list[Any]:
        """Return the outputs of a cell's latest run, or those it came with."""
        cell = await self._resolved(ref)
        if not isinstance(cell, m.CodeCell):
            return []
        collection_id = self._context.collection_of(cell.id)
        if collection_id is None:
            return [*cell.outputs]
        return (await fetch_collection(self._context.api, collection_id)).outputs

    async def _resolved(self, ref: str | int) -> Cell:
        return self._context.live_cell(await self._context.refs.resolve(ref))

    # ------------------------------------------------------------------ changing

    async def add(
        self,
        source: str,
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
        cell_type: str = "code",
    ) -> Cell:
        """Add a cell."""
        _one_place(after, before, first)
        new = new_cell(cell_type, source)
        place = await self._neighbour(after, before, first)
        cell: Cell = await self._client.add_cell(cell=new, **place)
        self._context.touch(cell)
        self._undo.remember(Added(cell.id, cell.model_copy(deep=True)))
        return still_cell(cell)

    async def _neighbour(
        self, after: str | int | None, before: str | int | None, first: bool
    ) -> dict[str, Any]:
        """Return the client's argument for a place; none for the end."""
        ids = self._client.cell_ids
        if after is not None:
            return {"after_id": await self._context.refs.find(after)}
        if before is not None:
            return {"before_id": await self._context.refs.find(before)}
        return {"before_id": ids[0]} if first and ids else {}

    async def edit(self, ref: str | int, source: str) -> Cell:
        """Make `source` a cell's text, merged with what others changed."""
        check_text(source, "a cell's source")
        cell_id = await self._context.refs.resolve(ref)
        why: Exception | None = None
        for _ in range(2):  # the second time against what the text has become meanwhile
            live = self._context.live_cell(cell_id)
            now = live.source
            merged = self._merge(cell_id, source, now)
            if merged == now:
                self._context.touch(live)
                return still_cell(live)
            try:
                cell: Cell = await self._client.update_cell_content(
                    cell_id, make_patch(now, merged)
                )
            except NotPermitted:
                raise
            except (DeltaRejected, SquashError) as exc:
                why = exc
                continue
            self._context.touch(cell)
            self._undo.remember(Edited(cell_id, now, merged))
            return still_cell(cell)
        raise DeltaRejected(
            f"the server did not take the edit of cell {self._context.label(cell_id)} ({why}); "
            f"look at it with %rtu_show and edit again"
        )

    def _merge(self, cell_id: str, mine: str, theirs: str) -> str:
        seen = self._context.seen
        base = seen.get(cell_id, theirs)
        merged = three_way(base, mine, theirs)
        if merged is None:
            seen[cell_id] = theirs
            raise EditConflict(
                f"cell {self._context.label(cell_id)} was changed by somebody else in the same "
                f"place; nothing was sent. Change your text, or run it again as it is to replace "
                f"theirs",
                base=base,
                mine=mine,
                theirs=theirs,
            )
        return merged

    async def delete(self, ref: str | int) -> str:
        """Delete a cell."""
        cell_id = await self._context.refs.resolve(ref)
        cell = self._context.live_cell(cell_id).model_copy(deep=True)
        ids = self._client.cell_ids
        await self._client.delete_cell(cell_id)
        self._context.seen.pop(cell_id, None)
        self._undo.remember(Deleted(cell_id, cell, tuple(ids[: ids.index(cell_id)])))
        return cell_id

    async def move(
        self,
        ref: str | int,
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
    ) -> str:
        """Move a cell."""
        _one_place(after, before, first)
        if after is None and before is None and not first:
            raise RTUError("say where the cell goes: after or before a cell, or first")
        place = {} if first else await self._neighbour(after, before, first)
        cell_id = await self._context.refs.resolve(ref)
        if cell_id in place.values():
            raise RTUError(
                f"cell {self._context.label(cell_id)} cannot go next to itself; name another cell"
            )
        order = tuple(self._client.cell_ids)
        await self._client.move_cell(cell_id, **place)
        self._undo.remember(Moved(cell_id, order, tuple(self._client.cell_ids)))
        return cell_id

    async def set_type(self, ref: str | int, cell_type: str) -> Cell:
        """Make a cell one of another type."""
        check_type(cell_type)
        cell_id = await self._context.refs.resolve(ref)
        before = self._context.live_cell(cell_id).model_copy(deep=True)
        await change_type(self._context, cell_id, cell_type)
        cell = self._context.live_cell(cell_id)
        self._undo.remember(Retyped(cell_id, before, cell.model_copy(deep=True)))
        return still_cell(cell)


def _one_place(after: object, before: object, first: bool) -> None:
    if sum((after is not None, before is not None, first)) > 1:
        raise RTUError("give one of after, before and first")
