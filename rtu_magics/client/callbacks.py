"""Callbacks: who is called for what, and how a slow or failing one harms nobody.

Every registered coroutine function has a `Lane` of its own: its calls run one after the other, in
the order of the chain, beside the reader of the connection and beside all other callbacks. So a
callback may wait for something that only the reader can bring (the result of a delta, say).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from ..models import BaseRTUResponse, FileDeltaBase

__all__ = ["DeltaCallback", "DeltaCallbacks", "Lane", "MessageCallbacks", "in_worker"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Callback = Callable[[Any], Any]

in_worker: ContextVar[bool] = ContextVar("rtu_in_worker", default=False)
"""True in the tasks that read, send and call back: they must not wait for callbacks to end."""


class Lane(Generic[T]):
    """Calls one function, call after call.

    Parameters
    ----------
    fn
        A coroutine function; its calls run in a task of the lane's own. Or a plain function: it is
        called at once, on the reader's time, and must not block. Whatever it raises is logged.
    """

    __slots__ = ("_is_async", "_task", "_waiting", "fn")

    def __init__(self, fn: Callback) -> None:
        self.fn = fn
        self._is_async = inspect.iscoroutinefunction(fn)
        self._waiting: deque[tuple[Any, bool]] = deque()
        self._task: asyncio.Task[None] | None = None

    def call(self, argument: T) -> asyncio.Task[None] | None:
        """Call the function with `argument`; return the task that will, None if it is done."""
        if not self._is_async and self._task is None:
            try:
                result = self.fn(argument)
            except Exception:
                self._log(argument)
                return None
            if not inspect.isawaitable(result):
                return None
            # A plain function that returns a coroutine, such as a lambda around one.
            self._waiting.append((result, True))
        else:
            self._waiting.append((argument, False))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> None:
        in_worker.set(True)
        try:
            while self._waiting:
                item, started = self._waiting.popleft()
                try:
                    result = item if started else self.fn(item)
                    if inspect.isawaitable(result):
                        await result
                except Exception:
                    self._log(item)
        finally:
            self._task = None

    def _log(self, argument: Any) -> None:
        name = getattr(self.fn, "__qualname__", repr(self.fn))
        logger.exception("callback %s raised on %s", name, type(argument).__name__)

    def cancel(self) -> asyncio.Task[None] | None:
        """Drop what waits; return the cancelled task, if one runs that is not the caller's own."""
        self._waiting.clear()
        task = self._task
        if task is None or task is asyncio.current_task():
            return None
        task.cancel()
        return task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that runs the calls, None when nothing is left to do."""
        return self._task


def _ancestry(cls: type, base: type, cache: dict[type, tuple[type, ...]]) -> tuple[type, ...]:
    found = cache.get(cls)
    if found is None:
        found = cache[cls] = tuple(c for c in cls.__mro__ if issubclass(c, base))
    return found


class MessageCallbacks:
    """Callbacks by message class and by transaction id, found by key."""

    def __init__(self) -> None:
        self._by_class: dict[type, dict[object, Lane[Any]]] = {}
        self._by_transaction: dict[UUID, dict[object, Lane[Any]]] = {}
        self._by_predicate: dict[object, tuple[Callable[[str, Any], bool], Lane[Any]]] = {}
        self._ancestries: dict[type, tuple[type, ...]] = {}

    def on_class(self, cls: type, fn: Callback) -> Callable[[], None]:
        """Call `fn` for every instance of `cls`; return what deregisters it."""
        return self._register(self._by_class, cls, fn)

    def on_transaction(self, transaction_id: UUID, fn: Callback) -> Callable[[], None]:
        """Call `fn` for every message of one transaction; return what deregisters it."""
        return self._register(self._by_transaction, transaction_id, fn)

    def on_predicate(
        self, predicate: Callable[[str, Any], bool], fn: Callback
    ) -> Callable[[], None]:
        """Call `fn` where ``predicate("", message)`` is true; return what deregisters it."""
        token = object()
        self._by_predicate[token] = (predicate, Lane(fn))

        def deregister() -> None:
            self._by_predicate.pop(token, None)

        return deregister

    @staticmethod
    def _register(
        table: dict[Any, dict[object, Lane[Any]]], key: Any, fn: Callback
    ) -> Callable[[], None]:
        token = object()
        table.setdefault(key, {})[token] = Lane(fn)

        def deregister() -> None:
            lanes = table.get(key)
            if lanes is not None:
                lanes.pop(token, None)
                if not lanes:
                    del table[key]

        return deregister

    def dispatch(self, message: BaseRTUResponse) -> None:
        """Call everything that is registered for a message."""
        if self._by_transaction:
            lanes = self._by_transaction.get(message.transaction_id)
            if lanes:
                for lane in list(lanes.values()):
                    lane.call(message)
        if self._by_class:
            for cls in _ancestry(type(message), BaseRTUResponse, self._ancestries):
                lanes = self._by_class.get(cls)
                if lanes:
                    for lane in list(lanes.values()):
                        lane.call(message)
        if self._by_predicate:
            for predicate, lane in list(self._by_predicate.values()):
                try:
                    wanted = predicate("", message)
                except Exception:
                    logger.exception("predicate %r raised on %s", predicate, message.event)
                    continue
                if wanted:
                    lane.call(message)

    def lanes(self) -> Iterator[Lane[Any]]:
        """Iterate over every lane."""
        for table in (self._by_class, self._by_transaction):
            for lanes in table.values():
                yield from lanes.values()
        for _, lane in self._by_predicate.values():
            yield lane


@dataclass(eq=False, slots=True)
class DeltaCallback:
    """One registration: `fn` is awaited with every squashed delta of a class or its subclasses.

    Remove it from `RTUClient.delta_callbacks` to deregister it. `at_once` says that `fn` never
    waits for anything.
    """

    delta_class: type[FileDeltaBase]
    fn: Callable[[Any], Awaitable[None] | None]
    delta_id: UUID | None = None
    at_once: bool = False
    lane: Lane[FileDeltaBase] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lane = Lane(self.fn)


class DeltaCallbacks(Collection[DeltaCallback]):
    """The delta callbacks of a client, found by class, or by id where one delta is meant."""

    def __init__(self) -> None:
        self._by_class: dict[type, dict[DeltaCallback, None]] = {}
        self._by_id: dict[int, DeltaCallback] = {}
        self._ancestries: dict[type, tuple[type, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_id) + sum(map(len, self._by_class.values()))

    def __iter__(self) -> Iterator[DeltaCallback]:
        for callbacks in list(self._by_class.values()):
            yield from list(callbacks)
        yield from list(self._by_id.values())

    def __contains__(self, callback: object) -> bool:
        if not isinstance(callback, DeltaCallback):
            return False
        if callback.delta_id is not None:
            return self._by_id.get(callback.delta_id.int) is callback
        return callback in self._by_class.get(callback.delta_class, ())

    def append(self, callback: DeltaCallback) -> None:
        """Register a callback."""
        if callback.delta_id is not None:
            self._by_id[callback.delta_id.int] = callback
        else:
            self._by_class.setdefault(callback.delta_class, {})[callback] = None

    def remove(self, callback: DeltaCallback) -> None:
        """Deregister a callback.

        Raises
        ------
        ValueError
            It is not registered.
        """
        if callback not in self:
            raise ValueError("this callback is not registered")
        if callback.delta_id is not None:
            del self._by_id[callback.delta_id.int]
        else:
            callbacks = self._by_class[callback.delta_class]
            del callbacks[callback]
            if not callbacks:
                del self._by_class[callback.delta_class]

    def discard_id(self, delta_id: UUID) -> None:
        """Deregister the callback that waits for this one delta, if there is one."""
        self._by_id.pop(delta_id.int, None)

    def dispatch(self, delta: FileDeltaBase) -> list[asyncio.Task[None]]:
        """Call everything that is registered for a delta's class; return the tasks that run it.

        Callbacks for one id are not called here: see `for_id`.
        """
        running: list[asyncio.Task[None]] = []
        if self._by_class:
            for cls in _ancestry(type(delta), FileDeltaBase, self._ancestries):
                callbacks = self._by_class.get(cls)
                if callbacks:
                    for callback in list(callbacks):
                        task = callback.lane.call(delta)
                        if task is not None:
                            running.append(task)
        return running

    def for_id(self, delta_id: UUID) -> DeltaCallback | None:
        """Return the callback that waits for this one delta."""
        return self._by_id.get(delta_id.int) if self._by_id else None
