"""One run as the background thread follows it, also over gaps in the connection.

What an event means decides the run's `Course`; here it is done: events pile up for the thread that
waits, snapshots are fetched, the server is asked.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from uuid import UUID

from ... import models as m
from ...document import targets_of
from ...errors import RTUError
from ..context import Context
from ..events import DeltaApplied, Event
from ..thread import background
from .course import Course
from .effects import AskBack, Effect, Look, Pass, PassLate, Withdraw
from .events import Finished
from .late import LateOutputs, LateRuns
from .snapshots import missed_outputs, shown_by

__all__ = ["Follower"]

logger = logging.getLogger(__name__)

_POLL = 0.3  # seconds at least between two snapshots of the outputs


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
    course
        What is known of the run.
    on_withdrawn
        Called when a question needs no answer any more.
    events
        What happened, for whoever waits.
    late
        What comes after the end.
    over
        Whether the run is over.
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
        self.course = Course(execution_id)
        self.on_withdrawn: Callable[[], None] = lambda: None
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._context = context
        self._keep = keep
        self._delta = delta
        self._polling: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._abandoned = False
        self.over = False
        self.late = LateOutputs(execution_id, self.course.outputs, self._missed, self._ask_again)
        self._late_runs = late
        late.begun(execution_id)
        self._unsubscribe = context.hub.subscribe(self._on_event)

    # ------------------------------------------------------------------ what a session does

    def accepted(self, cell_ids: tuple[str, ...]) -> None:
        """Note the cells of a run that the chain does not tell of."""
        self._do(self.course.accept(cell_ids))

    def catch_up(self, run: m.Run) -> None:
        """Follow a run that has begun, from its first output on."""
        self._do(self.course.catch_up(run))

    def attach_request(self, *, look: bool = False) -> m.AttachRequest:
        """Return the request that attaches to the run, and asks what is known of it."""
        data = m.AttachRequestData(execution_id=self.id, keep=self._keep, look=look)
        return m.AttachRequest(channel=self._context.client.file_channel, data=data)

    # ------------------------------------------------------------------ what happens

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, DeltaApplied):
            self._do(self.course.handle(event))
        elif event.delta.id == self.id and not self.course.accepted and self._delta is not None:
            # The server took its snapshot of the cells at the same place of the chain.
            cells = targets_of(self._delta, self._context.client.builder)
            self._do(self.course.accept(tuple(cell.id for cell in cells)))

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Pass):
                self.events.put(effect.event)
            elif isinstance(effect, PassLate):
                self.late.pass_on(effect.event)
            elif isinstance(effect, Withdraw):
                self.on_withdrawn()
            elif isinstance(effect, Look):
                self._look()
            elif isinstance(effect, AskBack):
                asked = self._ask_back(effect.states)
                self._returning = asyncio.get_running_loop().create_task(asked)
            else:
                self._end()

    async def _ask_back(self, states: Mapping[str, m.CellState]) -> None:
        run: m.Run | None = None
        try:
            reply = await self._context.request(self.attach_request(look=True))
        except RTUError as exc:  # not allowed, or the connection is lost again
            logger.debug("cannot attach: %s", exc)
        else:  # another kind of server knows no such request
            run = reply.data.run if isinstance(reply, m.AttachReply) else None
        self._do(self.course.returned(run, states))

    def _end(self) -> None:
        self.over = True
        self.course.outputs.settle(shown_by(self._context, self.course.targets))
        self.events.put(Finished())
        self._unsubscribe()
        self.course.outputs.compact()
        keep = self.course.failure is None and not self._abandoned
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
        if m.SCRATCH_CELL in self.course.targets:  # only told to connections that have asked
            await self._context.request(self.attach_request(look=True))

    # ------------------------------------------------------------------ after a gap

    def _missed(self) -> AsyncIterator[Event]:
        return missed_outputs(self._context, self.course.outputs, self.course.targets)

    def _look(self) -> None:
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll_outputs())

    async def _poll_outputs(self) -> None:
        """Take the outputs from snapshots until the run is over or nothing changes any more."""
        while not self.course.over:
            complete = self.course.look_begins()  # asked first: then the snapshots are complete
            changed = False
            began = time.monotonic()
            try:
                async for event in self._missed():
                    self._do(self.course.missed(event))
                    changed = True
            except (RTUError, OSError) as exc:
                logger.debug("no snapshot of the outputs: %s", exc)
                if not complete:
                    return  # the next event or reconnection asks again
            effects = self.course.look_ended(complete=complete, changed=changed)
            self._do(effects)
            if Look() not in effects:
                return
            # Each snapshot is a whole one: much output must not fill the line with it.
            await asyncio.sleep(max(_POLL, 2 * (time.monotonic() - began)))
