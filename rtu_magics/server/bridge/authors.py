"""Who in the page made a change: the author in our history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ..file.author import NOBODY, page_user
from ..store import Database
from .numbers import decoded as _number

__all__ = ["Authors", "client_of"]

_NOBODY = {"username": NOBODY[0], "display_name": NOBODY[1]}


def client_of(update: bytes) -> int | None:
    """Return the id of the client that made an update, None if it only takes away.

    An update begins with the number of clients whose changes it holds, then of each the number of
    changes and the client (Yjs, update format 1; numbers in 7 bits a byte, the lowest first).

    Examples
    --------
    >>> client_of(bytes([1, 2, 0xAC, 0x02, 0]))
    300
    >>> client_of(bytes([0, 1, 5])) is None
    True
    """
    try:
        clients, at = _number(update, 0)
        if not clients:
            return None
        _, at = _number(update, at)
        return _number(update, at)[0]
    except IndexError:
        return None


class Authors:
    """Finds the people of a live document, whom the store knows from then on.

    Parameters
    ----------
    database
        The store.
    states
        Returns what the document's clients say of themselves, by client.
    """

    def __init__(self, database: Database, states: Any) -> None:
        self._database = database
        self._states = states
        self._latest: UUID | None = None
        self._known: dict[tuple[str, str], tuple[UUID, str]] = {}

    def of(self, client: int | None) -> UUID:
        """Return the author of what a client did; of what cannot be told, whoever was last."""
        user = self._user(client)
        if user is None:
            users = [self._user(one) for one in list(self._states())]
            # Those of ours are there under clients that write nothing.
            alone = [found for found in users if found is not None and not found.get("rtu")]
            if self._latest is not None and len(alone) != 1:
                return self._latest
            user = alone[0] if len(alone) == 1 else _NOBODY
        self._latest = self._store(user)[0]
        return self._latest

    def person(self, client: int) -> tuple[UUID, str] | None:
        """Return the id and the name of who is there as a client; None if it does not say."""
        user = self._user(client)
        return None if user is None else self._store(user)

    def _user(self, client: int | None) -> Mapping[str, Any] | None:
        state = None if client is None else self._states().get(client)
        user = state.get("user") if isinstance(state, Mapping) else None
        if not isinstance(user, Mapping) or not isinstance(user.get("username"), str):
            return None
        return user

    def _store(self, user: Mapping[str, Any]) -> tuple[UUID, str]:
        handle = str(user["username"])
        key = handle, str(user.get("display_name") or user.get("name") or handle)
        if key not in self._known:
            self._known[key] = page_user(self._database, *key)
        return self._known[key]
