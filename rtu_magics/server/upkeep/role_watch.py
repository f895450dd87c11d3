"""Seeing to it that what somebody may do ends, or changes, while they are connected."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from uuid import UUID

from ..access.people import People, Person
from ..access.roles import Role, granted
from ..process.periodic import Periodic
from ..room import Room
from ..wire.connection import Connection
from ..wire.frames import message

__all__ = ["RoleWatch"]

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0


class RoleWatch:
    """Compares what everybody was told they are with what they are now.

    It looks whenever something was shared, changed or revoked, and every second for what expires.
    A hub is asked about its users now and then.

    Parameters
    ----------
    people
        Who there is.
    rooms
        The notebooks that are open, by file id.
    """

    def __init__(self, people: People, rooms: Mapping[UUID, Room]) -> None:
        self._people = people
        self._rooms = rooms
        self._hub_asked_at = 0.0
        self._watching = Periodic(self._watch, _LOOK_EVERY, name="rtu-roles", tell=_log)

    def start(self) -> None:
        """Begin."""
        self._people.on_change = self.look
        self._hub_asked_at = time.monotonic()
        self._watching.start()

    async def close(self) -> None:
        """End."""
        self._people.on_change = lambda: None
        await self._watching.close()

    def look(self) -> None:
        """Tell everybody whose role has changed, and let nobody follow who may not any more."""
        for room in list(self._rooms.values()):
            for connection in {**room.subscribers, **room.kernel_subscribers}:
                person = connection.person
                if person is None or person.is_owner:
                    continue
                role = person.role_in(room.file_id)
                if role is not connection.roles.get(room.file_id):
                    self._tell(room, connection, person, role)

    def _tell(self, room: Room, connection: Connection, person: Person, role: Role | None) -> None:
        connection.roles[room.file_id] = role
        if role is not None:
            text = granted(role)
        elif person.expires_at is not None and person.ended:
            text = "your invitation has expired; ask an owner for a new one"
        else:
            text = "you may not follow this notebook any more; ask an owner to invite you again"
        data = {"role": None if role is None else role.value, "message": text}
        connection.send(message(room.channel, "role_changed_event", data))
        if role is None:
            room.leave(connection)
        else:
            room.tell_presence(connection)

    async def _watch(self) -> None:
        hub = self._people.hub
        if hub is not None and time.monotonic() - self._hub_asked_at >= hub.ask_every:
            await self._ask_hub()
            self._hub_asked_at = time.monotonic()
        self.look()

    async def _ask_hub(self) -> None:
        here = {
            connection.person
            for room in list(self._rooms.values())
            for connection in {**room.subscribers, **room.kernel_subscribers}
            if connection.person is not None
        }
        for person in here:
            await self._people.ask_again(person)


def _log(exc: Exception) -> None:
    logger.error("cannot look after roles", exc_info=exc)
