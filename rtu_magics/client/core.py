"""What every RTU client does: authenticate, subscribe, follow the chain, come back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID

from ..document import NotebookBuilder
from ..errors import (
    AuthenticationFailed,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    InconsistentState,
    PermissionDenied,
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
    FileDeltaBase,
    FileSubscribeReply,
    FileSubscribeRequest,
    FileUnsubscribeRequest,
    InconsistentStateEvent,
    NewDeltaEvent,
    PermissionDeniedResponse,
    kernel_channel,
)
from ..protocol import Backoff, DeltaChain, InFlight, Subscription, SubscriptionState
from ..transport import Connect
from .callbacks import DeltaCallback, DeltaCallbacks, Lane, in_worker
from .deltas import DeltaRequestCallbackManager
from .manager import RTUManager

__all__ = ["FollowingClient", "ReloadHook"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=BaseRTUResponse)
D = TypeVar("D", bound=FileDeltaBase)

ReloadHook = Callable[[], Awaitable[tuple[UUID, NotebookBuilder]]]
"""Loads the notebook anew: its current version's id, and a builder that holds that version."""

_CALLBACK_GRACE = 5.0  # seconds that an orderly shutdown waits for callbacks
_RELOAD_PAUSE = 0.5  # seconds between attempts to load the notebook, doubled each time


