"""Passing a run's outputs on, while it goes and afterwards: the first at once, then in bursts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ..store import runs
from .cache import Collections, Showing
from .collection import LiveCollection
from .truncation import LongText, Texts

__all__ = ["Streamer"]

logger = logging.getLogger(__name__)

_OUTPUTS = ("display_data", "execute_result", "error", "clear_output")
_SEND_EVERY = 0.015  # seconds
_STORE_EVERY = 0.25
_STORE_AGAIN = 5.0  # after a failure when no end of the run follows that would try once more
_QUIET = 1.0  # seconds without text after the end, until what was left out of it is shown


class Streamer:
    """Sends and stores what a collection takes.

    Parameters
    ----------
    notebook, collections
        Where it is shown, and what else is shown there.
    collection
        What is filled. Of one that is private nothing is stored.
    send
        Sends an event and its data (JSON) to those who may see it.

    Attributes
    ----------
    over
        Whether the run is: what comes now stores itself, and changes the notebook's file.
    """

    def __init__(
        self,
        notebook: Showing,
        collections: Collections,
        collection: LiveCollection,
        send: Callable[[str, str], object],
    ) -> None:
        self._notebook, self._collections = notebook, collections
        self._send_event = send
        self.collection = collection
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._next_send = 0.0
        self._next_store = self._loop.time() + _STORE_EVERY
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.TimerHandle | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._begun = False
        self._text = self._long_text()

    def _long_text(self) -> LongText:
        texts, collection = self._collections.long_texts, self.collection
        return texts.new(collection.id, collection.stream_texts)

    def begin(self) -> None:
        """Send from now on: everybody has been told of the collection."""
        self._begun = True
        self._schedule()

    def take(self, message: Mapping[str, Any]) -> None:
        """Take one iopub message."""
        kind, content = message.get("msg_type"), message.get("content") or {}
        if kind == "stream":
            name, text = str(content.get("name", "stdout")), str(content.get("text") or "")
            self._show(self._text.take(name, text))
            if self.over:
                self._reveal_soon()
        elif kind in _OUTPUTS:
            self._show(self._text.between())
            self._take(message)
            if kind == "clear_output":
                self._text.start_again()
        else:
            self._take(message)

    def _show(self, texts: Texts) -> None:
        for name, text in texts:
            self._take({"msg_type": "stream", "content": {"name": name, "text": text}})

    def _take(self, message: Mapping[str, Any]) -> None:
        display_id = self.collection.take(message)
        if display_id is not None:
            content = message.get("content") or {}
            self.flush()  # what this run showed before comes before it
            self._collections.update_display(self._notebook, display_id, content, self.collection)
        self._schedule()

    def move(self, collection: LiveCollection) -> None:
        """Fill another collection from now on: that of a cell whose outputs were cleared."""
        self._settle()
        self.collection = collection
        self._text = self._long_text()

    def _schedule(self) -> None:
        if self._begun and self._timer is None and self.collection.has_events:
            delay = max(0.0, self._next_send - self._loop.time())
            self._timer = self._loop.call_later(delay, self._flush)

    def _reveal_soon(self) -> None:
        """Show the end of what is left out once no more text comes: no end of the run will."""
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if self._text.hides:
            self._quiet = self._loop.call_later(_QUIET, self._reveal)

    def _reveal(self) -> None:
        self._quiet = None
        self._show(self._text.finish())

    def finish(self) -> None:
        """Send what is left; storing it is up to the caller."""
        self._show(self._text.finish())
        self._cancel()
        self._send()

    def stop(self) -> None:
        """Store what has not been stored: the run is over, or the server."""
        self._cancel()
        self.over = True
        if self.collection.private_to is None and self._begun:
            self._store()

    def settle(self) -> None:
        """Send and store what came after the end of the run, for the server stops."""
        if self.over:
            self._settle()

    def _settle(self) -> None:
        self._show(self._text.finish())
        pending = self._timer is not None or self._storing is not None
        self._cancel()
        if self._begun and pending:
            self._send()
            if self.collection.private_to is None:
                self._store()

    def _cancel(self) -> None:
        for timer in (self._timer, self._storing, self._quiet):
            if timer is not None:
                timer.cancel()
        self._timer = self._storing = self._quiet = None

    def flush(self) -> None:
        """Send what there is now, before something else."""
        if self._begun:
            self._send()

    def _flush(self) -> None:
        self._timer = None
        self._send()
        now = self._loop.time()
        self._next_send = now + _SEND_EVERY
        if self.collection.private_to is not None or self._storing is not None:
            return
        # Also when nothing more comes: what was seen must not go with the server.
        self._storing = self._loop.call_later(max(0.0, self._next_store - now), self._store)

    def _store(self) -> None:
        self._storing = None
        self._next_store = self._loop.time() + _STORE_EVERY
        try:
            if self.over:
                self._store_late()
            else:
                with self._collections.database.quick_transaction() as connection:
                    self.collection.store(connection)
        except SQLAlchemyError as exc:
            # The end of the run stores everything, and fails the cell if it cannot.
            self.collection.store_again()
            if self.over:
                logger.error("late outputs could not be stored: %s", getattr(exc, "orig", exc))
                self._storing = self._loop.call_later(_STORE_AGAIN, self._store)

    def _store_late(self) -> None:
        """Store what came after the end, unless the collection has left the store meanwhile."""
        if not self.collection.has_unstored:
            return
        with self._collections.database.transaction() as connection:
            if runs.get_collection(connection, self.collection.id) is not None:
                self.collection.store(connection)
        self._notebook.changed(revive=False)

    def _send(self) -> None:
        for event, data in self.collection.drain():
            self._send_event(event, data)
