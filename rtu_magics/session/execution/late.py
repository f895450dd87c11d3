"""Runs that are over, whose threads, timers and tasks may still put something out.

A front end goes on listening to a cell that is done. So does a session, for the newest `LIMIT` runs
that somebody looked at to their end; of older ones the mirror and the notebook show what comes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

from ..events import (
    ConnectionChanged,
    Event,
    EventHub,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
)

if TYPE_CHECKING:
    from .follower import Follower

__all__ = ["LIMIT", "LateRuns"]

LIMIT = 100
"""Runs of one session that are listened to after their end."""


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
        self._kept: OrderedDict[Follower, None] = OrderedDict()
        self._by_id: dict[UUID, list[Follower]] = {}
        self._live: dict[UUID, int] = {}  # those that go on and see to themselves
        self._lost = False
        hub.subscribe(self._on_event)

    def __len__(self) -> int:
        return len(self._kept)

    def begun(self, follower: Follower) -> None:
        """Note that a run is followed."""
        self._live[follower.id] = self._live.get(follower.id, 0) + 1

    def ended(self, follower: Follower, *, keep: bool) -> None:
        """Note that a run is over, or not followed any more, and whether to listen on."""
        count = self._live.pop(follower.id, 0) - 1
        if count > 0:
            self._live[follower.id] = count
        if keep:
            self._kept[follower] = None
            self._by_id.setdefault(follower.id, []).append(follower)
            while len(self._kept) > self._limit:
                self.drop(next(iter(self._kept)))

    def drop(self, follower: Follower) -> None:
        """Listen to a run no longer."""
        if follower in self._kept:
            del self._kept[follower]
            others = self._by_id[follower.id]
            others.remove(follower)
            if not others:
                del self._by_id[follower.id]

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (OutputAppended, OutputContinued, OutputsCleared)):
            execution_id = event.execution_id
            if execution_id is not None and execution_id in self._by_id:
                for follower in self._by_id[execution_id]:
                    follower.take_late(event)
        elif isinstance(event, OutputsUpdated):
            self._on_update(event)
        elif isinstance(event, ConnectionChanged):
            self._on_connection(event)

    def _on_update(self, event: OutputsUpdated) -> None:
        own = self._by_id.get(event.execution_id) if event.execution_id is not None else None
        if own is not None:
            own[0].take_late(event)  # one of them is enough: a display has one id, shown anywhere
        elif event.execution_id not in self._live:
            # Somebody else's run shows something new in what one of ours displayed.
            for follower in self._kept:
                if follower.shows(event.output_ids):
                    follower.take_late(event)
                    return

    def _on_connection(self, event: ConnectionChanged) -> None:
        if event.state == "reconnecting":
            self._lost = True
            for follower in self._kept:
                follower.note_gap()
        elif event.state == "live" and self._lost:
            self._lost = False
            self._task = asyncio.get_running_loop().create_task(self._catch_up())
        elif event.state == "closed":
            self._kept.clear()
            self._by_id.clear()

    async def _catch_up(self) -> None:
        for follower in list(self._kept):
            await follower.catch_up_late()
