"""Runs the cells of a notebook: the shell around `queue.ExecutionQueue`, which decides.

For each cell, in this order (RTU protocol): kernel ``busy``, state ``executing``, the delta that
gives the cell a new output collection, its outputs, everything stored, the finished state, kernel
``idle``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from ...errors import SquashError
from ...models import SCRATCH_CELL, CellOutputCollectionReplace, CellState, EndReason
from ..kernel.asked import AskedRequest
from ..kernel.notebook_kernel import NotebookKernel
from ..limits.settings import Limits
from ..notebook.chain import NotStored
from ..outputs.cache import Collections, Showing
from ..outputs.collection import LiveCollection
from ..outputs.stream import Streamer
from ..store import AnyConnection, runs
from ..wire.connection import Connection, Outbox
from ..wire.state_feed import StateFeed
from . import events as ev
from .cell import NO_DATA_SOURCE, SERVER_FAILED, CellExecution
from .deferred import Deferred
from .executions import Executions
from .late import LateOutputs
from .plan import Plan, plan_of
from .queue import ExecutionQueue, after_restart
from .turn import CellEnd
from .turns import why_full

__all__ = ["Executor"]

logger = logging.getLogger(__name__)


class Executor:
    """Runs the cells of one notebook.

    Parameters
    ----------
    notebook, kernel, collections
        Whose cells, on what, and where outputs are kept.
    limits
        How much may wait.
    outbox
        Of the server: what is sent in one turn goes out together.

    Attributes
    ----------
    states
        The state of every cell that has one as people have been told it, by cell id.
    bulk_frame
        Returns the states of all cells as one message.
    executions, late
        The executions, whoever asked for them, and what those that are over still put out.
    """

    def __init__(
        self,
        notebook: Showing,
        kernel: NotebookKernel,
        collections: Collections,
        limits: Limits,
        outbox: Outbox,
    ) -> None:
        self._notebook, self._kernel, self._collections = notebook, kernel, collections
        self._database, self._limits, self._outbox = collections.database, limits, outbox
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running: CellExecution | None = None
        self._queue = ExecutionQueue(notebook.chain, self._load_states())
        # The queue is ahead of it while its effects are done: one execution of a cell may end with
        # what another begins.
        self.states = dict(self._queue.states)
        self.late = LateOutputs(notebook, kernel)
        self.executions = Executions(notebook, kernel, collections, lambda: self.states)
        self.deferred = Deferred(notebook, self._database, lambda: self.states)
        self._feed = StateFeed(
            notebook.kernel_channel,
            lambda: self.states,
            lambda: kernel.session_id,
            notebook.kernel_receivers,
        )
        self.bulk_frame = self._feed.whole
        self._doing: dict[type[Any], Callable[[Any], None]] = {
            ev.Ask: self._ask_kernel,
            ev.Show: lambda effect: self._show(effect.states, effect.author, more=effect.more),
            ev.Settle: self._settle,
            ev.Withdraw: self._withdraw_question,
            ev.Forget: self._forget,
            ev.DropState: self._drop_state,
        }

    def _load_states(self) -> list[CellState]:
        """Read the states; what the last server left unfinished has failed."""
        file_id = self._notebook.file_id
        with self._database.transaction() as connection:
            found = runs.get_states(connection, file_id)
            runs.put_states(connection, file_id, after_restart(found))
        return found

    def start(self) -> None:
        """Start taking from the queue."""
        self._task = asyncio.create_task(self._run_forever(), name="rtu-executor")

    async def close(self) -> None:
        """Stop; what is unfinished is said to have failed by whoever opens the notebook next."""
        self._feed.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.late.close()
        self.deferred.close()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits to."""
        return bool(self._queue) or self._running is not None

    @property
    def running_for(self) -> UUID | None:
        """Whose cell runs, None if none does."""
        return None if self._running is None else self._running.plan.author

    def hidden_states(self) -> list[CellState]:
        """Return the states of what goes on for cells that show another execution's."""
        return self._queue.hidden()

    # Called by the room's writer

    plan = staticmethod(plan_of)

    @staticmethod
    def store(plan: Plan, connection: AnyConnection) -> None:
        """Store the queued states, in the transaction that stores the delta."""
        runs.put_states(connection, plan.file_id, plan.states())

    def why_full(self, author: UUID, coming: Iterable[Plan] = ()) -> str:
        """Return why somebody may not ask for more, "" if they may; `coming` is not queued yet."""
        return why_full([*self._queue.turns, *coming], author, self._limits)

    def accept(self, plan: Plan) -> None:
        """Queue what was planned; its delta, if it has one, has just been broadcast."""
        if not plan.targets:
            self.executions.not_begun(plan.execution_id)
            return
        self.executions.add(plan)
        idle = self._running is None and self._task is not None and not self._task.done()
        *first, told = self._queue.handle(ev.Accepted(plan, idle and self._kernel.ready))
        self._do(first)
        if self._running is not None and idle:
            # What the run sends when it begins goes out in the same write as what is told now.
            self._outbox.linger()
        self._do([told])
        self._wake.set()

    def gave_outputs(self, delta: CellOutputCollectionReplace) -> None:
        """Note that somebody gave a cell an output collection; see `LateOutputs.shown`."""
        collection_id = str(delta.properties.output_collection_id)
        found = self._collections.of_cell(collection_id, self._notebook.file_id)
        if found is not None:
            self.late.shown(delta.resource_id, found)

    def note(self, event: ev.Cleared | ev.Elsewhere) -> None:
        """Note what happened to a cell without an execution."""
        self._do(self._queue.handle(event))

    def cell_deleted(self, cell_id: str) -> None:
        """Forget a cell; whoever waits for it learns that it will not finish."""
        self.late.cell_deleted(cell_id)
        self._do(self._queue.handle(ev.Deleted(cell_id)))

    # Called by the kernel

    def kernel_ready(self) -> None:
        """Go on with the queue."""
        self._wake.set()

    def kernel_lost(self, cause: str, reason: str) -> None:
        """Fail everything that waits; what runs ends by itself, through its reply."""
        self.late.kernel_lost()
        self.withdraw(None, f"not run: {cause}", reason)

    # Asked for by people

    def withdraw(self, author: UUID | None, cause: str, reason: str) -> int:
        """Fail what waits of somebody, or of everybody; returns how many cells that are."""
        count = self._queue.waiting(author)
        self._do(self._queue.handle(ev.Withdrawn(author, cause, reason)))
        return count

    def clear_running(self, cell_id: str) -> bool:
        """Clear what a cell that runs has put out so far; whether it runs."""
        running = self._running
        if running is None or running.target.cell_id != cell_id:
            return False
        running.streamer.take({"msg_type": "clear_output", "content": {"wait": False}})
        return True

    def answer(self, connection: Connection, request_id: UUID, value: str) -> bool:
        """Hand an answer to the cell that asked; whether it still waits for it."""
        run = self.executions.answer(connection, request_id, value)
        if run is None or self._running is None or self._running.live is not run:
            return False
        self._do(self._queue.handle(ev.Executing()))
        return True

    # What the queue asks for

    def _do(self, effects: Iterable[ev.Effect]) -> None:
        for effect in effects:
            self._doing[type(effect)](effect)

    def _settle(self, effect: ev.Settle) -> None:
        running = self._running if effect.of is not None else None
        collection = running.collection if running is not None and running.stores else None
        try:
            if effect.stored or (collection is not None and collection.has_unstored):
                with self._database.quick_transaction() as connection:
                    if collection is not None:
                        collection.store(connection)
                    runs.put_states(connection, self._notebook.file_id, effect.stored)
        except SQLAlchemyError as exc:
            if collection is not None:
                collection.store_again()
            if self._database.held:
                self.deferred.keep([state.cell_id for state in effect.stored], collection)
            else:
                logger.error("outputs or states could not be stored: %s", getattr(exc, "orig", exc))
                if collection is not None:
                    self._do(self._queue.handle(ev.NotStored(effect.states, effect.more)))
                    return
        self._show(effect.states, more=effect.more)

    def _show(
        self, states: Iterable[CellState], author: UUID | None = None, *, more: bool = False
    ) -> None:
        """Send states: those of cells to everybody, that of a scratch run to who is attached."""
        shown = []
        for state in states:
            self.executions.note([state])
            if state.cell_id != SCRATCH_CELL:
                if state.cell_id in self._notebook.chain or state.cell_id in self.states:
                    self.states[state.cell_id] = state
                shown.append(state)
                continue
            live = self.executions.get(state.execution_id) if state.execution_id else None
            if live is not None:
                self.executions.send(live, "run_state_event", state)
        if shown:
            self._feed.changed(shown, author, more=more)

    def _withdraw_question(self, effect: ev.Withdraw) -> None:
        running = self._running
        if running is None or running.turn is not effect.turn:
            return
        asked = self.executions.withdraw(running.live)
        if asked and effect.turn.gone and running.run is not None:
            self._kernel.refuse_question(running.run)

    def _forget(self, effect: ev.Forget) -> None:
        live = self.executions.get(effect.execution_id)
        if live is not None:
            self.executions.forget(live)

    def _drop_state(self, effect: ev.DropState) -> None:
        self.states.pop(effect.cell_id, None)
        try:
            with self._database.transaction() as connection:
                runs.delete_state(connection, self._notebook.file_id, effect.cell_id)
        except SQLAlchemyError:
            # Loading the states leaves out cells that are gone.
            logger.warning("the state of a deleted cell is still stored")

    def _ask_kernel(self, effect: ev.Ask) -> None:
        turn, plan = effect.turn, effect.turn.plan
        live = self.executions.get(plan.execution_id) or self.executions.add(plan)
        collection = LiveCollection(
            uuid4(),
            self._notebook.file_id,
            turn.target.cell_id or None,
            plan.execution_id,
            link=self._collections.link,
            private_to=plan.author if plan.scratch else None,
        )
        collection.authors.add(plan.author)
        send = partial(self.executions.send, live) if plan.scratch else self._notebook.send
        streamer = Streamer(self._notebook, self._collections, collection, send)
        running = self._running = CellExecution(turn, live, collection, streamer)
        try:
            self._ask(running)
        except Exception:
            logger.exception("a cell could not be sent to the kernel")

    # Running

    async def _run_forever(self) -> None:
        while True:
            if self._running is None and self._kernel.ready:
                self._do(self._queue.handle(ev.Turn()))
            running = self._running
            if running is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._run_cell(running)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("a cell could not be run")
                self._end(SERVER_FAILED)
            finally:
                self.late.ended(running)
                self._running = None
                self._kernel.end_run()

    async def _run_cell(self, running: CellExecution) -> None:
        plan, collection = running.plan, running.collection
        self._kernel.begin_run()
        if running.run is None:
            raise RuntimeError("the kernel was not asked")
        # It is not stored: what is stored as queued when a server ends has failed just the same.
        self._do(self._queue.handle(ev.Executing()))
        running.live.collections[running.target.cell_id] = collection.id
        if not plan.scratch:
            delta = CellOutputCollectionReplace(
                file_id=self._notebook.file_id,
                resource_id=running.target.cell_id,
                properties={"output_collection_id": collection.id},
            )
            try:
                await self._notebook.apply(delta, plan.author, also=collection.create)
            except SquashError as exc:
                await running.run.reply()
                unstored = isinstance(exc, NotStored)
                reason = EndReason.NOT_STORED if unstored else EndReason.DELETED
                self._end(CellEnd(str(exc), reason))
                return
            running.turn.shown = True
        self._collections.put(collection)
        running.streamer.begin()
        end = running.take_reply(await running.reply(self._ask))
        running.streamer.finish()
        running.stores = not plan.scratch
        self._end(end, collection.execution_count)
        if not plan.scratch:
            self._notebook.changed()

    def _end(self, end: CellEnd, execution_count: int | None = None) -> None:
        self._do(self._queue.handle(ev.Ended(end, execution_count, self._kernel.ready)))

    def _ask(self, running: CellExecution) -> AskedRequest:
        """Ask the kernel to run the cell."""
        streamer = running.streamer
        if running.target.is_sql:
            running.run = AskedRequest.lost(NO_DATA_SOURCE, EndReason.NO_DATA_SOURCE)
            return running.run

        def take(message: Mapping[str, Any]) -> None:
            if self.late.takes(running):
                streamer.take(message)

        def ask(prompt: str, password: bool) -> None:
            if running.turn.gone:
                self._kernel.refuse_question(run)
                return
            streamer.flush()
            self._do(self._queue.handle(ev.Executing(waiting=True)))
            answer = self._kernel.answer
            self.executions.ask(running.live, running.target.cell_id, prompt, password, answer)

        run = running.run = self._kernel.start_run(
            running.target.source,
            take,
            # Only those who were attached when it began can be asked: a run in the background
            # has to fail at once instead of waiting for somebody who will never come.
            ask if running.live.asks else None,
            store_history=not running.plan.scratch,
            is_expression=running.target.is_expression,
            place=running.turn.place,
            waiting=running.live.waiting,
        )
        run.on_payload = partial(self.executions.take_payload, running.live, running.target.cell_id)
        if not running.plan.scratch:
            run.on_reply = partial(running.store_early, self._database)
        return run
