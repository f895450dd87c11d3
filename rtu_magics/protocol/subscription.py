"""Where the subscription to one notebook stands."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from ..models import NIL_UUID, FileSubscribeRequestData

__all__ = ["Subscription", "SubscriptionState"]


class SubscriptionState(Enum):
    """The three states of a subscription.

    ::

        IDLE ──requested()──▶ REQUESTED ──accepted()──▶ LIVE
          ▲                       │                       │
          └───────ended()─────────┴───────ended()─────────┘
    """

    IDLE = "idle"
    REQUESTED = "requested"
    LIVE = "live"


class Subscription:
    """The subscription to one notebook, over one connection after the other.

    Parameters
    ----------
    max_reloads
        How often the notebook may be loaded anew in a row before this is given up.
    settled_after
        How long (seconds) a subscription has to be live for earlier reloads not to count any more.

    Attributes
    ----------
    state
        Where it stands.
    transaction_id
        The id of the request that is out, None if none is.
    """

    def __init__(self, max_reloads: int = 3, settled_after: float = 10.0) -> None:
        self.max_reloads = max_reloads
        self.settled_after = settled_after
        self.state = SubscriptionState.IDLE
        self.transaction_id: UUID | None = None
        self.reloads = 0
        self._live_since: float | None = None

    @staticmethod
    def starting_point(version_id: UUID | None, head: UUID | None) -> FileSubscribeRequestData:
        """Return from where to follow the chain.

        From the delta applied last if there is one. A nil head (the chain was empty) cannot be
        followed by its id, since no delta has it: then from the version, like a new copy.

        Raises
        ------
        ValueError
            There is neither a head nor a version.
        """
        if head is not None and head != NIL_UUID:
            return FileSubscribeRequestData(from_delta_id=head)
        if version_id is None:
            raise ValueError("the notebook has no version to follow: load it again")
        return FileSubscribeRequestData(from_version_id=version_id)

    def requested(self, transaction_id: UUID) -> None:
        """Note that a subscribe request goes out; answers to earlier ones are stale from now on."""
        self.state = SubscriptionState.REQUESTED
        self.transaction_id = transaction_id

    def awaits(self, transaction_id: UUID) -> bool:
        """Return whether a message with this id answers the request that is out."""
        return self.state is SubscriptionState.REQUESTED and transaction_id == self.transaction_id

    def accepted(self, now: float) -> None:
        """Note the reply to the request: events follow from now on.

        Parameters
        ----------
        now
            A monotonic time in seconds.
        """
        self.state = SubscriptionState.LIVE
        self.transaction_id = None
        self._live_since = now

    def ended(self) -> None:
        """Note that connection or subscription are gone."""
        self.state = SubscriptionState.IDLE
        self.transaction_id = None

    def live_for(self, now: float) -> float:
        """Return for how long (seconds) it has been live, 0 if it is not."""
        if self.state is not SubscriptionState.LIVE or self._live_since is None:
            return 0.0
        return now - self._live_since

    def may_reload(self, now: float, *, told: bool = False) -> bool:
        """Count a reload; return False once there were too many in a row.

        Parameters
        ----------
        now
            A monotonic time in seconds.
        told
            The server asked for it, of a copy that was live: then nothing is wrong here, and
            earlier reloads do not count. People may go to and fro between versions.
        """
        settled = self._live_since is not None and now - self._live_since >= self.settled_after
        if settled or told:
            self.reloads = 0
        self._live_since = None
        self.reloads += 1
        return self.reloads <= self.max_reloads
