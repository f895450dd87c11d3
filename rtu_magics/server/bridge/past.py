"""What cells held lately: a page that moves a cell or changes its type puts a copy in its place.

The copy is of what the page had then. What our clients changed meanwhile is in no part of it, and
would be taken back; so such a copy is merged with what it can have been made from.
"""

from __future__ import annotations

from collections import deque
from difflib import SequenceMatcher

from ...document import merge_text
from ...document.plain import copy_cell
from ...errors import PatchFailed
from .cells import Cell, metadata_of, same

__all__ = ["Past"]

_STATES = 30  # of a cell
_ALIKE = 0.6  # of two sources
_COMPARED = 5_000  # characters of a text; telling how alike two are is quadratic


class Past:
    """The latest states of cells before our clients changed them."""

    def __init__(self) -> None:
        self._states: dict[str, deque[Cell]] = {}

    def note(self, cell: Cell) -> None:
        """Remember a cell as it is, for it is about to be changed."""
        bare = cell.model_copy(update={"outputs": []} if cell.cell_type == "code" else {})
        states = self._states.setdefault(cell.id, deque(maxlen=_STATES))
        states.append(copy_cell(bare))

    def forget(self, cell_id: str) -> None:
        """Forget a cell."""
        self._states.pop(cell_id, None)

    def may_be_copy(self, cell: Cell, present: Cell) -> bool:
        """Whether a cell can have been made from what another one with its id is, or was lately."""
        states = [present, *self._states.get(cell.id, ())]
        return any(_alike(one.source, cell.source) for one in states)

    def merged(self, copy: Cell, present: Cell) -> Cell:
        """Return what a copy comes to, given what the cell is now.

        Parameters
        ----------
        copy
            What a page put in the cell's place; not changed.
        present
            The cell.
        """
        states = [*self._states.get(copy.id, ()), present]
        base = next((one for one in reversed(states) if one.source == copy.source), None)
        if base is present:
            return copy
        source = present.source
        if base is None:
            base, source = _likeliest(states[::-1], copy.source, present)
        if base is present and source == copy.source:
            return copy
        had, now, has = metadata_of(base), metadata_of(present), metadata_of(copy)
        metadata = {k: v for k, v in has.items() if not (k in had and same(v, had[k]))}
        metadata |= {k: v for k, v in now.items() if k in has and k not in metadata}
        metadata |= {k: v for k, v in now.items() if k not in had and k not in metadata}
        cell_type = present.cell_type if copy.cell_type == base.cell_type else copy.cell_type
        update = {"source": source, "metadata": metadata, "cell_type": cell_type}
        return copy.model_copy(update=update)


def _likeliest(states: list[Cell], copy: str, present: Cell) -> tuple[Cell, str]:
    """Return what a text was made from, and what it comes to now; the latest states come first.

    It is the state that takes least of what was accepted away again: what a page took away while
    nobody else wrote, the notebook lacks already. A place that both changed is ours.
    """
    best: tuple[int, Cell, str] | None = None
    for state in states:
        try:
            merged = merge_text(state.source, copy, present.source)
        except PatchFailed:
            continue
        lost = _missing(present.source, merged)
        if best is None or lost < best[0]:
            best = (lost, state, merged)
        if not lost:
            break
    return (present, present.source) if best is None else best[1:]


def _missing(old: str, new: str) -> int:
    """Return how many characters of a text are in no part of another."""
    if max(len(old), len(new)) > _COMPARED:
        return 0 if old in new else len(old)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return len(old) - sum(block.size for block in matcher.get_matching_blocks())


def _alike(one: str, other: str) -> bool:
    if max(len(one), len(other)) > _COMPARED:
        return one == other
    return SequenceMatcher(None, one, other, autojunk=False).ratio() > _ALIKE
