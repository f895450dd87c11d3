"""What becomes of the deltas that were sent: accepted, refused, sent again."""

from __future__ import annotations

from ..errors import DeltaRejected, NotPermitted, RTUError
from ..models import (
    BaseRTUResponse,
    DeltaRejectedResponse,
    InvalidDataResponse,
    InvalidEventResponse,
    NewDeltaReply,
    PermissionDeniedResponse,
)
from .effects import Effect, Effects, Fail, Submit, Wake
from .inflight import InFlight, Pending, T

__all__ = ["ANSWERS", "CAUSE_TIMEOUT", "EARLY", "Requests"]

CAUSE_TIMEOUT = 5.0
"""Seconds between a bare "no" and the cause that should follow it in a message of its own."""

ANSWERS = frozenset(
    {
        NewDeltaReply,
        DeltaRejectedResponse,
        InvalidDataResponse,
        InvalidEventResponse,
        PermissionDeniedResponse,
    }
)
"""The messages that answer a request by its transaction id."""

EARLY = 0.005
"""Seconds by which a timer may fire before its time: clocks are as fine as they are."""


class Requests(InFlight[T]):
    """The deltas in flight, and what the server's answers mean for them.

    A "yes" settles nothing: a delta's result is that it was squashed here, in its place.
    """

    def answered(self, message: BaseRTUResponse, now: float) -> Effects:
        """Take one of the `ANSWERS`; anything but a yes fails the request it belongs to."""
        pending = self.by_transaction(message.transaction_id)
        if pending is None:
            return ()
        if type(message) is NewDeltaReply and message.data.success:
            return ()
        return self.judged(pending, message, now)

    def judged(self, pending: Pending[T], message: BaseRTUResponse, now: float) -> Effects:
        """Take an answer to a request that may be in flight or not."""
        if isinstance(message, NewDeltaReply):
            if message.data.success:
                return ()
            if message.data.message:
                return self.failed(pending, DeltaRejected(message.data.message))
            if pending.refused_until is not None:
                return ()
            pending.refused_until = now + CAUSE_TIMEOUT
            return (Wake(pending.refused_until),)
        if isinstance(message, DeltaRejectedResponse):
            return self.failed(pending, DeltaRejected(message.data.cause))
        if isinstance(message, InvalidDataResponse | InvalidEventResponse):
            said = f"the server calls the change invalid: {message.data.message}"
            return self.failed(pending, DeltaRejected(said))
        if isinstance(message, PermissionDeniedResponse):
            return self.failed(pending, NotPermitted(message.data.message))
        return ()

    def failed(self, pending: Pending[T], error: RTUError) -> Effects:
        """End a request with an error."""
        self.settle(pending.delta_id)
        return (Fail(pending.owner, error),)

    def tick(self, now: float) -> Effects:
        """Fail what was refused with a bare "no" whose cause has not followed in time."""
        effects: list[Effect] = []
        for pending in self:
            until = pending.refused_until
            if until is None:
                continue
            if until > now + EARLY:
                effects.append(Wake(until))
            else:
                error = DeltaRejected("the server refused the change and gave no cause")
                effects += self.failed(pending, error)
        return tuple(effects)

    def resubmitted(self) -> Effects:
        """Send whatever the catch-up did not settle, in order and with the same ids."""
        effects: list[Effect] = []
        for pending in self:
            pending.sends += 1
            effects.append(Submit(pending))
        return tuple(effects)

    def closed(self, error: RTUError) -> Effects:
        """End every request with an error."""
        return tuple(effect for pending in self for effect in self.failed(pending, error))
