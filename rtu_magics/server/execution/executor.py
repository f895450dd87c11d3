"""What a notebook's kernel runs: one cell after the other; people take turns (`FairQueue`).

For each cell, in this order (RTU protocol): kernel ``busy``, state ``executing``, the delta that
gives the cell a new output collection, its outputs, everything stored, the finished state, kernel
``idle``. A failed cell ends what its own request still had queued; other requests go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from ...errors import SquashError
from ...models import SCRATCH_CELL, CellOutputCollectionReplace, CellState, CellStateName, EndReason
from ..kernel.notebook_kernel import NotebookKernel
from ..kernel.pending import KernelRun
from ..kernel.request import ExecuteReply
from ..limits.settings import Limits
from ..notebook.chain import NotStored
from ..outputs.cache import Collections, Showing
from ..outputs.collection import LiveCollection
from ..outputs.stream import Streamer
from ..store import runs
from ..wire.connection import Connection, Outbox
from ..wire.frames import Frame
from ..wire.state_feed import StateFeed
from .cell import NO_DATA_SOURCE, SERVER_FAILED, CellEnd, RunningCell
from .deferred import Deferred
from .executions import Runs
from .late import LateOutputs
from .plan import Plan, plan_of, queued_states
from .turns import FairQueue, why_full

__all__ = ["Executor", "Plan"]

logger = logging.getLogger(__name__)

_ACTIVE = frozenset({CellStateName.QUEUED, CellStateName.EXECUTING})
RESTARTED = "the server restarted before the cell had finished; run it again"
DELETED = "the cell was deleted"


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
        The state of every cell that has one, by cell id.
    runs, late
        The runs, whoever asked for them, and what those that are over still put out.
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
        self.queue: FairQueue[Plan] = FairQueue()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running: RunningCell | None = None
        self._after_running: list[CellState] = []
        self.late = LateOutputs(notebook, kernel)
        self.runs = Runs(notebook, kernel, collections, lambda: self.states)
        self.deferred = Deferred(notebook, self._database, lambda: self.states)
        self._feed = StateFeed(
            notebook.kernel_channel,
            lambda: self.states,
            lambda: kernel.session_id,
            notebook.kernel_receivers,
        )
        self.states: dict[str, CellState] = self._load_states()

    def _load_states(self) -> dict[str, CellState]:
        """Read the states; what the last server left unfinished has failed."""
        file_id = self._notebook.file_id
        with self._database.transaction() as connection:
            found = runs.get_states(connection, file_id)
            unfinished = [state for state in found if state.state in _ACTIVE]
            for state in unfinished:
                state.state, state.cause = CellStateName.FAILED, RESTARTED
                state.reason = EndReason.SERVER_RESTARTED
            runs.put_states(connection, file_id, unfinished)
        present = self._notebook.chain.builder
        return {state.cell_id: state for state in found if state.cell_id in present}

    def start(self) -> None:
        """Start taking from the queue."""
        self._task = asyncio.create_task(self._run_forever(), name="rtu-executor")

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits to."""
        return bool(self.queue) or self._running is not None

    async def close(self) -> None:
        """Stop; what is unfinished is said to have failed by whoever opens the notebook next."""
        self._feed.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.late.close()
        self.deferred.close()

    # Called by the room's writer

    plan = staticmethod(plan_of)

    def why_full(self, author: UUID, coming: Iterable[Plan] = ()) -> str:
        """Return why somebody may not ask for more, "" if they may; `coming` is not queued yet."""
        return why_full([*self.queue, *coming], author, self._limits)

    def accept(self, plan: Plan) -> None:
        """Queue what was planned; its delta, if it has one, has just been broadcast."""
        if not plan.targets:
            return
        queued = plan.states()
        self.runs.add(plan)
        self.queue.put(plan)
        if self._running is None and self._task is not None and not self._task.done():
            # The kernel is at work while the rest is told, and what the run sends when it begins
            # goes out in the same write.
            self._begin()
            self._outbox.linger()
        self._show_states(queued, plan.author)
        self._wake.set()

    def gave_outputs(self, delta: CellOutputCollectionReplace) -> None:
        """Note that somebody gave a cell an output collection; see `LateOutputs.shown`."""
        collection_id = str(delta.properties.output_collection_id)
        found = self._collections.of_cell(collection_id, self._notebook.file_id)
        if found is not None:
            self.late.shown(delta.resource_id, found)

    def cell_deleted(self, cell_id: str) -> None:
        """Forget a cell; whoever waits for it learns that it will not finish."""
        self.late.cell_deleted(cell_id)
        for plan in self.queue:
            plan.targets = deque(t for t in plan.targets if t.cell_id != cell_id)
        if self._running is not None and self._running.target.cell_id == cell_id:
            self._running.gone = True
            self.runs.withdraw(self._running.live)
        # Several requests may wait for it, and each is waited for.
        for run in reversed(list(self.runs)):
            state = run.states.get(cell_id)
            if state is not None and state.state in _ACTIVE:
                failed: dict[str, Any] = {"state": CellStateName.FAILED, "cause": DELETED}
                if state.state == CellStateName.QUEUED:
                    failed["source_digest"] = None  # nothing of it ran
                self._show_states(
                    [state.model_copy(update={**failed, "reason": EndReason.DELETED})]
                )
        if self.states.pop(cell_id, None) is not None:
            try:
                with self._database.transaction() as connection:
                    runs.delete_state(connection, self._notebook.file_id, cell_id)
            except SQLAlchemyError:
                # Loading the states leaves out cells that are gone.
                logger.warning("the state of a deleted cell is still stored")

    # Called by the kernel

    def kernel_ready(self) -> None:
        """Go on with the queue."""
        self._wake.set()

    def kernel_lost(self, cause: str, reason: str) -> None:
        """Fail everything that waits; what runs ends by itself, through its reply."""
        self.late.kernel_lost()
        self.withdraw(None, f"not run: {cause}", reason)

    @property
    def running_for(self) -> UUID | None:
        """Whose cell runs, None if none does."""
        return None if self._running is None else self._running.plan.author

    def withdraw(self, author: UUID | None, cause: str, reason: str) -> int:
        """Fail what waits of somebody, or of everybody; returns how many cells that are."""
        running = self._running.target.cell_id if self._running else None
        count, gone = 0, set[str]()
        for plan in list(self.queue) if author is None else self.queue.of(author):
            failed = plan.failed(cause, reason)
            count += len(failed)
            gone.update(state.cell_id for state in failed)
            plan.targets.clear()
            # The last request for a cell decides; one that runs gets its state when it ends.
            self._after_running += [s for s in failed if s.cell_id == running]
            # One after the other: each of several requests for a cell is waited for.
            self._set_states([s for s in failed if s.cell_id != running])
        self._show_still_queued(gone - {running})
        return count

    # Asked for by people

    def clear_running(self, cell_id: str) -> bool:
        """Clear what a cell that runs has put out so far; whether it runs."""
        running = self._running
        if running is None or running.target.cell_id != cell_id:
            return False
        running.streamer.take({"msg_type": "clear_output", "content": {"wait": False}})
        return True

    def answer(self, connection: Connection, request_id: UUID, value: str) -> bool:
        """Hand an answer to the cell that asked; whether it still waits for it."""
        run = self.runs.answer(connection, request_id, value)
        if run is None or self._running is None or self._running.live is not run:
            return False
        self._show_states([self._running.executing()])
        return True

    # States

    def bulk_frame(self) -> Frame:
        """Return the states of all cells as one message."""
        return self._feed.whole()

    def hidden_states(self) -> list[CellState]:
        """Return the states of what goes on for cells that show the state of another request."""
        waiting = [s for plan in self.queue if not plan.scratch for s in plan.states()]
        running = self._running
        if running is not None and not running.plan.scratch and not running.gone:
            waiting.append(running.executing())
        for state in self._after_running:  # which is not known yet to have ended
            waiting.append(state.model_copy(update={"state": CellStateName.QUEUED}))
        shown = {(s.cell_id, s.execution_id) for s in self.states.values() if s.state in _ACTIVE}
        return [s for s in waiting if (s.cell_id, s.execution_id) not in shown]

    def _set_states(
        self,
        new: Iterable[CellState],
        collection: LiveCollection | None = None,
        known: CellState | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Store and send states, together with what a collection has not stored yet.

        The known one is in the store already.
        """
        changed = list(new)
        stored = [s for s in changed if s.cell_id in self._notebook.chain.builder and s != known]
        try:
            if stored or (collection is not None and collection.has_unstored):
                with self._database.quick_transaction() as connection:
                    if collection is not None:
                        collection.store(connection)
                    runs.put_states(connection, self._notebook.file_id, stored)
        except SQLAlchemyError as exc:
            if collection is not None:
                collection.store_again()
            if self._database.held:
                self.deferred.keep([state.cell_id for state in stored], collection)
            else:
                logger.error("outputs or states could not be stored: %s", getattr(exc, "orig", exc))
            if collection is not None and not self._database.held:
                for state in changed:
                    state.state, state.cause = CellStateName.FAILED, "outputs could not be stored"
                    state.reason = EndReason.NOT_STORED
        self._show_states(changed, more=more)

    def _show_states(
        self, changed: Iterable[CellState], author: UUID | None = None, *, more: bool = False
    ) -> None:
        """Send states: those of cells to everybody, that of a scratch run to who is attached."""
        shown = []
        for state in changed:
            self.runs.note([state])
            if state.cell_id == SCRATCH_CELL:
                live = self.runs.get(state.execution_id) if state.execution_id else None
                if live is not None:
                    self.runs.send(live, "run_state_event", state)
            elif state.cell_id in self._notebook.chain.builder or state.reason == EndReason.DELETED:
                self.states[state.cell_id] = state
                shown.append(state)
        if shown:
            self._feed.changed(shown, author, more=more)

    # Running

    async def _run_forever(self) -> None:
        while True:
            running = self._running or self._begin()
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
                self._finish(running, None, SERVER_FAILED)
            finally:
                self.late.ended(running)
                self._running = None
                self._kernel.end_run()

    def _begin(self) -> RunningCell | None:
        """Ask the kernel for the next cell, if it is ready and there is one."""
        notebook, kernel = self._notebook, self._kernel
        while (plan := self.queue.current) is not None:
            if not kernel.ready:
                return None
            target = plan.targets.popleft()
            if not plan.scratch and target.cell_id not in notebook.chain.builder:
                continue  # deleted a moment ago, which has been told
            live = self.runs.get(plan.execution_id) or self.runs.add(plan)
            collection = LiveCollection(
                uuid4(),
                notebook.file_id,
                target.cell_id or None,
                plan.execution_id,
                link=self._collections.link,
                private_to=plan.author if plan.scratch else None,
            )
            collection.authors.add(plan.author)
            send = partial(self.runs.send, live) if plan.scratch else notebook.send
            streamer = Streamer(notebook, self._collections, collection, send)
            running = self._running = RunningCell(plan, target, live, collection, streamer)
            try:
                self._ask(running)
            except Exception:
                logger.exception("a cell could not be sent to the kernel")
            return running
        return None

    async def _run_cell(self, running: RunningCell) -> None:
        notebook, plan, collection = self._notebook, running.plan, running.collection
        self._kernel.begin_run()
        if running.run is None:
            raise RuntimeError("the kernel was not asked")
        # It is not stored: what is stored as queued when a server ends has failed just the same.
        self._show_states([running.executing()])
        running.live.collections[running.target.cell_id] = collection.id
        if not plan.scratch:
            delta = CellOutputCollectionReplace(
                file_id=notebook.file_id,
                resource_id=running.target.cell_id,
                properties={"output_collection_id": collection.id},
            )
            try:
                await notebook.apply(delta, plan.author, also=collection.create)
            except SquashError as exc:
                await running.run.reply()
                unstored = isinstance(exc, NotStored)
                reason = EndReason.NOT_STORED if unstored else EndReason.DELETED
                self._finish(running, None, CellEnd(str(exc), reason))
                return
            running.shown = True
        self._collections.put(collection)
        running.streamer.begin()
        end = running.take_reply(await running.reply(self._ask))
        running.streamer.finish()
        self._finish(running, collection, end)
        if not plan.scratch:
            notebook.changed()

    def _ask(self, running: RunningCell) -> KernelRun:
        """Ask the kernel to run the cell."""
        streamer = running.streamer
        if running.target.is_sql:
            running.run = KernelRun.lost(NO_DATA_SOURCE, EndReason.NO_DATA_SOURCE)
            return running.run

        def take(message: Mapping[str, Any]) -> None:
            if self.late.takes(running):
                streamer.take(message)

        def ask(prompt: str, password: bool) -> None:
            streamer.flush()
            self._show_states([running.executing(waiting=True)])
            answer = self._kernel.answer
            self.runs.ask(running.live, running.target.cell_id, prompt, password, answer)

        run = running.run = self._kernel.start_run(
            running.target.source,
            take,
            # Only those who were attached when it began can be asked: a run in the background
            # has to fail at once instead of waiting for somebody who will never come.
            ask if running.live.asks else None,
            store_history=not running.plan.scratch,
            is_expression=running.target.is_expression,
            place=running.place,
        )
        run.on_payload = partial(self.runs.take_payload, running.live, running.target.cell_id)
        if not running.plan.scratch:
            run.on_reply = partial(self._store_early, running)
        return run

    def _store_early(self, running: RunningCell, reply: ExecuteReply) -> None:
        """Store how a cell ended while its kernel is about to say that it is idle again."""
        if reply.status != "ok" or running.gone or not running.shown:
            return
        done = running.done(reply.execution_count, CellEnd())
        try:
            with self._database.quick_transaction() as connection:
                running.collection.store(connection)
                runs.put_states(connection, self._notebook.file_id, [done])
        except SQLAlchemyError:
            running.collection.store_again()  # the end of the run tries once more, and says so
        else:
            running.stored = done

    def _finish(
        self, running: RunningCell, collection: LiveCollection | None, end: CellEnd
    ) -> None:
        plan, cell_id = running.plan, running.target.cell_id
        self.runs.withdraw(running.live)
        done = running.done(collection.execution_count if collection else None, end)
        dropped = [] if end.rest is None else plan.failed(*end.rest)
        if dropped:
            plan.targets.clear()
        more = bool(plan.targets) and not self._after_running and self._kernel.ready
        unstored = None if plan.scratch else collection
        self._set_states([done, *dropped], unstored, running.stored, more=more)
        if plan.forget:
            self.runs.forget(running.live)
        later, self._after_running = self._after_running, []
        for state in later:
            self._set_states([state])
        self._show_still_queued({cell_id, *(state.cell_id for state in dropped)})

    def _show_still_queued(self, cell_ids: set[str]) -> None:
        """Say again that cells are queued which another request waits to run."""
        queued = queued_states(self.queue, cell_ids)
        if queued:
            self._set_states(queued)
