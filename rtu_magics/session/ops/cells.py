"""Changing the cells of the remote notebook."""

from __future__ import annotations

from typing import Any

from ... import models as m
from ...document import make_patch, still_cell
from ...document.three_way import EditConflict, three_way
from ...errors import DeltaRejected, NotPermitted, RTUError, SquashError
from ..context import Cell
from .undo import Added, Deleted, Edited, Moved, Retyped, UndoVerbs

__all__ = ["EditVerbs"]


class EditVerbs(UndoVerbs):
    """The part of a `Session` that edits."""

    def add(
        self,
        source: str = "",
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
        cell_type: str = "code",
    ) -> Cell:
        """Add a cell, at the end by default, and return it.

        Parameters
        ----------
        source
            Its text.
        after, before
            The cell that it goes after or before.
        first
            Whether it goes to the top.
        cell_type
            ``code``, ``markdown``, ``raw`` or ``sql``.

        Raises
        ------
        CellNotFound
            There is no such neighbour.
        DeltaRejected
            The server refuses it.
        """
        _one_place(after, before, first)
        new = new_cell(cell_type, source)

        async def add() -> Cell:
            place = await self._neighbour(after, before, first)
            cell: Cell = await self.client.add_cell(cell=new, **place)
            self._touched(cell)
            self._remember(Added(cell.id, cell.model_copy(deep=True)))
            return still_cell(cell)

        return self.call(add())

    async def _neighbour(
        self, after: str | int | None, before: str | int | None, first: bool
    ) -> dict[str, Any]:
        """Return the client's argument for a place; none for the end."""
        ids = self.client.cell_ids
        if after is not None:
            return {"after_id": await self._find_latest(after)}
        if before is not None:
            return {"before_id": await self._find_latest(before)}
        return {"before_id": ids[0]} if first and ids else {}

    def _touched(self, cell: Cell) -> None:
        self.last_touched = cell.id
        self.seen[cell.id] = cell.source

    def edit(self, ref: str | int, source: str) -> Cell:
        """Make `source` a cell's text, merged with what others changed since the user saw it.

        Raises
        ------
        EditConflict
            Others changed the same place. Nothing was sent; the error carries all three texts,
            and theirs counts as seen, so the same edit again puts `source` in its place.
        """

        async def edit() -> Cell:
            cell_id = await self._resolve(ref)
            why: Exception | None = None
            for _ in range(2):  # the second time against what the text has become meanwhile
                now = self._get(cell_id).source
                merged = self._merge(cell_id, source, now)
                if merged == now:
                    self._touched(self._get(cell_id))
                    return still_cell(self._get(cell_id))
                try:
                    cell: Cell = await self.client.update_cell_content(
                        cell_id, make_patch(now, merged)
                    )
                except NotPermitted:
                    raise
                except (DeltaRejected, SquashError) as exc:
                    why = exc
                    continue
                self._touched(cell)
                self._remember(Edited(cell_id, now, merged))
                return still_cell(cell)
            raise DeltaRejected(
                f"the server did not take the edit of cell {self.label(cell_id)} ({why}); "
                f"look at it with %rtu_show and edit again"
            )

        return self.call(edit())

    def _merge(self, cell_id: str, mine: str, theirs: str) -> str:
        base = self.seen.get(cell_id, theirs)
        merged = three_way(base, mine, theirs)
        if merged is None:
            self.seen[cell_id] = theirs
            raise EditConflict(
                f"cell {self.label(cell_id)} was changed by somebody else in the same place; "
                f"nothing was sent. Change your text, or run it again as it is to replace theirs",
                base=base,
                mine=mine,
                theirs=theirs,
            )
        return merged

    def delete(self, ref: str | int) -> str:
        """Delete a cell and return its id."""

        async def delete() -> str:
            cell_id = await self._resolve(ref)
            cell = self._get(cell_id).model_copy(deep=True)
            ids = self.client.cell_ids
            await self.client.delete_cell(cell_id)
            self.seen.pop(cell_id, None)
            self._remember(Deleted(cell_id, cell, tuple(ids[: ids.index(cell_id)])))
            return cell_id

        return self.call(delete())

    def move(
        self,
        ref: str | int,
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
    ) -> str:
        """Move a cell and return its id; arguments as in `add`, one of them must be given."""
        _one_place(after, before, first)
        if after is None and before is None and not first:
            raise RTUError("say where the cell goes: after or before a cell, or first")

        async def move() -> str:
            place = {} if first else await self._neighbour(after, before, first)
            cell_id = await self._resolve(ref)
            if cell_id in place.values():
                raise RTUError(
                    f"cell {self.label(cell_id)} cannot go next to itself; name another cell"
                )
            order = tuple(self.client.cell_ids)
            await self.client.move_cell(cell_id, **place)
            self._remember(Moved(cell_id, order, tuple(self.client.cell_ids)))
            return cell_id

        return self.call(move())

    def set_type(self, ref: str | int, cell_type: str) -> Cell:
        """Make a cell ``code``, ``markdown``, ``raw`` or ``sql``."""
        check_type(cell_type)

        async def change() -> Cell:
            cell_id = await self._resolve(ref)
            before = self._get(cell_id).model_copy(deep=True)
            await self._change_type(cell_id, cell_type)
            cell = self._get(cell_id)
            self._remember(Retyped(cell_id, before, cell.model_copy(deep=True)))
            return still_cell(cell)

        return self.call(change())


def check_type(cell_type: str) -> None:
    """Check the name of a cell type.

    Raises
    ------
    RTUError
        It is none.
    """
    if cell_type not in ("code", "markdown", "raw", "sql"):
        raise RTUError(f"{cell_type!r} is no cell type: write code, markdown, raw or sql")


def new_cell(cell_type: str, source: str) -> Cell:
    """Make a cell of a type, with a new id."""
    check_type(cell_type)
    if cell_type == "markdown":
        return m.MarkdownCell(source=source)
    if cell_type == "raw":
        return m.RawCell(source=source)
    if cell_type == "sql":
        return m.make_sql_cell(source=source)
    return m.CodeCell(source=source)


def _one_place(after: object, before: object, first: bool) -> None:
    if sum((after is not None, before is not None, first)) > 1:
        raise RTUError("give one of after, before and first")
