"""`RTUManager`: one websocket, kept up for as long as the client lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..errors import ClientClosed, ConnectFailed, ConnectionLost, InvalidMessage, TransportError
from ..models import BaseRTURequest, BaseRTUResponse, parse_response
from ..models.rtu.parse import RESPONSE_CLASSES
from ..protocol import Backoff
from ..transport import Connect, Connection, QuickConnection
from .callbacks import MessageCallbacks, in_worker
from .messagelog import MessageLog
from .slot import Slot, follow_future

__all__ = ["RTUManager"]

logger = logging.getLogger(__name__)

_DRAIN_TIMEOUT = 5.0  # seconds that an orderly shutdown waits for the queues
_SETTLE_TIMEOUT = 1.0  # seconds that a lost connection waits for what it had brought

Hook = Callable[..., Awaitable[None]]


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
    reconnections
        How many connections were made after the first.
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
        self._connect = connect
        self._connections = 0
        self._current: Slot | None = None
        self._inbound: asyncio.Queue[tuple[Slot, BaseRTUResponse]] = asyncio.Queue()
        self._handling = 0  # messages in the hands of workers
        self._outbound: asyncio.Queue[tuple[BaseRTURequest, Slot | None]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbound_tasks: set[asyncio.Task[Any]] = set()
        self._sending = 0  # messages in the hands of workers
        self._closing = False
        self._stopped = False
        self._down = asyncio.Event()
        self._log = MessageLog(logger)

    # What callers use

    @property
    def slot(self) -> Slot:
        """The present connection, or the attempt to make one."""
        if self._current is None:
            self._current = Slot()
        return self._current

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
        if self._closing:
            raise ClientClosed("the connection was shut down: connect again")
        if not self._send_at_once(message, only_on):
            self._outbound.put_nowait((message, only_on))

    def _send_at_once(self, message: BaseRTURequest, only_on: Slot | None) -> bool:
        """Send a message without a worker, if nothing stands in the way; return whether."""
        slot = self._current
        if (
            self._sending
            or slot is None
            or slot.quick is None
            or not slot.authed.done()
            or (only_on is not None and only_on is not slot)
            or not self._outbound.empty()
            or not self._in_no_context()
        ):
            return False
        try:
            text = self.outbound_message_hook(message)
        except Exception:
            return False  # the worker meets it again, and knows what to do
        self._log.trace("sent", message)
        return slot.quick.send_now(text)

    def _in_no_context(self) -> bool:
        """Return whether the application's `context_hook` has nothing to do."""
        return self.context_hook is None or getattr(self.context_hook, "does_nothing", False)

    async def flush(self) -> None:
        """Send what is queued from the caller's own task, if nothing stands in the way.

        It saves whoever waits for an answer one turn of the loop. What cannot go out at once stays
        for the workers.
        """
        while not (self._sending or self._outbound.empty()) and self.slot.is_authenticated:
            await self._send_next()

    async def send_now(self, message: BaseRTURequest) -> None:
        """Send a message over the open connection, before everything queued, authenticated or not.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        connection = self.slot.connection
        if connection is None:
            raise ConnectionLost("not connected")
        self._log.trace("sent", message)
        await connection.send(self.outbound_message_hook(message))

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

    # What applications override

    def inbound_message_hook(self, contents: str | bytes) -> BaseRTUResponse:
        """Parse one message; never raises.

        A known event whose data do not fit, and a message that is no RTU at all, become a plain
        `BaseRTUResponse` (event ``unreadable`` in the latter case) and one log line per event.
        """
        try:
            message = parse_response(contents)
        except InvalidMessage as exc:
            self._log.complain("unreadable", f"a message that is not RTU was ignored: {exc}")
            return BaseRTUResponse(channel="system", event="unreadable")
        if type(message) is BaseRTUResponse:
            key = (message.channel_prefix, message.event)
            what = "do not fit it" if key in RESPONSE_CLASSES else "are of an unknown event"
            self._log.complain("/".join(key), f"the data of {message.event[:80]!r} {what}")
        return message

    def outbound_message_hook(self, contents: BaseRTURequest) -> str:
        """Serialise one message."""
        return contents.model_dump_json()

    async def on_exception(self, exc: BaseException) -> None:
        """Hear of what went wrong in a worker or with the connection; logs it."""
        if isinstance(exc, TransportError):
            logger.info("%s: %s", type(exc).__name__, exc)
        else:
            logger.error("an RTU worker caught %r", exc, exc_info=exc)

    # The connection

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
                await asyncio.sleep(self.backoff.failed(random.random()))
                continue
            slot.opened_at = loop.time()
            authenticated = await self._serve(slot, connection)
            await asyncio.sleep(
                self.backoff.lost(
                    authenticated=authenticated,
                    lasted=loop.time() - slot.opened_at,
                    chance=random.random(),
                )
            )

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

    # The workers

    def add_inbound_worker(self) -> None:
        """Start one more task that handles what arrives."""
        task = self._spawn(self._handle_forever())
        self._inbound_tasks.add(task)
        task.add_done_callback(self._inbound_tasks.discard)

    def step_aside(self) -> None:
        """Let somebody else read on, if the caller is the task that handles what arrives.

        A handler that waits for an answer would otherwise wait for itself.
        """
        task = asyncio.current_task()
        if task in self._inbound_tasks and not self._closing:
            self._inbound_tasks.discard(task)
            self.add_inbound_worker()

    async def _handle_forever(self) -> None:
        in_worker.set(True)
        me = asyncio.current_task()
        while not self._stopped and me in self._inbound_tasks:
            slot, message = await self._inbound.get()
            self._handling += 1
            try:
                # Messages of an old connection are dropped: catching up brings their content.
                if slot is self._current:
                    await self._handle(message)
            except Exception as exc:
                await self.on_exception(exc)
            finally:
                self._handling -= 1
                self._inbound.task_done()

    def _take(self, slot: Slot, contents: bytes) -> bool:
        """Take a message that has just arrived; return False to have it come through `recv`.

        What need not wait for anything is handled here and now.
        """
        if slot is not self._current or self._closing or self._inbound.full():
            return False
        message = self.inbound_message_hook(contents)
        if (
            self.direct_hook is None
            or self._handling
            or not self._inbound.empty()
            or not self._in_no_context()
            or not self.direct_hook(message)
        ):
            self._inbound.put_nowait((slot, message))
            return True
        in_worker.set(True)
        work = self._handle(message)
        try:
            work.send(None)
        except StopIteration:
            pass
        except Exception as exc:
            self._spawn(self.on_exception(exc))
        else:
            work.close()
            self._spawn(self.on_exception(RuntimeError(f"{message.event} was not handled at once")))
        return True

    async def _handle(self, message: BaseRTUResponse) -> None:
        if self.context_hook is not None:
            await self.context_hook()
        self._log.trace("received", message)
        if self.receive_hook is not None:
            try:
                await self.receive_hook(message)
            except Exception as exc:
                await self.on_exception(exc)
        self.callbacks.dispatch(message)

    async def _send_forever(self) -> None:
        in_worker.set(True)
        while True:
            await self._send_next()

    async def _send_next(self) -> None:
        message, only_on = await self._outbound.get()
        self._sending += 1
        try:
            if self.context_hook is not None:
                await self.context_hook()
            await self._send(message, only_on)
        except Exception as exc:
            await self.on_exception(exc)
        finally:
            self._sending -= 1
            self._outbound.task_done()

    async def _send(self, message: BaseRTURequest, only_on: Slot | None) -> None:
        text: str | None = None
        while only_on is None or only_on is self._current:
            slot = self.slot
            try:
                connection = await (
                    slot.authed if slot.authed.done() else asyncio.shield(slot.authed)
                )
                if text is None:
                    try:
                        text = self.outbound_message_hook(message)
                    except Exception as exc:
                        if self.unsent_hook is None:
                            raise
                        self.unsent_hook(message, exc)
                        return
                self._log.trace("sent", message)
                await connection.send(text)
                return
            except ConnectionLost:
                # It did not go out: the next connection takes it.
                await slot.ended.wait()
