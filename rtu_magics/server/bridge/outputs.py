"""A cell's outputs in a live document: brought to what a run has shown, by what came since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycrdt import Map, Text

from ...document.bundle import is_json_mimetype
from .cells import output_for_live, same
from .document import LiveDocument, made_output
from .splices import splices

__all__ = ["bring_outputs", "joined_output"]


def joined_output(output: Any) -> Any:
    """Return an output with its lists of lines joined, as Jupyter's reader hands it out."""
    if not isinstance(output, Mapping):
        return output
    found = dict(output)
    data = found.get("data")
    if isinstance(data, Mapping):
        found["data"] = {
            key: value if is_json_mimetype(key) else _joined(value) for key, value in data.items()
        }
    if "text" in found:
        found["text"] = _joined(found["text"])
    return found


def bring_outputs(
    live: LiveDocument, cell_id: str, outputs: Sequence[Any], execution_count: int | None
) -> None:
    """Make a cell of a document show a run's outputs and count; what stands there stays.

    Parameters
    ----------
    live
        The document; nobody's transaction is open.
    cell_id
        A code cell of it.
    outputs
        Models of nbformat.
    """
    index = live.index_of(cell_id)
    wanted = [joined_output(output_for_live(output)) for output in outputs]
    with live.change():
        array = live.outputs_of(index)
        there = [joined_output(_plain(entry)) for entry in array]
        keep = 0
        while keep < min(len(there), len(wanted)) and _stays(there[keep], wanted[keep]):
            if not same(there[keep], wanted[keep]):
                text = array[keep]["text"]
                for start, end, new in splices(str(text), wanted[keep]["text"]):
                    if end > start:
                        del text[start:end]
                    if new:
                        text.insert(start, new)
            keep += 1
        if len(there) > keep:
            del array[keep : len(there)]
        if len(wanted) > keep:
            array.extend([made_output(output) for output in wanted[keep:]])
        live.set_count(index, execution_count)


def _stays(there: Any, wanted: Any) -> bool:
    """Whether an output is what it was, or a stream that has only grown."""
    if same(there, wanted):
        return True
    return (
        isinstance(there, Mapping)
        and isinstance(wanted, Mapping)
        and there.get("output_type") == wanted.get("output_type") == "stream"
        and there.get("name") == wanted.get("name")
        and isinstance(there.get("text"), str)
        and str(wanted.get("text", "")).startswith(there["text"])
    )


def _plain(value: Any) -> Any:
    return value.to_py() if isinstance(value, Map | Text) else value


def _joined(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value
