"""Owning copies of JSON values and cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from ..models import CodeCell, DisplayDataOutput, ErrorOutput, ExecuteResultOutput
from .order import Cell

__all__ = ["MAX_DEPTH", "copy_cell", "copy_json", "is_too_deep", "still_cell", "whole"]

_EXACT = 2**53  # whole numbers up to here are the same as floats
MAX_DEPTH = 100
"""How deep values may be nested. Beyond about 200 levels JSON parsers, ours among them, give up,
and a notebook that nobody can read any more must not come about one small delta at a time."""

_SCALARS = (str, int, float, bool, type(None))


def copy_json(value: Any, depth: int = 0) -> Any:
    """Return a copy of a JSON value that shares nothing mutable with it.

    Mappings become plain dicts, tuples lists, and what JSON does not know (a UUID, a date) the
    string that stands for it on the wire.

    Parameters
    ----------
    value
        What to copy.
    depth
        How deep it will be nested itself.

    Raises
    ------
    ValueError
        The value is nested too deeply, or cannot be put into JSON.

    Examples
    --------
    >>> copy_json({"a": (1, 2)})
    {'a': [1, 2]}
    """
    if isinstance(value, _SCALARS):
        return value
    if depth >= MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    depth += 1
    if isinstance(value, dict):
        return {str(key): copy_json(item, depth) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copy_json(item, depth) for item in value]
    return copy_json(to_jsonable_python(value), depth)


def is_too_deep(value: Any, limit: int = MAX_DEPTH - 1) -> bool:
    """Return whether a JSON value is nested too deeply to be an entry of an object.

    Examples
    --------
    >>> is_too_deep([[]], 2), is_too_deep([[]], 1)
    (False, True)
    """
    level = [value]
    for _ in range(limit + 1):
        level = [item for item in level if isinstance(item, (dict, list, tuple))]
        if not level:
            return False
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return True


def copy_cell(cell: Cell) -> Cell:
    """Return a copy of a cell that shares nothing mutable with it.

    Raises
    ------
    ValueError
        Something in it is nested too deeply, or cannot be put into JSON.
    """
    copy = cell.model_copy()
    copy.source = cell.source  # it counts as set from now on, as the builder changes it
    copy.metadata = copy_json(cell.metadata)
    _copy_unknown(copy)
    if copy.attachments is not None:
        copy.attachments = copy_json(copy.attachments)
    if isinstance(copy, CodeCell) and copy.outputs:
        copy.outputs = [_copy_output(output) for output in copy.outputs]
    return copy


def still_cell(cell: Cell) -> Cell:
    """Return a cell as it is now, which later deltas do not change.

    Shares with it what squashing never writes into: outputs and attachments.

    Examples
    --------
    >>> live = CodeCell(id="a", source="x", metadata={"tags": []})
    >>> still = still_cell(live)
    >>> live.source, live.metadata["name"] = "y", "b"
    >>> still.source, still.metadata
    ('x', {'tags': []})
    """
    copy = cell.model_copy()
    copy.metadata = copy_json(cell.metadata)
    return copy


def _copy_output(output: Any) -> Any:
    copy = output.model_copy()
    _copy_unknown(copy)
    if isinstance(copy, (DisplayDataOutput, ExecuteResultOutput)):
        copy.data = copy_json(copy.data)
        copy.metadata = copy_json(copy.metadata)
    elif isinstance(copy, ErrorOutput):
        copy.traceback = list(copy.traceback)
    return copy


def _copy_unknown(copy: Any) -> None:
    if copy.__pydantic_extra__:
        copy.__pydantic_extra__ = copy_json(copy.__pydantic_extra__)


def whole(value: Any) -> Any:
    """Return a JSON value with its whole floats as integers, as Jupyter saves live documents.

    Examples
    --------
    >>> whole({"a": [1.0, 2.5, True, None]})
    {'a': [1, 2.5, True, None]}
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if isinstance(value, Mapping):
        return {key: whole(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [whole(entry) for entry in value]
    return value
