"""Taking back what this session did to the notebook, as new changes.

Nothing is rewritten: the chain only grows. Each step knows what it made, so whether others have
changed it since is read off the notebook itself, and still right after a reconnect or a reload.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ... import models as m
from ...document import make_patch
from ...document.three_way import three_way
from ...errors import CannotUndo
from ..context import Cell, Context
from .cell_types import change_type, type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Added", "Deleted", "Edited", "Moved", "Retyped", "Step", "Undo", "same_place"]

_KEPT = 100  # steps that can be taken back


@dataclass(frozen=True)
class Step:
    """One edit of this session's user."""

    cell_id: str


@dataclass(frozen=True)
class Added(Step):
    """A cell was added; `cell` is what it was then."""

    cell: Cell


@dataclass(frozen=True)
class Deleted(Step):
    """A cell was deleted; `above` are the ids of all cells that stood above it, in order."""

    cell: Cell
    above: tuple[str, ...]


@dataclass(frozen=True)
class Edited(Step):
    """A cell's text was changed."""

    before: str
    after: str


@dataclass(frozen=True)
class Moved(Step):
    """A cell was moved; `before` and `after` are the order of all cells."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Retyped(Step):
    """A cell's type was changed."""

    before: Cell
    after: Cell


def same_place(cell_id: str, order: Sequence[str], now: Sequence[str]) -> bool:
    """Return whether a cell still stands where it stood, whatever came or went around it.

    Parameters
    ----------
    cell_id
        The cell.
    order, now
        The order of all cells then and now.

    Examples
    --------
    >>> same_place("c", ["a", "c", "b"], ["a", "new", "c", "b"])
    True
    >>> same_place("c", ["a", "c", "b"], ["a", "b", "c"])
    False
    """
    both = set(order) & set(now)
    if cell_id not in both:
        return False
    then_above = {c for c in order[: order.index(cell_id)] if c in both}
    now_above = {c for c in now[: now.index(cell_id)] if c in both}
    return then_above == now_above


def renamed(step: Step, old: str, new: str) -> Step:
    """Return a step with a cell's id replaced wherever it stands."""

    def order(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if cell_id == old else cell_id for cell_id in ids)

    if step.cell_id == old:
        step = replace(step, cell_id=new)
    if isinstance(step, Deleted):
        return replace(step, above=order(step.above))
    if isinstance(step, Moved):
        return replace(step, before=order(step.before), after=order(step.after))
    return step


class Undo:
    """The edits of this session, the latest of which can be taken back.

    Parameters
    ----------
    context
        The notebook.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._steps: deque[Step] = deque(maxlen=_KEPT)

    def remember(self, step: Step) -> None:
        """Note an edit."""
        self._steps.append(step)

    def forget(self) -> None:
        """Forget every edit: what they would take back is gone."""
        self._steps.clear()

    async def take_back(self) -> str:
        """Take back the last edit; see `Session.undo`."""
        if not self._steps:
            raise CannotUndo(
                "there is nothing to undo: this session has changed nothing, or you have "
                "taken it all back"
            )
        step = self._steps.pop()
        try:
            return await self._take_back(step)
        except CannotUndo:
            raise
        except BaseException:
            self._steps.append(step)  # not refused for what it is: it may work later
            raise

    async def _take_back(self, step: Step) -> str:
        if isinstance(step, Deleted):
            return await self._bring_back(step)
        if step.cell_id not in self._client.cell_ids:
            raise self._too_late(step, "deleted")
        now = self._context.live_cell(step.cell_id)
        if isinstance(step, Added):
            return await self._take_away(step, now)
        if isinstance(step, Edited):
            return await self._edit_back(step, now)
        if isinstance(step, Moved):
            return await self._move_back(step)
        assert isinstance(step, Retyped)
        return await self._type_back(step, now)

    async def _take_away(self, step: Added, now: Cell) -> str:
        if now.source != step.cell.source or type_of(now) != type_of(step.cell):
            raise self._too_late(step, "changed")
        label = self._context.label(step.cell_id)
        await self._client.delete_cell(step.cell_id)
        self._context.seen.pop(step.cell_id, None)
        return f"cell {label}, which you had added, is deleted again"

    async def _bring_back(self, step: Deleted) -> str:
        # The id is spent for good, so the cell gets a new one.
        back = step.cell.model_copy(deep=True, update={"id": str(uuid4())})
        noteable = back.metadata.get("noteable")
        if isinstance(noteable, dict):
            noteable.pop("output_collection_id", None)  # that belongs to the old id
            if not noteable:
                del back.metadata["noteable"]
        ids = self._client.cell_ids
        above = next((c for c in reversed(step.above) if c in ids), None)
        place: dict[str, Any] = {}
        if above is not None:
            place = {"after_id": above}
        elif ids:
            place = {"before_id": ids[0]}
        outputs_of = _collection_of(step.cell)
        cell = await self._client.add_cell(cell=back, outputs_of=outputs_of, **place)
        self._context.touch(cell)
        self._renamed(step.cell_id, cell.id)
        return f"the deleted cell is back as cell {self._context.label(cell.id)}"

    def _renamed(self, old: str, new: str) -> None:
        """Let earlier steps on a deleted cell go on with the one that came back for it."""
        self._steps = deque((renamed(step, old, new) for step in self._steps), maxlen=_KEPT)

    async def _edit_back(self, step: Edited, now: Cell) -> str:
        text = now.source  # the cell is live: this is what it was before the undo
        merged = three_way(step.after, step.before, text)
        if merged is None:
            raise self._too_late(step, "changed in the same place")
        if merged != text:
            cell = await self._client.update_cell_content(step.cell_id, make_patch(text, merged))
            self._context.seen[cell.id] = cell.source
        self._context.refs.last_touched = step.cell_id
        kept = " (what others changed since stays)" if text != step.after else ""
        return f"your edit of cell {self._context.label(step.cell_id)} is taken back{kept}"

    async def _move_back(self, step: Moved) -> str:
        now = self._client.cell_ids
        if not same_place(step.cell_id, step.after, now):
            raise self._too_late(step, "moved")
        above = step.before[: step.before.index(step.cell_id)]
        after_id = next((c for c in reversed(above) if c in now), None)
        if after_id is not None:
            await self._client.move_cell(step.cell_id, after_id=after_id)
        elif now[0] != step.cell_id:
            await self._client.move_cell(step.cell_id)
        self._context.refs.last_touched = step.cell_id
        return f"cell {self._context.label(step.cell_id)} is back in its place"

    async def _type_back(self, step: Retyped, now: Cell) -> str:
        if type_of(now) != type_of(step.after):
            raise self._too_late(step, "changed")
        await change_type(self._context, step.cell_id, type_of(step.before), step.before)
        self._context.refs.last_touched = step.cell_id
        return f"cell {self._context.label(step.cell_id)} is a {type_of(step.before)} cell again"

    def _too_late(self, step: Step, what: str) -> CannotUndo:
        author = self._context.known.edited_by.get(step.cell_id)
        person = self._context.known.people.get(author) if author is not None else None
        who = person.name if person is not None and person.name else "somebody else"
        if author == m.OTHER_PROGRAM_ID:
            who = m.OTHER_PROGRAM
        return CannotUndo(
            f"cell {self._context.label(step.cell_id)} was {what} since by {who}; nothing was "
            f"undone. The next %rtu_undo takes back the edit before it"
        )


def _collection_of(cell: Cell) -> UUID | None:
    """Return the collection of a code cell's outputs, if it ran."""
    try:
        return UUID(getattr(cell, "output_collection_id", None) or "")
    except ValueError:
        return None
