"""The end of a client: orderly, at once, or because trying again would not help."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from ..errors import ClientClosed, RTUError
from .callbacks import Lane, in_worker
from .follower import Follower
from .login import Login
from .manager import RTUManager
from .notices import ConnectionState
from .tasks import SideTasks

__all__ = ["Lifetime"]

logger = logging.getLogger(__name__)

_CALLBACK_GRACE = 5.0  # seconds that an orderly shutdown waits for callbacks


class Lifetime:
    """Ends everything that a client consists of, once."""

    def __init__(
        self,
        manager: RTUManager,
        follower: Follower,
        login: Login,
        connection: ConnectionState,
        tasks: SideTasks,
    ) -> None:
        self._manager = manager
        self._follower = follower
        self._login = login
        self._connection = connection
        self._tasks = tasks
        self._closed = False

    async def shutdown(self, *, now: bool) -> None:
        """End every task; everything that still waits ends with `ClientClosed`."""
        if not now and not self._closed:
            me = asyncio.current_task()
            busy = [t for lane in self._lanes() if (t := lane.task) is not None and t is not me]
            if busy and not in_worker.get():
                await asyncio.wait(busy, timeout=_CALLBACK_GRACE)
        self._follower.replica.running = False
        await self._manager.shutdown(now=now)
        await self._end(ClientClosed("the connection to this notebook was closed: connect again"))

    def give_up(self, error: RTUError) -> None:
        """End for good."""
        if not self._closed:
            logger.error(
                "the connection to notebook %s ends: %s", self._follower.replica.file_id, error
            )
            self._tasks.start(self._give_up(error))

    async def _give_up(self, error: RTUError) -> None:
        self._settle(error)
        await self._manager.shutdown(now=True)
        await self._end(error)

    async def _end(self, error: RTUError) -> None:
        already, self._closed = self._closed, True
        self._settle(error)
        ended: list[asyncio.Task[Any]] = [
            task for lane in self._lanes() if (task := lane.cancel()) is not None
        ]
        ended += self._tasks.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        if not already:
            self._connection.say("closed", str(error))

    def _settle(self, error: RTUError) -> None:
        self._login.stop()
        self._follower.close(error)

    def _lanes(self) -> Iterator[Lane[Any]]:
        yield from self._manager.callbacks.lanes()
        yield from self._follower.lanes()
