"""The linear chain of deltas, put in order by parent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload
from uuid import UUID

from ..models import NIL_UUID, FileDeltaBase

__all__ = ["DeltaChain"]

_REMEMBERED = 1 << 16  # ids of applied deltas kept to recognise duplicates


class DeltaChain(Sequence[FileDeltaBase]):
    """Deltas that wait for their parents.

    The head (the id of the delta applied last) belongs to the notebook and is passed in. As a
    sequence, the chain shows what waits, in order of arrival.

    Every operation is constant time, whatever waits; so n deltas in any order cost O(n).

    Examples
    --------
    >>> from uuid import uuid4
    >>> from rtu_magics.models import CellExecuteAll
    >>> first = CellExecuteAll(file_id=NIL_UUID, parent_delta_id=NIL_UUID)
    >>> second = CellExecuteAll(file_id=NIL_UUID, parent_delta_id=first.id)
    >>> chain = DeltaChain()
    >>> chain.add(second, now=0.0), chain.add(first, now=0.0), chain.add(first, now=0.0)
    (True, True, False)
    >>> chain.pop(NIL_UUID) is first, chain.pop(first.id) is second, chain.pop(second.id)
    (True, True, None)
    """

    def __init__(self) -> None:
        # Ids stand here as integers, since a UUID computes its hash and equality in Python.
        # One child per parent: the server's chain is linear.
        self._waiting: dict[int, FileDeltaBase] = {}
        self._waiting_ids: set[int] = set()
        # A dict for its order: the oldest ids are forgotten first.
        self._known: dict[int, None] = {}
        self._gap_since: float | None = None
        self.forked = False
        """Whether two deltas named the same parent, which no sound server sends."""

    # The sequence view

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[FileDeltaBase]:
        return iter(self._waiting.values())

    @overload
    def __getitem__(self, index: int) -> FileDeltaBase: ...
    @overload
    def __getitem__(self, index: slice) -> list[FileDeltaBase]: ...
    def __getitem__(self, index: int | slice) -> FileDeltaBase | list[FileDeltaBase]:
        return list(self._waiting.values())[index]

    def __repr__(self) -> str:
        return f"<DeltaChain: {len(self._waiting)} waiting>"

    # Order

    def knows(self, delta_id: UUID) -> bool:
        """Return whether the delta waits here or was applied lately."""
        key = delta_id.int
        return key in self._known or key in self._waiting_ids

    def applied(self, delta_id: UUID) -> bool:
        """Return whether the delta was applied lately."""
        return delta_id.int in self._known

    def add(self, delta: FileDeltaBase, now: float) -> bool:
        """Take a delta that arrived; return False for one that is here or was applied already.

        Parameters
        ----------
        delta
            A delta of this notebook's chain.
        now
            A monotonic time in seconds: since when it waits.
        """
        key = delta.id.int
        if key in self._known or key in self._waiting_ids:
            return False
        parent = (delta.parent_delta_id or NIL_UUID).int
        if parent in self._waiting:
            self.forked = True
            return False
        self._waiting[parent] = delta
        self._waiting_ids.add(key)
        if self._gap_since is None:
            self._gap_since = now
        return True

    def pop(self, head: UUID | None) -> FileDeltaBase | None:
        """Take out the delta that comes after `head`, None if it has not arrived.

        It is then known: the same delta will not be taken again.

        Parameters
        ----------
        head
            The id of the delta applied last. With None (nothing is known about the head), the first
            arrival whose parent does not wait here comes next, unchecked.
        """
        if not self._waiting:
            return None
        if head is None:
            parent = next((p for p in self._waiting if p not in self._waiting_ids), None)
            if parent is None:
                return None
        else:
            parent = head.int
        delta = self._waiting.pop(parent, None)
        if delta is None:
            return None
        self._waiting_ids.discard(delta.id.int)
        self.remember(delta.id)
        # Something moved, so whatever still waits starts to wait anew.
        self._gap_since = None
        return delta

    def discard(self, delta: FileDeltaBase) -> None:
        """Take a delta out if it waits here; it is not known then."""
        if delta.id.int in self._waiting_ids:
            self._waiting_ids.discard(delta.id.int)
            for parent in [p for p, waits in self._waiting.items() if waits.id == delta.id]:
                del self._waiting[parent]

    def remember(self, delta_id: UUID) -> None:
        """Note a delta that was applied without passing through here."""
        self._known[delta_id.int] = None
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def gap(self, now: float) -> float | None:
        """Return for how long (seconds) a gap has kept everything waiting, None without a gap.

        Ask after every applicable delta was popped. A fork never closes: it counts as infinite.
        """
        if self.forked:
            return float("inf")
        if not self._waiting:
            return None
        if self._gap_since is None:
            self._gap_since = now
        return now - self._gap_since

    def clear(self, *, forget: bool = False) -> None:
        """Drop what waits; with `forget` also the memory of what was applied (a new notebook)."""
        self._waiting.clear()
        self._waiting_ids.clear()
        self._gap_since = None
        self.forked = False
        if forget:
            self._known.clear()
