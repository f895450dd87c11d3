"""What pages run, read from what a live document says of its cells; pure.

A page says ``running`` in the cell when it asks its kernel, and ``idle`` when the answer is there;
outputs and the count come in between. Who is fast enough is never seen to run: then the count says
that there was a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...models import CellState, CellStateName, EndReason
from ..kernel.errors import error_of, first_line

__all__ = ["PageExecutions"]


class PageExecutions:
    """The cells that pages run.

    Examples
    --------
    >>> runs = PageExecutions()
    >>> runs.seen("a", running=True).state
    'executing'
    >>> runs.seen("a", running=True) is None
    True
    >>> runs.taken("a", running=False, outputs=[], count=3, counted=True).state
    'finished_with_no_error'
    """

    def __init__(self) -> None:
        self._running: set[str] = set()

    def seen(self, cell_id: str, *, running: bool) -> CellState | None:
        """Note what a cell says; returns its state where a run has just begun."""
        if not running or cell_id in self._running:
            return None
        self._running.add(cell_id)
        return CellState(cell_id=cell_id, state=CellStateName.EXECUTING)

    def taken(
        self,
        cell_id: str,
        *,
        running: bool,
        outputs: Sequence[Any],
        count: int | None,
        counted: bool,
    ) -> CellState | None:
        """Note that a cell's outputs were taken; returns its state where a run has ended.

        Parameters
        ----------
        cell_id, running
            The cell, and whether it says that it runs.
        outputs, count
            What it shows now, of nbformat, and as which execution.
        counted
            Whether that is another one than before.
        """
        if running:
            return None
        ran = cell_id in self._running
        self._running.discard(cell_id)
        if count is None and not outputs:
            return CellState(cell_id=cell_id, state=CellStateName.NOT_RUN)
        if not ran and not (counted and count is not None):
            return None
        error = next((one for one in outputs if one.get("output_type") == "error"), None)
        if error is None:
            state = CellState(cell_id=cell_id, state=CellStateName.FINISHED)
        else:
            state = CellState(
                cell_id=cell_id,
                state=CellStateName.FAILED,
                cause=_cause(error),
                reason=EndReason.ERROR,
            )
        state.execution_count = count
        return state

    def given_up(self) -> list[CellState]:
        """Return the states of what runs, where nobody tells of its end any more."""
        running, self._running = sorted(self._running), set()
        return [CellState(cell_id=one, state=CellStateName.NOT_RUN) for one in running]


def _cause(error: Mapping[str, Any]) -> str:
    name, value, _ = error_of(error)
    line = first_line(value)
    return f"{name}: {line}" if line else name
