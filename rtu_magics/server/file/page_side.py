"""A notebook's file and the pages of JupyterLab that load and save it without being live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager

from ...models import Notebook
from .context import FileContext
from .format import DiskBase
from .merge import Merge
from .outside import Origin
from .record import FileRecord
from .trust import Notary

__all__ = ["PageSide"]


class PageSide:
    """What pages do with one notebook's file.

    Parameters
    ----------
    file, notary
        The file, and who signs what is trusted.
    """

    def __init__(self, file: FileContext, notary: Notary) -> None:
        self._file, self._notary = file, notary

    @property
    def record(self) -> FileRecord:
        """What the store remembers of the file."""
        return self._file.record

    def content(self) -> Notebook:
        """Return what the file would hold if it were written now."""
        return self._file.render()

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Let nothing be read or written while this is held."""
        async with self._file.lock:
            yield

    async def take(self, notebook: Notebook, base: DiskBase, origin: Origin) -> Merge:
        """Bring what a page has beyond `base` into the room; see `outside.take_in`."""
        return await self._file.take_in(notebook, base, origin)

    async def vouch(self, outputs: Set[str]) -> None:
        """Sign the file for somebody who trusts these outputs; see `trust.Notary.vouch`."""
        file = self._file
        ids = [cell.id for cell in file.room.chain.builder.nb.cells]
        own = file.content.own_outputs()
        await self._notary.vouch(file.path, file.record.hash, outputs, ids, own)
