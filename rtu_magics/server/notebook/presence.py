"""Who is in a notebook and which cell they are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol
from uuid import UUID

from ...foreign import shown
from ...models import UpdateUserFileSubscriptionEventData
from ..access.people import Person, Role
from ..wire.connection import Connection

__all__ = ["Here", "Presence", "Somebody", "could_be_cell"]

_LONGEST_ID = 64  # characters of a cell's id (nbformat)


@dataclass(slots=True)
class _Place:
    connection: Connection
    person: Person
    cell_id: str | None
    at: datetime


@dataclass(slots=True)
class Here:
    """Somebody in a notebook.

    Attributes
    ----------
    connections
        How many they have.
    cell_id, at
        Where they were last, and when.
    """

    connections: int
    cell_id: str | None
    at: datetime


class Somebody(Protocol):
    """Somebody who is here without a connection: in a page of the notebook's live document."""

    @property
    def user_id(self) -> UUID:
        """As the store has them."""

    @property
    def name(self) -> str:
        """What people call them."""

    @property
    def cell_id(self) -> str | None:
        """The cell in which they are."""

    @property
    def at(self) -> datetime:
        """Since when they are there."""


def could_be_cell(cell_id: str | None) -> bool:
    """Return whether somebody may say that they are there: in a cell, or in none.

    The cell itself may have come or gone meanwhile.
    """
    return cell_id is None or (len(cell_id) <= _LONGEST_ID and shown(cell_id) == cell_id)


class Presence:
    """The people of one notebook; one of them may have several connections.

    Parameters
    ----------
    file_id
        The notebook.
    """

    def __init__(self, file_id: UUID) -> None:
        self._file_id = file_id
        self._places: dict[Connection, _Place] = {}
        self._others: dict[UUID, Somebody] = {}

    def enter(self, connection: Connection) -> UpdateUserFileSubscriptionEventData | None:
        """Note that a connection follows the notebook; returns what to tell everybody."""
        if connection.person is None:
            return None
        place = _Place(connection, connection.person, None, datetime.now(timezone.utc))
        self._places[connection] = place
        return self._data(place)

    def select(
        self, connection: Connection, cell_id: str | None
    ) -> UpdateUserFileSubscriptionEventData | None:
        """Note the cell that somebody is in; returns what to tell everybody."""
        place = self._places.get(connection)
        if place is None:
            return None
        place.cell_id = cell_id
        place.at = datetime.now(timezone.utc)
        return self._data(place)

    def leave(self, connection: Connection) -> UUID | None:
        """Note that a connection has gone; returns the user's id if it was their last."""
        place = self._places.pop(connection, None)
        if place is None:
            return None
        user_id = place.person.id
        still_here = any(other.person.id == user_id for other in self._places.values())
        return None if still_here else user_id

    def again(self, connection: Connection) -> UpdateUserFileSubscriptionEventData | None:
        """Return what to tell everybody of a connection about whom something has changed."""
        place = self._places.get(connection)
        return None if place is None else self._data(place)

    def others(
        self, people: Iterable[Somebody]
    ) -> tuple[list[UpdateUserFileSubscriptionEventData], list[UUID]]:
        """Note who is here without a connection; returns what to tell, and who is gone."""
        before, connected = self._others, {place.person.id for place in self._places.values()}
        self._others = {one.user_id: one for one in people if one.user_id not in connected}
        changed = [one for key, one in self._others.items() if before.get(key) != one]
        gone = [key for key in before if key not in self._others and key not in connected]
        return [self._of(one) for one in changed], gone

    def in_pages(self) -> list[Somebody]:
        """Return who is here without a connection."""
        return list(self._others.values())

    def by_user(self) -> dict[UUID, Here]:
        """Return who is here, by user id."""
        found: dict[UUID, Here] = {}
        for place in self._places.values():
            known = found.setdefault(place.person.id, Here(0, place.cell_id, place.at))
            known.connections += 1
            if place.at >= known.at:
                known.cell_id, known.at = place.cell_id, place.at
        return found

    def everybody(self) -> list[UpdateUserFileSubscriptionEventData]:
        """Return one entry per person, from the connection they used last."""
        return [*self.connected(), *(self._of(one) for one in self._others.values())]

    def connected(self) -> list[UpdateUserFileSubscriptionEventData]:
        """Return the same without those who are here without a connection."""
        latest: dict[UUID, _Place] = {}
        for place in self._places.values():
            known = latest.get(place.person.id)
            if known is None or known.at <= place.at:
                latest[place.person.id] = place
        return [self._data(place) for place in latest.values()]

    def _of(self, other: Somebody) -> UpdateUserFileSubscriptionEventData:
        return UpdateUserFileSubscriptionEventData(
            user_id=other.user_id,
            file_id=self._file_id,
            subscribed=True,
            last_event_at=other.at,
            cell_id_selected=other.cell_id if could_be_cell(other.cell_id) else None,
            user_name=other.name,
            role=Role.OWNER.value,  # a page may do everything
        )

    def _data(self, place: _Place) -> UpdateUserFileSubscriptionEventData:
        role = place.person.role_in(self._file_id)
        return UpdateUserFileSubscriptionEventData(
            user_id=place.person.id,
            file_id=self._file_id,
            subscribed=True,
            last_event_at=place.at,
            cell_id_selected=place.cell_id,
            user_name=place.person.user.display_name,
            role=None if role is None else role.value,
        )
