"""A room's content at one moment, to be made into a file on another thread."""

from __future__ import annotations

import json
import marshal
from pathlib import Path
from typing import Any

from ...document import normalise_notebook
from ...document.plain import whole
from ...errors import InvalidMessage
from ...models import Notebook
from .format import DiskBase, dumps, hash_of
from .regular import NotRegular, read_regular

__all__ = ["as_loaded", "base_of", "content_of", "detached", "differs"]


def detached(notebook: Notebook) -> Notebook:
    """Return a rendered notebook of which the room changes nothing any more.

    Parameters
    ----------
    notebook
        As `format.render` made it: cells of its own, with the room's metadata.
    """
    for cell in notebook.cells:
        cell.metadata = _copy(cell.metadata)
    return notebook.model_copy(update={"metadata": _copy(notebook.metadata)})


def _copy(metadata: dict[str, Any]) -> dict[str, Any]:
    if not metadata:
        return {}
    try:
        copied: dict[str, Any] = marshal.loads(marshal.dumps(metadata))
    except ValueError:  # too deep for it
        copied = json.loads(json.dumps(metadata))
    return copied


def content_of(notebook: Notebook) -> tuple[bytes, DiskBase]:
    """Return the bytes of a file, and what they sum up to."""
    return dumps(notebook), base_of(notebook)


def base_of(notebook: Notebook) -> DiskBase:
    """Sum up a notebook in a way that shares nothing with it."""
    return DiskBase.loads(DiskBase.of(notebook).dumps())


def differs(notebook: Notebook, other: Notebook | DiskBase) -> bool:
    """Return whether a file would change if the notebook were written over the other."""
    if isinstance(other, DiskBase):
        return DiskBase.of(notebook).dumps() != other.dumps()
    return dumps(notebook) != dumps(other)


def as_loaded(path: Path, known_hash: str | None) -> DiskBase | None:
    """Sum up a file as a live document would hold it; None if it is not what is known of it.

    Live documents have whole numbers where a file may have floats.
    """
    try:
        content = read_regular(path)
        if hash_of(content) != known_hash:
            return None
        return base_of(normalise_notebook(whole(json.loads(content))))
    except (OSError, NotRegular, InvalidMessage, ValueError, RecursionError):
        return None
