"""A room's content at one moment, to be made into a file on another thread."""

from __future__ import annotations

import json
import marshal
from typing import Any

from ...models import Notebook
from .format import DiskBase, dumps

__all__ = ["base_of", "content_of", "detached", "differs"]


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
