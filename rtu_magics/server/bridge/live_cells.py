"""A live document as plain values by id, whatever holds it: what comparing needs to know; pure."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ["LiveCells"]


class LiveCells(Protocol):
    """Reads and changes the cells of a live document; see `document.LiveDocument`."""

    @property
    def ids(self) -> list[Any]:
        """What stands as the cells' ids, in order."""

    def index_of(self, cell_id: str) -> int:
        """Return the place of the first cell with an id; ValueError if there is none."""

    def raw(self, index: int, *, outputs: bool = True) -> dict[str, Any]:
        """Return a cell in plain values, without its outputs where they are not asked for."""

    def metadata(self) -> dict[str, Any]:
        """Return the notebook's metadata."""

    def change(self) -> AbstractContextManager[None]:
        """Make one transaction of what is written within."""

    def insert(self, index: int, raw: Mapping[str, Any]) -> None:
        """Put a cell in plain values at a place."""

    def delete(self, index: int) -> None:
        """Take the cell at a place away."""

    def rename(self, index: int, cell_id: str) -> None:
        """Give the cell at a place another id."""

    def set_source(self, index: int, source: str) -> None:
        """Make a cell's source another one."""

    def set_metadata(self, index: int | None, key: str, value: Any) -> None:
        """Set a key of a cell's metadata, or of the notebook's (None)."""

    def drop_metadata(self, index: int | None, key: str) -> None:
        """Take a key of a cell's metadata, or of the notebook's (None), away."""

    def set_part(self, index: int, key: str, value: Any) -> None:
        """Set another key of a cell."""

    def drop_part(self, index: int, key: str) -> None:
        """Take another key of a cell away."""
