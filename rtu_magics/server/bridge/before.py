"""What a live document and a notebook both held before each was changed on its own; pure."""

from __future__ import annotations

from typing import Any

from ...document import NotebookBuilder
from .cells import cell_for_live
from .touched import Touched

__all__ = ["before_of"]

_OF_RUNS = ("outputs", "execution_count")


def before_of(raw: dict[str, Any], touched: Touched, builder: NotebookBuilder) -> dict[str, Any]:
    """Return a live document, in plain values, as it was before pages went on.

    Parameters
    ----------
    raw
        What it holds now; not changed.
    touched
        What pages have changed since.
    builder
        The notebook to which it was the same before. Outputs are those of now: pages' runs are
        followed by themselves.
    """
    now = {cell.get("id"): cell for cell in raw["cells"]}
    cells = []
    for cell in builder.cells:
        present = now.get(cell.id)
        if present is None or cell.id in touched.cells:
            was = cell_for_live(cell)
            was.pop("execution_state", None)
            both = present or {}
            present = {**was, **{key: both[key] for key in _OF_RUNS if key in was and key in both}}
        cells.append(present)
    metadata = {"metadata": builder.nb.metadata} if touched.metadata else {}
    return {**raw, **metadata, "cells": cells}