class FollowingClient:
    """A copy of one notebook that follows the server's.

    `RTUClient` adds editing and execution; its documentation describes the parameters.
    """

    def __init__(  # noqa: PLR0917  the signature is given
        self,
        rtu_url: str,
        jwt: str,
        file_id: UUID,
        file_version_id: UUID,
        builder: NotebookBuilder,
        rtu_client_type: str = "rtu_magics",
        file_subscribe_timeout: float = 10,
        *,
        reload_hook: ReloadHook | None = None,
        connect: Connect | None = None,
        backoff: Backoff | None = None,
        gap_timeout: float = 5.0,
    ) -> None:
        if not isinstance(builder, NotebookBuilder):
            raise TypeError("builder has to be a NotebookBuilder that holds the version to follow")
        self.jwt = jwt
        self.file_id = file_id
        self.file_version_id = file_version_id
        self.builder = builder
        self.rtu_client_type = rtu_client_type
        self.file_subscribe_timeout = file_subscribe_timeout
        self.reload_hook = reload_hook
        self.gap_timeout = gap_timeout
        self.user_id: UUID | None = None
        self.role: str | None = None
        self.rtu_session_id: str | None = None
        self.connection_state = "connecting"
        self.file_channel = f"files/{file_id}"
        self.delta_callbacks = DeltaCallbacks()
        self.deltas_to_apply_event = asyncio.Event()
        self.file_subscribe_timeout_task: asyncio.Task[None] | None = None
        self.in_flight: InFlight[DeltaRequestCallbackManager] = InFlight()
        self._channels = {"system", self.file_channel, self.kernel_pod_name}
        self._chain = DeltaChain()
        self._subscription = Subscription()
        self._applying = False
        self._was_live = False
        self._failure: RTUError | None = None
        self._closed = False
        self._ready_waiters: set[asyncio.Future[None]] = set()
        self._state_callbacks: dict[object, Callable[[str, str], Any]] = {}
        self._state_detail = ""
        self._told_why = False  # the present connection's failure has been told already
        self._auth_timer: asyncio.TimerHandle | None = None
        self._gap_timer: asyncio.TimerHandle | None = None
        self._resynced_at: UUID | None = None
        self._reload_task: asyncio.Task[None] | None = None
        self._side_tasks: set[asyncio.Task[Any]] = set()
        self._subscribed_lane: Lane[FileSubscribeReply] = Lane(self._call_on_file_subscribe)
        self._handlers: dict[type, Callable[[Any], Awaitable[None]]] = {
            AuthenticateReply: self._on_authenticate_reply,
            FileSubscribeReply: self._on_subscribe_reply,
            NewDeltaEvent: self._on_new_delta_event,
            InconsistentStateEvent: self._on_inconsistent_state,
            PermissionDeniedResponse: self._on_permission_denied,
        }
        self.manager = RTUManager(rtu_url, connect=connect, backoff=backoff)
        self.manager.connect_hook = self.connect_hook
        self.manager.auth_hook = self.auth_hook
        self.manager.disconnect_hook = self.disconnect_hook
        self.manager.context_hook = self.context_hook
        self.manager.receive_hook = self._receive
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
    def cell_ids(self) -> list[str]:
        """The ids of the cells, in the notebook's order."""
        return self.builder.cell_ids

    @property
    def unapplied_deltas(self) -> Sequence[FileDeltaBase]:
        """The deltas that wait for their parents, or for the subscription, in order of arrival."""
        return self._chain

    @property
    def is_live(self) -> bool:
        """Whether the notebook is caught up and follows the server's."""
        return self._subscription.state is SubscriptionState.LIVE

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
        for task in (self.file_subscribe_timeout_task, self._reload_task, *self._side_tasks):
            if task is not None and task is not me:
                task.cancel()
                tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        if not already:
            self._set_state("closed", str(exc))

    def _lanes(self) -> list[Lane[Any]]:
        return [
            *(callback.lane for callback in self.delta_callbacks),
            *self.manager.callbacks.lanes(),
            self._subscribed_lane,
        ]

    def _settle_everything(self, exc: RTUError) -> None:
        """End whatever waits; subclasses add what they keep."""
        self._subscription.ended()
        for timer in (self._auth_timer, self._gap_timer):
            if timer is not None:
                timer.cancel()
        for pending in self.in_flight:
            pending.owner.fail(exc)
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

    def _aside(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)
        return task

    def _wake_ready(self, exc: Exception | None = None) -> None:
        for waiter in self._ready_waiters:
            if not waiter.done():
                if exc is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(exc)

    def register_connection_callback(self, fn: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call ``fn(state, detail)`` at every change of the connection's state.

        Parameters
        ----------
        fn
            A plain function that does not block. `state` is ``connecting``, ``live``,
            ``reconnecting`` or ``closed``; `detail` says why, in one line, or is empty.

        Returns
        -------
        A function that deregisters.
        """
        token = object()
        self._state_callbacks[token] = fn
        return lambda: self._state_callbacks.pop(token, None) and None

    def _set_state(self, state: str, detail: str = "") -> None:
        if (state, detail) == (self.connection_state, self._state_detail):
            return
        self.connection_state, self._state_detail = state, detail
        for fn in list(self._state_callbacks.values()):
            try:
                result = fn(state, detail)
                if inspect.iscoroutine(result):
                    self._aside(result)
            except Exception:
                logger.exception("a connection callback raised")

    # Messages

    def send(self, msg: BaseRTURequest) -> None:
        """Queue a request; it goes out once the connection is authenticated.

        A delta that this client keeps in flight goes out once the notebook is caught up, so that
        deltas keep their order across a reconnect.

        Raises
        ------
        RTUError
            The client was shut down, or has given up for the reason given.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ClientClosed("this client was shut down: connect again")
        pending = self.in_flight.by_transaction(msg.transaction_id)
        if pending is None:
            self.manager.send(msg)
        elif self.is_live:
            pending.sends += 1
            self.manager.send(msg, only_on=self.manager.slot)

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

    def register_delta_callback(
        self, delta_class: type[D], fn: Callable[[D], Any]
    ) -> DeltaCallback:
        """Await ``fn(delta)`` after each delta of a class (or subclass) was squashed.

        Calls of one registration run in the order of the chain; all registrations run side by side,
        and one that raises is logged and stops nothing. The handle stands in `delta_callbacks`
        until it is removed there.
        """
        callback = DeltaCallback(delta_class, fn)
        self.delta_callbacks.append(callback)
        return callback

    async def _receive(self, msg: BaseRTUResponse) -> None:
        pending = self.in_flight.by_transaction(msg.transaction_id)
        handler = self._handlers.get(type(msg))
        if handler is not None and msg.channel in self._channels:
            await handler(msg)
        if pending is not None:
            await pending.owner.rtu_cb(msg)

    def _unsent(self, msg: BaseRTURequest, exc: Exception) -> None:
        pending = self.in_flight.by_transaction(msg.transaction_id)
        text = " ".join(str(exc).split())[:200]
        if pending is None:
            logger.error("a %s could not be sent: %s", msg.event, text)
        else:
            pending.owner.fail(RTUError(f"the change cannot be written as JSON: {text}"))

    # Hooks

    async def context_hook(self) -> None:
        """Run at every iteration of a worker, to bind context variables."""

    async def connect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run when a connection is open; sets `rtu_session_id`."""
        self._told_why = False
        connection = self.manager.slot.connection
        self.rtu_session_id = connection.headers.get("rtu_session_id") if connection else None

    async def auth_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run after `connect_hook`; sends the authenticate request over the new connection."""
        data = AuthenticateRequestData(token=self.jwt, rtu_client_type=self.rtu_client_type)
        self._stop_auth_timer()
        self._auth_timer = asyncio.get_running_loop().call_later(
            self.file_subscribe_timeout, self._auth_timed_out
        )
        await self.manager.send_now(AuthenticateRequest(data=data))

    async def disconnect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run on the loss of a connection, before the next attempt; clears `rtu_session_id`."""
        self.rtu_session_id = None
        self._subscription.ended()
        self.deltas_to_apply_event.clear()
        self._stop_auth_timer()
        self._stop_subscribe_timeout()
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

    async def on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        """For the application: the notebook is caught up."""

    async def pre_apply_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta is squashed next."""

    async def post_queue_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta waits for its parent."""

    async def failed_to_squash_delta(self, delta: FileDeltaBase, exc: Exception) -> None:
        """For the application: this delta cannot be squashed; the notebook is loaded anew."""

    async def _guard(self, coroutine: Awaitable[None]) -> None:
        """Await a hook of the application; what it raises is logged and stops nothing."""
        try:
            await coroutine
        except Exception:
            logger.exception("a hook of the application raised")

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
            if self._reload_task is None:
                await self.send_file_subscribe()
        except ConnectionLost:
            return
        # The gate opens after the subscribe request, so nothing queued overtakes it.
        if not slot.authed.done():
            slot.authed.set_result(slot.connection)

    # Subscribing

    async def send_file_subscribe(self) -> None:
        """Ask to follow the notebook: from the delta applied last, or else from the version.

        Goes out before everything queued, and starts the timeout.

        Raises
        ------
        ConnectionLost
            No connection is open.
        """
        data = Subscription.starting_point(self.file_version_id, self.builder.last_applied_delta_id)
        request = FileSubscribeRequest(channel=self.file_channel, data=data)
        self.deltas_to_apply_event.clear()
        self._chain.clear()
        self._subscription.requested(request.transaction_id)
        self._stop_subscribe_timeout()
        self.file_subscribe_timeout_task = asyncio.create_task(self._time_subscription())
        await self.manager.send_now(request)

    async def _time_subscription(self) -> None:
        try:
            await self.on_file_subscribe_timeout()
        except Exception as exc:
            self._not_ready(exc)

    async def on_file_subscribe_timeout(self) -> None:
        """Wait for `file_subscribe_timeout` seconds, then act on it; cancelled by the reply.

        An override replaces all of it. By default whoever waits for the client to be ready gets a
        `SubscribeTimeout`, and the connection is made anew.
        """
        await asyncio.sleep(self.file_subscribe_timeout)
        self._not_ready(
            SubscribeTimeout(
                f"the server did not answer the subscription to notebook {self.file_id} within "
                f"{self.file_subscribe_timeout:g} s: try again"
            )
        )
        logger.warning("no answer to the subscription to notebook %s", self.file_id)
        await self.manager.drop_connection()

    def _stop_subscribe_timeout(self) -> None:
        task = self.file_subscribe_timeout_task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self.file_subscribe_timeout_task = None

    async def _on_subscribe_reply(self, msg: FileSubscribeReply) -> None:
        data = msg.data
        if not self._subscription.awaits(msg.transaction_id):
            return
        if not data.success:
            self._fail(PermissionDenied(f"the server refuses notebook {self.file_id}"))
            return
        self.role = data.role
        self._take_states(msg)
        applied = False
        for delta in data.deltas_to_apply:
            if not self._chain.knows(delta.id):
                await self.apply_delta(delta)
                applied = True
                if self._halted:
                    return
        if not applied and data.latest_delta_id is not None:
            self.builder.last_applied_delta_id = data.latest_delta_id
        if not self._subscription.awaits(msg.transaction_id):
            return  # the connection was lost while hooks of the application ran
        self.deltas_to_apply_event.set()
        self._subscription.accepted(asyncio.get_running_loop().time())
        await self.replay_unapplied_deltas()
        if self._halted or not self.is_live:
            return
        self._stop_subscribe_timeout()
        self._caught_up(msg)
        self._was_live = True
        for pending in self.in_flight:
            pending.sends += 1
            self.manager.send(pending.owner.request, only_on=self.manager.slot)
        self._set_state("live")
        self._wake_ready()
        # Beside the reader: an application may well edit the notebook as soon as it is there.
        self._subscribed_lane.call(msg)

    async def _call_on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        await self.on_file_subscribe(msg)

    def _take_states(self, msg: FileSubscribeReply) -> None:
        """Take kernel and cell states from the reply (subclasses)."""

    def _caught_up(self, msg: FileSubscribeReply) -> None:
        """Act on what the catch-up has settled (subclasses)."""

    async def _on_permission_denied(self, msg: PermissionDeniedResponse) -> None:
        if self._subscription.awaits(msg.transaction_id):
            self._fail(PermissionDenied(msg.data.message))

    # The chain

    @property
    def _halted(self) -> bool:
        return self._reload_task is not None or self._failure is not None or self._closed

    async def _on_new_delta_event(self, msg: NewDeltaEvent) -> None:
        delta = msg.data
        if self._subscription.state is SubscriptionState.IDLE:
            return  # what follows after the next subscription starts from there
        if not self.deltas_to_apply_event.is_set():
            if self._chain.add(delta, asyncio.get_running_loop().time()):
                await self._guard(self.post_queue_delta(delta))
            return
        pending = self.in_flight.by_delta(delta.id)
        if pending is not None and (
            self._chain.applied(delta.id)
            or pending.predates_reload
            and delta.parent_delta_id != self.builder.last_applied_delta_id
        ):
            # The server's answer to a retry, for a delta that we have: applied, or as part of the
            # version we loaded, since new ones come in the order of the chain.
            await pending.owner.delta_cb(delta)
            return
        await self.queue_or_apply_delta(delta)

    async def queue_or_apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash a delta if it is the chain's next, and all that then can be; else let it wait."""
        loop = asyncio.get_running_loop()
        if not self._chain.add(delta, loop.time()):
            if self._chain.forked:
                self._check_gap()
            return
        head = self.builder.last_applied_delta_id
        if self._applying or (head is not None and delta.parent_delta_id != head):
            await self._guard(self.post_queue_delta(delta))
            if self._gap_timer is None:
                self._gap_timer = loop.call_later(self.gap_timeout, self._check_gap)
        else:
            await self.replay_unapplied_deltas()

    async def replay_unapplied_deltas(self) -> None:
        """Squash everything that has become applicable."""
        if self._applying:
            return  # whoever is at it goes on until nothing is left
        self._applying = True
        try:
            while not self._halted:
                delta = self._chain.pop(self.builder.last_applied_delta_id)
                if delta is None:
                    break
                await self.apply_delta(delta)
        finally:
            self._applying = False

    async def apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash one delta, with the hook before it and the callbacks after it.

        Called by the application itself, it returns when the callbacks have run. Within the client
        they run beside the reader.
        """
        builder = self.builder
        await self._guard(self.pre_apply_delta(delta))
        if builder is not self.builder:
            return  # the notebook was loaded anew while the hook ran
        try:
            builder.apply_delta(delta)
        except Exception as exc:
            await self._squash_failed(delta, exc)
            return
        self._chain.remember(delta.id)
        self._squashed(delta)
        own = self.delta_callbacks.for_id(delta.id)
        if own is not None:
            await own.fn(delta)  # type: ignore[misc]
        running = self.delta_callbacks.dispatch(delta)
        if running and not in_worker.get():
            await asyncio.wait(running)

    def _squashed(self, delta: FileDeltaBase) -> None:
        """Act on a squashed delta before anything else can happen (subclasses)."""

    async def _squash_failed(self, delta: FileDeltaBase, exc: Exception) -> None:
        kind = f"{delta.delta_type}/{delta.delta_action}"
        logger.error("delta %s (%s) cannot be squashed: %s", delta.id, kind, exc)
        await self._guard(self.failed_to_squash_delta(delta, exc))
        pending = self.in_flight.by_delta(delta.id)
        if pending is not None:
            pending.owner.fail(
                InconsistentState(
                    f"the server took the change but this copy cannot apply it ({exc}); "
                    "the notebook is loaded anew: look at it before you try again"
                )
            )
        self._lose_step(f"a change of the notebook could not be applied here ({exc})")

    # Out of step

    def _check_gap(self) -> None:
        if self._gap_timer is not None:
            self._gap_timer.cancel()
            self._gap_timer = None
        if self._halted or not self.is_live:
            return
        loop = asyncio.get_running_loop()
        gap = self._chain.gap(loop.time())
        if gap is None:
            return
        if gap < self.gap_timeout * 0.99:
            self._gap_timer = loop.call_later(self.gap_timeout - gap, self._check_gap)
            return
        head = self.builder.last_applied_delta_id
        if head is not None and head == self._resynced_at:
            self._lose_step("changes of the notebook are missing, and asking again did not help")
            return
        self._resynced_at = head
        logger.warning("%d deltas wait for one that never came: asking again", len(self._chain))
        self._set_state("reconnecting", "a change of the notebook is missing: asking for it again")
        self._subscription.ended()
        self._aside(self._resubscribe())

    async def _resubscribe(self) -> None:
        """Subscribe anew on the present connection; without one, the next will."""
        if not self.manager.slot.is_authenticated:
            return
        try:
            await self.manager.send_now(FileUnsubscribeRequest(channel=self.file_channel))
            await self.send_file_subscribe()
        except ConnectionLost:
            pass

    async def _on_inconsistent_state(self, msg: InconsistentStateEvent) -> None:
        if self._subscription.state is not SubscriptionState.IDLE:
            self._lose_step(f"the server says: {msg.data.message}")

    def _lose_step(self, reason: str) -> None:
        """Stop following, and load the notebook anew."""
        if self._halted or not self.manager.is_running:
            return
        self._subscription.ended()
        self.deltas_to_apply_event.clear()
        self._stop_subscribe_timeout()
        if self.reload_hook is None:
            self._fail(InconsistentState(f"{reason}: connect again to load the notebook anew"))
        elif not self._subscription.may_reload(asyncio.get_running_loop().time()):
            self._fail(
                InconsistentState(
                    f"{reason}; loading the notebook anew did not help: connect again, "
                    "and if that fails too, restart the server"
                )
            )
        else:
            self._set_state("reconnecting", f"{reason}; loading the notebook anew")
            self._reload_task = asyncio.create_task(self._reload(reason, self.reload_hook))

    async def _reload(self, reason: str, hook: ReloadHook) -> None:
        pause = _RELOAD_PAUSE
        while True:
            try:
                version_id, builder = await hook()
                break
            except Exception as exc:
                now = asyncio.get_running_loop().time()
                logger.warning("loading notebook %s anew failed: %s", self.file_id, exc)
                if not self._subscription.may_reload(now):
                    self._reload_task = None
                    self._fail(InconsistentState(f"{reason}; loading it anew failed: {exc}"))
                    return
                await asyncio.sleep(pause)
                pause *= 2
        self.file_version_id, self.builder = version_id, builder
        self._chain.clear(forget=True)
        self._resynced_at = None
        self.in_flight.reloaded()
        self._reloaded()
        self._reload_task = None
        await self._resubscribe()

    def _reloaded(self) -> None:
        """Act on a new copy of the notebook (subclasses)."""
