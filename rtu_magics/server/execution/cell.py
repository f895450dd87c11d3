"""The cell that a kernel is at: what was asked, what it put out, which states it goes through."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from ...models import KERNEL_LOST_REASONS, CellState, CellStateName, EndReason
from ..kernel.pending import KernelRun
from ..kernel.request import ExecuteReply, retry_after
from ..outputs.collection import LiveCollection
from ..outputs.stream import Streamer
from .executions import LiveRun
from .plan import MAY_FAIL, Plan, Target

__all__ = ["NO_DATA_SOURCE", "SERVER_FAILED", "CellEnd", "RunningCell"]

NO_DATA_SOURCE = "no data source is connected to this notebook"
EARLIER_FAILED = "not run: an earlier cell of the same request failed"
INTERRUPTED = "not run: an earlier cell of the same request was interrupted"


_EXPECTED = EndReason.EXPECTED_ERROR
# Whatever else the cell has shown, an error among it, is not why it ended.
_ALWAYS_SHOWN = KERNEL_LOST_REASONS | {EndReason.NO_ANSWER, EndReason.STDIN}


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
        """Cause and reason of what its request still had queued; None if that runs on."""
        if self.reason == EndReason.INTERRUPTED:
            return INTERRUPTED, EndReason.INTERRUPTED
        if self.cause is None or self.reason == EndReason.EXPECTED_ERROR:
            return None
        return EARLIER_FAILED, EndReason.EARLIER_FAILED


SERVER_FAILED = CellEnd("the server failed to run the cell; see its log", EndReason.SERVER_ERROR)


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
            cause=None if cause is None else cause.partition("\n")[0][:500],
            reason=end.reason,
            source_digest=self.target.digest,
        )

    async def reply(self, ask: Callable[[RunningCell], KernelRun]) -> ExecuteReply:
        """Wait for the kernel's answer, and ask again if it was not this cell's fault.

        A kernel refuses what waits there when a cell of another program has failed; some refuse
        everything for a moment after a failure.

        Parameters
        ----------
        ask
            Asks the kernel once more.
        """
        run = self.run or ask(self)
        for tries in itertools.count(1):
            reply = await run.reply()
            pause = retry_after(tries) if reply.status == "aborted" else None
            if pause is None:
                break
            await asyncio.sleep(pause)
            if run.kernel_lost is not None:
                return run.kernel_lost  # a fresh kernel has nothing of what the cell counts on
            if run.was_interrupted or self.gone:
                return ExecuteReply.interrupted()
            run = ask(self)
        return ExecuteReply.refused() if reply.status == "aborted" else reply

    def take_reply(self, reply: ExecuteReply) -> CellEnd:
        """Add to the outputs what only the reply tells; returns how the cell ended."""
        collection = self.collection
        if self.target.is_sql:
            collection.append_error(
                "NoDataSource",
                f"{NO_DATA_SOURCE}; change the cell to Python and query the database from there",
            )
        elif reply.shows is not None and (
            not collection.has_error or reply.reason in _ALWAYS_SHOWN
        ):
            collection.append_error(*reply.shows)
        if reply.execution_count is not None:
            collection.execution_count = reply.execution_count
        if reply.status == "ok":
            return CellEnd(None, reply.reason)
        if reply.reason == EndReason.ERROR and self.target.may_fail:
            return CellEnd(f"{reply.cause} (which its tag {MAY_FAIL} allows)", _EXPECTED)
        return CellEnd(reply.cause, reply.reason)
