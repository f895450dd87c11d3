"""The connection of a client: who it is, whether it is ready, what it hears and says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from ..errors import (
    AuthenticationFailed,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    RTUError,
    SubscribeTimeout,
    TransportError,
)
from ..models import (
    AuthenticateReply,
    AuthenticateRequest,
    AuthenticateRequestData,
    BaseRTURequest,
    BaseRTUResponse,
    kernel_channel,
)
from ..protocol import Backoff
from ..transport import Connect
from .callbacks import Lane, in_worker
from .hooks import does_nothing
from .manager import RTUManager
from .notices import TellingClient
from .own_kernel import own_kernel_id

__all__ = ["ConnectOptions", "ConnectedClient", "one_line"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=BaseRTUResponse)

_CALLBACK_GRACE = 5.0  # seconds that an orderly shutdown waits for callbacks


def one_line(exc: BaseException) -> str:
    """Return an exception's text on one line, cut to what a person reads."""
    return " ".join(str(exc).split())[:200] or type(exc).__name__


@dataclass(frozen=True)
class ConnectOptions:
    """How a client connects; `RTUClient` describes the parameters."""

    rtu_client_type: str = "rtu_magics"
    file_subscribe_timeout: float = 10
    connect: Connect | None = None
    backoff: Backoff | None = None


