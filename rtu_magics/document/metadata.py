"""Changing metadata, whole or not at all."""

from __future__ import annotations

import logging
from typing import Any

from ..errors import SquashError
from ..models import NULL_PRIOR_VALUE_SENTINEL, CellMetadataUpdate, NBMetadataUpdate
from .order import Cell
from .plain import copy_json

__all__ = ["rtu_metadata", "set_path"]

logger = logging.getLogger(__name__)


def rtu_metadata(cell: Cell) -> dict[str, Any]:
    """Return the protocol's part of a cell's metadata, made if it is missing.

    Raises
    ------
    SquashError
        There is something else in its place.
    """
    found = cell.metadata.setdefault("noteable", {})
    if not isinstance(found, dict):
        raise SquashError(f"metadata 'noteable' of cell {cell.id!r} is no object")
    return found


def set_path(metadata: dict[str, Any], delta: CellMetadataUpdate | NBMetadataUpdate) -> None:
    """Put a delta's value at its path; objects that are missing on the way are made.

    Raises
    ------
    SquashError
        The path or the value is of no use; nothing has changed.
    """
    path, prior = delta.properties.path, delta.properties.prior_value
    if not path or not all(isinstance(key, str) for key in path):
        raise SquashError("a metadata path is one key or more, all of them strings")
    *parents, last = path
    inner: Any = metadata
    missing = len(parents)
    for depth, key in enumerate(parents):
        if key not in inner:
            missing = depth
            break
        inner = inner[key]
        if not isinstance(inner, dict):
            raise SquashError(f"the metadata path leads through {key[:80]!r}, which is no object")
    try:
        value = copy_json(delta.properties.value, len(path))
    except ValueError as exc:
        raise SquashError(f"the metadata value cannot be stored: {exc}") from None
    # From here on nothing fails.
    for key in parents[missing:]:
        inner = inner.setdefault(key, {})
    if prior and prior != NULL_PRIOR_VALUE_SENTINEL and last in inner and inner[last] != prior:
        logger.info("metadata at %s was not what the delta's author saw", path)
    inner[last] = value
