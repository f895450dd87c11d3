"""Hands what happens to a remote notebook to everybody who wants to know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .events import Event

__all__ = ["EventHub"]

logger = logging.getLogger(__name__)


class EventHub:
    """Hands each event to every subscriber."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: tuple[Callable[[Event], None], ...] = ()

    def subscribe(self, fn: Callable[[Event], None]) -> Callable[[], None]:
        """Call `fn` with every later event; returns a function that ends this.

        Parameters
        ----------
        fn
            Called on the background thread; must return at once.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, fn)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(s for s in self._subscribers if s is not fn)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Hand an event to every subscriber; one that fails is logged and stops nothing."""
        for fn in self._subscribers:
            try:
                fn(event)
            except Exception:
                logger.exception("a subscriber failed on %s", type(event).__name__)
