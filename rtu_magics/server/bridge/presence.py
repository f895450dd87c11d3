"""Who is here: ours in the pages, the pages' people for those who follow over RTU."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...models import UpdateUserFileSubscriptionEventData
from .authors import Authors
from .document import LiveDocument
from .live_room import LiveRoom
from .people import People
from .visitors import Visitor, Visitors

__all__ = ["PresenceOfBoth"]


class PresenceOfBoth:
    """Shows each side of a bridge the people of the other.

    Parameters
    ----------
    room, live, authors
        The live document's room, the document, and who is who in it.
    ours
        Returns who follows the notebook.
    tell
        Called with everybody who is in a page, whenever that has changed.
    """

    def __init__(
        self,
        room: LiveRoom,
        live: LiveDocument,
        authors: Authors,
        *,
        ours: Callable[[], Iterable[UpdateUserFileSubscriptionEventData]],
        tell: Callable[[Iterable[Visitor]], None],
    ) -> None:
        self._people = People(room.awareness, ours, room.writer)
        self._visitors = Visitors(
            room.awareness, live, authors, ours=lambda: self._people.clients, tell=tell
        )

    def start(self) -> None:
        """Show them from now on."""
        self._people.start()
        self._visitors.start()

    def stop(self) -> None:
        """Take them away, on both sides."""
        self._visitors.stop()
        self._people.stop()
