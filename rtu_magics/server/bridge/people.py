"""The people who follow a notebook over RTU, as pages of its live document see people.

A page knows people by what they say of themselves every so often; who says nothing for 30 seconds
is gone. Each of ours speaks through the document's own server, as one client of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Container, Iterable
from typing import Any
from uuid import UUID

from ...models import UpdateUserFileSubscriptionEventData
from .numbers import encoded as _number

__all__ = ["People", "client_id_of"]

_LOOK_EVERY = 1.0  # seconds
_RENEW_AFTER = 10.0
_COLOURS = 12


def client_id_of(user_id: UUID) -> int:
    """Return the client as which somebody appears, the same at each time (32 bits, as in Yjs)."""
    return int.from_bytes(hashlib.blake2b(user_id.bytes, digest_size=4).digest(), "big") or 1


def encoded(clients: Iterable[tuple[int, int, Any]]) -> bytes:
    r"""Return an awareness update: client, clock and state of each, None for one that is gone.

    Examples
    --------
    >>> encoded([(5, 1, None)])
    b'\x01\x05\x01\x04null'
    """
    entries = list(clients)
    data = _number(len(entries))
    for client, clock, state in entries:
        text = json.dumps(state, separators=(",", ":")).encode()
        data += _number(client) + _number(clock) + _number(len(text)) + text
    return data


class People:
    """Shows who is here over RTU to the pages of a live document.

    Parameters
    ----------
    awareness
        The document's.
    everybody
        Returns who follows the notebook.
    writer
        The client that writes what they do, where that is no other's: a person who is here alone
        appears as that one, so that others know whose edits they are.
    """

    def __init__(
        self,
        awareness: Any,
        everybody: Callable[[], Iterable[UpdateUserFileSubscriptionEventData]],
        writer: int | None = None,
    ) -> None:
        self._awareness, self._everybody, self._writer = awareness, everybody, writer
        self._shown: dict[int, tuple[Any, float]] = {}  # what is said of each, and since when
        self._clocks: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Show them from now on."""
        self._look()

    def stop(self) -> None:
        """Take them away."""
        if self._timer is not None:
            self._timer.cancel()
        self._say(dict.fromkeys(self._shown))
        self._shown = {}

    @property
    def clients(self) -> Container[int]:
        """The clients as which they appear."""
        return self._shown.keys()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        now = self._loop.time()
        here = {client_id_of(one.user_id): _state(one) for one in self._everybody()}
        if self._writer is not None and len(here) == 1:
            here = {self._writer: next(iter(here.values()))}
        changes: dict[int, Any] = {client: None for client in self._shown if client not in here}
        for client, state in here.items():
            shown, since = self._shown.get(client, (None, 0.0))
            if shown != state or now - since >= _RENEW_AFTER:
                changes[client] = state
        if changes:
            self._say(changes)
            for client, state in changes.items():
                if state is None:
                    del self._shown[client]
                else:
                    self._shown[client] = (state, now)

    def _say(self, states: dict[int, Any]) -> None:
        entries = []
        for client, state in states.items():
            known = self._awareness.meta.get(client, {}).get("clock", 0)
            clock = self._clocks[client] = max(known, self._clocks.get(client, 0)) + 1
            entries.append((client, clock, state))
        if entries:
            # "local": what the room's server hands on to all pages.
            self._awareness.apply_awareness_update(encoded(entries), "local")


def _state(one: UpdateUserFileSubscriptionEventData) -> dict[str, Any]:
    name = one.user_name or "somebody"
    colour = client_id_of(one.user_id) % _COLOURS + 1
    user = {
        "username": str(one.user_id),
        "name": name,
        "display_name": name,
        "initials": "".join(word[0] for word in name.split()[:2]).upper(),
        "color": f"var(--jp-collaborator-color{colour})",
        "avatar_url": None,
        "rtu": True,
    }
    return {"user": user, "autosave": True, "activeCellId": one.cell_id_selected}
