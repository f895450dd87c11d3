"""People who are here over RTU, as Jupyter counts activity.

Jupyter ends kernels that nobody is connected to, and servers that nobody has used (its culler,
``shutdown_no_activity_timeout``, a hub's idle culler); it knows of its own websockets only. Whoever
follows a notebook counts as a connection to its kernel and as activity of the server, as an open
page does; a run keeps its kernel, however silent; and edits and runs are activity of the server.

A program that follows from within a kernel of this very server counts for as long as somebody uses
that kernel: a notebook that was left connected must not keep its own server for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jupyter_server._tz import utcnow

if TYPE_CHECKING:
    from ..room import Room
    from ..wire.connection import Connection

__all__ = ["Activity"]

_OURS = "rtu_magics"


class Activity:
    """Tells Jupyter what it cannot see.

    Parameters
    ----------
    kernels
        Jupyter's kernel manager, of any implementation.
    times
        Its web application's ``last_activity_times``.
    clock
        Returns the time, in UTC.
    """

    def __init__(
        self, kernels: Any, times: dict[str, datetime], clock: Callable[[], datetime] = utcnow
    ) -> None:
        self._kernels = kernels
        self._times = times
        self._clock = clock
        self._told: Counter[str] = Counter()  # kernel id → connections that Jupyter was told of
        self._heads: dict[UUID, Any] = {}

    def note(self, rooms: Iterable[Room]) -> None:
        """Tell what has changed since the last time."""
        rooms = list(rooms)
        here: Counter[str] = Counter()
        used = False
        for room in rooms:
            status = room.kernel.status
            if status is not None and status.kernel_id is not None:
                here[status.kernel_id] += len(room.kernel_receivers())
            used |= any(self._is_used(connection) for connection in room.kernel_receivers())
            if room.executor.busy:
                used = True
                manager = room.kernel.manager
                if hasattr(manager, "last_activity"):
                    manager.last_activity = self._clock()
            # Opened since, or edited.
            used |= self._heads.get(room.file_id) != room.chain.head
        self._heads = {room.file_id: room.chain.head for room in rooms}
        if used:
            self._times[_OURS] = self._clock()
        self._tell(here)

    def _is_used(self, connection: Connection) -> bool:
        """Return whether somebody is at the other end, as far as can be known."""
        kernel_id = connection.kernel_id
        if kernel_id is None or kernel_id not in self._kernels:
            return True
        counted = getattr(self._kernels, "_kernel_connections", None) or {}
        return bool(counted.get(kernel_id, 0) > self._told[kernel_id])

    def _tell(self, here: Counter[str]) -> None:
        connect = getattr(self._kernels, "notify_connect", None)
        disconnect = getattr(self._kernels, "notify_disconnect", None)
        if connect is None or disconnect is None:
            return
        for kernel_id in {*here, *self._told}:
            difference = here[kernel_id] - self._told[kernel_id]
            for _ in range(abs(difference)):
                (connect if difference > 0 else disconnect)(kernel_id)
        self._told = here
