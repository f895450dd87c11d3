"""One copy of a notebook that follows the server's: what it decides, without sockets and clocks.

Events go in, `effects` come out, and state changes nowhere else. How a shell drives it::

    connection open, token accepted     authenticated() ─▶ Subscribe ─▶ subscribe() ─▶ Send
    a message                           receive(message, now)
      a delta in its time               ─▶ OFFER ─▶ queue(delta, now) ─▶ REPLAY or Queued
      the reply to the subscription     ─▶ CatchUp
    REPLAY, CatchUp                     while delta := next_delta(): squash(delta, now)
      after CatchUp                     caught_up(now) ─▶ Gate, Replay, Follow ─▶ followed(now)
    connection lost                     disconnected()
    a time asked for with Wake          tick(now)
    Reload                              reloaded(version, builder, now) or reload_failed(exc, now)
    shut down                           close(error)

Deltas are handed out one by one because an application may look at each before it is squashed, and
make it wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

from .. import models as m
from ..document import NotebookBuilder
from ..errors import InconsistentState, PermissionDenied, RTUError, SubscribeTimeout
from . import effects as fx
from .contact import Contact
from .effects import Effects
from .inflight import Pending
from .notebook_state import TOLD, NotebookState
from .order import DeltaOrder
from .reload import Reloads
from .requests import ANSWERS, Requests
from .subscription import Subscription, SubscriptionState

__all__ = ["Replica"]

logger = logging.getLogger(__name__)

R = TypeVar("R")
W = TypeVar("W")

_LIVE = SubscriptionState.LIVE


class Replica(Generic[R, W]):
    """A copy of one notebook, what was asked of the server for it, and how it stays in step.

    Parameters
    ----------
    file_id, version_id
        The notebook, and the version of it that `builder` holds.
    builder
        The notebook's content.
    gap_timeout
        Seconds that deltas wait for a missing one before it is asked for.

    Attributes
    ----------
    order
        The deltas that wait; ``order.applying`` while somebody squashes what `next_delta` gives.
    contact
        What people are told about the connection.
    requests
        The deltas sent and not settled; their owners (R) stand in the effects `Settle` and `Fail`.
    state
        Kernel, runs, people; the waits for cells (W) stand in `Finish` and `Lose`.
    reloads
        Loading the notebook anew; ``reloads.possible`` says whether there is a way to.
    running
        Whether there is a connection or will be: out of step without one changes nothing.
    halted
        Whether nothing may be squashed for now.
    error
        Why it has ended for good.
    """

    def __init__(
        self,
        file_id: UUID,
        version_id: UUID,
        builder: NotebookBuilder,
        *,
        gap_timeout: float = 5.0,
    ) -> None:
        self.version_id = version_id
        self.builder = builder
        self.file_id = file_id
        self.channel = f"files/{file_id}"
        self.channels = frozenset({"system", self.channel, m.kernel_channel(file_id)})
        self.order = DeltaOrder(gap_timeout)
        self.contact = Contact()
        self.requests: Requests[R] = Requests()
        self.state: NotebookState[W] = NotebookState()
        self.subscription = Subscription()
        self.reloads = Reloads(self.subscription)
        self.running = self.halted = False
        self.error: RTUError | None = None
        self._reply: m.FileSubscribeReply | None = None  # until its deltas are applied
        self._takes: dict[type, Callable[[Any, float], Effects]] = {
            m.NewDeltaEvent: self._delta,
            m.FileSubscribeReply: self._subscribe_reply,
            m.InconsistentStateEvent: self._inconsistent,
            m.PermissionDeniedResponse: self._denied,
            m.RoleChangedEvent: self._role,
            **dict.fromkeys(TOLD, self._told),
        }

    @property
    def is_live(self) -> bool:
        """Whether the notebook is caught up and follows the server's."""
        return self.subscription.state is _LIVE

    @property
    def catching_up(self) -> bool:
        """Whether the deltas of a reply are being applied; nothing else is meanwhile."""
        return self._reply is not None and not self.is_live

    # Messages

    def receive(self, message: m.BaseRTUResponse, now: float) -> Effects:
        """Take a message of the server.

        Parameters
        ----------
        message
            Any message; those of other channels and unknown ones change nothing.
        now
            A monotonic time in seconds.
        """
        kind = type(message)
        if kind is m.NewDeltaReply:
            return self.requests.answered(message, now)
        effects: Effects = ()
        take = self._takes.get(kind)
        if take is not None and message.channel in self.channels:
            effects = take(message, now)
        if kind in ANSWERS:
            effects += self.requests.answered(message, now)
        return effects

    def _delta(self, message: m.NewDeltaEvent, now: float) -> Effects:
        delta, state = message.data, self.subscription.state
        if state is not _LIVE:
            # What follows after the next subscription starts from there.
            if state is SubscriptionState.REQUESTED and self.order.chain.add(delta, now):
                return (fx.Queued(delta),)
            return ()
        pending = self.requests.by_delta(delta.id)
        if pending is not None and (
            self.order.applied(delta.id)
            or (
                pending.predates_reload
                and delta.parent_delta_id != self.builder.last_applied_delta_id
            )
        ):
            # The server's answer to a retry, for a delta that we have: applied, or as part of the
            # version we loaded, since new ones come in the order of the chain.
            return self._settled(pending, delta)
        return fx.OFFER

    def _denied(self, message: m.PermissionDeniedResponse, now: float) -> Effects:
        if self.subscription.awaits(message.transaction_id):
            return self.give_up(PermissionDenied(message.data.message))
        return ()

    def _role(self, message: m.RoleChangedEvent, now: float) -> Effects:
        self.state.role = message.data.role
        if message.data.role is None:  # the server has ended the subscription
            return self.give_up(PermissionDenied(message.data.message))
        return ()

    def _told(self, message: m.BaseRTUResponse, now: float) -> Effects:
        return self.state.told(message, self.builder)

    def _inconsistent(self, message: m.InconsistentStateEvent, now: float) -> Effects:
        if self.subscription.state is SubscriptionState.IDLE:
            return ()
        return self._lose_step(f"the server says: {message.data.message}", now, told=self.is_live)

    # Subscribing

    def authenticated(self) -> Effects:
        """Note that the server accepted the token: the subscription follows."""
        return () if self.reloads.under_way else (fx.Subscribe(),)

    def subscribe(self) -> Effects:
        """Ask to follow the notebook: from the delta applied last, or else from the version."""
        head = self.builder.last_applied_delta_id
        data = Subscription.starting_point(self.version_id, head)
        request = m.FileSubscribeRequest(channel=self.channel, data=data)
        self._reply = None
        self.order.clear()
        self.subscription.requested(request.transaction_id)
        return (fx.Gate(open=False), fx.Timeout(on=True), fx.Send(request))

    def _subscribe_reply(self, message: m.FileSubscribeReply, now: float) -> Effects:
        data = message.data
        if not self.subscription.awaits(message.transaction_id) or self._reply is not None:
            return ()
        if not data.success:
            return self.give_up(PermissionDenied(f"the server refuses notebook {self.file_id}"))
        self._reply = message
        effects = self.state.subscribed(data, self.order.catch_up(data.deltas_to_apply))
        return (*effects, fx.CatchUp())

    def caught_up(self, now: float) -> Effects:
        """Note that nothing of a reply is left to apply: deltas are applied as they come again."""
        reply = self._reply
        order = self.order
        if reply is None or self.is_live or self.halted or order.missed or order.applying:
            return ()
        latest = reply.data.latest_delta_id
        if not order.found_any and latest is not None:
            self.builder.last_applied_delta_id = latest
        self.subscription.accepted(now)
        return (fx.Gate(open=True), fx.Replay(), fx.Follow())

    def followed(self, now: float) -> Effects:
        """Note that what came during the catch-up was replayed: the notebook is there."""
        reply = self._reply
        if reply is None or self.halted or not self.is_live:
            return ()
        self._reply = None
        self.contact.was_live = True
        return (
            *self.order.watch(now),
            fx.Timeout(on=False),
            *self.state.caught_up(reply.data, self.builder),
            *self.requests.resubmitted(),
            fx.Say("live"),
            fx.Live(reply),
        )

    def unanswered(self, seconds: float) -> Effects:
        """Note that the subscription was not answered in time; the connection is no use."""
        return self.contact.not_ready(
            SubscribeTimeout(
                f"the server did not answer the subscription to notebook {self.file_id} within "
                f"{seconds:g} s: try again"
            )
        )

    def disconnected(self) -> Effects:
        """Note that the connection is lost, and the subscription with it."""
        self._unsubscribed()
        effects: Effects = (fx.Gate(open=False), fx.Timeout(on=False))
        return effects if self.error is not None else effects + self.contact.lost()

    def _unsubscribed(self) -> None:
        self.subscription.ended()
        self._reply = None
        self.order.missed.clear()

    # Requests

    def submit(self, pending: Pending[R]) -> bool:
        """Return whether a request goes out now; otherwise it does once the notebook is there.

        So deltas keep their order across a reconnect.
        """
        if self.is_live:
            pending.sends += 1
        return self.is_live

    def _settled(self, pending: Pending[R], delta: m.FileDeltaBase) -> Effects:
        self.requests.settle(delta.id)
        settle = fx.Settle(pending.owner, delta)
        if pending.wait_for is None:
            return (settle,)
        return (*self.state.arm(delta, self.builder, pending.wait_for), settle)

    # The chain

    def queue(self, delta: m.FileDeltaBase, now: float) -> Effects:
        """Take a delta into the chain: `REPLAY` if it is the next, `Queued` if it has to wait."""
        chain = self.order.chain
        if chain.add(delta, now):
            return self.order.queue(delta, self.builder.last_applied_delta_id, now)
        return self._act_on_gap(self.order.has_gap(now), now) if chain.forked else ()

    def next_delta(self) -> m.FileDeltaBase | None:
        """Return what is squashed next, None for nothing; it is handed out once."""
        if self.halted:
            return None
        if self.catching_up:
            return self.order.next_missed()
        if self.subscription.state is SubscriptionState.REQUESTED:
            return None
        return self.order.next_of_chain(self.builder.last_applied_delta_id)

    def squash(self, delta: m.FileDeltaBase, now: float) -> Effects:
        """Squash a delta, and settle what waited for it; `SquashFailed` comes first if it fails."""
        try:
            self.builder.apply_delta(delta)
        except Exception as exc:
            return self._not_squashed(delta, exc, now)
        self.order.squashed(delta)
        effects: Effects = ()
        if isinstance(delta, m.CellExecuteDelta):
            self.state.waits.squashed(delta.id)
        elif isinstance(delta, m.NBCellsDelete):
            effects = self.state.cell_gone(delta.properties.id)
        pending = self.requests.by_delta(delta.id)
        if pending is not None:
            effects += self._settled(pending, delta)
        return effects

    def _not_squashed(self, delta: m.FileDeltaBase, exc: Exception, now: float) -> Effects:
        kind = f"{delta.delta_type}/{delta.delta_action}"
        logger.error("delta %s (%s) cannot be squashed: %s", delta.id, kind, exc)
        effects: Effects = (fx.SquashFailed(delta, exc),)
        pending = self.requests.settle(delta.id)
        if pending is not None:
            said = (
                f"the server took the change but this copy cannot apply it ({exc}); "
                "the notebook is loaded anew: look at it before you try again"
            )
            effects += (fx.Fail(pending.owner, InconsistentState(said)),)
        said = f"a change of the notebook could not be applied here ({exc})"
        return effects + self._lose_step(said, now)

    # Out of step

    def tick(self, now: float) -> Effects:
        """Act on the times that were asked for with `Wake`."""
        return self._act_on_gap(self.order.tick(now), now) + self.requests.tick(now)

    def _act_on_gap(self, gap: bool | fx.Wake | None, now: float) -> Effects:
        if isinstance(gap, fx.Wake):
            return (gap,)
        if gap is None or self.halted or not self.is_live:
            return ()
        head = self.builder.last_applied_delta_id
        if not self.order.asked(head):
            said = "changes of the notebook are missing, and asking again did not help"
            return self._lose_step(said, now)
        waiting = len(self.order.chain)
        logger.warning("%d deltas wait for one that never came: asking again", waiting)
        self._unsubscribed()
        said = "a change of the notebook is missing: asking for it again"
        return (fx.Gate(open=False), fx.Say("reconnecting", said), fx.Resubscribe())

    def _lose_step(self, reason: str, now: float, *, told: bool = False) -> Effects:
        """Stop following, and load the notebook anew; `told`: the server asks for it."""
        if self.halted or not self.running:
            return ()
        begun = self.reloads.begin(reason, now, told=told)
        self._unsubscribed()
        effects: Effects = (fx.Gate(open=False), fx.Timeout(on=False))
        if isinstance(begun, InconsistentState):
            return effects + self.give_up(begun)
        self.halted = True
        return (*effects, fx.Say("reconnecting", f"{reason}; loading the notebook anew"), begun)

    def reloaded(self, version_id: UUID, builder: NotebookBuilder) -> Effects:
        """Take the new copy of the notebook, and follow from there."""
        if self.error is not None:
            return ()
        self.version_id, self.builder = version_id, builder
        self.order.clear(forget=True)
        self.requests.reloaded()
        self.state.waits.forget_order()
        self.reloads.done()
        self.halted = False
        return (fx.Resubscribe(),)

    def reload_failed(self, error: Exception, now: float) -> Effects:
        """Note that the notebook could not be loaded: once more after a while, or give up."""
        if self.error is not None:
            return ()
        again = self.reloads.failed(error, now)
        return self.give_up(again) if isinstance(again, InconsistentState) else (again,)

    # The end

    def give_up(self, error: RTUError) -> Effects:
        """End for good: trying again would not help."""
        if self.error is not None:
            return ()
        self.error, self.halted = error, True
        return (fx.GiveUp(error),)

    def close(self, error: RTUError) -> Effects:
        """End everything that waits; nothing is squashed any more."""
        self.halted = True
        self.error = self.error or error
        self._unsubscribed()
        return (
            *self.requests.closed(error),
            fx.Timeout(on=False),
            fx.NotReady(error),
            *self.state.closed(error),
        )
