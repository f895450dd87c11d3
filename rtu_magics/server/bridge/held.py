"""What the file holds while the live document's room writes it: the base of the next merge."""

from __future__ import annotations

import asyncio
from typing import Any

from ..file.format import DiskBase
from ..file.snapshot import base_of
from .cells import as_in_file
from .ports import BridgedFile

__all__ = ["HeldByFile"]


class HeldByFile:
    """What one file holds, noted beside everything else; and what it held before others wrote it.

    Parameters
    ----------
    file
        Where it is noted.
    """

    def __init__(self, file: BridgedFile) -> None:
        self._file = file
        self._latest: dict[str, Any] | None = None  # not noted yet
        self._before: dict[str, Any] | DiskBase | None = None
        self._notes = asyncio.Lock()

    def saved(self, content: dict[str, Any]) -> None:
        """Remember what the file holds now, until it is noted."""
        self._latest = content

    async def note(self, content: dict[str, Any], disk_hash: str) -> None:
        """Note what was saved."""
        async with self._notes:
            base = await asyncio.to_thread(lambda: base_of(as_in_file(content)))
            self._file.noted(disk_hash, base)
            if self._latest is content:
                self._latest = None

    async def noted(self) -> None:
        """Return when all that is being noted is."""
        async with self._notes:
            pass

    def replaced(self) -> None:
        """Remember what the file held: another program wrote it."""
        self._before = self._latest or self._before or self._file.known

    async def take_before(self) -> DiskBase | None:
        """Return what the file held before others wrote it; None if that has been asked for."""
        before, self._before = self._before, None
        if isinstance(before, dict):
            held = before
            return await asyncio.to_thread(lambda: base_of(as_in_file(held)))
        return before
