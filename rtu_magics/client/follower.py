"""Following one notebook: subscribe, squash what comes in the chain's order, come back in step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from ..document import NotebookBuilder
from ..errors import ConnectionLost, InconsistentState, PermissionDenied, RTUError, SubscribeTimeout
from ..models import (
    BaseRTURequest,
    FileStateData,
    FileStateEvent,
    FileSubscribeReply,
    FileSubscribeRequest,
    FileUnsubscribeRequest,
    InconsistentStateEvent,
    NewDeltaEvent,
    PermissionDeniedResponse,
    RemoveUserFileSubscriptionEvent,
    RoleChangedEvent,
    UpdateUserFileSubscriptionEvent,
    UpdateUserFileSubscriptionEventData,
)
from ..protocol import Subscription, SubscriptionState
from .callbacks import Lane
from .connection import ConnectOptions
from .replica import SquashingClient

__all__ = ["FollowingClient", "ReloadHook"]

logger = logging.getLogger(__name__)

ReloadHook = Callable[[], Awaitable[tuple[UUID, NotebookBuilder]]]
"""Loads the notebook anew: its current version's id, and a builder that holds that version."""

_RELOAD_PAUSE = 0.5  # seconds between attempts to load the notebook, doubled each time


class FollowingClient(SquashingClient):
    """A copy of one notebook that follows the server's; part of `RTUClient`."""

    def __init__(
        self,
        rtu_url: str,
        jwt: str,
        file_id: UUID,
        file_version_id: UUID,
        builder: NotebookBuilder,
        *,
        options: ConnectOptions,
        reload_hook: ReloadHook | None,
        gap_timeout: float,
    ) -> None:
        super().__init__(rtu_url, jwt, file_id, builder, options)
        self.file_version_id = file_version_id
        self.reload_hook = reload_hook
        self.gap_timeout = gap_timeout
        self.role: str | None = None
        self.file_state: FileStateData | None = None
        self.people: dict[UUID, UpdateUserFileSubscriptionEventData] = {}
        self.deltas_to_apply_event = asyncio.Event()
        self.file_subscribe_timeout_task: asyncio.Task[None] | None = None
        self._subscription = Subscription()
        self._gap_timer: asyncio.TimerHandle | None = None
        self._resynced_at: UUID | None = None
        self._reload_task: asyncio.Task[None] | None = None
        self._subscribed_lane: Lane[FileSubscribeReply] = Lane(self._call_on_file_subscribe)
        self._handlers |= {
            FileSubscribeReply: self._on_subscribe_reply,
            NewDeltaEvent: self._on_new_delta_event,
            InconsistentStateEvent: self._on_inconsistent_state,
            PermissionDeniedResponse: self._on_permission_denied,
            RoleChangedEvent: self._on_role_changed,
            FileStateEvent: self._on_file_state,
            UpdateUserFileSubscriptionEvent: self._on_person,
            RemoveUserFileSubscriptionEvent: self._on_person_gone,
        }

    # What it is

    @property
    def is_live(self) -> bool:
        """Whether the notebook is caught up and follows the server's."""
        return self._subscription.state is SubscriptionState.LIVE

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
        pending = self.in_flight.by_transaction(msg.transaction_id)
        if pending is None or self._failure is not None or self._closed:
            super().send(msg)
        elif self.is_live:
            self._send_pending(pending)

    # What the connection tells

    async def disconnect_hook(self, *args: Any, **kwargs: Any) -> None:
        """Run on the loss of a connection: the subscription went with it."""
        self._subscription.ended()
        self.deltas_to_apply_event.clear()
        self._stop_subscribe_timeout()
        await super().disconnect_hook(*args, **kwargs)

    async def _authenticated(self) -> None:
        if self._reload_task is None:
            await self.send_file_subscribe()

    def _lanes(self) -> list[Lane[Any]]:
        return [*super()._lanes(), self._subscribed_lane]

    def _settle_everything(self, exc: RTUError) -> None:
        self._subscription.ended()
        self._stop_subscribe_timeout()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        super()._settle_everything(exc)

    # Hooks

    async def on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        """For the application: the notebook is caught up."""

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
        self.file_subscribe_timeout_task = self._aside(self._time_subscription())
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
        self.file_state = data.file_state
        self.people = {one.user_id: one for one in data.user_subscriptions if one.subscribed}
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
            self._send_pending(pending)
        self._set_state("live")
        self._wake_ready()
        # Beside the reader: an application may well edit the notebook as soon as it is there.
        self._subscribed_lane.call(msg)

    async def _on_person(self, msg: UpdateUserFileSubscriptionEvent) -> None:
        if msg.data.subscribed:
            self.people[msg.data.user_id] = msg.data
        else:
            self.people.pop(msg.data.user_id, None)

    async def _on_person_gone(self, msg: RemoveUserFileSubscriptionEvent) -> None:
        self.people.pop(msg.data.user_id, None)

    async def _call_on_file_subscribe(self, msg: FileSubscribeReply) -> None:
        await self.on_file_subscribe(msg)

    def _take_states(self, msg: FileSubscribeReply) -> None:
        """Take kernel and cell states from the reply (subclasses)."""

    def _caught_up(self, msg: FileSubscribeReply) -> None:
        """Act on what the catch-up has settled (subclasses)."""

    async def _on_permission_denied(self, msg: PermissionDeniedResponse) -> None:
        if self._subscription.awaits(msg.transaction_id):
            self._fail(PermissionDenied(msg.data.message))

    async def _on_role_changed(self, msg: RoleChangedEvent) -> None:
        self.role = msg.data.role
        if self.role is None:  # the server has ended the subscription
            self._fail(PermissionDenied(msg.data.message))

    async def _on_file_state(self, msg: FileStateEvent) -> None:
        self.file_state = msg.data

    # The chain

    @property
    def _halted(self) -> bool:
        return self._reload_task is not None or super()._halted

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
            or (
                pending.predates_reload
                and delta.parent_delta_id != self.builder.last_applied_delta_id
            )
        ):
            # The server's answer to a retry, for a delta that we have: applied, or as part of the
            # version we loaded, since new ones come in the order of the chain.
            await pending.owner.delta_cb(delta)
            return
        await self.queue_or_apply_delta(delta)

    # Out of step

    def _something_waits(self) -> None:
        if self._chain.forked:
            self._check_gap()
        elif self._gap_timer is None:
            loop = asyncio.get_running_loop()
            self._gap_timer = loop.call_later(self.gap_timeout, self._check_gap)

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
            self._lose_step(f"the server says: {msg.data.message}", told=self.is_live)

    def _lose_step(self, reason: str, *, told: bool = False) -> None:
        """Stop following, and load the notebook anew; `told`: the server asks for it."""
        if self._halted or not self.manager.is_running:
            return
        now = asyncio.get_running_loop().time()
        # A server that says so again and again is asked no more often than this.
        pause = _RELOAD_PAUSE if told and self._subscription.live_for(now) < 1 else 0.0
        self._subscription.ended()
        self.deltas_to_apply_event.clear()
        self._stop_subscribe_timeout()
        if self.reload_hook is None:
            self._fail(InconsistentState(f"{reason}: connect again to load the notebook anew"))
        elif not self._subscription.may_reload(now, told=told):
            self._fail(
                InconsistentState(
                    f"{reason}; loading the notebook anew did not help: connect again, "
                    "and if that fails too, restart the server"
                )
            )
        else:
            self._set_state("reconnecting", f"{reason}; loading the notebook anew")
            self._reload_task = self._aside(self._reload(reason, self.reload_hook, pause))

    async def _reload(self, reason: str, hook: ReloadHook, pause: float) -> None:
        await asyncio.sleep(pause)
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
