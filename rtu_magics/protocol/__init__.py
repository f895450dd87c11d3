"""The decisions of a client, without sockets and clocks.

What arrives is put in order (`DeltaChain`), what was sent is remembered until it is settled
(`InFlight`), a subscription knows where it stands (`Subscription`), and a lost connection is tried
again at the right time (`Backoff`). Time and chance are arguments.
"""

from .addresses import is_position, positions_of, resolve_cell
from .backoff import Backoff
from .chain import DeltaChain
from .executions import ExecutionLedger
from .inflight import InFlight, Pending
from .subscription import Subscription, SubscriptionState

__all__ = [
    "Backoff",
    "DeltaChain",
    "ExecutionLedger",
    "InFlight",
    "Pending",
    "Subscription",
    "SubscriptionState",
    "is_position",
    "positions_of",
    "resolve_cell",
]
