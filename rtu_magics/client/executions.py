"""Running cells: kernel and cell states, and the futures of executions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from ..document import targets_of
from ..errors import CellNotFound, KernelDied, KernelNotStarted, RTUError
from ..models import (
    BulkCellStateUpdateResponse,
    CellExecute,
    CellExecuteAfter,
    CellExecuteAll,
    CellExecuteBefore,
    CellExecuteDelta,
    CellState,
    CodeCell,
    FileDeltaBase,
    FileSubscribeReply,
    KernelStateName,
    KernelStatusUpdate,
    KernelStatusUpdateResponse,
    KernelSubscribeReply,
    NBCellsDelete,
)
from ..protocol import ExecutionLedger
from .follower import FollowingClient

__all__ = ["ExecutingClient"]

_NO_KERNEL = frozenset(
    {
        KernelStateName.NOT_STARTED,
        KernelStateName.SHUTTING_DOWN,
        KernelStateName.SHUTDOWN,
        KernelStateName.CULLED,
        KernelStateName.FAILED,
    }
)

CellFuture = asyncio.Future[CodeCell]


class ExecutingClient(FollowingClient):
    """A `FollowingClient` that runs cells; part of `RTUClient`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kernel_state: str = KernelStateName.NOT_STARTED
        self.kernel_status: KernelStatusUpdate | None = None
        self.cell_states: dict[str, str] = {}
        self.cell_state_details: dict[str, CellState] = {}
        self._ledger: ExecutionLedger[CellFuture] = ExecutionLedger()
        self._idle_waiters: set[asyncio.Future[None]] = set()
        self._handlers[KernelStatusUpdateResponse] = self.on_kernel_status_update
        self._handlers[BulkCellStateUpdateResponse] = self.on_bulk_cell_state_update
        self._handlers[KernelSubscribeReply] = self._on_kernel_subscribe_reply

    # States

    async def on_kernel_status_update(self, msg: KernelStatusUpdateResponse) -> None:
        """Keep the kernel's state; an override calls this one."""
        self._take_kernel(msg.data)

    async def on_bulk_cell_state_update(self, msg: BulkCellStateUpdateResponse) -> None:
        """Keep the cells' states and resolve what they end; an override calls this one."""
        data = msg.data
        data.changed = data.cell_states
        self._take_cells(data.cell_states, partial=data.partial)
        if data.partial:  # callbacks get the whole list, as from any server
            told = {state.cell_id: state for state in data.changed}
            data.cell_states = list({**self.cell_state_details, **told}.values())
        self._resolve(data.changed, exact=data.partial)

    async def _on_kernel_subscribe_reply(self, msg: KernelSubscribeReply) -> None:
        if msg.data.success:
            self._take_kernel(msg.data.kernel_session)

    def _take_kernel(self, status: KernelStatusUpdate | None) -> None:
        self.kernel_status = status
        self.kernel_state = (
            KernelStateName.NOT_STARTED if status is None else status.kernel.execution_state
        )
        if self.kernel_state == KernelStateName.IDLE:
            self._wake_idle(None)
        elif self.kernel_state == KernelStateName.FAILED:
            reason = f" ({status.reason})" if status is not None and status.reason else ""
            self._wake_idle(KernelDied(f"the kernel did not start{reason}: start it again"))

    def _wake_idle(self, exc: Exception | None) -> None:
        for waiter in self._idle_waiters:
            if not waiter.done():
                if exc is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(exc)

    def _take_cells(self, states: Iterable[CellState], *, partial: bool = False) -> None:
        # Both tables are replaced whole, so nobody ever sees one half filled.
        details = {state.cell_id: state for state in states}
        if partial:
            details = {**self.cell_state_details, **details}
            for cell_id in [cell_id for cell_id in details if cell_id not in self.builder]:
                del details[cell_id]
        self.cell_state_details = details
        self.cell_states = {cell_id: state.state for cell_id, state in details.items()}

    def _resolve(self, states: Iterable[CellState], *, exact: bool = False) -> None:
        self._end_waits(self._ledger.states(states, exact=exact))

    def _end_waits(self, ended: Iterable[tuple[CellFuture, str]]) -> None:
        for future, cell_id in ended:
            if future.done():
                continue
            try:
                cell = self.builder.cell(cell_id)
            except CellNotFound as exc:
                _fail(future, exc)
                continue
            # A cell that somebody has turned into text meanwhile is handed out as it is.
            future.set_result(cell)  # type: ignore[arg-type]

    async def wait_for_kernel_idle(self, timeout: float | None = None) -> None:
        """Return when the kernel is idle.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Raises
        ------
        KernelDied
            The kernel failed instead.
        TimeoutError
            It took longer than `timeout`.
        """
        if self.kernel_state == KernelStateName.IDLE:
            return
        self.manager.step_aside()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle_waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(
                f"the kernel is {self.kernel_state!r}, not idle, after {timeout:g} s: wait longer, "
                "or interrupt it"
            ) from None
        finally:
            self._idle_waiters.discard(waiter)

    # Running

    async def queue_execution(
        self,
        cell_id: str | None = None,
        before_id: str | None = None,
        after_id: str | None = None,
        run_all: bool = False,
        *,
        execution_id: UUID | None = None,
    ) -> dict[CellFuture, str]:
        """Queue cells for execution; return a future per cell that will run.

        Parameters
        ----------
        cell_id
            Run this cell.
        before_id
            Run every cell up to this one, and this one.
        after_id
            Run this cell and every one after it.
        run_all
            Run every cell.
        execution_id
            The id of the execute delta, under which outputs and states come; a new one by default.

        Returns
        -------
        Futures by which to wait, each with its cell's id. A future gives the cell as it is when its
        run has ended, with an error or without: `cell_states` tells. Only code cells that are not
        blank have one.

        Raises
        ------
        ValueError
            Nothing to run was named.
        KernelNotStarted
            The notebook has no kernel.
        CellNotFound
            The notebook has no such cell.
        DeltaRejected
            The server refused.

        Examples
        --------
        Wait for all of them::

            queued = await client.queue_execution(run_all=True)
            if queued:
                await asyncio.wait(queued, timeout=60)
        """
        wanted = cell_id or before_id or after_id
        if not wanted and not run_all:
            raise ValueError("name what to run: cell_id, before_id, after_id or run_all=True")
        if self.kernel_state in _NO_KERNEL:
            raise KernelNotStarted(
                f"the notebook's kernel is {self.kernel_state!r}: start one with "
                "APIClient.launch_kernel(file_id) and wait for it with wait_for_kernel_idle()"
            )
        if wanted:
            self.builder.cell(wanted)
        delta_class: type[CellExecuteDelta]
        if cell_id:
            delta_class = CellExecute
        elif before_id:
            delta_class = CellExecuteBefore
        elif after_id:
            delta_class = CellExecuteAfter
        else:
            delta_class, wanted = CellExecuteAll, None
        delta = delta_class(id=execution_id or uuid4(), file_id=self.file_id)
        if wanted:
            delta.resource_id = wanted
        futures: dict[CellFuture, str] = {}

        def arm(squashed: FileDeltaBase) -> None:
            # At this very point of the chain, because that is where the server takes its cells, and
            # before any state that follows.
            loop = asyncio.get_running_loop()
            for cell in targets_of(delta, self.builder):
                future: CellFuture = loop.create_future()
                future.add_done_callback(self._forget_cancelled)
                self._ledger.arm(squashed.id, cell.id, future)
                futures[future] = cell.id
            self._end_waits(self._ledger.told_late(squashed.id, self.cell_state_details))

        await self._request(delta, arm)
        return futures

    async def _request(self, delta: FileDeltaBase, on_squashed: Any = None) -> FileDeltaBase:
        raise NotImplementedError

    def _forget_cancelled(self, future: CellFuture) -> None:
        if future.cancelled():
            self._ledger.drop(future)

    # What the core tells

    def _squashed(self, delta: FileDeltaBase) -> None:
        if isinstance(delta, CellExecuteDelta):
            self._ledger.squashed(delta.id)
        elif isinstance(delta, NBCellsDelete):
            self._cell_gone(delta.properties.id)

    def _take_states(self, msg: FileSubscribeReply) -> None:
        self._take_kernel(msg.data.kernel_session or msg.data.kernel_culled)
        self._take_cells(msg.data.cell_states)
        self._ledger.replied(
            sum(
                isinstance(delta, CellExecuteDelta) and not self._chain.knows(delta.id)
                for delta in msg.data.deltas_to_apply
            )
        )

    def _caught_up(self, msg: FileSubscribeReply) -> None:
        told = msg.data
        self._end_waits(
            self._ledger.states(told.cell_states, fresh=True, hidden=told.hidden_cell_states)
        )
        for cell_id in self._ledger.cell_ids:
            if cell_id not in self.builder:  # it went while nobody here could be told
                self._cell_gone(cell_id)

    def _cell_gone(self, cell_id: str) -> None:
        for future in self._ledger.cell_gone(cell_id):
            _fail(future, CellNotFound(f"cell {cell_id} was deleted before its run ended"))

    def _reloaded(self) -> None:
        self._ledger.forget_order()

    def _settle_everything(self, exc: RTUError) -> None:
        super()._settle_everything(exc)
        for future in self._ledger.drain():
            _fail(future, exc)
        self._wake_idle(exc)


def _fail(future: CellFuture, exc: Exception) -> None:
    if not future.done():
        future.set_exception(exc)
        future.exception()  # nobody has to be waiting for every cell of a run
