"""What other programs do with a notebook's file, found out and taken into the room."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...models import Notebook
from . import events as ev
from .context import FileContext
from .format import DiskBase
from .io import MISSING, Seen
from .reader import Reader
from .snapshot import base_of
from .whereabouts import Whereabouts

__all__ = ["Intake"]

CUT_OFF_AT_LATEST = 30.0  # until a file that ends in the middle counts as what somebody wanted
SEARCHES = 5  # for a file that is gone, a second apart
NAMES_SETTLE = 2.0  # seconds that renames which belong together may take


class Intake:
    """Looks at one notebook's file.

    Parameters
    ----------
    file
        The file.
    reader, whereabouts
        What reads it, and follows it under other names.
    """

    def __init__(self, file: FileContext, reader: Reader, whereabouts: Whereabouts) -> None:
        self._file, self._reader, self._whereabouts = file, reader, whereabouts
        self._driver, self._record = file.driver, file.record
        self._searches = 0

    async def take(self) -> None:
        """Find out what the file is now, and bring what changed into the room.

        Raises
        ------
        NotOnDisk
            It cannot be read, or not be taken in; it is tried again by itself.
        """
        seen = await self._look()
        state = self._driver.state
        if seen.failed or (seen.cut_off and self._may_still_come()):
            self._file.stamp = None if seen.failed else seen.stamp
            raise self._file.failed("read", seen.trouble)
        if seen.trouble == MISSING:
            if self._record.hash is not None:
                if state.gone_at is None:
                    self._searches = SEARCHES
                self._driver.feed(ev.Vanished(self._driver.now))
            return
        self._file.stamp = seen.stamp
        if seen.trouble:
            self._driver.feed(ev.NotNotebook(self._driver.now, seen.trouble))
            return
        if seen.notebook is not None:
            await self._merge(seen.notebook, seen.base, seen.hash)
        state = self._driver.state
        if state.content or state.failure or state.gone_at is not None:
            self._found()

    async def search(self) -> None:
        """Look for a file that is gone once more, unless that has been done long enough."""
        if self._searches > 0:
            self._searches -= 1
            if await self._whereabouts.find():
                self._found()

    async def _look(self) -> Seen:
        """Read the file once its name is settled, under the name that it has then."""
        file = self._file
        began = self._driver.now
        while True:
            path = file.path
            ids = set(file.room.chain.builder.cell_ids)
            known = file.stamp if self._driver.state.content else None
            seen = await self._reader.read(path, ids, known)
            if seen.notebook is not None and self._record.recognise(seen.hash):
                seen = Seen(seen.stamp, seen.hash)
            if await self._moved_away(path, seen):
                continue
            settled = self._driver.now - began > NAMES_SETTLE
            if settled or not self._whereabouts.is_of_another(seen, file.stamp):
                return seen
            await asyncio.sleep(0.2)

    async def _moved_away(self, path: Path, seen: Seen) -> bool:
        """Whether the file lies elsewhere now, and what was seen is no affair of this notebook."""
        gone = self._driver.state.gone_at is not None
        if path != self._file.path:
            return True
        moved = await self._whereabouts.moved_away(path, seen, self._file.stamp, gone)
        if moved:
            self._found()
        return moved

    def _may_still_come(self) -> bool:
        """Whether a file that ends in the middle may be one that is written slowly."""
        if self._driver.state.content == "foreign":
            return False
        failure = self._driver.state.failure
        return failure is None or self._driver.now - failure.since < CUT_OFF_AT_LATEST

    async def _merge(self, notebook: Notebook, base: DiskBase | None, disk_hash: str) -> None:
        file, driver = self._file, self._driver
        try:
            if base is None:
                base = await file.base()
            await file.take_in(notebook, base)
            content = await asyncio.to_thread(base_of, notebook)
        except Exception as exc:
            file.stamp = None  # the next look reads it again
            raise file.failed("store", exc) from exc
        self._record.remember(disk_hash, content, by_others=True)
        # What the room has beyond the file is still to be written.
        self._found()
        generation = driver.state.generation
        try:
            behind = await file.is_behind(notebook)
        except Exception as exc:
            raise file.failed("render", exc) from exc
        if behind:
            driver.changed()
        else:
            driver.feed(ev.Wrote(driver.now, generation))

    def _found(self) -> None:
        self._driver.feed(ev.Found(self._driver.now))
