"""Whose turn it is: the requests of several people for one kernel. Pure: no loop, no clock.

People whose requests wait take turns, a request each; within one person requests keep their order,
and a request whose turn has come is done to its end before the next one begins. So nobody waits for
more than one request of each of the others, however many they have asked for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sized
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from ..limits.settings import Limits

__all__ = ["FairQueue", "Request", "why_full"]


class Request(Protocol):
    """What somebody wants to have run: cells, taken away as they begin."""

    @property
    def author(self) -> UUID:
        """Who asked."""

    @property
    def targets(self) -> Sized:
        """The cells still to run."""


R = TypeVar("R", bound=Request)


class FairQueue(Generic[R]):
    """Requests in the order in which they will get their turns.

    Examples
    --------
    >>> from types import SimpleNamespace as Request
    >>> queue = FairQueue()
    >>> for author, name in [(1, "a"), (1, "b"), (1, "c"), (2, "d")]:
    ...     queue.put(Request(author=author, name=name, targets=[name]))
    >>> [request.name for request in queue]
    ['a', 'd', 'b', 'c']
    """

    def __init__(self) -> None:
        self._current: R | None = None
        # The people in the order of their next turns, each with what waits.
        self._waiting: OrderedDict[UUID, deque[R]] = OrderedDict()

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __iter__(self) -> Iterator[R]:
        """Iterate in the order of the turns, the one whose turn it is first."""
        if self._current is not None and len(self._current.targets):
            yield self._current
        lists = [list(requests) for requests in self._waiting.values()]
        for number in range(max(map(len, lists), default=0)):
            for requests in lists:
                if number < len(requests) and len(requests[number].targets):
                    yield requests[number]

    @property
    def current(self) -> R | None:
        """The request whose turn it is; None if there is none with anything left to run."""
        while self._current is None or not len(self._current.targets):
            if not self._waiting:
                self._current = None
                return None
            author, requests = self._waiting.popitem(last=False)
            while requests and not len(requests[0].targets):
                requests.popleft()  # withdrawn: no turn is lost by that
            if not requests:
                continue
            self._current = requests.popleft()
            if requests:  # at the end: everybody else who waits comes before their next
                self._waiting[author] = requests
        return self._current

    def put(self, request: R) -> None:
        """Let a request wait for its turn, which comes after those that its author waits for."""
        if self._current is None and not self._waiting:
            self._current = request
        else:
            self._waiting.setdefault(request.author, deque()).append(request)
            if self._current is not None and self._current.author in self._waiting:
                self._waiting.move_to_end(self._current.author)  # they have their turn now

    def of(self, author: UUID) -> list[R]:
        """Return what somebody has asked for and has not had yet, in order."""
        return [request for request in self if request.author == author]

    def clear(self) -> None:
        """Forget everything."""
        self._current = None
        self._waiting.clear()


def why_full(waiting: Iterable[Request], author: UUID, limits: Limits) -> str:
    """Return why somebody may not have more wait, "" if they may.

    Parameters
    ----------
    waiting
        What waits already.
    author
        Who asks.
    limits
        How much may wait.
    """
    total = mine = cells = 0
    for request in waiting:
        total += 1
        if request.author == author:
            mine += 1
            cells += len(request.targets)
    if mine >= limits.runs_waiting_per_person:
        return _full(f"{mine:,} requests of yours", "runs_waiting_per_person")
    if cells >= limits.cells_waiting_per_person:
        return _full(f"{cells:,} cells of yours", "cells_waiting_per_person")
    if total >= limits.runs_waiting_per_notebook:
        return _full(f"{total:,} requests", "runs_waiting_per_notebook")
    return ""


def _full(what: str, setting: str) -> str:
    return (
        f"{what} wait for this kernel already; wait until some have run, end yours with "
        f"%rtu_kernel interrupt, or ask whoever runs the server to raise {setting}"
    )
