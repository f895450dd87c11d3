"""What a bridge asks of the two that it puts together: a notebook, and its file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ...models import Notebook
from ..file.format import DiskBase
from ..file.live import LiveWriter
from ..ports import LiveNotebook, Twin
from .visitors import Visitor

__all__ = ["BridgedFile", "BridgedNotebook"]


class BridgedNotebook(LiveNotebook, Protocol):
    """A notebook that can have a twin."""

    twin: Twin | None

    @property
    def path(self) -> str:
        """Where it lies below the server's root."""

    def others_here(self, people: Iterable[Visitor]) -> None:
        """Note who has it open in a page, and tell everybody what has changed."""

    def pull(self) -> None:
        """Take what the twin has now, unless changes wait; then it is taken before them."""


class BridgedFile(Protocol):
    """A notebook's file whose writing can be left to somebody else."""

    writer: LiveWriter | None

    @property
    def known(self) -> DiskBase | None:
        """What the file held when it was last known."""

    def at_rest(self) -> AbstractAsyncContextManager[None]:
        """Let nothing be read or written while this is held."""

    async def merge_base(self, taken: float | None = None) -> DiskBase:
        """Return what the file held that a live document took up, written at this time.

        By default what it held when it was last known, as a live document would load it.
        """

    async def meet(self, notebook: Notebook, base: DiskBase) -> None:
        """Bring what a notebook has beyond `base` into the room."""

    def noted(self, disk_hash: str, base: DiskBase) -> None:
        """Note what the file holds."""

    def changed(self) -> None:
        """Note that the file may be behind."""
