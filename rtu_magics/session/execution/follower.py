"""One run as the background thread follows it, also over gaps in the connection.

While everything arrives, live events are passed on as they are. After a gap, or when it attaches to
a run that has begun, the outputs are taken from snapshots of the run's collections until the run is
over or nothing changes any more.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from ... import models as m
from ...errors import RTUError
from ..events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    InputRequested,
    KernelChanged,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PayloadReceived,
    ScratchStateChanged,
)
from .cursor import Progress
from .events import CellFinished, CellStarted, Finished, Reconnected, Reconnecting, ended_unseen
from .outputs import fetch_collection

if TYPE_CHECKING:
    from ..ops.executions import RunVerbs

__all__ = ["Follower"]

logger = logging.getLogger(__name__)

_KERNEL_GONE = frozenset({"failed", "shutdown", "culled"})
_LATE = 1_000  # events that are kept for somebody who wants what comes late
_POLL = 0.3  # seconds at least between two snapshots of the outputs
_CLOSED = "the session was closed while the cell ran; it runs on remotely"


class Follower:
    """A run whose events pile up for another thread.

    Parameters
    ----------
    session
        Where it runs.
    execution_id
        Which run.
    delta
        The execute delta, None for what runs without one.
    keep
        Whether it goes on in the background, see `models.AttachRequestData`.
    """

    def __init__(
        self,
        session: RunVerbs,
        execution_id: UUID,
        *,
        delta: m.CellExecuteDelta | None = None,
        keep: bool = False,
    ) -> None:
        self.session = session
        self.id = execution_id
        self.targets: tuple[str, ...] = ()
        self.states: dict[str, m.CellState] = {}
        self.errors: dict[str, m.Output] = {}
        self.question: InputRequested | None = None
        self.on_withdrawn: Callable[[], None] = lambda: None
        self.user_id: UUID | None = None
        self._keep = keep
        self._delta = delta
        self._accepted = False
        self._kernel_gone = False
        self._failure: RTUError | None = None
        self._lost = False  # the connection was lost since the last full word of the server
        self._gapped = False
        self._progress: dict[UUID, Progress] = {}
        self._collections: dict[str, UUID] = {}
        self._polling: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._dirty = False  # something happened since the last snapshot was asked for
        self._over = False
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._late_lock = threading.Lock()
        self._late: deque[Event] = deque(maxlen=_LATE)  # until somebody wants it
        self._on_late: Callable[[Event], None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._abandoned = False
        self._payloads: set[str] = set()
        session.late.begun(self)
        self._unsubscribe = session.hub.subscribe(self._on_event)

    # ------------------------------------------------------------------ what the session does

    async def accepted(self, cell_ids: tuple[str, ...]) -> None:
        """Note the cells of a run that the chain does not tell of."""
        self._accepted, self.targets = True, cell_ids

    async def catch_up(self, run: m.Run) -> None:
        """Follow a run that has begun, from its first output on."""
        self._gapped = True
        self._take(run)
        self._poll()

    def _take(self, run: m.Run) -> None:
        """Take what the server knows of the run."""
        self._accepted, self.targets = True, tuple(run.cell_ids)
        self.user_id = run.user_id
        self._collections.update(run.collections)
        for cell_id, payload in run.payloads.items():
            self._on_own(PayloadReceived(self.id, cell_id, tuple(payload)))
        for state in run.cell_states:
            self._on_state(state.cell_id, state)

    def attach_request(self, *, look: bool = False) -> m.AttachRequest:
        """Return the request that attaches to the run, and asks what is known of it."""
        data = m.AttachRequestData(execution_id=self.id, keep=self._keep, look=look)
        return m.AttachRequest(channel=self.session.client.file_channel, data=data)

    # ------------------------------------------------------------------ events

    def _on_event(self, event: Event) -> None:
        if self._over:
            return
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            if event.execution_id == self.id:
                self._on_output(event)
        elif isinstance(event, OutputsUpdated):
            # Another run may update what this one displayed, so the ids count too.
            known = [p for p in self._progress.values() if p.take(event)]
            if event.execution_id == self.id or known:
                self._queue.put(event)
        elif isinstance(event, CellStatesChanged):
            self._on_states(event.changed)
        elif isinstance(event, ScratchStateChanged):
            if event.state.execution_id == self.id:
                self._on_state(event.state.cell_id, event.state)
                self._check_over()
        elif isinstance(event, (InputRequested, PayloadReceived)):
            if event.execution_id == self.id:
                self._on_own(event)
        elif isinstance(event, DeltaApplied):
            self._on_delta(event.delta)
        elif isinstance(event, KernelChanged):
            if event.status.kernel.execution_state in _KERNEL_GONE:
                self._kernel_gone = True
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)

    def _on_output(self, event: OutputAppended | OutputContinued | OutputsCleared) -> None:
        progress = self._progress_of(event)
        progress.gapped = progress.gapped or self._gapped
        if progress.take(event):
            self._pass_on(event)
        elif progress.gapped:
            self._poll()

    def _progress_of(self, event: OutputAppended | OutputContinued | OutputsCleared) -> Progress:
        if isinstance(event, OutputsCleared):
            return self._progress.setdefault(event.collection_id, Progress())
        collection_id = event.output.parent_collection_id
        self._collections[event.output.cell_id or m.SCRATCH_CELL] = collection_id
        return self._progress.setdefault(collection_id, Progress())

    def _pass_on(self, event: Event) -> None:
        if self._over:
            self._pass_on_late(event)
            return
        if isinstance(event, OutputAppended) and event.output.type == "error":
            self.errors[event.output.cell_id or m.SCRATCH_CELL] = event.output
        self._queue.put(event)

    def _on_own(self, event: InputRequested | PayloadReceived) -> None:
        if isinstance(event, InputRequested):
            self.question = event
        elif event.cell_id in self._payloads:
            return  # it comes twice after a gap
        else:
            self._payloads.add(event.cell_id)
        self._queue.put(event)

    def _on_delta(self, delta: m.FileDeltaBase) -> None:
        if delta.id == self.id and not self._accepted and self._delta is not None:
            # The server took its snapshot of the cells at the same place of the chain.
            self._accepted = True
            self.targets = tuple(self.session.runnable(self._delta))
            self._check_over()

    # ------------------------------------------------------------------ states

    def _on_states(self, states: dict[str, m.CellState]) -> None:
        for cell_id, state in states.items():
            if state.execution_id == self.id:
                self._on_state(cell_id, state)
        if self._lost and self._accepted:
            self._lost = False
            self._returning = asyncio.get_running_loop().create_task(self._return(states))
        self._check_over()

    async def _return(self, states: dict[str, m.CellState]) -> None:
        """Ask what became of the run while the connection was lost."""
        run: m.Run | None = None
        try:
            reply = await self.session.request(self.attach_request(look=True))
        except RTUError as exc:  # not allowed, or the connection is lost again
            logger.debug("cannot attach: %s", exc)
        else:  # another kind of server knows no such request
            run = reply.data.run if isinstance(reply, m.AttachReply) else None
        if run is not None:
            self._take(run)
        elif not self._lost:
            for cell_id in self.targets:
                now = states.get(cell_id)
                if not self._has_finished(cell_id) and (now is None or now.execution_id != self.id):
                    # It ended unseen, and something else happened to the cell since.
                    self._on_state(cell_id, ended_unseen(cell_id, self.id))
        self._check_over()

    def _on_state(self, cell_id: str, state: m.CellState) -> None:
        before = self.states.get(cell_id)
        if before is not None and before.state.startswith("finished"):
            return
        self.states[cell_id] = state
        if state.state.startswith("finished") and self.question is not None:
            self.question = None
            self.on_withdrawn()
        if before is not None and before.state == state.state:
            return
        if state.state == "executing":
            self._queue.put(CellStarted(cell_id))
        elif state.state.startswith("finished") and not self._gapped:
            self._finish_cell(state)

    def _finish_cell(self, state: m.CellState) -> None:
        ok = state.state == "finished_with_no_error"
        count, cause, reason = state.execution_count, state.cause, state.reason
        self._queue.put(CellFinished(state.cell_id, ok, count, cause, reason))

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            if not self._lost:
                self._queue.put(Reconnecting(event.detail))
            self._lost = self._gapped = True
            self.note_gap()
        elif event.state == "live" and self._gapped:
            self._queue.put(Reconnected())
            self._poll()
        elif event.state == "closed":
            self._failure = RTUError(event.detail or _CLOSED)
            self._end()

    def _has_finished(self, cell_id: str) -> bool:
        state = self.states.get(cell_id)
        return state is not None and state.state.startswith("finished")

    def _all_finished(self) -> bool:
        return self._accepted and all(self._has_finished(cell_id) for cell_id in self.targets)

    def _check_over(self) -> None:
        if self._over or not self._all_finished():
            return
        if self._gapped:
            self._poll()  # the last snapshot ends the run
        else:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            for cell_id in self.targets:  # later a cell may show another run's
                if (now := self.session.collection_of(cell_id)) is not None:
                    self._collections.setdefault(cell_id, now)
            self._queue.put(Finished())
            self._unsubscribe()
            for progress in self._progress.values():
                progress.compact()
            self.session.late.ended(self, keep=self._failure is None and not self._abandoned)

    # ------------------------------------------------------------------ after the end

    def _let_go(self) -> None:
        if self._over:
            self.session.late.drop(self)
        else:
            self.session.late.ended(self, keep=False)

    def take_late(self, event: Event) -> None:
        """Take an output that came after the end."""
        if isinstance(event, OutputsUpdated):
            if [progress.take(event) for progress in self._progress.values()]:
                self._pass_on_late(event)
            return
        if not isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            return
        progress = self._progress_of(event)
        if progress.take(event):
            self._pass_on_late(event)
        elif progress.gapped and (self._catching_up is None or self._catching_up.done()):
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up_soon())

    def shows(self, output_ids: tuple[UUID, ...]) -> bool:
        """Whether one of these outputs is its own."""
        return any(progress.shows(output_ids) for progress in self._progress.values())

    def note_gap(self) -> None:
        """Note a lost connection."""
        for progress in self._progress.values():
            progress.gapped = True

    async def _catch_up_soon(self) -> None:
        await asyncio.sleep(_POLL)
        await self.catch_up_late()

    async def catch_up_late(self) -> None:
        """Take what was missed from snapshots of the outputs."""
        try:
            if m.SCRATCH_CELL in self.targets:  # only told to connections that have asked
                await self.session.request(self.attach_request(look=True))
            await self._snapshot()
        except (RTUError, OSError) as exc:
            logger.debug("no snapshot of late outputs: %s", exc)
        for progress in self._progress.values():
            progress.compact()

    def _pass_on_late(self, event: Event) -> None:
        with self._late_lock:
            (self._on_late or self._late.append)(event)

    # ------------------------------------------------------------------ after a gap

    def _poll(self) -> None:
        self._dirty = True
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll_outputs())

    async def _poll_outputs(self) -> None:
        """Take the outputs from snapshots until the run is over or nothing changes any more."""
        while not self._over:
            self._dirty = False
            finished = self._all_finished()  # asked first: then the snapshots are complete
            began = time.monotonic()
            try:
                changed = await self._snapshot()
            except (RTUError, OSError) as exc:
                logger.debug("no snapshot of the outputs: %s", exc)
                if not finished:
                    return  # the next event or reconnection asks again
                changed = False
            if finished:
                for cell_id in self.targets:
                    self._finish_cell(self.states[cell_id])
                self._end()
                return
            if not (changed or self._dirty or self._all_finished()):
                return
            # Each snapshot is a whole one: much output must not fill the line with it.
            await asyncio.sleep(max(_POLL, 2 * (time.monotonic() - began)))

    async def _snapshot(self) -> bool:
        changed = False
        for cell_id in self.targets:
            # What a cell shows now may be another run's, or be cleared and go on with this one's:
            known = (self._collections.get(cell_id), self.session.collection_of(cell_id))
            for collection_id in filter(None, dict.fromkeys(known)):
                changed |= await self._take_snapshot(cell_id, collection_id)
        return changed

    async def _take_snapshot(self, cell_id: str, collection_id: UUID) -> bool:
        collection = await fetch_collection(self.session.api, collection_id)
        if collection is None or collection.execution_id != self.id:
            return False
        self._collections[cell_id] = collection.id
        progress = self._progress.setdefault(collection.id, Progress())
        progress.gapped = True
        for event in (events := progress.catch_up(collection.id, collection.outputs, cell_id)):
            self._pass_on(event)
        return bool(events)
