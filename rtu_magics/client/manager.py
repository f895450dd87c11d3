"""`RTUManager`: one websocket, kept up for as long as the client lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from functools import partial

from ..errors import ClientClosed, ConnectFailed, ConnectionLost, TransportError
from ..protocol import Backoff
from ..transport import Connect, Connection, QuickConnection
from .callbacks import in_worker
from .receiver import HandlingManager
from .sender import Hook
from .slot import Slot, follow_future

__all__ = ["RTUManager"]

logger = logging.getLogger(__name__)

_DRAIN_TIMEOUT = 5.0  # seconds that an orderly shutdown waits for the queues
_SETTLE_TIMEOUT = 1.0  # seconds that a lost connection waits for what it had brought


class RTUManager(HandlingManager):
    """The websocket side of a client: connects, reconnects, queues in both directions.

    Parameters
    ----------
    ws_url
        The ``ws:`` or ``wss:`` URL of the RTU endpoint.
    connect
        Opens a connection; a websocket by default.
    backoff
        When to try again.

    Attributes
    ----------
    init_hook, connect_hook, auth_hook, disconnect_hook
        Coroutine functions, called with the manager: when it starts, when a connection is open,
        after that (it sends the authenticate request), and when a connection is lost, before the
        next attempt. Without an `auth_hook` a connection counts as authenticated once open.
    context_hook
        Coroutine function without arguments, called before each message a worker handles.
    receive_hook
        Coroutine function that handles a message before the registered callbacks hear of it.
    direct_hook
        Function that says whether `receive_hook` handles a message without waiting for anything.
        Then it is handled as it arrives, which saves two turns of the loop.
    failure_hook
        Function called with the `TransportError` of an attempt that made no connection.
    unsent_hook
        Function called with a message that could not be serialised, and the exception.
    reconnections
        How many connections were made after the first.
    retry_at
        When the next attempt follows, in seconds since the epoch; None unless one is waited for.
    """

    def __init__(
        self, ws_url: str, *, connect: Connect | None = None, backoff: Backoff | None = None
    ) -> None:
        super().__init__()
        self.ws_url = ws_url
        self.backoff = backoff or Backoff()
        self.init_hook: Hook | None = None
        self.connect_hook: Hook | None = None
        self.auth_hook: Hook | None = None
        self.disconnect_hook: Hook | None = None
        self.failure_hook: Callable[[TransportError], None] | None = None
        self.reconnections = 0
        self.retry_at: float | None = None
        self._connect = connect
        self._connections = 0
        self._down = asyncio.Event()

    # What callers use

    @property
    def unauth_ws(self) -> asyncio.Future[Connection]:
        """The present connection, once it is open."""
        return follow_future(self.slot.unauth)

    @property
    def authed_ws(self) -> asyncio.Future[Connection]:
        """The present connection, once it is authenticated: requests go out from then on."""
        return follow_future(self.slot.authed)

    @property
    def is_running(self) -> bool:
        """Whether the workers run."""
        return bool(self._tasks) and not self._closing

    async def initialize(
        self,
        queue_size: int = 0,
        inbound_workers: int = 1,
        outbound_workers: int = 1,
        poll_workers: int = 1,
    ) -> None:
        """Start the workers and return; the connection follows on its own.

        Parameters
        ----------
        queue_size
            How many messages each queue holds; 0 for any number.
        inbound_workers, outbound_workers
            How many tasks handle what arrives and what goes out.
        poll_workers
            Accepted for compatibility: one task reads, since one connection has one reader.

        Raises
        ------
        ClientClosed
            It was shut down; make a new one.
        """
        del poll_workers
        if self._closing:
            raise ClientClosed("this client was shut down: make a new one")
        if self._tasks:
            return
        if queue_size:
            self._inbound = asyncio.Queue(queue_size)
            self._outbound = asyncio.Queue(queue_size)
        if self.init_hook is not None:
            await self.init_hook(self)
        for _ in range(max(1, outbound_workers)):
            self._spawn(self._send_forever())
        for _ in range(max(1, inbound_workers)):
            self.add_inbound_worker()
        self._spawn(self._stay_connected())

    async def shutdown(self, now: bool = False) -> None:
        """End every task and the connection; a second call waits for the first.

        Parameters
        ----------
        now
            Don't wait for what is queued.
        """
        if self._closing:
            await self._down.wait()
            return
        self._closing = True
        slot = self.slot
        if not now and slot.is_authenticated and not slot.ended.is_set():
            for queue in (self._outbound, self._inbound):
                try:
                    await asyncio.wait_for(queue.join(), _DRAIN_TIMEOUT)
                except asyncio.TimeoutError:
                    logger.warning("shutting down with %d messages unsent or unread", queue.qsize())
        # A worker or callback may be what calls this: it must not cancel or await itself.
        self._stopped = True
        me = asyncio.current_task()
        mine = [task for task in self._tasks if task is not me]
        mine += [t for lane in self.callbacks.lanes() if (t := lane.cancel()) is not None]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        if (connection := self.slot.connection) is not None:
            await self._close(connection)
        self.slot.end(ClientClosed("the client was shut down"))
        self._down.set()

    async def drop_connection(self) -> None:
        """Close the present connection, as if it had been lost: the next is made after a delay."""
        if (connection := self.slot.connection) is not None:
            await self._close(connection)

    # The connection

    async def _open(self) -> Connection:
        if self._connect is None:
            from ..transport import websocket  # the websockets library loads with first use

            self._connect = websocket.connect
        try:
            return await self._connect(self.ws_url)
        except (TransportError, asyncio.CancelledError):
            raise
        except Exception as exc:
            raise ConnectFailed(f"no connection to {self.ws_url}: {exc!r}") from exc

    async def _stay_connected(self) -> None:
        in_worker.set(True)
        loop = asyncio.get_running_loop()
        while not self._stopped:
            slot = self.slot
            try:
                connection = await self._open()
            except TransportError as exc:
                await self.on_exception(exc)
                if self.failure_hook is not None:
                    self.failure_hook(exc)
                await self._pause(self.backoff.failed(random.random()))
                continue
            slot.opened_at = loop.time()
            authenticated = await self._serve(slot, connection)
            await self._pause(
                self.backoff.lost(
                    authenticated=authenticated,
                    lasted=loop.time() - slot.opened_at,
                    chance=random.random(),
                )
            )

    async def _pause(self, seconds: float) -> None:
        self.retry_at = time.time() + seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self.retry_at = None

    async def _serve(self, slot: Slot, connection: Connection) -> bool:
        """Read from one connection until it ends; return whether it was authenticated."""
        slot.unauth.set_result(connection)
        if isinstance(connection, QuickConnection):
            slot.quick = connection
            connection.deliver_to(partial(self._take, slot))
        self._connections += 1
        self.reconnections = self._connections - 1
        reason: Exception
        try:
            if self.connect_hook is not None:
                await self.connect_hook(self)
            if self.auth_hook is not None:
                await self.auth_hook(self)
            elif not slot.authed.done():
                slot.authed.set_result(connection)
            put, recv = self._inbound.put, connection.recv
            while True:
                await put((slot, self.inbound_message_hook(await recv())))
        except ConnectionLost as exc:
            reason = exc
        except Exception as exc:  # a hook of the application failed: this connection is no use
            await self.on_exception(exc)
            reason = ConnectionLost(f"a hook failed on the connection: {exc}")
        await self._close(connection)
        # What it brought before it ended still counts: an error message, for one.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._inbound.join(), _SETTLE_TIMEOUT)
        authenticated = slot.is_authenticated
        if not self._closing:
            self._current = Slot()
        slot.end(reason)
        # Nothing is awaited between the change of slots and this hook, so nobody sees one half.
        if self.disconnect_hook is not None:
            try:
                await self.disconnect_hook(self)
            except Exception as exc:
                await self.on_exception(exc)
        await self.on_exception(reason)
        return authenticated

    @staticmethod
    async def _close(connection: Connection) -> None:
        try:
            await connection.close()
        except Exception as exc:
            logger.debug("closing a connection raised %r", exc)
