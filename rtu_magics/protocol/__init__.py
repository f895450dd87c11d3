"""The decisions of a client, without sockets and clocks.

A `Replica` is one copy of a notebook: events in, `effects` out. It is made of smaller parts: what
arrives is put in order (`DeltaChain`), what was sent is remembered until it is settled
(`InFlight`), a subscription knows where it stands (`Subscription`), waits for cells end when they
have run (`ExecutionLedger`). A lost connection is tried again at the right time (`Backoff`). Time
and chance are arguments.
"""

from .addresses import is_position, positions_of, resolve_cell
from .backoff import Backoff
from .chain import DeltaChain
from .executions import ExecutionLedger
from .inflight import InFlight, Pending
from .replica import Replica
from .subscription import Subscription, SubscriptionState

__all__ = [
    "Backoff",
    "DeltaChain",
    "ExecutionLedger",
    "InFlight",
    "Pending",
    "Replica",
    "Subscription",
    "SubscriptionState",
    "is_position",
    "positions_of",
    "resolve_cell",
]
