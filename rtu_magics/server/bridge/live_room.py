"""What a notebook stands on: a live document, in the process that keeps it or far from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Listener", "LiveRoom", "NotSaved"]


class NotSaved(OSError):
    """The live document could not be written; the message says why, in one line."""


class Listener(Protocol):
    """Hears what happens to a room's document and file."""

    async def replaced_soon(self) -> None:
        """Another program wrote the file: what it holds becomes the document after this."""

    def replaced(self) -> None:
        """It has; nobody's transaction is open."""

    def taking(self, take: Callable[[], None]) -> None:
        """Have that taken which may make another program's file the document, unannounced."""

    def saved(self, content: dict[str, Any], disk_hash: str) -> None:
        """The file holds this content of the document, and has this SHA-256."""


class LiveRoom(Protocol):
    """A live document's room, as whoever is in it uses it."""

    @property
    def ydoc(self) -> Any:
        """The document, a ``pycrdt.Doc``."""

    @property
    def awareness(self) -> Any:
        """Who is in the room, a ``pycrdt.Awareness``."""

    @property
    def writer(self) -> int | None:
        """The client that writes what our people do, None where others write as it, too."""

    @property
    def is_alone(self) -> bool:
        """Whether no page is in the room."""

    @property
    def taken_up(self) -> float | None:
        """When the file was written that the document took up, in seconds since 1970."""

    def join(self, listener: Listener) -> None:
        """Be in the room from now on, and tell the listener what happens."""

    def leave(self) -> None:
        """Be there no more."""

    async def save(self, is_whole: Callable[[], bool]) -> None:
        """Have the document written now.

        Parameters
        ----------
        is_whole
            Whether the document holds all that it should; not so after it was replaced.

        Raises
        ------
        NotSaved
            It was not.
        """
