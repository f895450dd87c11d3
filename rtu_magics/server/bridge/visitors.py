"""The people who have a notebook open in a page, as those who follow it over RTU see people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from .authors import Authors
from .cursors import anchor_of, cell_of
from .document import LiveDocument

__all__ = ["Visitor", "Visitors"]

_LOOK_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Visitor:
    """Somebody in a page.

    Attributes
    ----------
    user_id, name
        As the store has them.
    cell_id, at
        The cell in which their cursor stands, and since when.
    """

    user_id: UUID
    name: str
    cell_id: str | None
    at: datetime


class Visitors:
    """Tells of the people in the pages of a live document.

    Parameters
    ----------
    awareness, live, authors
        The document's, the document, and who is who in it.
    ours
        The clients as which we show our own people there.
    tell
        Called with everybody who is there, whenever that has changed.
    """

    def __init__(
        self,
        awareness: Any,
        live: LiveDocument,
        authors: Authors,
        *,
        ours: Callable[[], Container[int]],
        tell: Callable[[Iterable[Visitor]], None],
    ) -> None:
        self._awareness, self._live, self._authors = awareness, live, authors
        self._ours, self._tell = ours, tell
        self._seen: dict[int, tuple[Any, Visitor]] = {}  # where each client was, and as whom
        self._told: list[Visitor] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Tell of them from now on."""
        self._look()

    def stop(self) -> None:
        """Tell that nobody is there any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._say([])

    def _look(self) -> None:
        self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        if self._live.busy:
            return
        ours = self._ours()
        states = {one: state for one, state in self._awareness.states.items() if one not in ours}
        seen = {client: self._see(client, state) for client, state in states.items()}
        self._seen = {client: found for client, found in seen.items() if found is not None}
        latest: dict[UUID, Visitor] = {}
        for _, visitor in self._seen.values():
            known = latest.get(visitor.user_id)
            if known is None or known.at <= visitor.at:
                latest[visitor.user_id] = visitor
        self._say(list(latest.values()))

    def _see(self, client: int, state: Any) -> tuple[Any, Visitor] | None:
        person = self._authors.person(client)
        if person is None:
            return None
        user_id, name = person
        anchor = anchor_of(state)
        before, visitor = self._seen.get(client, (None, None))
        cell_id = visitor.cell_id if visitor is not None else None
        if anchor is not None and anchor != before:
            cell_id = cell_of(self._live, anchor, cell_id) or cell_id
        if visitor is None or (visitor.name, visitor.cell_id) != (name, cell_id):
            visitor = Visitor(user_id, name, cell_id, datetime.now(timezone.utc))
        return anchor, visitor

    def _say(self, people: list[Visitor]) -> None:
        if people != self._told:
            self._told = people
            self._tell(people)
