"""What a notebook file holds: rendering a room, and summing up a file without its outputs.

Pure. The *base* is what the file held when we last read or wrote it; comparing it with the file as
it is now tells what somebody else changed, whatever the room did meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..document import NotebookBuilder
from ..models import CellOutput, CodeCell, MarkdownCell, Notebook, RawCell

__all__ = ["BaseCell", "DiskBase", "hash_of", "outputs_key", "render"]

OutputsOf = Callable[[CodeCell], tuple[list[CellOutput], int | None] | None]
"""Returns the outputs and execution count of a cell's latest run, None if it never ran here."""


@dataclass(slots=True)
class BaseCell:
    """A cell as it stood in the file; `outputs` is a key that changes with them."""

    id: str
    cell_type: str
    source: str
    metadata: dict[str, Any]
    outputs: str


@dataclass(slots=True)
class DiskBase:
    """A file's content without the outputs themselves."""

    metadata: dict[str, Any]
    cells: list[BaseCell]

    @classmethod
    def of(cls, notebook: Notebook) -> DiskBase:
        """Sum up a notebook as it stands in a file."""
        return cls(
            notebook.metadata,
            [
                BaseCell(
                    cell.id, cell.cell_type, cell.source, file_metadata(cell), outputs_key(cell)
                )
                for cell in notebook.cells
            ],
        )

    def dumps(self) -> str:
        """Return it as JSON."""
        cells = [[c.id, c.cell_type, c.source, c.metadata, c.outputs] for c in self.cells]
        return json.dumps({"metadata": self.metadata, "cells": cells})

    @classmethod
    def loads(cls, text: str) -> DiskBase:
        """Return what `dumps` made."""
        content = json.loads(text)
        return cls(content["metadata"], [BaseCell(*cell) for cell in content["cells"]])


def hash_of(content: bytes) -> str:
    """Return the hash by which a file is recognised."""
    return hashlib.sha256(content).hexdigest()


def file_metadata(cell: CodeCell | MarkdownCell | RawCell) -> dict[str, Any]:
    """Return a cell's metadata without the server's own bookkeeping."""
    own = cell.metadata.get("noteable")
    if not isinstance(own, dict) or "output_collection_id" not in own:
        return cell.metadata
    rest = {key: value for key, value in own.items() if key != "output_collection_id"}
    metadata = {key: value for key, value in cell.metadata.items() if key != "noteable"}
    if rest:
        metadata["noteable"] = rest
    return metadata


def outputs_key(cell: CodeCell | MarkdownCell | RawCell) -> str:
    """Return a short key of a cell's outputs and execution count; empty when it has neither."""
    if not isinstance(cell, CodeCell) or not (cell.outputs or cell.execution_count):
        return ""
    content = json.dumps(
        [cell.execution_count, [output.model_dump() for output in cell.outputs]], sort_keys=True
    )
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


def render(builder: NotebookBuilder, outputs_of: OutputsOf) -> Notebook:
    """Return the notebook as it belongs into the file."""
    cells: list[Any] = []
    for cell in builder.nb.cells:
        changes: dict[str, Any] = {"metadata": file_metadata(cell)}
        if isinstance(cell, CodeCell):
            found = outputs_of(cell)
            if found is not None:
                changes["outputs"], changes["execution_count"] = found
        cells.append(cell.model_copy(update=changes))
    return builder.nb.model_copy(update={"cells": cells})


def dumps(notebook: Notebook) -> bytes:
    """Return a notebook as the bytes of a file, formatted as Jupyter does."""
    # By way of text, where numbers that JSON lacks become null, as on the wire.
    content = json.loads(notebook.model_dump_json())
    for cell in content["cells"]:
        cell["source"] = _lines(cell["source"])
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                output["text"] = _lines(output["text"])
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    return (text + "\n").encode()


def _lines(text: str) -> list[str]:
    # nbformat splits with str.splitlines, which breaks at more than line feeds; joining gives the
    # same text either way.
    return text.splitlines(keepends=True)
