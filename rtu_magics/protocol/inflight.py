"""What was asked of the server and is not settled yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

__all__ = ["InFlight", "Pending"]

T = TypeVar("T")


@dataclass(slots=True)
class Pending(Generic[T]):
    """One request.

    Attributes
    ----------
    transaction_id, delta_id
        The ids under which answers to it arrive.
    owner
        Whatever the caller wants to find again.
    sends
        How often it was handed to a connection.
    predates_reload
        It was sent before the notebook was loaded anew: the new copy may contain it already.
    wait_for
        For an execute delta whose cells are waited for: makes what stands for the wait for a cell.
    refused_until
        The server said a bare "no"; the cause should follow until this time.
    """

    transaction_id: UUID
    delta_id: UUID
    owner: T
    sends: int = 0
    predates_reload: bool = False
    wait_for: Callable[[str], Any] | None = None
    refused_until: float | None = None


class InFlight(Generic[T]):
    """Requests by transaction id and by delta id, in the order in which they were made.

    After a reconnect, whatever the catch-up settled is gone from here; all that is left is to be
    sent again with the same ids, in order. The server takes a repeated delta id for the retry it
    is.
    """

    def __init__(self) -> None:
        # By the integers of the ids: a UUID computes its hash in Python, each time.
        self._by_delta: dict[int, Pending[T]] = {}
        self._by_transaction: dict[int, Pending[T]] = {}

    def __len__(self) -> int:
        return len(self._by_delta)

    def __iter__(self) -> Iterator[Pending[T]]:
        return iter(list(self._by_delta.values()))

    def add(self, transaction_id: UUID, delta_id: UUID, owner: T) -> Pending[T]:
        """Remember a request; see `put`."""
        pending = Pending(transaction_id, delta_id, owner)
        self.put(pending)
        return pending

    def put(self, pending: Pending[T]) -> None:
        """Remember a request.

        Raises
        ------
        ValueError
            One with this delta id or transaction id is in flight already.
        """
        delta_key, transaction_key = pending.delta_id.int, pending.transaction_id.int
        if delta_key in self._by_delta or transaction_key in self._by_transaction:
            raise ValueError(f"delta {pending.delta_id} is in flight already; wait for its result")
        self._by_delta[delta_key] = self._by_transaction[transaction_key] = pending

    def by_delta(self, delta_id: UUID) -> Pending[T] | None:
        """Return the request with this delta."""
        return self._by_delta.get(delta_id.int)

    def by_transaction(self, transaction_id: UUID) -> Pending[T] | None:
        """Return the request with this transaction id."""
        return self._by_transaction.get(transaction_id.int)

    def settle(self, delta_id: UUID) -> Pending[T] | None:
        """Forget a request that got its answer; return it if it was still here."""
        pending = self._by_delta.pop(delta_id.int, None)
        if pending is not None:
            self._by_transaction.pop(pending.transaction_id.int, None)
        return pending

    def reloaded(self) -> None:
        """Note that the notebook was loaded anew since everything here was sent."""
        for pending in self._by_delta.values():
            if pending.sends:
                pending.predates_reload = True
