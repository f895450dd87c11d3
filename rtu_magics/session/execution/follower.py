"""One run as the background thread follows it, also over gaps in the connection.

While everything arrives, live events are passed on as they are. After a gap, or when it attaches to
a run that has begun, the outputs are taken from snapshots of the run's collections until the run is
over or nothing changes any more.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from collections.abc import Callable
from uuid import UUID

from ... import models as m
from ...document import targets_of
from ...errors import RTUError
from ..context import Context
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
from ..thread import background
from .events import CellFinished, CellStarted, Finished, Reconnected, Reconnecting, ended_unseen
from .late import LateOutputs, LateRuns
from .run_outputs import OutputEvent, RunOutputs, Taken

__all__ = ["Follower"]

logger = logging.getLogger(__name__)

_KERNEL_GONE = frozenset({"failed", "shutdown", "culled"})
_POLL = 0.3  # seconds at least between two snapshots of the outputs
_CLOSED = "the session was closed while the cell ran; it runs on remotely"


class Follower:
    """A run whose events pile up for another thread.

    Parameters
    ----------
    context
        Where it runs.
    late
        The session's runs that are over.
    execution_id
        Which run.
    delta
        The execute delta, None for what runs without one.
    keep
        Whether it goes on in the background, see `models.AttachRequestData`.

    Attributes
    ----------
    targets, states, question, user_id
        See `Execution`.
    errors
        The error among each cell's outputs.
    on_withdrawn
        Called when a question needs no answer any more.
    over
        Whether the run is over.
    failure
        What ended the following of it.
    kernel_gone
        Whether the kernel ended meanwhile.
    events
        What happened, for whoever waits.
    late
        What comes after the end.
    """

    def __init__(
        self,
        context: Context,
        late: LateRuns,
        execution_id: UUID,
        *,
        delta: m.CellExecuteDelta | None = None,
        keep: bool = False,
    ) -> None:
        self.id = execution_id
        self.targets: tuple[str, ...] = ()
        self.states: dict[str, m.CellState] = {}
        self.errors: dict[str, m.Output] = {}
        self.question: InputRequested | None = None
        self.on_withdrawn: Callable[[], None] = lambda: None
        self.user_id: UUID | None = None
        self.over = False
        self.failure: RTUError | None = None
        self.kernel_gone = False
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._context = context
        self._keep = keep
        self._delta = delta
        self._accepted = False
        self._lost = False  # the connection was lost since the last full word of the server
        self._gapped = False
        self._outputs = RunOutputs(context, execution_id)
        self._polling: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._dirty = False  # something happened since the last snapshot was asked for
        self._abandoned = False
        self._payloads: set[str] = set()
        self.late = LateOutputs(execution_id, self._outputs, lambda: self.targets, self._ask_again)
        self._late_runs = late
        late.begun(execution_id)
        self._unsubscribe = context.hub.subscribe(self._on_event)

    # ------------------------------------------------------------------ what a session does

    def accepted(self, cell_ids: tuple[str, ...]) -> None:
        """Note the cells of a run that the chain does not tell of."""
        self._accepted, self.targets = True, cell_ids

    def catch_up(self, run: m.Run) -> None:
        """Follow a run that has begun, from its first output on."""
        self._gapped = True
        self._take(run)
        self._poll()

    def _take(self, run: m.Run) -> None:
        """Take what the server knows of the run."""
        self._accepted, self.targets = True, tuple(run.cell_ids)
        self.user_id = run.user_id
        self._outputs.collections.update(run.collections)
        for cell_id, payload in run.payloads.items():
            self._on_own(PayloadReceived(self.id, cell_id, tuple(payload)))
        for state in run.cell_states:
            self._on_state(state.cell_id, state)

    def attach_request(self, *, look: bool = False) -> m.AttachRequest:
        """Return the request that attaches to the run, and asks what is known of it."""
        data = m.AttachRequestData(execution_id=self.id, keep=self._keep, look=look)
        return m.AttachRequest(channel=self._context.client.file_channel, data=data)

    def answered(self, request_id: UUID) -> None:
        """Note that a question is answered; one that has come since is not."""
        if self.question is not None and self.question.request_id == request_id:
            self.question = None

    # ------------------------------------------------------------------ events

    def _on_event(self, event: Event) -> None:
        if self.over:
            return
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            if event.execution_id == self.id:
                self._on_output(event)
        elif isinstance(event, OutputsUpdated):
            # Another run may update what this one displayed, so the ids count too.
            known = self._outputs.update(event)
            if event.execution_id == self.id or known:
                self.events.put(event)
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
                self.kernel_gone = True
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)

    def _on_output(self, event: OutputEvent) -> None:
        taken = self._outputs.take(event, gapped=self._gapped)
        if taken is Taken.NEW:
            self._pass_on(event)
        elif taken is Taken.UNSURE:
            self._poll()

    def _pass_on(self, event: Event) -> None:
        if self.over:
            self.late.pass_on(event)
            return
        if isinstance(event, OutputAppended) and event.output.type == "error":
            self.errors[event.output.cell_id or m.SCRATCH_CELL] = event.output
        self.events.put(event)

    def _on_own(self, event: InputRequested | PayloadReceived) -> None:
        if isinstance(event, InputRequested):
            asked, self.question = self.question, event
            if asked is not None and asked.request_id != event.request_id:
                self.on_withdrawn()  # its code went on without an answer: to an interrupt, say
        elif event.cell_id in self._payloads:
            return  # it comes twice after a gap
        else:
            self._payloads.add(event.cell_id)
        self.events.put(event)

    def _on_delta(self, delta: m.FileDeltaBase) -> None:
        if delta.id == self.id and not self._accepted and self._delta is not None:
            # The server took its snapshot of the cells at the same place of the chain.
            self._accepted = True
            cells = targets_of(self._delta, self._context.client.builder)
            self.targets = tuple(cell.id for cell in cells)
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
            reply = await self._context.request(self.attach_request(look=True))
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
        question = self.question
        # That of a later cell may have come before the word on this one, after a gap for one.
        if question is not None and question.cell_id == cell_id and self._has_finished(cell_id):
            self.question = None
            self.on_withdrawn()
        if before is not None and before.state == state.state:
            return
        if state.state == "executing":
            self.events.put(CellStarted(cell_id))
        elif state.state.startswith("finished") and not self._gapped:
            self._finish_cell(state)

    def _finish_cell(self, state: m.CellState) -> None:
        ok = state.state == "finished_with_no_error"
        count, cause, reason = state.execution_count, state.cause, state.reason
        self.events.put(CellFinished(state.cell_id, ok, count, cause, reason))

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            if not self._lost:
                self.events.put(Reconnecting(event.detail))
            self._lost = self._gapped = True
            self._outputs.note_gap()
        elif event.state == "live" and self._gapped:
            self.events.put(Reconnected())
            self._poll()
        elif event.state == "closed":
            self.failure = RTUError(event.detail or _CLOSED)
            self._end()

    def _has_finished(self, cell_id: str) -> bool:
        state = self.states.get(cell_id)
        return state is not None and state.state.startswith("finished")

    def all_finished(self) -> bool:
        """Whether every cell of the run has ended."""
        return self._accepted and all(self._has_finished(cell_id) for cell_id in self.targets)

    def _check_over(self) -> None:
        if self.over or not self.all_finished():
            return
        if self._gapped:
            self._poll()  # the last snapshot ends the run
        else:
            self._end()

    def _end(self) -> None:
        if not self.over:
            self.over = True
            self._outputs.settle(self.targets)
            self.events.put(Finished())
            self._unsubscribe()
            self._outputs.compact()
            keep = self.failure is None and not self._abandoned
            self._late_runs.ended(self.late, keep=keep)

    # ------------------------------------------------------------------ after the end

    def let_go(self) -> None:
        """Stop following; from any thread. A run that is over and wanted is listened to on."""
        self._unsubscribe()
        if not self.late.wanted or not self.over:
            self._abandoned = True
            loop = background()
            if loop.running:
                loop.loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        if self.over:
            self._late_runs.drop(self.late)
        else:
            self._late_runs.ended(self.late, keep=False)

    async def _ask_again(self) -> None:
        if m.SCRATCH_CELL in self.targets:  # only told to connections that have asked
            await self._context.request(self.attach_request(look=True))

    # ------------------------------------------------------------------ after a gap

    def _poll(self) -> None:
        self._dirty = True
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll_outputs())

    async def _poll_outputs(self) -> None:
        """Take the outputs from snapshots until the run is over or nothing changes any more."""
        while not self.over:
            self._dirty = False
            finished = self.all_finished()  # asked first: then the snapshots are complete
            began = time.monotonic()
            try:
                changed = await self._pass_on_missed()
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
            if not (changed or self._dirty or self.all_finished()):
                return
            # Each snapshot is a whole one: much output must not fill the line with it.
            await asyncio.sleep(max(_POLL, 2 * (time.monotonic() - began)))

    async def _pass_on_missed(self) -> bool:
        changed = False
        async for event in self._outputs.snapshot(self.targets):
            self._pass_on(event)
            changed = True
        return changed
