"""A cell as a live document has it and as a notebook's deltas make it, brought to one form; pure.

JupyterLab's document holds every number as a float, keeps marks in cells that never stand in a
file, and gives text cells empty attachments. None of that is a change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...document import ORIGINAL, normalise_notebook, notebook_bytes, unnamed_parts
from ...document.file_parts import PARKED, put_back
from ...document.plain import whole
from ...document.repair import CODE_CELL, OUTPUTS, TEXT_CELL
from ...models import CodeCell, MarkdownCell, Notebook, RawCell
from ..file.format import file_metadata

__all__ = [
    "BLANK",
    "MARKS",
    "Cell",
    "as_in_file",
    "cell_for_live",
    "cell_from_live",
    "is_blank",
    "metadata_of",
    "notebook_from_live",
    "output_for_live",
    "parts_of",
    "same",
    "whole",
]

Cell = CodeCell | MarkdownCell | RawCell

MARKS = ("trusted",)
"""Keys of a cell's metadata with which JupyterLab marks an open cell; no part of the notebook."""

BLANK = ("kernelspec", "language_info")
"""Keys of the notebook's metadata that a live document has also where the file has none."""

_LIVE_ALONE = ("execution_state",)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are one to Jupyter: 1.0 is 1, and True is not.

    Examples
    --------
    >>> same({"a": 1.0, "b": None}, {"b": None, "a": 1}), same(1, True)
    (True, False)
    """
    return json.dumps(whole(one), sort_keys=True) == json.dumps(whole(other), sort_keys=True)


def is_blank(value: Any) -> bool:
    """Whether a value of `BLANK` says nothing."""
    return isinstance(value, dict) and not any(value.values())


def cell_from_live(raw: Mapping[str, Any]) -> Cell:
    """Return a cell of a live document as our notebook has cells.

    Parameters
    ----------
    raw
        As plain values, with or without its outputs.

    Raises
    ------
    InvalidMessage
        It cannot be made into a cell.
    """
    plain = {key: whole(value) for key, value in raw.items() if key not in _LIVE_ALONE}
    metadata = plain.get("metadata")
    if isinstance(metadata, dict):
        plain["metadata"] = {key: value for key, value in metadata.items() if key not in MARKS}
    if not plain.get("attachments", True):
        del plain["attachments"]
    if plain.get("cell_type") == "code":
        plain.setdefault("outputs", [])
        plain.setdefault("execution_count", None)
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [plain]}
    return normalise_notebook(content).cells[0]


def metadata_of(cell: Cell) -> dict[str, Any]:
    """Return a cell's metadata without what either side keeps there for itself."""
    return {key: value for key, value in file_metadata(cell).items() if key not in MARKS}


def parts_of(cell: Cell) -> dict[str, Any]:
    """Return a cell's attachments and what nbformat does not name.

    What a file has in the place of repairs is not among them: no client sees that.
    """
    parts = unnamed_parts(cell)
    parts.pop(ORIGINAL, None)
    if not parts.get("attachments", True):
        del parts["attachments"]
    return parts


def cell_for_live(cell: Cell, outputs: list[Any] | None = None) -> dict[str, Any]:
    """Return a cell as a live document has cells, in plain values.

    Parameters
    ----------
    cell
        Of our notebook.
    outputs
        Of its latest run, as models of nbformat; by default those that it came with.
    """
    view = cell.model_dump(exclude={"outputs"})
    view.pop(PARKED, None)
    view["metadata"] = file_metadata(cell)
    cell_id = view.pop("id")
    kind = CODE_CELL if cell.cell_type == "code" else TEXT_CELL[cell.cell_type]
    found: dict[str, Any] = put_back(kind, view)
    found["id"] = cell_id
    if isinstance(cell, CodeCell):
        shown = cell.outputs if outputs is None else outputs
        found["outputs"] = [output_for_live(output) for output in shown]
        found["execution_state"] = "idle"
    return found


def output_for_live(output: Any) -> Any:
    """Return an output, a model of nbformat, as a live document has outputs, in plain values."""
    return put_back(OUTPUTS[output.output_type], output.model_dump())


def notebook_from_live(raw: Mapping[str, Any]) -> Notebook:
    """Return a whole live document as our notebook."""
    return normalise_notebook(whole(raw))


def as_in_file(raw: Mapping[str, Any]) -> Notebook:
    """Return a notebook in plain values as it would be read from the file that it is saved to.

    Both sides of a merge have to come this way: a file lays texts out in lines, and has whole
    numbers where a live document has floats.
    """
    return normalise_notebook(notebook_bytes(notebook_from_live(raw)))
