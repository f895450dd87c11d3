"""A notebook as the bytes of a file: what nbformat's writer makes of it.

Source of the format: ``nbformat.v4.nbjson`` of nbformat 5, by which Jupyter saves. Parts of a file
that clients cannot be shown go back as the file had them (`file_parts`).
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python

from ..models import Notebook
from .bundle import is_json_mimetype
from .file_parts import PARKED, put_back
from .repair import CODE_CELL, NOTEBOOK, OUTPUTS, TEXT_CELL

__all__ = ["file_content", "notebook_bytes"]

_SPLIT = frozenset({"application/javascript", "image/svg+xml"})
_TRANSIENT = ("orig_nbformat", "orig_nbformat_minor", "signature")
_FIRST_WITH_IDS = 5


def notebook_bytes(notebook: Notebook) -> bytes:
    r"""Return a notebook as the bytes of a file.

    Examples
    --------
    >>> notebook_bytes(Notebook())
    b'{\n "cells": [],\n "metadata": {},\n "nbformat": 4,\n "nbformat_minor": 5\n}\n'
    """
    text = json.dumps(
        file_content(notebook),
        ensure_ascii=False,
        indent=1,
        sort_keys=True,
        default=to_jsonable_python,
    )
    # Half a surrogate pair has no UTF-8; escaped, it is read as what it was.
    return (text + "\n").encode("utf-8", "backslashreplace")


def file_content(notebook: Notebook) -> dict[str, Any]:
    """Return the JSON of a notebook's file, as nbformat's writer lays it out."""
    content: dict[str, Any] = notebook.model_dump()
    cells = content.pop("cells")
    content = put_back(NOTEBOOK, content)
    minor = content.get("nbformat_minor")
    has_ids = isinstance(minor, int) and minor >= _FIRST_WITH_IDS
    content["cells"] = [_cell(cell, has_ids) for cell in cells]
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        for key in _TRANSIENT:
            metadata.pop(key, None)
    return content


def _cell(cell: dict[str, Any], has_ids: bool) -> dict[str, Any]:
    cell.pop(PARKED, None)
    cell_id = cell.pop("id")
    outputs = cell.get("outputs")
    kind = CODE_CELL if cell["cell_type"] == "code" else TEXT_CELL[cell["cell_type"]]
    found: dict[str, Any] = put_back(kind, cell)
    if has_ids:
        found.setdefault("id", cell_id)
    if isinstance(found.get("source"), (str, list)):
        found["source"] = _lines(found["source"])
    for bundle in _objects(found.get("attachments")):
        _lay_out(bundle)
    if kind is CODE_CELL and found.get("outputs") is outputs and isinstance(outputs, list):
        found["outputs"] = [_output(output) for output in outputs]
    if isinstance(found.get("metadata"), dict):
        found["metadata"].pop("trusted", None)
    return found


def _output(output: dict[str, Any]) -> Any:
    found = put_back(OUTPUTS[output["output_type"]], output)
    if not isinstance(found, dict):
        return found
    kind = found.get("output_type")
    if kind in ("display_data", "execute_result"):
        if isinstance(found.get("data"), dict):
            _lay_out(found["data"])
    elif kind == "stream" and "text" in found:
        found["text"] = _lines(found["text"])
    elif kind and "text" in found:
        found["text"] = _joined(found["text"])
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    entries = value.values() if isinstance(value, dict) else ()
    return [entry for entry in entries if isinstance(entry, dict)]


def _lay_out(bundle: dict[str, Any]) -> None:
    for mimetype, value in bundle.items():
        if is_json_mimetype(mimetype):
            continue
        joined = _joined(value)
        if isinstance(joined, str):
            by_lines = mimetype.startswith("text/") or mimetype in _SPLIT
            bundle[mimetype] = joined.splitlines(keepends=True) if by_lines else joined


def _joined(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _lines(value: Any) -> Any:
    joined = _joined(value)
    return joined.splitlines(keepends=True) if isinstance(joined, str) else joined
