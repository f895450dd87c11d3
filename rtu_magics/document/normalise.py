"""Making one well-formed notebook of whatever a user uploads or opens.

Every client has to see the same cells under the same ids, so repairs happen once, before anybody
reads the notebook: lists of lines are joined, cells without a usable id get one. What needs no
repair stays as it is.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from pydantic_core import from_json

from ..errors import InvalidMessage
from ..models import Notebook, describe_validation_error
from .builder import VALID_CELL_ID
from .plain import copy_json

__all__ = ["normalise_notebook"]


def normalise_notebook(content: bytes | str | Mapping[str, Any]) -> Notebook:
    """Return a notebook of nbformat 4.5 from anything that Jupyter would open.

    Parameters
    ----------
    content
        The JSON of a notebook, or what it parses to; nbformat 4, or older and then converted.

    Returns
    -------
    Notebook
        With joined sources and stream texts, unique and valid cell ids, and every required part.
        Cell metadata are untouched.

    Raises
    ------
    InvalidMessage
        It is no notebook, or cannot be repaired; the message says why, in one line.

    Examples
    --------
    >>> nb = normalise_notebook('{"nbformat": 4, "cells": [{"cell_type": "code", "id": "a"}]}')
    >>> nb.cells[0].source, nb.nbformat_minor
    ('', 5)
    """
    notebook = _load(content)
    major = notebook.get("nbformat", 3 if "worksheets" in notebook else 4)
    if not isinstance(major, int) or isinstance(major, bool) or major > 4 or major < 1:
        raise InvalidMessage(
            f"nbformat {str(major)[:20]} is not supported: save it as a notebook of format 4"
        )
    if major < 4:
        notebook = _upgrade({**notebook, "nbformat": major})
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise InvalidMessage("not a notebook: it has no list of cells")
    minor = notebook.get("nbformat_minor")
    repaired_cells = [_repair_cell(cell, number) for number, cell in enumerate(cells, 1)]
    _repair_ids(repaired_cells)
    repaired = {
        "nbformat": 4,
        "nbformat_minor": max(5, minor) if isinstance(minor, int) else 5,
        "metadata": _mapping(notebook.get("metadata"), "the notebook's metadata"),
        "cells": repaired_cells,
    }
    try:
        return Notebook.model_validate(repaired)
    except ValidationError as exc:
        raise InvalidMessage(f"not a notebook: {describe_validation_error(exc)}") from None


def _load(content: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    loaded: Any
    if isinstance(content, Mapping):
        loaded = content
    else:
        try:
            text = content if isinstance(content, str) else bytes(content).decode("utf-8-sig")
            loaded = from_json(text)
        except ValueError as exc:
            reason = str(exc).partition("\n")[0]
            raise InvalidMessage(f"not a notebook: no JSON in UTF-8 ({reason})") from None
    if not isinstance(loaded, Mapping):
        raise InvalidMessage("not a notebook: the JSON holds no object")
    try:
        copy: dict[str, Any] = copy_json(dict(loaded))
    except ValueError as exc:
        raise InvalidMessage(f"not a notebook: {exc}") from None
    return copy


def _upgrade(notebook: dict[str, Any]) -> dict[str, Any]:
    import nbformat  # costs a tenth of a second, and few notebooks are that old

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Its reader, not its converter, joins the lists of lines.
            new = nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
            upgraded: dict[str, Any] = copy_json(new)
    except Exception as exc:  # nbformat assumes that an old notebook is well-formed
        raise InvalidMessage(
            f"a notebook of format {notebook['nbformat']} that cannot be converted to "
            f"format 4 ({type(exc).__name__})"
        ) from None
    return upgraded


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidMessage(f"not a notebook: {what} must be an object")
    return value


def _repair_cell(cell: Any, number: int) -> dict[str, Any]:
    """Give a cell the parts that nbformat requires; ids follow later."""
    if not isinstance(cell, dict):
        raise InvalidMessage(f"not a notebook: cell {number} must be an object")
    cell["metadata"] = _mapping(cell.get("metadata"), f"the metadata of cell {number}")
    if cell.get("source") is None:
        cell["source"] = ""
    if cell.get("cell_type") != "code":
        return cell
    count = cell.get("execution_count")
    if not isinstance(count, int) or isinstance(count, bool):
        cell["execution_count"] = None
    outputs = cell.get("outputs")
    cell["outputs"] = [] if outputs is None else outputs
    if isinstance(outputs, list):
        for output in outputs:
            if isinstance(output, dict):
                _repair_output(output)
    return cell


def _repair_output(output: dict[str, Any]) -> None:
    for key in ("data", "metadata", "traceback", "text", "name", "ename", "evalue"):
        if output.get(key, ...) is None:
            del output[key]  # the model's default takes its place


def _repair_ids(cells: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for cell in cells:
        cell_id = cell.get("id")
        if not isinstance(cell_id, str) or not VALID_CELL_ID.fullmatch(cell_id) or cell_id in seen:
            cell["id"] = cell_id = str(uuid4())
        seen.add(cell_id)
