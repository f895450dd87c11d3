"""Whether a notebook's file still is what lies at its path."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol
from uuid import UUID

from ..ports import Log
from .io import MISSING, Seen, Stamp
from .moves import cell_ids_in
from .record import FileRecord

__all__ = ["Tracker", "Whereabouts"]


class Tracker(Protocol):
    """Knows the notebooks of the server, open or not; see `upkeep.relocation`."""

    async def follow(self, file_id: UUID, *, by_hash: bool) -> bool:
        """Find out whether a notebook moved, and note it; whether it did."""

    def has_lost(self, stamp: Stamp, disk_hash: str, finder: UUID) -> bool:
        """Whether a file is one that another notebook had, and has no more at its own path."""


class Whereabouts:
    """Follows the file of one notebook under other names.

    Parameters
    ----------
    room, tracker
        The notebook, and who knows of all.
    record
        What is known of its file.
    """

    def __init__(self, room: Log, tracker: Tracker, record: FileRecord) -> None:
        self._room, self._tracker = room, tracker
        self._record = record

    async def find(self, *, by_hash: bool = True) -> bool:
        """Look for a file that left its place; whether it was found, and its room moved there."""
        return await self._tracker.follow(self._room.file_id, by_hash=by_hash)

    async def moved_away(self, path: Path, seen: Seen, stamp: Stamp | None, gone: bool) -> bool:
        """Whether the file lies elsewhere now, and what was seen is no affair of this notebook.

        Parameters
        ----------
        path, seen
            Where the file was, and what is there.
        stamp
            Of the file as it was last read or written, None before that.
        gone
            Whether it is known to be gone, and looked for already.
        """
        if self._record.hash is None or seen.hash == self._record.hash or seen.failed:
            return False
        if seen.trouble == MISSING:
            return not gone and await self.find()
        if _is_same(seen, stamp):
            return False
        ids = await asyncio.to_thread(cell_ids_in, path)
        alien = not ids & set(self._room.chain.builder.cell_ids)
        return (alien or stamp is not None) and await self.find(by_hash=alien)

    def is_of_another(self, seen: Seen, stamp: Stamp | None) -> bool:
        """Whether what lies here is another notebook that has just left its own place."""
        if seen.notebook is None or seen.stamp is None or _is_same(seen, stamp):
            return False
        return self._tracker.has_lost(seen.stamp, seen.hash, self._room.file_id)


def _is_same(seen: Seen, stamp: Stamp | None) -> bool:
    return stamp is not None and seen.stamp is not None and seen.stamp[2] == stamp[2]
