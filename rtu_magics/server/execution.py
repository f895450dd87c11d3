"""Running cells: one queue per notebook, in the order of the execute deltas.

For each cell, in this order (RTU protocol): kernel ``busy``, state ``executing``, the delta that
gives the cell a new output collection, its outputs, everything stored, the finished state, kernel
``idle``. A failed cell ends what its own request still had queued; other requests go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..document import NotebookBuilder
from ..errors import SquashError
from ..models import (
    BulkCellStateUpdateData,
    CellExecute,
    CellExecuteAfter,
    CellExecuteBefore,
    CellExecuteDelta,
    CellOutputCollectionReplace,
    CellState,
    CellStateName,
    CodeCell,
)
from .frames import Frame, message
from .kernel_link import ExecuteReply, KernelRun
from .recording import LiveCollection
from .store import runs
from .streaming import Streamer

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Executor", "Plan"]

logger = logging.getLogger(__name__)

_ACTIVE = frozenset({CellStateName.QUEUED, CellStateName.EXECUTING})
_RETRIES_AFTER_ABORT = 5
RESTARTED = "the server restarted before the cell had finished; run it again"
DELETED = "the cell was deleted"
EARLIER_FAILED = "not run: an earlier cell of the same request failed"
_NO_DATA_SOURCE = "no data source is connected to this notebook"


@dataclass(frozen=True, slots=True)
class _Target:
    cell_id: str
    source: str
    is_sql: bool


@dataclass(slots=True)
class Plan:
    """What one execute delta asks for, as the notebook was when it was accepted.

    Attributes
    ----------
    execution_id
        Id of the delta.
    author
        Who asked.
    targets
        The cells still to run, in order.
    """

    execution_id: UUID
    file_id: UUID
    author: UUID
    targets: deque[_Target] = field(default_factory=deque)

    def states(self) -> list[CellState]:
        """Return the queued states of the cells."""
        return [
            CellState(
                cell_id=target.cell_id,
                state=CellStateName.QUEUED,
                execution_id=self.execution_id,
            )
            for target in self.targets
        ]

    def store(self, connection: Connection) -> None:
        """Store the queued states, in the transaction that stores the delta."""
        runs.put_states(connection, self.file_id, self.states())


class Executor:
    """Runs the cells of one notebook.

    Parameters
    ----------
    room
        The notebook.

    Attributes
    ----------
    states
        The state of every cell that has one, by cell id.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._queue: deque[Plan] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running: tuple[Plan, _Target] | None = None
        self._gone_while_running = False
        self.states: dict[str, CellState] = self._load_states()

    def _load_states(self) -> dict[str, CellState]:
        """Read the states; what the last server left unfinished has failed."""
        room = self._room
        with room.service.database.transaction() as connection:
            found = runs.get_states(connection, room.file_id)
            unfinished = [state for state in found if state.state in _ACTIVE]
            for state in unfinished:
                state.state, state.cause = CellStateName.FAILED, RESTARTED
            runs.put_states(connection, room.file_id, unfinished)
        present = room.chain.builder
        return {state.cell_id: state for state in found if state.cell_id in present}

    def start(self) -> None:
        """Start taking from the queue."""
        self._task = asyncio.create_task(self._run_forever(), name="rtu-executor")

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits to."""
        return bool(self._queue) or self._running is not None

    async def close(self) -> None:
        """Stop; what is unfinished is said to have failed by whoever opens the notebook next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # Called by the room's writer

    def plan(self, delta: CellExecuteDelta, builder: NotebookBuilder) -> Plan:
        """Note which cells a delta means, with their sources, as the notebook is now."""
        if isinstance(delta, CellExecute):
            cells: Iterable[Any] = [builder.get_cell(delta.resource_id)[1]]
        elif isinstance(delta, CellExecuteBefore):
            cells = builder.nb.cells[: builder.index_of(delta.resource_id) + 1]
        elif isinstance(delta, CellExecuteAfter):
            cells = builder.nb.cells[builder.index_of(delta.resource_id) :]
        else:
            cells = builder.nb.cells
        assert delta.created_by_id is not None
        plan = Plan(delta.id, self._room.file_id, delta.created_by_id)
        for cell in cells:
            if isinstance(cell, CodeCell) and cell.source.strip():
                plan.targets.append(_Target(cell.id, cell.source, cell.is_sql_cell))
        return plan

    def accept(self, plan: Plan) -> None:
        """Queue what was planned; its delta has just been broadcast."""
        if not plan.targets:
            return
        self.states.update({state.cell_id: state for state in plan.states()})
        self._room.send_kernel("bulk_cell_state_update_event", self._bulk())
        self._queue.append(plan)
        self._wake.set()
        if self._running is None:
            # What the run sends when it begins goes out in the same write.
            self._room.service.outbox.linger()

    def cell_deleted(self, cell_id: str) -> None:
        """Forget a cell; whoever waits for it learns that it will not finish."""
        for plan in self._queue:
            plan.targets = deque(t for t in plan.targets if t.cell_id != cell_id)
        if self._running is not None and self._running[1].cell_id == cell_id:
            self._gone_while_running = True
        state = self.states.get(cell_id)
        if state is not None and state.state in _ACTIVE:
            failed = CellState(
                cell_id=cell_id,
                state=CellStateName.FAILED,
                execution_id=state.execution_id,
                cause=DELETED,
            )
            self.states[cell_id] = failed
            self._room.send_kernel("bulk_cell_state_update_event", self._bulk())
        if self.states.pop(cell_id, None) is not None:
            try:
                with self._room.service.database.transaction() as connection:
                    runs.delete_state(connection, self._room.file_id, cell_id)
            except SQLAlchemyError:
                # Loading the states leaves out cells that are gone.
                logger.warning("the state of a deleted cell is still stored")

    # Called by the kernel

    def kernel_ready(self) -> None:
        """Go on with the queue."""
        self._wake.set()

    def kernel_lost(self, cause: str) -> None:
        """Fail everything that waits; what runs ends by itself, through its reply."""
        failed = [
            CellState(
                cell_id=target.cell_id,
                state=CellStateName.FAILED,
                execution_id=plan.execution_id,
                cause=f"not run: {cause}",
            )
            for plan in self._queue
            for target in plan.targets
        ]
        for plan in self._queue:
            plan.targets.clear()
        if self._running is None:
            self._queue.clear()
        running = self._running[1].cell_id if self._running else None
        # The last request for a cell decides; one that runs gets its state when it ends.
        self._set_states({s.cell_id: s for s in failed if s.cell_id != running}.values())

    # States

    def bulk_frame(self) -> Frame:
        """Return the states of all cells as one message."""
        return message(self._room.kernel_channel, "bulk_cell_state_update_event", self._bulk())

    def _bulk(self) -> BulkCellStateUpdateData:
        return BulkCellStateUpdateData(
            cell_states=list(self.states.values()),
            kernel_session_id=self._room.kernel.session_id,
        )

    def _set_states(
        self, new: Iterable[CellState], collection: LiveCollection | None = None
    ) -> None:
        """Store and send states, together with what a collection has not stored yet."""
        changed = [s for s in new if s.cell_id in self._room.chain.builder]
        try:
            with self._room.service.database.transaction() as connection:
                if collection is not None:
                    collection.store(connection)
                runs.put_states(connection, self._room.file_id, changed)
        except SQLAlchemyError as exc:
            logger.error("outputs or states could not be stored: %s", getattr(exc, "orig", exc))
            if collection is not None:
                collection.store_again()
                for state in changed:
                    state.state, state.cause = CellStateName.FAILED, "outputs could not be stored"
        self._show_states(changed)

    def _show_states(self, changed: Iterable[CellState]) -> None:
        new = {state.cell_id: state for state in changed}
        if new:
            self.states.update(new)
            self._room.send_kernel("bulk_cell_state_update_event", self._bulk())

    # Running

    async def _run_forever(self) -> None:
        while True:
            while not (self._queue and self._room.kernel.ready):
                self._wake.clear()
                await self._wake.wait()
            plan = self._queue[0]
            if not plan.targets:
                self._queue.popleft()
                continue
            target = plan.targets.popleft()
            self._running, self._gone_while_running = (plan, target), False
            try:
                await self._run_cell(plan, target)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("a cell could not be run")
                self._finish(plan, target, None, "the server failed to run the cell; see its log")
            finally:
                self._running = None
                self._room.kernel.end_run()

    async def _run_cell(self, plan: Plan, target: _Target) -> None:
        room = self._room
        if target.cell_id not in room.chain.builder:
            return  # deleted a moment ago, which has been told
        room.kernel.begin_run()
        collection = LiveCollection(
            uuid4(), room.file_id, target.cell_id, plan.execution_id, link=room.service.links.output
        )
        streamer = Streamer(room, collection)
        # The kernel is at work while the rest is stored and sent.
        run = self._start(target, streamer)
        # It is not stored: what is stored as queued when a server ends has failed just the same.
        executing = CellState(
            cell_id=target.cell_id,
            state=CellStateName.EXECUTING,
            execution_id=plan.execution_id,
        )
        self._show_states([executing])
        delta = CellOutputCollectionReplace(
            file_id=room.file_id,
            resource_id=target.cell_id,
            properties={"output_collection_id": collection.id},
        )
        try:
            await room.apply(delta, plan.author, also=collection.create)
        except SquashError as exc:
            await run.reply()
            self._finish(plan, target, None, str(exc))
            return
        room.service.collections.put(collection)
        streamer.begin()
        reply = await self._ended(run, target, streamer)
        if reply.status == "lost":
            collection.append_error("KernelDied", f"{reply.cause}; the cell did not finish")
        if reply.execution_count is not None:
            collection.execution_count = reply.execution_count
        streamer.finish()
        cause = None if reply.status == "ok" else (reply.cause or "the kernel refused to run it")
        self._finish(plan, target, collection, cause)
        room.disk.changed()

    def _start(self, target: _Target, streamer: Streamer) -> KernelRun:
        if target.is_sql:
            return KernelRun.lost(_NO_DATA_SOURCE)

        def take(message: Mapping[str, Any]) -> None:
            if not self._gone_while_running:
                streamer.take(message)

        return self._room.kernel.start_run(target.source, take)

    async def _ended(self, run: KernelRun, target: _Target, streamer: Streamer) -> ExecuteReply:
        if target.is_sql:
            streamer.collection.append_error(
                "NoDataSource",
                f"{_NO_DATA_SOURCE}; change the cell to Python and query the database from there",
            )
            return ExecuteReply("error", cause=_NO_DATA_SOURCE)
        for _ in range(_RETRIES_AFTER_ABORT - 1):
            reply = await run.reply()
            # A failed cell of another program on the same kernel aborts what waits there.
            if reply.status != "aborted":
                return reply
            run = self._start(target, streamer)
        return await run.reply()

    def _finish(
        self,
        plan: Plan,
        target: _Target,
        collection: LiveCollection | None,
        cause: str | None,
    ) -> None:
        done = CellState(
            cell_id=target.cell_id,
            state=CellStateName.FINISHED if cause is None else CellStateName.FAILED,
            execution_id=plan.execution_id,
            execution_count=collection.execution_count if collection else None,
            cause=None if cause is None else cause.partition("\n")[0][:500],
        )
        dropped: dict[str, CellState] = {}
        if cause is not None:
            dropped = {
                other.cell_id: CellState(
                    cell_id=other.cell_id,
                    state=CellStateName.FAILED,
                    execution_id=plan.execution_id,
                    cause=EARLIER_FAILED,
                )
                for other in plan.targets
            }
            plan.targets.clear()
        self._set_states([done, *dropped.values()], collection)
        self._show_still_queued({target.cell_id, *dropped})

    def _show_still_queued(self, cell_ids: set[str]) -> None:
        """Say again that cells are queued which another request waits to run."""
        queued = {
            state.cell_id: state
            for plan in self._queue
            for state in plan.states()
            if state.cell_id in cell_ids
        }
        if queued:
            self._set_states(queued.values())
