"""Which delta is squashed next, and what a gap between them leads to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from uuid import UUID

from ..models import FileDeltaBase
from .chain import DeltaChain
from .effects import REPLAY, Effects, Queued, Wake
from .requests import EARLY

__all__ = ["DeltaOrder"]


class DeltaOrder:
    """Hands deltas out one by one: first what a catch-up brought, then the chain.

    Parameters
    ----------
    gap_timeout
        Seconds that deltas wait for a missing one.

    Attributes
    ----------
    chain
        The deltas that wait for their parents.
    missed
        The deltas of a catch-up that are still to be squashed.
    found_any
        Whether the catch-up brought anything that was not here.
    applying
        Whether somebody squashes what is handed out: nobody else does meanwhile.
    in_hand
        The delta that was handed out and is not squashed yet.
    """

    def __init__(self, gap_timeout: float) -> None:
        self.gap_timeout = gap_timeout
        self.chain = DeltaChain()
        self.missed: deque[FileDeltaBase] = deque()
        self.found_any = False
        self.applying = False
        self.in_hand: UUID | None = None
        self._gap_due: float | None = None
        self._asked_at: UUID | None = None  # the head at which a missing delta was asked for

    def queue(self, delta: FileDeltaBase, head: UUID | None, now: float) -> Effects:
        """Take a delta into the chain, which has not got it: `REPLAY`, or `Queued` if it waits."""
        if not self.applying and (head is None or delta.parent_delta_id == head):
            return REPLAY
        return (Queued(delta), *self.watch(now))

    def watch(self, now: float) -> Effects:
        """Have the gap looked at in time, if anything waits and that is not seen to."""
        if self._gap_due is not None or not self.chain:
            return ()
        self._gap_due = now + self.gap_timeout
        return (Wake(self._gap_due),)

    def catch_up(self, deltas: Iterable[FileDeltaBase]) -> deque[FileDeltaBase]:
        """Take what a catch-up brings; return what of it is still to be squashed."""
        self.missed = deque(delta for delta in deltas if not self.chain.applied(delta.id))
        self.found_any = False
        return self.missed

    def next_missed(self) -> FileDeltaBase | None:
        """Hand out the next delta of the catch-up that is not here already."""
        while self.missed:
            delta = self.missed.popleft()
            if not self.chain.applied(delta.id):
                self.chain.discard(delta)  # it may have come by itself, too
                self.chain.remember(delta.id)
                self.found_any = True
                self.in_hand = delta.id
                return delta
        return None

    def next_of_chain(self, head: UUID | None) -> FileDeltaBase | None:
        """Hand out the delta that comes after `head`, if it has arrived."""
        delta = self.chain.pop(head)
        if delta is not None:
            self.in_hand = delta.id
        return delta

    def squashed(self, delta: FileDeltaBase) -> None:
        """Note that a delta was squashed."""
        self.in_hand = None
        self.chain.remember(delta.id)

    def applied(self, delta_id: UUID) -> bool:
        """Return whether a delta was squashed lately; the one in hand is not yet."""
        return self.chain.applied(delta_id) and delta_id != self.in_hand

    def tick(self, now: float) -> bool | Wake | None:
        """Return whether a gap has lasted too long, a `Wake` to ask again, None without a gap."""
        if self._gap_due is None:
            return None
        return Wake(self._gap_due) if self._gap_due > now + EARLY else self.has_gap(now)

    def has_gap(self, now: float) -> bool | Wake | None:
        """Return what `tick` does, without waiting for its time: a fork is no use waiting for."""
        self._gap_due = None
        gap = self.chain.gap(now)
        if gap is None:
            return None
        if self.applying:
            gap = 0.0  # what waits may wait for the delta in hand
        if gap >= self.gap_timeout - EARLY:
            return True
        self._gap_due = now + self.gap_timeout - gap
        return Wake(self._gap_due)

    def asked(self, head: UUID | None) -> bool:
        """Note that what is missing after `head` is asked for; return False the second time."""
        if head is not None and head == self._asked_at:
            return False
        self._asked_at = head
        return True

    def clear(self, *, forget: bool = False) -> None:
        """Drop what waits; with `forget` the memory of what was squashed, too (a new notebook)."""
        self.chain.clear(forget=forget)
        self.missed.clear()
        if forget:
            self._asked_at = self.in_hand = None
