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

from ...document import NotebookBuilder, unnamed_parts
from ...document import notebook_bytes as dumps
from ...models import CellOutput, CodeCell, MarkdownCell, Notebook, RawCell

__all__ = ["BaseCell", "DiskBase", "dumps", "hash_of", "outputs_key", "render"]

OutputsOf = Callable[[CodeCell], tuple[list[CellOutput], int | None] | None]
"""Returns the outputs and execution count of a cell's latest run, None if it never ran here."""


@dataclass(slots=True)
class BaseCell:
    """A cell as it stood in the file.

    `outputs` is a key that changes with them. `rest` are its attachments and what nbformat does
    not name; None in what was stored before anybody noted that.
    """

    id: str
    cell_type: str
    source: str
    metadata: dict[str, Any]
    outputs: str
    rest: dict[str, Any] | None = None


@dataclass(slots=True)
class DiskBase:
    """A file's content without the outputs themselves."""

    metadata: dict[str, Any]
    cells: list[BaseCell]
    rest: dict[str, Any] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it says all that the file held; what was stored long ago does not."""
        return self.rest is not None

    @classmethod
    def of(cls, notebook: Notebook) -> DiskBase:
        """Sum up a notebook as it stands in a file."""
        return cls(
            notebook.metadata,
            [
                BaseCell(
                    cell.id,
                    cell.cell_type,
                    cell.source,
                    file_metadata(cell),
                    outputs_key(cell),
                    unnamed_parts(cell),
                )
                for cell in notebook.cells
            ],
            unnamed_parts(notebook),
        )

    def dumps(self) -> str:
        """Return it as JSON."""
        cells = [[c.id, c.cell_type, c.source, c.metadata, c.outputs, c.rest] for c in self.cells]
        return json.dumps({"metadata": self.metadata, "cells": cells, "rest": self.rest})

    @classmethod
    def loads(cls, text: str) -> DiskBase:
        """Return what `dumps` made."""
        content = json.loads(text)
        cells = [BaseCell(*cell) for cell in content["cells"]]
        return cls(content["metadata"], cells, content.get("rest"))


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
            else:  # what looks like our bookkeeping may be another server's
                changes["metadata"] = cell.metadata
        cells.append(cell.model_copy(update=changes))
    return builder.nb.model_copy(update={"cells": cells})
