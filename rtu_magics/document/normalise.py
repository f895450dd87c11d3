"""Making one well-formed notebook of whatever a user uploads or opens.

Every client has to see the same cells under the same ids, so repairs happen once, before anybody
reads the notebook: lists of lines are joined, cells without a usable id get one. What needs no
repair stays as it is, and what the file had in the place of a repair stays with it (`file_parts`).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from ..errors import InvalidMessage
from ..models import Notebook, describe_validation_error
from .builder import VALID_CELL_ID
from .file_parts import ORIGINAL, keep_record, record, take, unreadable_output
from .plain import is_too_deep
from .repair import CODE_CELL, NOTEBOOK, OUTPUTS, TEXT_CELL

__all__ = ["normalise_notebook"]

_MAX_FILE_DEPTH = 600  # Jupyter's own reader gives up before
_TOO_DEEP = "not a notebook that Jupyter can read: its JSON is nested too deeply"


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
        All else is untouched, but for what no client could be shown: that is repaired, and what
        the file had is kept beside it.

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
    if isinstance(major, float) and major.is_integer():
        major = int(major)
    if not isinstance(major, int) or isinstance(major, bool) or major > 4 or major < 1:
        raise InvalidMessage(_unknown_format(major))
    if major < 4:
        notebook = _upgrade({**notebook, "nbformat": major})
    elif "nbformat" not in notebook:  # all that we know of its version is what we made it
        notebook = {"nbformat": 4, "nbformat_minor": 5, **notebook}
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise InvalidMessage("not a notebook: it has no list of cells")
    minor = notebook.get("nbformat_minor")
    has_ids = type(minor) is int and minor >= 5
    repaired = take(NOTEBOOK, notebook, skip=("cells",))
    repaired["cells"] = [_cell(cell, number, has_ids) for number, cell in enumerate(cells, 1)]
    _repair_ids(repaired["cells"])
    keep_record(NOTEBOOK, notebook, repaired)
    try:
        return Notebook.model_validate(repaired)
    except ValidationError as exc:
        raise InvalidMessage(f"not a notebook: {describe_validation_error(exc)}") from None


def _unknown_format(major: Any) -> str:
    if type(major) is int or isinstance(major, float):
        return f"nbformat {str(major)[:20]} is not supported: save it as a notebook of format 4"
    given = json.dumps(major, ensure_ascii=False)[:20]
    return f'its "nbformat" is {given} where a number stands: write "nbformat": 4'


def _load(content: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    loaded: Any
    if isinstance(content, Mapping):
        loaded = content
    else:
        try:
            text = content if isinstance(content, str) else bytes(content).decode("utf-8-sig")
            loaded = json.loads(text)
        except RecursionError:
            raise InvalidMessage(_TOO_DEEP) from None
        except ValueError as exc:
            reason = str(exc).partition("\n")[0]
            raise InvalidMessage(f"not a notebook: no JSON in UTF-8 ({reason})") from None
    if not isinstance(loaded, Mapping):
        raise InvalidMessage("not a notebook: the JSON holds no object")
    if is_too_deep(loaded, _MAX_FILE_DEPTH):
        raise InvalidMessage(_TOO_DEEP)
    return dict(loaded)


def _upgrade(notebook: dict[str, Any]) -> dict[str, Any]:
    import nbformat  # costs a tenth of a second, and few notebooks are that old

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Its reader, not its converter, joins the lists of lines.
            new = nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
            upgraded: dict[str, Any] = json.loads(json.dumps(new))
    except Exception as exc:  # nbformat assumes that an old notebook is well-formed
        raise InvalidMessage(
            f"a notebook of format {notebook['nbformat']} that cannot be converted to "
            f"format 4 ({type(exc).__name__})"
        ) from None
    return upgraded


def _cell(cell: Any, number: int, has_ids: bool) -> dict[str, Any]:
    """Return what clients are shown of a cell; ids that cannot be used follow later."""
    if not isinstance(cell, Mapping):
        raise InvalidMessage(f"not a notebook: cell {number} must be an object")
    if cell.get("cell_type") != "code":
        kind = TEXT_CELL.get(str(cell.get("cell_type")), TEXT_CELL["raw"])
        view = take(kind, cell, skip=("id",))
    else:
        kind, outputs = CODE_CELL, cell.get("outputs")
        if isinstance(outputs, list):
            view = take(kind, cell, skip=("id", "outputs"))
            view["outputs"] = [_output(output) for output in outputs]
        else:
            view = take(kind, cell, skip=("id",))
    if "id" in cell:
        view["id"] = cell["id"]
        if not (has_ids and _usable(cell["id"])):
            view.setdefault(ORIGINAL, []).append([["id"], record(cell["id"])])
    return keep_record(kind, cell, view)


def _output(output: Any) -> dict[str, Any]:
    kind = output.get("output_type") if isinstance(output, Mapping) else None
    if isinstance(kind, str) and kind in OUTPUTS:
        return keep_record(OUTPUTS[kind], output, take(OUTPUTS[kind], output))
    return unreadable_output(output)


def _usable(cell_id: Any) -> bool:
    return isinstance(cell_id, str) and VALID_CELL_ID.fullmatch(cell_id) is not None


def _repair_ids(cells: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for cell in cells:
        cell_id = cell.get("id")
        if not _usable(cell_id) or cell_id in seen:
            cell["id"] = cell_id = str(uuid4())
        seen.add(str(cell_id))
