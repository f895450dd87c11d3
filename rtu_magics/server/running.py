"""The cell that a kernel is at: what was asked, what it put out, which states it goes through."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import CellState, CellStateName
from .kernel_run import ExecuteReply, KernelRun
from .plans import Plan, Target
from .recording import LiveCollection
from .runs import LiveRun
from .streaming import Streamer

__all__ = ["NO_DATA_SOURCE", "RunningCell"]

NO_DATA_SOURCE = "no data source is connected to this notebook"


@dataclass(slots=True)
class RunningCell:
    """A cell whose turn has come.

    Attributes
    ----------
    plan, target, live
        The request that it belongs to, which cell, and the run as people see it.
    collection, streamer
        Its outputs, and who passes them on.
    run
        What the kernel was asked; None if not even that worked.
    gone
        Whether it was deleted meanwhile: nothing of it is shown any more.
    shown
        Whether its cell has got the new output collection.
    stored
        How it ended, if that is stored before its last message.
    """

    plan: Plan
    target: Target
    live: LiveRun
    collection: LiveCollection
    streamer: Streamer
    run: KernelRun | None = None
    gone: bool = False
    shown: bool = False
    stored: CellState | None = None

    def executing(self, *, waiting: bool = False) -> CellState:
        """Return its state while it runs, or waits for an answer."""
        return CellState(
            cell_id=self.target.cell_id,
            state=CellStateName.EXECUTING,
            execution_id=self.plan.execution_id,
            waiting_for_input=waiting,
        )

    def done(self, execution_count: int | None, cause: str | None = None) -> CellState:
        """Return its state at the end: failed if there is a cause."""
        return CellState(
            cell_id=self.target.cell_id,
            state=CellStateName.FINISHED if cause is None else CellStateName.FAILED,
            execution_id=self.plan.execution_id,
            execution_count=execution_count,
            cause=None if cause is None else cause.partition("\n")[0][:500],
        )

    def take_reply(self, reply: ExecuteReply) -> str | None:
        """Add to the outputs what only the reply tells; returns the cause if it failed."""
        collection = self.collection
        if self.target.is_sql:
            collection.append_error(
                "NoDataSource",
                f"{NO_DATA_SOURCE}; change the cell to Python and query the database from there",
            )
        elif reply.status == "lost":
            collection.append_error("KernelDied", f"{reply.cause}; the cell did not finish")
        elif reply.status == "unanswered" and not collection.has_error:
            ename, _, why = (reply.cause or "").partition(": ")
            collection.append_error(ename, why)
        if reply.execution_count is not None:
            collection.execution_count = reply.execution_count
        return None if reply.status == "ok" else (reply.cause or "the kernel refused to run it")
