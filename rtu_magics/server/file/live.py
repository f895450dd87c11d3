"""A notebook's file while a live document of JupyterLab writes and watches it in our place.

The document and the room are put together by `bridge`, which asks here for what the file held when
both were apart, and notes here what it holds since.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from ...models import Notebook
from . import events as ev
from .context import FileContext
from .format import DiskBase
from .io import stamp_of
from .outside import on_disk
from .snapshot import as_loaded
from .state import may_write

__all__ = ["LiveSide", "LiveWriter"]


class LiveWriter(Protocol):
    """Writes the file in our place."""

    async def save(self) -> None:
        """Write it with all that the notebook holds now; OSError if it cannot be."""


class LiveSide:
    """What a live document does with one notebook's file.

    Parameters
    ----------
    file
        The file.

    Attributes
    ----------
    writer
        What writes and watches the file in our place, while somebody does.
    """

    def __init__(self, file: FileContext) -> None:
        self._file = file
        self.writer: LiveWriter | None = None

    async def have_written(self, writer: LiveWriter) -> None:
        """Have the file brought up to date, if nothing is in the way.

        Raises
        ------
        NotOnDisk
            It cannot be written.
        """
        driver = self._file.driver
        if not may_write(driver.state):
            return
        generation = driver.state.generation
        try:
            await writer.save()
        except OSError as exc:
            raise self._file.failed("write", exc) from exc
        driver.feed(ev.Wrote(driver.now, generation))

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Let nothing be read or written while this is held."""
        async with self._file.lock:
            yield

    @property
    def known(self) -> DiskBase | None:
        """What the file held when it was last known."""
        return self._file.record.base

    async def merge_base(self, taken: float | None = None) -> DiskBase:
        """Return what the file held when it was last known, as Jupyter would load it.

        Parameters
        ----------
        taken
            When the file was written that a live document took up: if we have written it since,
            what it held then. What we wrote would count as taken away by the page.
        """
        record = self._file.record
        earlier = None if taken is None else record.held_when(taken)
        if earlier is not None:
            return earlier
        if record.base is None:
            return await self._file.base()
        found = await asyncio.to_thread(as_loaded, self._file.path, record.hash)
        return record.base if found is None else found

    async def meet(self, notebook: Notebook, base: DiskBase) -> None:
        """Bring what a live document has beyond `base` into the room."""
        await self._file.take_in(notebook, base, on_disk(self._file.path.name))

    def noted(self, disk_hash: str, base: DiskBase) -> None:
        """Note what the file holds: a live document has just been written to it."""
        self._file.stamp = stamp_of(self._file.path)
        self._file.record.remember(disk_hash, base)

    def changed(self) -> None:
        """Note that the room changed: the file may be behind."""
        self._file.driver.changed()
