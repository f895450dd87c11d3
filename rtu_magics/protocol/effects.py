"""What a `Replica` wants done: small typed effects, carried out in the order in which they stand.

Those of the first group take no time. Those of the second lead to hooks that an application may
make wait, so whoever carries them out waits before the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..models import BaseRTURequest, FileDeltaBase, FileSubscribeReply
from .inflight import Pending

__all__ = [
    "OFFER",
    "REPLAY",
    "CatchUp",
    "Effect",
    "Effects",
    "Fail",
    "Finish",
    "Follow",
    "Gate",
    "GiveUp",
    "Idle",
    "Live",
    "Lose",
    "NotReady",
    "Offer",
    "Queued",
    "Reload",
    "Replay",
    "Resubscribe",
    "Say",
    "Send",
    "Settle",
    "SquashFailed",
    "Submit",
    "Subscribe",
    "Timeout",
    "Wake",
]

# Effects at once


@dataclass(slots=True)
class Settle:
    """A request's delta is squashed here: that is its result."""

    owner: Any
    delta: FileDeltaBase


@dataclass(slots=True)
class Fail:
    """A request ends with an error."""

    owner: Any
    error: Exception


@dataclass(slots=True)
class Finish:
    """A cell that is waited for has run: the wait ends with the cell as it is now."""

    wait: Any
    cell: Any


@dataclass(slots=True)
class Lose:
    """A wait for a cell ends with an error."""

    wait: Any
    error: Exception


@dataclass(slots=True)
class Idle:
    """The waits for an idle kernel end, with an error if there is one."""

    error: Exception | None = None


@dataclass(slots=True)
class Gate:
    """Deltas are applied as they come from now on, or no longer."""

    open: bool


@dataclass(slots=True)
class Timeout:
    """Begin to wait for the answer to the subscription, or stop."""

    on: bool


@dataclass(slots=True)
class Submit:
    """Send a request in flight, over the present connection and no other."""

    pending: Pending[Any]


@dataclass(slots=True)
class Say:
    """The state of the connection, and why, in one line or empty."""

    state: str
    detail: str = ""


@dataclass(slots=True)
class NotReady:
    """Whoever waits for the notebook for the first time is told why it does not come."""

    error: Exception


@dataclass(slots=True)
class Live:
    """The notebook is caught up: whoever waits for it goes on."""

    reply: FileSubscribeReply


@dataclass(slots=True)
class Wake:
    """Call `Replica.tick` at this time, if not before."""

    at: float


@dataclass(slots=True)
class Reload:
    """Load the notebook anew at this time; `Replica.reloaded` or `reload_failed` follow."""

    at: float


@dataclass(slots=True)
class Resubscribe:
    """Unsubscribe and subscribe anew, if a connection is authenticated; the next one will."""


@dataclass(slots=True)
class GiveUp:
    """End for good, trying again would not help; `Replica.close` follows."""

    error: Exception


# Effects that may wait


@dataclass(slots=True)
class Send:
    """Send a request before everything queued."""

    request: BaseRTURequest


@dataclass(slots=True)
class Subscribe:
    """Call `Replica.subscribe`, by way of the application's hook."""


@dataclass(slots=True)
class Offer:
    """Hand the delta that has just been received to `Replica.queue`, by way of the hook."""


@dataclass(slots=True)
class Queued:
    """A delta waits for its parent, or for the subscription."""

    delta: FileDeltaBase


@dataclass(slots=True)
class Replay:
    """Squash whatever `Replica.next_delta` gives, by way of the hook."""


@dataclass(slots=True)
class CatchUp:
    """Squash whatever `Replica.next_delta` gives, then call `Replica.caught_up`."""


@dataclass(slots=True)
class Follow:
    """Call `Replica.followed`: what came during the catch-up has been replayed."""


@dataclass(slots=True)
class SquashFailed:
    """A delta cannot be squashed."""

    delta: FileDeltaBase
    error: Exception


OFFER = (Offer(),)
"""The one answer to a delta in its time, made once: it is the hot path."""

REPLAY = (Replay(),)
"""The one answer to the chain's next delta."""

Effect = (
    Settle
    | Fail
    | Finish
    | Lose
    | Idle
    | Gate
    | Timeout
    | Submit
    | Say
    | NotReady
    | Live
    | Wake
    | Reload
    | Resubscribe
    | GiveUp
    | Send
    | Subscribe
    | Offer
    | Queued
    | Replay
    | CatchUp
    | Follow
    | SquashFailed
)
Effects = tuple[Effect, ...]
