"""Which text of a cell ran last: what stands below it belongs to that one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from ..models import CellState

__all__ = ["RanTexts"]


class RanTexts:
    """Remembers with which text each cell ran, as far as that was seen; on the loop.

    Of a run that was over before anybody looked, the text that the cell had then counts.
    """

    def __init__(self) -> None:
        self._ran: dict[str, tuple[UUID | str | None, str]] = {}

    def note(self, states: Mapping[str, CellState], source_of: Callable[[str], str | None]) -> None:
        """Take what the server says of cells.

        Parameters
        ----------
        states
            Their states, by cell id; those of other cells stay as they were.
        source_of
            Returns a cell's text now, None if there is no such cell.
        """
        for cell_id, state in states.items():
            begins = state.state == "executing"
            if not begins and not state.state.startswith("finished"):
                continue
            known = self._ran.get(cell_id)
            if known is not None and known[0] == state.execution_id and state.execution_id:
                continue  # this very run is noted
            if known is not None and not begins and not state.execution_id:
                continue
            source = source_of(cell_id)
            if source is not None:
                self._ran[cell_id] = (state.execution_id, source)

    def forget(self, cell_id: str) -> None:
        """Drop a cell that has gone."""
        self._ran.pop(cell_id, None)

    def changed(self, cell_id: str, source: str) -> bool:
        """Return whether a cell's text is another one than the one that ran last."""
        known = self._ran.get(cell_id)
        return known is not None and known[1] != source
