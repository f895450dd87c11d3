"""Kernels of notebooks whose file is gone: ended once nobody is there who could save it again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from ..process.seldom import Seldom

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["GRACE", "Orphans"]

logger = logging.getLogger(__name__)

GRACE = 60.0  # seconds


class Orphans:
    """Ends kernels that nobody can reach any more.

    A notebook whose file was deleted by another program lives on for whoever has it open, and
    saving writes it again. Once nobody follows it, in RTU or in a page of Jupyter's, its kernel
    would run on unseen.

    Parameters
    ----------
    connections
        Returns how many connections Jupyter counts to a kernel.
    clock
        Returns the time, in seconds.
    """

    def __init__(
        self, connections: Callable[[str], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.grace = GRACE
        self._connections = connections
        self._clock = clock
        self._since: dict[UUID, float] = {}
        self._seldom = Seldom(clock)

    async def look(self, rooms: Iterable[Room]) -> None:
        """End the kernels of those that have been alone for the grace time."""
        now = self._clock()
        alone = {room.file_id: room for room in rooms if self._is_alone(room)}
        self._since = {file_id: self._since.get(file_id, now) for file_id in alone}
        for file_id, room in alone.items():
            if now - self._since[file_id] < self.grace:
                continue
            logger.warning(
                "%s was deleted on disk and nobody is connected: its kernel is ended", room.path
            )
            try:
                await room.kernel.shutdown()
            except Exception as exc:
                if self._seldom.due(room.path, exc):
                    logger.exception("the kernel of %s cannot be ended", room.path)

    def _is_alone(self, room: Room) -> bool:
        status = room.kernel.status
        if status is None or room.disk.state.content != "missing" or room.executor.busy:
            return False
        if room.kernel_receivers():
            return False
        return status.kernel_id is None or not self._connections(status.kernel_id)
