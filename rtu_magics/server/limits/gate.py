"""Who may go on: what people ask for, held against their budgets.

One gate for a server. It answers in one line what there is too much of, in how many seconds there
will not be, and what whoever runs the server can raise.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from ...models import BaseRTURequest, CellExecuteDelta, NewDeltaRequest, ScratchRequest
from ..access.people import Person
from ..wire.connection import Connection
from .budget import Budgets, Spent
from .intake import MOST_BYTES, too_structured
from .settings import Limits

__all__ = ["ByLink", "Gate", "TooMuch"]


_READ_AT_ONCE = 2  # by all together: the loop shares the interpreter with them


class TooMuch(Exception):
    """Refused for now; the message is one line."""


class ByLink(NamedTuple):
    """Who follows a link that says nothing of them: a whole class may share an address."""

    address: str | None


@dataclass(slots=True)
class _Reader:
    turn: asyncio.Semaphore
    count: int = 0


class Gate:
    """Holds what people ask for against the limits.

    Parameters
    ----------
    limits
        The server's.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._clock = time.monotonic
        self._edits = Budgets(
            "changes", limits.edits_per_second, limits.edits_burst, "edits_per_second"
        )
        self._bytes = Budgets(
            "bytes sent", limits.bytes_per_second, limits.bytes_burst, "bytes_per_second"
        )
        self._runs = Budgets(
            "requests to run cells", limits.runs_per_second, limits.runs_burst, "runs_per_second"
        )
        self._reads = Budgets(
            "requests for the history, versions or outputs",
            limits.reads_per_second,
            limits.reads_burst,
            "reads_per_second",
        )
        self._readers: dict[Hashable, _Reader] = {}
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._connections: Counter[UUID] = Counter()
        self._counted: dict[Connection, UUID] = {}

    # Connections

    def why_full(self, person: Person) -> str:
        """Return why somebody may open no further connection, "" if they may."""
        most = self.limits.connections_per_person
        name = "connections_per_person"
        if person.is_owner:
            most, name = self.limits.connections_per_owner, "connections_per_owner"
        if self._connections[person.id] < most:
            return ""
        return (
            f"too many connections: {most:g} are open for one person; close some, or ask whoever "
            f"runs the server to raise {name}"
        )

    def came(self, connection: Connection) -> None:
        """Count a connection that has just authenticated."""
        if connection.person is not None and connection not in self._counted:
            self._counted[connection] = connection.person.id
            self._connections[connection.person.id] += 1

    def left(self, connection: Connection) -> None:
        """Count a connection that has gone."""
        user_id = self._counted.pop(connection, None)
        if user_id is not None:
            self._connections[user_id] -= 1
            if not self._connections[user_id]:
                del self._connections[user_id]

    # What is asked

    def objection_to_message(self, person: Person, raw: str | bytes) -> str:
        """Return why a message is not even read, "" if it is."""
        if len(raw) > MOST_BYTES:
            return (
                f"the message has {len(raw):,} bytes and at most {MOST_BYTES:,} are read; split it"
            )
        return self._said(self._bytes.take(person.id, self._clock(), len(raw))) or (
            too_structured(raw)
        )

    def objection(self, person: Person, request: BaseRTURequest) -> str:
        """Return why a request is not handled now, "" if it is."""
        if isinstance(request, NewDeltaRequest):
            runs = isinstance(request.data.delta, CellExecuteDelta)
            budgets = self._runs if runs else self._edits
        elif isinstance(request, ScratchRequest):
            budgets = self._runs
        else:
            budgets = self._edits
        return self._said(budgets.take(person.id, self._clock()))

    @asynccontextmanager
    async def reading(self, who: Hashable) -> AsyncIterator[None]:
        """Wait for one's turn to read much at once: so many of one person, few of all together.

        Raises
        ------
        TooMuch
            Somebody asks too often, or too much of theirs waits already.
        """
        by_link = isinstance(who, ByLink)
        spent = None if by_link else self._reads.take(who, self._clock())
        if spent is not None:
            raise TooMuch(str(spent))
        place = self._readers.get(who)
        if place is None:
            most = max(1, int(self.limits.reads_at_once))
            place = self._readers[who] = _Reader(asyncio.Semaphore(most))
        name = "links_waiting" if by_link else "reads_waiting"
        if place.count >= getattr(self.limits, name):
            raise TooMuch(
                f"too many requests to read: {place.count} of yours are at work or wait; wait for "
                f"them, or ask whoever runs the server to raise {name}"
            )
        place.count += 1
        try:
            async with place.turn, self._reading:
                yield
        finally:
            place.count -= 1
            if not place.count:
                self._readers.pop(who, None)

    @staticmethod
    def _said(spent: Spent | None) -> str:
        return "" if spent is None else str(spent)
