"""`RTUManager`: one websocket, kept up for as long as the client lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..errors import ClientClosed, ConnectFailed, ConnectionLost, TransportError
from ..models import BaseRTURequest, BaseRTUResponse
from ..protocol import Backoff
from ..transport import Connect, Connection, QuickConnection
from .callbacks import MessageCallbacks, in_worker
from .messagelog import MessageLog
from .receiver import Inbox, parsed
from .sender import Hook, Outbox
from .slot import Line, Slot, follow_future

__all__ = ["RTUManager"]

logger = logging.getLogger(__name__)

_DRAIN_TIMEOUT = 5.0  # seconds that an orderly shutdown waits for the queues
_SETTLE_TIMEOUT = 1.0  # seconds that a lost connection waits for what it had brought


class RTUManager:
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
    callbacks
        The registered callbacks, by message class and transaction.
    outbox, inbox
        The two halves: what is to be sent, and what is to be handled.
    reconnections
        How many connections were made after the first.
    retry_at
        When the next attempt follows, in seconds since the epoch; None unless one is waited for.
    """

    def __init__(
        self, ws_url: str, *, connect: Connect | None = None, backoff: Backoff | None = None
    ) -> None:
        self.ws_url = ws_url
        self.backoff = backoff or Backoff()
        self.init_hook: Hook | None = None
        self.connect_hook: Hook | None = None
        self.auth_hook: Hook | None = None
        self.disconnect_hook: Hook | None = None
        self.context_hook: Hook | None = None
        self.receive_hook: Callable[[BaseRTUResponse], Awaitable[None]] | None = None
        self.direct_hook: Callable[[BaseRTUResponse], bool] | None = None
        self.failure_hook: Callable[[TransportError], None] | None = None
        self.unsent_hook: Callable[[BaseRTURequest, Exception], None] | None = None
        self.callbacks = MessageCallbacks()
        self.reconnections = 0
        self.retry_at: float | None = None
        self._connect = connect
        self._connections = 0
        self._down = asyncio.Event()
        self._log = MessageLog(logger)
        self._line = Line()
        self.outbox = Outbox(self, self._line, self._log)
        self.inbox = Inbox(self, self._line, self._log)

    # What callers use

    @property
    def slot(self) -> Slot:
        """The present connection, or the attempt to make one."""
        return self._line.slot

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
        return bool(self._line.tasks) and not self._line.closing

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
        if self._line.closing:
            raise ClientClosed("this client was shut down: make a new one")
        if self._line.tasks:
            return
        if queue_size:
            self.inbox.queue = asyncio.Queue(queue_size)
            self.outbox.queue = asyncio.Queue(queue_size)
        if self.init_hook is not None:
            await self.init_hook(self)
        for _ in range(max(1, outbound_workers)):
            self._line.spawn(self.outbox.work())
        for _ in range(max(1, inbound_workers)):
            self.inbox.add_worker()
        self._line.spawn(self._stay_connected())

    async def shutdown(self, now: bool = False) -> None:
        """End every task and the connection; a second call waits for the first.

        Parameters
        ----------
        now
            Don't wait for what is queued.
        """
        if self._line.closing:
            await self._down.wait()
            return
        self._line.closing = True
        slot = self.slot
        if not now and slot.is_authenticated and not slot.ended.is_set():
            for queue in (self.outbox.queue, self.inbox.queue):
                try:
                    await asyncio.wait_for(queue.join(), _DRAIN_TIMEOUT)
                except asyncio.TimeoutError:
                    logger.warning("shutting down with %d messages unsent or unread", queue.qsize())
        # A worker or callback may be what calls this: it must not cancel or await itself.
        self._line.stopped = True
        me = asyncio.current_task()
        mine = [task for task in self._line.tasks if task is not me]
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

    # Messages

    def register_callback(
        self,
        fn: Callable[[Any], Any],
        on_predicate: Callable[[str, Any], bool] | None = None,
    ) -> Callable[[], None]:
        """Call `fn` with every message for which ``on_predicate(topic, message)`` is true.

        The topic is always ``""``. Returns a function that deregisters. A predicate is asked about
        every message: prefer the client's registrations by event class or transaction id.
        """
        return self.callbacks.on_predicate(on_predicate or (lambda topic, message: True), fn)

    def send(self, message: BaseRTURequest, *, only_on: Slot | None = None) -> None:
        """Queue a message; it goes out once a connection is authenticated.

        Parameters
        ----------
        message
            The request.
        only_on
            Drop the message when this connection is no longer the present one.

        Raises
        ------
        ClientClosed
            The manager was shut down.
        """
        self.outbox.send(message, only_on=only_on)

    async def flush(self) -> None:
        """Send what is queued from the caller's own task, if nothing stands in the way."""
        await self.outbox.flush()

    async def send_now(self, message: BaseRTURequest) -> None:
        """Send a message over the open connection, before everything queued, authenticated or not.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        await self.outbox.send_now(message)

    def step_aside(self) -> None:
        """Let somebody else read on, if the caller is the task that handles what arrives."""
        self.inbox.step_aside()

    def outbound_message_hook(self, contents: BaseRTURequest) -> str:
        """Serialise one message."""
        return contents.model_dump_json()

    def inbound_message_hook(self, contents: str | bytes) -> BaseRTUResponse:
        """Parse one message; never raises.

        A known event whose data do not fit, and a message that is no RTU at all, become a plain
        `BaseRTUResponse` (event ``unreadable`` in the latter case) and one log line per event.
        """
        return parsed(contents, self._log)

    async def on_exception(self, exc: BaseException) -> None:
        """Hear of what went wrong in a worker or with the connection; logs it."""
        if isinstance(exc, TransportError):
            logger.info("%s: %s", type(exc).__name__, exc)
        else:
            logger.error("an RTU worker caught %r", exc, exc_info=exc)

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
        while not self._line.stopped:
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
            connection.deliver_to(partial(self.inbox.take, slot))
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
            put, recv = self.inbox.queue.put, connection.recv
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
            await asyncio.wait_for(self.inbox.queue.join(), _SETTLE_TIMEOUT)
        authenticated = slot.is_authenticated
        if not self._line.closing:
            self._line.current = Slot()
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
