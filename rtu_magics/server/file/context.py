"""What the parts that keep one notebook's file in step with its room share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from ...models import Notebook
from ..outputs.cache import Collections
from ..ports import OpenNotebook
from ..versions import Versions
from . import events as ev
from .content import RoomContent
from .driver import Driver
from .failure import NotOnDisk
from .format import DiskBase
from .io import Stamp
from .merge import Merge
from .outside import Origin, on_disk, take_in
from .record import FileRecord
from .snapshot import base_of, differs

__all__ = ["FileContext"]


@dataclass(slots=True)
class FileContext:
    """One notebook's file.

    Attributes
    ----------
    room, versions, collections
        The notebook, its versions, and the outputs of the server's notebooks.
    path
        Where the file lies.
    driver, record, content
        What is to be done about it, what the store remembers of it, what it is to hold.
    stamp
        Of the file as it was last read or written, None before that.
    lock
        Held while the file is read or written.
    """

    room: OpenNotebook
    versions: Versions
    collections: Collections
    path: Path
    driver: Driver
    record: FileRecord
    content: RoomContent
    stamp: Stamp | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def render(self) -> Notebook:
        """Return what the file is to hold now."""
        return self.content.notebook(self.record.base)

    async def is_behind(self, held: DiskBase | Notebook) -> bool:
        """Whether the room has what a file that holds this has not."""
        return await asyncio.to_thread(differs, self.render(), held)

    async def base(self) -> DiskBase:
        """Sum up what the file is to hold now."""
        return await asyncio.to_thread(base_of, self.render())

    async def take_in(
        self, notebook: Notebook, base: DiskBase, origin: Origin | None = None
    ) -> Merge:
        """Bring into the room what a notebook has beyond `base`; see `outside.take_in`."""
        name = self.path.name
        origin = origin or on_disk(name, held=bool(self.driver.state.held))
        parts = self.room, self.versions, self.collections
        return await take_in(*parts, name, notebook, base=base, origin=origin)

    def failed(self, doing: ev.Doing, exc: Exception | str) -> NotOnDisk:
        """Note what went wrong; returns it to be raised."""
        return NotOnDisk(self.driver.failed(doing, exc))
