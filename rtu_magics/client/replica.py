"""Squashing what comes, in the order of the chain, and settling what was sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from ..document import NotebookBuilder
from ..errors import InconsistentState, RTUError
from ..models import (
    BaseRTURequest,
    BaseRTUResponse,
    FileDeltaBase,
    NewDeltaEvent,
    NewDeltaReply,
)
from ..protocol import DeltaChain, InFlight, Pending
from .callbacks import DeltaCallback, DeltaCallbacks, Lane, in_worker
from .connection import ConnectedClient, ConnectOptions, one_line
from .deltas import DeltaRequestCallbackManager
from .hooks import does_nothing, is_idle

__all__ = ["SquashingClient"]

logger = logging.getLogger(__name__)

D = TypeVar("D", bound=FileDeltaBase)

# What an application may override on the way of a delta, and may make wait.
_DELTA_HOOKS = frozenset(
    {
        "apply_delta",
        "failed_to_squash_delta",
        "post_queue_delta",
        "pre_apply_delta",
        "queue_or_apply_delta",
        "replay_unapplied_deltas",
    }
)


class SquashingClient(ConnectedClient):
    """Keeps a notebook up to date with the deltas that it is given; part of `RTUClient`."""

    def __init__(
        self,
        rtu_url: str,
        jwt: str,
        file_id: UUID,
        builder: NotebookBuilder,
        options: ConnectOptions,
    ) -> None:
        if not isinstance(builder, NotebookBuilder):
            raise TypeError("builder has to be a NotebookBuilder that holds the version to follow")
        super().__init__(rtu_url, jwt, file_id, options)
        self.builder = builder
        self.delta_callbacks = DeltaCallbacks()
        self.in_flight: InFlight[DeltaRequestCallbackManager] = InFlight()
        self._chain = DeltaChain()
        self._delta_hooks_are_plain = all(
            getattr(type(self), name) is getattr(SquashingClient, name) for name in _DELTA_HOOKS
        )
        self._applying = False

    @property
    def cell_ids(self) -> list[str]:
        """The ids of the cells, in the notebook's order."""
        return self.builder.cell_ids

    @property
    def unapplied_deltas(self) -> Sequence[FileDeltaBase]:
        """The deltas that wait for their parents, or for the subscription, in order of arrival."""
        return self._chain

    # Messages and callbacks

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

    def _handles_directly(self, msg: BaseRTUResponse) -> bool:
        kind = type(msg)
        if kind is NewDeltaReply:
            return True
        if kind is not NewDeltaEvent or self._applying:
            return False
        # None of the application's hooks has anything to do, and nobody else waits for this delta.
        own = self.delta_callbacks.for_id(msg.data.id)
        if own is not None and not own.at_once:
            return False
        return self._delta_hooks_are_plain and _DELTA_HOOKS.isdisjoint(vars(self))

    def _unsent(self, msg: BaseRTURequest, exc: Exception) -> None:
        pending = self.in_flight.by_transaction(msg.transaction_id)
        if pending is None:
            super()._unsent(msg, exc)
        else:
            pending.owner.fail(RTUError(f"the change cannot be written as JSON: {one_line(exc)}"))

    def _send_pending(self, pending: Pending[DeltaRequestCallbackManager]) -> None:
        pending.sends += 1
        # Bound to this connection: on the next one it goes out again, once, after catching up.
        self.manager.send(pending.owner.request, only_on=self.manager.slot)

    def _lanes(self) -> list[Lane[Any]]:
        return [*super()._lanes(), *(callback.lane for callback in self.delta_callbacks)]

    def _settle_everything(self, exc: RTUError) -> None:
        for pending in self.in_flight:
            pending.owner.fail(exc)
        super()._settle_everything(exc)

    # Hooks

    @does_nothing
    async def pre_apply_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta is squashed next."""

    @does_nothing
    async def post_queue_delta(self, delta: FileDeltaBase) -> None:
        """For the application: this delta waits for its parent."""

    async def failed_to_squash_delta(self, delta: FileDeltaBase, exc: Exception) -> None:
        """For the application: this delta cannot be squashed; the notebook is loaded anew."""

    # The chain

    async def queue_or_apply_delta(self, delta: FileDeltaBase) -> None:
        """Squash a delta if it is the chain's next, and all that then can be; else let it wait."""
        chain = self._chain
        if not chain.add(delta, asyncio.get_running_loop().time()):
            if chain.forked:
                self._something_waits()
            return
        head = self.builder.last_applied_delta_id
        if self._applying or (head is not None and delta.parent_delta_id != head):
            hook = self.post_queue_delta
            if not is_idle(hook):
                await self._guard(hook(delta))
            self._something_waits()
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
        hook = self.pre_apply_delta
        if not is_idle(hook):
            await self._guard(hook(delta))
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

    # What following adds

    @property
    def _halted(self) -> bool:
        """Whether nothing may be squashed for now."""
        return self._failure is not None or self._closed

    def _something_waits(self) -> None:
        """Act on a gap in the chain (subclasses)."""

    def _lose_step(self, reason: str) -> None:
        """Act on a delta that cannot be squashed (subclasses)."""
