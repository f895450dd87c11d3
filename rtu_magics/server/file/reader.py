"""Reading a notebook's file once it is at rest, and against what it held lately."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Set
from pathlib import Path

from .format import DiskBase
from .in_place import finish
from .io import MISSING, Seen, Stamp, look
from .record import FileRecord

__all__ = ["Reader"]

SETTLES = 0.6  # seconds without a change until a file that is no notebook counts as written
SETTLES_AT_LATEST = 5.0
STALE = 10.0  # seconds that another program may take between reading and writing


class Reader:
    """Reads one file, and remembers what it held: another program may have read it before.

    Parameters
    ----------
    record
        What is known of it.
    forbidden
        Returns why a file must not be touched, "" if it may; asked before each look.
    """

    def __init__(self, record: FileRecord, forbidden: Callable[[Path], str] = lambda _: "") -> None:
        self._forbidden = forbidden
        self._record = record
        self._earlier: deque[tuple[float, DiskBase]] = deque(maxlen=8)

    def replaced(self, now: float) -> None:
        """Note that the file is replaced by us: others may still write what they read before."""
        if self._record.base is not None:
            self._earlier.append((now, self._record.base))

    async def read(self, path: Path, room_ids: Set[str], known: Stamp | None) -> Seen:
        """Return what a file holds; what is no notebook may be one that is written just now.

        Parameters
        ----------
        path
            The file.
        room_ids
            The ids of the room's cells.
        known
            Stamp of the file as it was found to be no notebook: it need not come to rest again.
        """
        loop = asyncio.get_running_loop()
        began = since = loop.time()
        last: Seen | None = None
        while True:
            seen = await asyncio.to_thread(self._look, path, self._bases(loop.time()), room_ids)
            now = loop.time()
            if last is None or seen.stamp != last.stamp:
                last, since = seen, now
            if not seen.trouble or seen.failed or (known is not None and seen.stamp == known):
                return seen
            if seen.trouble == MISSING and self._record.hash is None:
                return seen
            if now - since >= SETTLES or now - began >= SETTLES_AT_LATEST:
                return seen
            await asyncio.sleep(0.1)

    def _look(self, path: Path, bases: list[DiskBase], room_ids: Set[str]) -> Seen:
        try:
            finish(self._record.journal, path)
        except OSError as exc:
            trouble = f"{exc.strerror or exc}, and a write of it was interrupted"
            return Seen(trouble=trouble, failed=True)
        return look(path, self._record.hash, bases, room_ids, self._forbidden)

    def _bases(self, now: float) -> list[DiskBase]:
        if self._record.base is None:
            return []
        while self._earlier and self._earlier[0][0] < now - STALE:
            self._earlier.popleft()
        last = self._record.next_base
        begun = [] if last is None else [last]
        return [self._record.base, *begun, *(base for _, base in reversed(self._earlier))]
