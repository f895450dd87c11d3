"""The cell whose turn it is, and how a cell ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...models import CellState, CellStateName, EndReason
from .plan import Plan, Target

__all__ = ["CellEnd", "CellTurn"]

EARLIER_FAILED = "not run: an earlier cell of the same request failed"
INTERRUPTED = "not run: an earlier cell of the same request was interrupted"
_LONGEST_CAUSE = 500  # characters


@dataclass(frozen=True, slots=True)
class CellEnd:
    """How a cell ended.

    Attributes
    ----------
    cause
        Why it failed, None if it did not.
    reason
        One of `EndReason`, None for an end like any other.
    """

    cause: str | None = None
    reason: str | None = None

    @property
    def rest(self) -> tuple[str, str] | None:
        """Cause and reason of what its execution still had queued; None if that runs on."""
        if self.reason == EndReason.INTERRUPTED:
            return INTERRUPTED, EndReason.INTERRUPTED
        if self.cause is None or self.reason == EndReason.EXPECTED_ERROR:
            return None
        return EARLIER_FAILED, EndReason.EARLIER_FAILED


@dataclass(slots=True, eq=False)
class CellTurn:
    """A cell whose turn has come.

    Attributes
    ----------
    plan, target
        The execution that it belongs to, and which cell.
    gone
        Whether it was deleted meanwhile: nothing of it is shown any more.
    shown
        Whether the cell has got the new output collection.
    stored
        How it ended, if that is stored before it is told.
    """

    plan: Plan
    target: Target
    gone: bool = False
    shown: bool = False
    stored: CellState | None = None

    @property
    def place(self) -> str:
        """What its kernel is told that its outputs are for, see `PastRequests.add`."""
        return str(self.plan.execution_id) if self.plan.scratch else self.target.cell_id

    def executing(self, *, waiting: bool = False) -> CellState:
        """Return its state while it runs, or waits for an answer."""
        return CellState(
            cell_id=self.target.cell_id,
            state=CellStateName.EXECUTING,
            execution_id=self.plan.execution_id,
            waiting_for_input=waiting,
            source_digest=self.target.digest,
        )

    def done(self, execution_count: int | None, end: CellEnd) -> CellState:
        """Return its state at the end: failed if there is a cause."""
        cause = end.cause
        return CellState(
            cell_id=self.target.cell_id,
            state=CellStateName.FINISHED if cause is None else CellStateName.FAILED,
            execution_id=self.plan.execution_id,
            execution_count=execution_count,
            cause=None if cause is None else cause.partition("\n")[0][:_LONGEST_CAUSE],
            reason=end.reason,
            source_digest=self.target.digest,
        )
