"""The cell that a kernel is at: what was asked, what it put out, which states it goes through."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from ...models import KERNEL_LOST_REASONS, EndReason
from ..kernel.asked import AskedRequest
from ..kernel.request import ExecuteReply, retry_after
from ..outputs.collection import LiveCollection
from ..outputs.stream import Streamer
from ..store import Database, runs
from .executions import LiveExecution
from .plan import MAY_FAIL, Plan, Target
from .turn import CellEnd, CellTurn

__all__ = ["NO_DATA_SOURCE", "SERVER_FAILED", "CellExecution"]

NO_DATA_SOURCE = "no data source is connected to this notebook"
_EXPECTED = EndReason.EXPECTED_ERROR
# Whatever else the cell has shown, an error among it, is not why it ended.
_ALWAYS_SHOWN = KERNEL_LOST_REASONS | {EndReason.NO_ANSWER, EndReason.STDIN}


SERVER_FAILED = CellEnd("the server failed to run the cell; see its log", EndReason.SERVER_ERROR)


@dataclass(slots=True)
class CellExecution:
    """A cell whose turn has come, with all that its run needs.

    Attributes
    ----------
    turn, live
        Which cell of which execution, and the execution as people see it.
    collection, streamer
        Its outputs, and who passes them on.
    run
        What the kernel was asked; None if not even that worked.
    stores
        Whether its outputs are stored with its end.
    """

    turn: CellTurn
    live: LiveExecution
    collection: LiveCollection
    streamer: Streamer
    run: AskedRequest | None = None
    stores: bool = False

    @property
    def plan(self) -> Plan:
        """The execution that it belongs to."""
        return self.turn.plan

    @property
    def target(self) -> Target:
        """The cell and its source."""
        return self.turn.target

    async def reply(self, ask: Callable[[CellExecution], AskedRequest]) -> ExecuteReply:
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
            if run.was_interrupted or self.turn.gone:
                return ExecuteReply.interrupted()
            run = ask(self)
        return ExecuteReply.refused() if reply.status == "aborted" else reply

    def store_early(self, database: Database, reply: ExecuteReply) -> None:
        """Store how it ended while its kernel is about to say that it is idle again."""
        turn, collection = self.turn, self.collection
        if reply.status != "ok" or turn.gone or not turn.shown:
            return
        done = turn.done(reply.execution_count, CellEnd())
        try:
            with database.quick_transaction() as connection:
                collection.store(connection)
                runs.put_states(connection, collection.file_id, [done])
        except SQLAlchemyError:
            collection.store_again()  # the end of the run tries once more, and says so
        else:
            turn.stored = done

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
