"""Whose outputs a cell may show: those of its own notebook, and of runs that all may see.

A cell names its output collection in its metadata, which whoever edits may write. Collections of
other notebooks, and those of runs without a cell, which belong to whoever started them, would come
into the file on disk that way, and be cleared and updated with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from ...models import CellMetadataUpdate, CellOutputCollectionReplace, FileDeltaBase, NBCellsAdd
from .cache import Collections

__all__ = ["foreign_outputs"]

_KEY = "output_collection_id"


def foreign_outputs(delta: FileDeltaBase, file_id: UUID, collections: Collections) -> str:
    """Return why a change may not name the outputs that it names, "" if it may, or names none.

    Parameters
    ----------
    delta
        What somebody submits.
    file_id
        To which notebook.
    collections
        Those that the server has.
    """
    for text in _named(delta):
        try:
            found = collections.get(UUID(str(text)))
        except ValueError:
            continue
        if found is not None and (found.file_id != file_id or found.private_to is not None):
            return (
                "these outputs are not of this notebook's cells; run the cell here to give it "
                "outputs of its own"
            )
    return ""


def _named(delta: FileDeltaBase) -> Iterator[Any]:
    if isinstance(delta, CellOutputCollectionReplace):
        yield delta.properties.output_collection_id
    elif isinstance(delta, NBCellsAdd):
        yield from _below(delta.properties.cell.metadata)
    elif isinstance(delta, CellMetadataUpdate):
        value: Any = delta.properties.value
        if not all(isinstance(key, str) for key in delta.properties.path):
            return  # which is refused for that
        for key in reversed(delta.properties.path):
            value = {key: value}
        yield from _below(value)


def _below(value: Any, depth: int = 5) -> Iterator[Any]:
    """Yield every collection that is named in JSON, however deep within reason."""
    if isinstance(value, dict) and depth:
        for key, one in value.items():
            if key == _KEY:
                yield one
            else:
                yield from _below(one, depth - 1)
