"""What goes wrong with a notebook's file."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Doing

__all__ = ["Failure", "NotOnDisk"]

_WORDS: dict[Doing, str] = {
    "read": "cannot be read",
    "write": "cannot be written",
    "render": "cannot be made into a file",
    "store": "was changed by another program, and that cannot be stored",
}


class NotOnDisk(OSError):
    """The file does not hold the notebook; the message says why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that goes wrong again and again.

    Attributes
    ----------
    doing
        What.
    reason
        Why, in the system's words.
    since
        When it failed for the first time, in seconds.
    tries
        How often it failed in a row.
    next_try
        When it is tried again.
    """

    doing: Doing
    reason: str
    since: float
    tries: int
    next_try: float

    @property
    def words(self) -> str:
        """What does not work, as the rest of a sentence about the file."""
        return _WORDS[self.doing]
