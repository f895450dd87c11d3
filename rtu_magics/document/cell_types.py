"""Making a cell one of another type without losing anything.

What the new type has no place for is parked with the cell, and back when the type is.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..models import CodeCell, MarkdownCell, RawCell
from .file_parts import PARKED
from .order import Cell

__all__ = ["CELL_CLASSES", "change_type"]

CELL_CLASSES: dict[str, type[Cell]] = {"code": CodeCell, "markdown": MarkdownCell, "raw": RawCell}

_OWN = {"code": ("outputs", "execution_count"), "markdown": ("attachments",)}
_OWN["raw"] = _OWN["markdown"]


def change_type(cell: Cell, cell_type: str) -> Cell:
    """Return a cell as one of another type; it shares the metadata with the one given.

    Examples
    --------
    >>> cell = MarkdownCell(id="a", attachments={"a.png": {"image/png": "iVBORw0KGgo="}})
    >>> code = change_type(cell, "code")
    >>> code.attachments, change_type(code, "markdown").attachments == cell.attachments
    (None, True)
    """
    new_class = CELL_CLASSES[cell_type]
    unknown = dict(cell.__pydantic_extra__ or {})
    parked = unknown.pop(PARKED, None)
    parked = dict(parked) if isinstance(parked, dict) else {}
    here, there = _OWN[cell.cell_type], _OWN[cell_type]
    dumped = cell.model_dump(include=set(here))
    kept: dict[str, Any] = {}
    if here == there:
        kept |= dumped
    else:
        if cell.attachments is not None and "attachments" not in here:
            kept["attachments"] = cell.attachments  # a code cell's, of another program
        parked |= {key: value for key, value in dumped.items() if value not in (None, [])}
        for key in there:
            if key in parked:
                kept[key] = parked.pop(key)
            elif key in unknown:  # of a type that nobody knew
                kept[key] = unknown.pop(key)
    if parked:
        unknown[PARKED] = parked
    try:
        changed = new_class.model_validate({"id": cell.id, "source": "", **unknown, **kept})
    except ValidationError:  # what another client parked there
        changed = new_class.model_validate({"id": cell.id, "source": ""})
    changed.source = cell.source
    changed.metadata = cell.metadata
    return changed
