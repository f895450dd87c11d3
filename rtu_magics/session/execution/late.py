"""Runs that are over, whose threads, timers and tasks may still put something out.

A front end goes on listening to a cell that is done. So does a session, for the newest `LIMIT` runs
that somebody looked at to their end; of older ones the mirror and the notebook show what comes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

from ...errors import RTUError
from ..events import (
    ConnectionChanged,
    Event,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)
from ..hub import EventHub
from .run_outputs import OutputEvent, RunOutputs, Taken

__all__ = ["LIMIT", "LateOutputs", "LateRuns"]

logger = logging.getLogger(__name__)

LIMIT = 100
"""Runs of one session that are listened to after their end."""

_KEPT = 1_000  # events that are kept for somebody who wants what comes late
_PAUSE = 0.3  # seconds until what was missed is asked for: more may be missing by then


class LateOutputs:
    """What one run puts out after its end.

    Parameters
    ----------
    execution_id
        Which run.
    outputs
        Its outputs.
    missed
        Yields what snapshots of them hold that was not passed on.
    ask_again
        Asks the server to go on telling of it, where it does so only for connections that asked.
    """

    def __init__(
        self,
        execution_id: UUID,
        outputs: RunOutputs,
        missed: Callable[[], AsyncIterator[Event]],
        ask_again: Callable[[], Awaitable[object]],
    ) -> None:
        self.id = execution_id
        self.outputs = outputs
        self._missed = missed
        self._ask_again = ask_again
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque(maxlen=_KEPT)  # until somebody wants it
        self._wanted: Callable[[Event], None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> bool:
        """Whether somebody takes what comes."""
        return self._wanted is not None

    def subscribe(self, fn: Callable[[Event], None]) -> None:
        """Call a function with every event from now on, at first with those that wait."""
        with self._lock:
            self._wanted = fn
            while self._waiting:
                fn(self._waiting.popleft())

    def pass_on(self, event: Event) -> None:
        """Hand an event to whoever wants it."""
        with self._lock:
            (self._wanted or self._waiting.append)(event)

    def take(self, event: Event) -> None:
        """Take an output that came after the end."""
        if isinstance(event, OutputsUpdated):
            if self.outputs.update(event):
                self.pass_on(event)
        elif isinstance(event, OutputEvent):
            taken = self.outputs.take(event)
            if taken is Taken.NEW:
                self.pass_on(event)
            elif taken is Taken.UNSURE and (self._task is None or self._task.done()):
                self._task = asyncio.get_running_loop().create_task(self._catch_up_soon())

    async def _catch_up_soon(self) -> None:
        await asyncio.sleep(_PAUSE)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Take what was missed from snapshots of the outputs."""
        try:
            await self._ask_again()
            async for event in self._missed():
                self.pass_on(event)
        except (RTUError, OSError) as exc:
            logger.debug("no snapshot of late outputs: %s", exc)
        self.outputs.compact()


class LateRuns:
    """The runs of one session that are over and still listened to.

    Everything happens on the background thread.

    Parameters
    ----------
    hub
        The session's events.
    limit
        See `LIMIT`.
    """

    def __init__(self, hub: EventHub, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[LateOutputs, None] = OrderedDict()
        self._by_id: dict[UUID, list[LateOutputs]] = {}
        self._live: dict[UUID, int] = {}  # those that go on and see to themselves
        self._lost = False
        hub.subscribe(self._on_event)

    def __len__(self) -> int:
        return len(self._kept)

    def begun(self, execution_id: UUID) -> None:
        """Note that a run is followed."""
        self._live[execution_id] = self._live.get(execution_id, 0) + 1

    def ended(self, run: LateOutputs, *, keep: bool) -> None:
        """Note that a run is over, or not followed any more, and whether to listen on."""
        count = self._live.pop(run.id, 0) - 1
        if count > 0:
            self._live[run.id] = count
        if keep:
            self._kept[run] = None
            self._by_id.setdefault(run.id, []).append(run)
            while len(self._kept) > self._limit:
                self.drop(next(iter(self._kept)))

    def drop(self, run: LateOutputs) -> None:
        """Listen to a run no longer."""
        if run in self._kept:
            del self._kept[run]
            others = self._by_id[run.id]
            others.remove(run)
            if not others:
                del self._by_id[run.id]

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            execution_id = event.execution_id
            if execution_id is not None and execution_id in self._by_id:
                for run in self._by_id[execution_id]:
                    run.take(event)
        elif isinstance(event, OutputsUpdated):
            self._on_update(event)
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)

    def _on_update(self, event: OutputsUpdated) -> None:
        own = self._by_id.get(event.execution_id) if event.execution_id is not None else None
        if own is not None:
            own[0].take(event)  # one of them is enough: a display has one id, shown anywhere
        elif event.execution_id not in self._live:
            # Somebody else's run shows something new in what one of ours displayed.
            for run in self._kept:
                if run.outputs.shows(event.output_ids):
                    run.take(event)
                    return

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            self._lost = True
            for run in self._kept:
                run.outputs.note_gap()
        elif event.state == "live" and self._lost:
            self._lost = False
            self._task = asyncio.get_running_loop().create_task(self._catch_up())
        elif event.state == "closed":
            self._kept.clear()
            self._by_id.clear()

    async def _catch_up(self) -> None:
        for run in list(self._kept):
            await run.catch_up()
