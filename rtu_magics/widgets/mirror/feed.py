"""From a session to the front ends of one mirror: paced, and in pieces where they are long.

Jupyter servers drop what a kernel publishes beyond about a megabyte a second, whole messages at a
time. So no message is long, and there are few of them.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ...session import background
from .state import Message, MirrorState

if TYPE_CHECKING:
    from ...session import Session
    from ...session.events import Event

__all__ = ["MirrorFeed", "Scheduler"]

TURN_CHARACTERS = 60_000  # sent at one time; ten times a second at most
PIECE = 50_000


class Scheduler(Protocol):
    """The process's one writer: it calls what is scheduled a few times a second."""

    def schedule(self, key: Any, fn: Callable[[], None]) -> None:
        """Call `fn` soon; a later call with the same key takes its place."""

    def forget(self, key: Any) -> None:
        """Don't call what is scheduled under this key."""


class MirrorFeed:
    """Listens to a session and sends what a mirror's front ends have to know.

    Parameters
    ----------
    session
        The session.
    cells
        The ids of the cells to show; None for all.
    send
        Sends one message; called on the writer's thread.
    writer
        When to send.
    """

    def __init__(
        self,
        session: Session,
        cells: Iterable[str] | None,
        send: Callable[[Message], None],
        writer: Scheduler,
    ) -> None:
        self.session = session
        self.state = MirrorState(session, cells, self._schedule)
        self._send = send
        self._writer = writer
        self._lock = threading.Lock()
        self._queue: deque[tuple[Message, int]] = deque()
        self._bulk: deque[tuple[Message, int]] = deque()
        self._pieces = 0
        self._closed = False
        self._unsubscribe = session.hub.subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        if not self._closed:
            self.state.on_event(event)

    def refresh(self) -> None:
        """Send everything anew; from any thread."""
        if not self._closed and background().running:
            background().loop.call_soon_threadsafe(self._refresh)

    def _refresh(self) -> None:
        if not self._closed:
            self.state.refresh()

    def post(self, message: Message) -> None:
        """Send a message that is not part of the notebook's state, such as an answer."""
        with self._lock:
            self._add(self._queue, message)
        self._schedule()

    def post_bulk(self, message: Message) -> None:
        """Send a long message, in the gaps between the others."""
        with self._lock:
            self._add(self._bulk, message)
        self._schedule()

    def close(self) -> None:
        """Stop listening and drop what is not sent; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        self._writer.forget(self)
        if background().running:
            background().loop.call_soon_threadsafe(self.state.board.close)

    # ------------------------------------------------------------------ the writer's thread

    def _schedule(self) -> None:
        if not self._closed:
            self._writer.schedule(self, self.flush)

    def flush(self) -> None:
        """Send as much as may be sent at one time."""
        with self._lock:
            for message in self.state.take():
                if message["t"] == "snapshot" and message["part"] == 0:
                    self._drop_outdated()
                self._add(self._queue, message)
            batch: list[Message] = []
            left = TURN_CHARACTERS
            for queue in (self._queue, self._bulk):
                while queue and (not batch or queue[0][1] <= left):
                    message, length = queue.popleft()
                    batch.append(message)
                    left -= length
            more = bool(self._queue or self._bulk)
        for message in batch:
            if self._closed:
                return
            self._send(message)
        if more:
            self._schedule()

    def _drop_outdated(self) -> None:
        """Drop what a new snapshot has in it."""
        self._queue = deque(
            (message, length)
            for message, length in self._queue
            if message["t"] not in ("snapshot", "patch", "piece")
        )

    def _add(self, queue: deque[tuple[Message, int]], message: Message) -> None:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= TURN_CHARACTERS:
            queue.append((message, len(text)))
            return
        self._pieces += 1
        count = -(-len(text) // PIECE)
        for index in range(count):
            piece = {
                "t": "piece",
                "key": self._pieces,
                "i": index,
                "n": count,
                "s": text[index * PIECE : (index + 1) * PIECE],
            }
            queue.append((piece, PIECE))
