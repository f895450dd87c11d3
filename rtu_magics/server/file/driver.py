"""Runs the state of one file: timers, tasks, and the effects that it asks for."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol

from ...tasks import TaskSet
from . import events as ev
from .state import FileState, handle

__all__ = ["Driver", "Hands"]

logger = logging.getLogger("rtu_magics.server.file.sync")


class Hands(Protocol):
    """Does what the state of a file asks for."""

    async def write_quietly(self) -> None:
        """Bring the file up to date; what goes wrong becomes an event."""

    async def keep_room(self, name: str, *, reload: bool) -> None:
        """Keep the room as a version; `reload`: whoever follows it loads it anew."""

    def show_state(self, shown: dict[str, Any]) -> None:
        """Let everybody know the file's condition."""


class Driver:
    """Feeds events to the state of a file and does what comes of them.

    Parameters
    ----------
    name
        Of the file.
    hands
        What can write, keep versions and tell.

    Attributes
    ----------
    state
        As it is now; changes come late to it, see `unsaved`.
    """

    def __init__(self, name: str, hands: Hands) -> None:
        self.state = FileState(name)
        self._hands = hands
        self._latest_change: ev.Changed | None = None  # that the state has not been told of
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._tasks = TaskSet()
        self.spawn = self._tasks.spawn

    @property
    def now(self) -> float:
        """The time that all events carry, in seconds."""
        return asyncio.get_running_loop().time()

    @property
    def unsaved(self) -> bool:
        """Whether the room has changes that the file does not hold."""
        return self.state.unsaved or self._latest_change is not None

    def shown(self) -> dict[str, Any]:
        """Return the file's condition as clients are told it."""
        state = self.state
        since = time.time() - (self.now - state.since) if state.since else None
        return {
            "state": state.condition,
            "reason": state.reason,
            "unsaved": self.unsaved,
            "since": None if since is None else round(since, 3),
        }

    def changed(self, *, revive: bool = True) -> None:
        """Note that the room changed; see `events.Changed`."""
        if self._timer is not None and self.state.unsaved:
            # Heard of when the timer ends: edits come fast.
            wanted = revive or (self._latest_change is not None and self._latest_change.revive)
            self._latest_change = ev.Changed(self.now, wanted)
        else:
            self.feed(ev.Changed(self.now, revive))

    def feed(self, event: ev.Event) -> None:
        """Let the state know what happened, and do what it asks for."""
        if self._latest_change is not None:
            late, self._latest_change = self._latest_change, None
            self.feed(late)
        self.state, effects = handle(self.state, event)
        for effect in effects:
            self._do(effect)

    def owners(self, denied: str, held: str) -> None:
        """Note why the system does not let us write, and who else owns the file; "" for nothing."""
        if denied != self.state.denied:
            self.feed(ev.Denied(self.now, denied) if denied else ev.Allowed(self.now))
        if held != self.state.held:
            self.feed(ev.Held(self.now, held) if held else ev.Released(self.now))

    def _do(self, effect: ev.Effect) -> None:
        if isinstance(effect, ev.SetTimer):
            self._set_timer(effect.at)
        elif isinstance(effect, ev.Write):
            self.spawn(self._hands.write_quietly())
        elif isinstance(effect, ev.Tell):
            logger.log(logging.ERROR if effect.error else logging.INFO, "%s", effect.text)
        elif isinstance(effect, ev.KeepVersion):
            self.spawn(self._hands.keep_room(effect.name, reload=bool(self.state.content)))
        else:
            self._hands.show_state(self.shown())

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_at(at, self._due)

    def _due(self) -> None:
        self._timer = None
        self.feed(ev.Due(self.now))

    async def stop(self) -> None:
        """Start nothing more by itself; returns when what was begun is done."""
        self._stopped = True
        self._set_timer(None)
        await self._tasks.settle()

    def failed(self, doing: ev.Doing, exc: Exception | str) -> str:
        """Note what went wrong; returns it as people are told."""
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        self.feed(ev.Failed(self.now, doing, " ".join(reason.split())[:300]))
        if isinstance(exc, Exception) and not isinstance(exc, OSError):
            logger.debug("what went wrong with %s", self.state.name, exc_info=exc)
        return self.state.reason