class ConnectedClient(TellingClient):
    """Keeps one connection authenticated; part of `RTUClient`."""

    def __init__(self, rtu_url: str, jwt: str, file_id: UUID, options: ConnectOptions) -> None:
        super().__init__()
        self.jwt = jwt
        self.file_id = file_id
        self.rtu_client_type = options.rtu_client_type
        self.file_subscribe_timeout = options.file_subscribe_timeout
        self.user_id: UUID | None = None
        self.rtu_session_id: str | None = None
        self.user_name: str | None = None  # what somebody with an owner's token wants to be called
        self.file_channel = f"files/{file_id}"
        self._channels = {"system", self.file_channel, self.kernel_pod_name}
        self._was_live = False
        self._failure: RTUError | None = None
        self._closed = False
        self._told_why = False  # the present connection's failure has been told already
        self._auth_timer: asyncio.TimerHandle | None = None
        self._handlers: dict[type, Callable[[Any], Awaitable[None]]] = {
            AuthenticateReply: self._on_authenticate_reply,
        }
        self.manager = RTUManager(rtu_url, connect=options.connect, backoff=options.backoff)
        self.manager.connect_hook = self.connect_hook
        self.manager.auth_hook = self.auth_hook
        self.manager.disconnect_hook = self.disconnect_hook
        self.manager.context_hook = self.context_hook
        self.manager.receive_hook = self._receive
        self.manager.direct_hook = self._handles_directly
        self.manager.failure_hook = self._attempt_failed
        self.manager.unsent_hook = self._unsent

    # What it is

    @property
    def file_subcribe_timeout(self) -> float:
        """An alias of `file_subscribe_timeout`, misspelt like the name people know."""
        return self.file_subscribe_timeout

    @file_subcribe_timeout.setter
    def file_subcribe_timeout(self, seconds: float) -> None:
        self.file_subscribe_timeout = seconds

    @property
    def kernel_pod_name(self) -> str:
        """The kernels channel of this file."""
        return kernel_channel(self.file_id)

    @property
    def is_live(self) -> bool:
        """Whether the notebook is caught up and follows the server's."""
        raise NotImplementedError

    # Life

    async def initialize(
        self,
        queue_size: int = 0,
        inbound_workers: int = 1,
        outbound_workers: int = 1,
        poll_workers: int = 1,
    ) -> None:
        """Start the workers and return; connecting, authenticating, subscribing follow.

        Parameters
        ----------
        queue_size
            How many messages each queue holds; 0 for any number.
        inbound_workers, outbound_workers, poll_workers
            How many tasks handle, send and read messages.
        """
        await self.manager.initialize(
            queue_size=queue_size,
            inbound_workers=inbound_workers,
            outbound_workers=outbound_workers,
            poll_workers=poll_workers,
        )

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Return once the notebook is caught up.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes.

        Raises
        ------
        AuthenticationFailed, PermissionDenied, InconsistentState
            The server says no, or this copy cannot follow it.
        ConnectFailed, ConnectionLost, SubscribeTimeout
            The first connection failed. The client goes on trying until it is shut down.
        ClientClosed
            It was shut down.
        """
        if self.is_live:
            return
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ClientClosed("this client was shut down: connect again")
        self.manager.step_aside()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready_waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout)
        except asyncio.TimeoutError:
            raise SubscribeTimeout(
                f"the notebook was not ready within {timeout:g} s: is the server busy? Try again"
            ) from None
        finally:
            self._ready_waiters.discard(waiter)

    async def shutdown(self, now: bool = False) -> None:
        """End every task; everything that still waits ends with `ClientClosed`.

        Parameters
        ----------
        now
            Don't wait until the queues are drained and the callbacks have run.
        """
        if not now and not self._closed:
            me = asyncio.current_task()
            busy = [t for lane in self._lanes() if (t := lane.task) is not None and t is not me]
            if busy and not in_worker.get():
                await asyncio.wait(busy, timeout=_CALLBACK_GRACE)
        await self.manager.shutdown(now=now)
        await self._end(ClientClosed("the connection to this notebook was closed: connect again"))

    async def _end(self, exc: RTUError) -> None:
        already = self._closed
        self._closed = True
        self._settle_everything(exc)
        me = asyncio.current_task()
        tasks = [t for lane in self._lanes() if (t := lane.cancel()) is not None]
        for task in self._side_tasks:
            if task is not me:
                task.cancel()
                tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        if not already:
            self._set_state("closed", str(exc))

    def _lanes(self) -> list[Lane[Any]]:
        """Return whatever runs callbacks; subclasses add theirs."""
        return list(self.manager.callbacks.lanes())

    def _settle_everything(self, exc: RTUError) -> None:
        """End whatever waits; subclasses add what they keep."""
        self._stop_auth_timer()
        self._wake_ready(exc)

    def _fail(self, exc: RTUError) -> None:
        """Give up for good: trying again would not help."""
        if self._failure is None and not self._closed:
            self._failure = exc
            logger.error("the connection to notebook %s ends: %s", self.file_id, exc)
            self._aside(self._give_up(exc))

    async def _give_up(self, exc: RTUError) -> None:
        self._settle_everything(exc)
        await self.manager.shutdown(now=True)
        await self._end(exc)

    # Messages

    def send(self, msg: BaseRTURequest) -> None:
        """Queue a request; it goes out once the connection is authenticated.

        Raises
        ------
        RTUError
            The client was shut down, or has given up for the reason given.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ClientClosed("this client was shut down: connect again")
        self.manager.send(msg)

    def register_rtu_event_callback(
        self, rtu_event: type[R], fn: Callable[[R], Any]
    ) -> Callable[[], None]:
        """Await ``fn(msg)`` for every message that is an instance of `rtu_event`.

        Calls of one registration run one after the other; what they raise is logged. A plain
        function is called at once and must not block. Returns a function that deregisters.
        """
        return self.manager.callbacks.on_class(rtu_event, fn)

    def register_transaction_id_callback(
        self, transaction_id: UUID, fn: Callable[[Any], Any]
    ) -> Callable[[], None]:
        """Await ``fn(msg)`` for every message of one transaction; returns what deregisters it."""
        return self.manager.callbacks.on_transaction(transaction_id, fn)

    async def _receive(self, msg: BaseRTUResponse) -> None:
        handler = self._handlers.get(type(msg))
        if handler is not None and msg.channel in self._channels:
            await handler(msg)

    def _handles_directly(self, msg: BaseRTUResponse) -> bool:
        """Return whether nothing that `_receive` does with a message waits (subclasses)."""
        return False

    def _unsent(self, msg: BaseRTURequest, exc: Exception) -> None:
        logger.error("a %s could not be sent: %s", msg.event, one_line(exc))

    # Hooks

    @does_nothing
    async def context_hook(self) -> None:
        """Run at every iteration of a worker, to bind context variables."""

    async def connect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run when a connection is open; sets `rtu_session_id`."""
        self._told_why = False
        connection = self.manager.slot.connection
        self.rtu_session_id = connection.headers.get("rtu_session_id") if connection else None

    async def auth_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run after `connect_hook`; sends the authenticate request over the new connection."""
        data = AuthenticateRequestData(
            token=self.jwt,
            rtu_client_type=self.rtu_client_type,
            user_name=self.user_name,
            partial_states=True,
            kernel_id=own_kernel_id(),
        )
        self._stop_auth_timer()
        self._auth_timer = asyncio.get_running_loop().call_later(
            self.file_subscribe_timeout, self._auth_timed_out
        )
        await self.manager.send_now(AuthenticateRequest(data=data))

    async def disconnect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run on the loss of a connection, before the next attempt; clears `rtu_session_id`."""
        self.rtu_session_id = None
        self._stop_auth_timer()
        if self._failure is not None or self._closed:
            return
        if self._was_live:
            self._set_state("reconnecting", "the connection was lost")
        elif not self._told_why:
            self._not_ready(
                ConnectionLost(
                    "the server closed the connection before the notebook was there: try again"
                )
            )

    async def on_auth(self, msg: AuthenticateReply) -> None:
        """For the application: the server's answer, good or bad, before the subscribe request."""

    # Connecting

    def _attempt_failed(self, exc: TransportError) -> None:
        if self._was_live:
            self._set_state("reconnecting", str(exc))
        else:
            self._set_state("connecting", str(exc))
            self._not_ready(exc)

    def _not_ready(self, exc: Exception) -> None:
        """Tell whoever waits for the first success; the next attempt follows all the same."""
        self._told_why = True
        if not self._was_live:
            self._wake_ready(exc)

    def _stop_auth_timer(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None

    def _auth_timed_out(self) -> None:
        self._not_ready(
            ConnectFailed(
                "the server did not answer the authentication within "
                f"{self.file_subscribe_timeout:g} s: is it an RTU server?"
            )
        )
        self._aside(self.manager.drop_connection())

    async def _on_authenticate_reply(self, msg: AuthenticateReply) -> None:
        slot = self.manager.slot
        if slot.is_authenticated or slot.connection is None:
            return
        self._stop_auth_timer()
        if msg.data.success and msg.data.user is not None:
            self.user_id = msg.data.user.id
        await self._guard(self.on_auth(msg))
        if not msg.data.success:
            reason = msg.data.message or "the server does not accept the token"
            self._fail(AuthenticationFailed(f"{reason}: check the token, or get a new one"))
            return
        try:
            await self._authenticated()
        except ConnectionLost:
            return
        # The gate opens after the subscribe request, so nothing queued overtakes it.
        if not slot.authed.done():
            slot.authed.set_result(slot.connection)

    async def _authenticated(self) -> None:
        """Send what comes before everything queued (subclasses)."""
