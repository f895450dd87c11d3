"""The notebook: nbformat 4.5 as models.

Source of the shapes: the nbformat 4.5 JSON schema. Strings that nbformat allows as lists of lines
are joined on the way in. Keys that the schema does not name are kept, as are ``attachments`` on
every type of cell: other programs write them.
"""

from __future__ import annotations

import random
import string
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import ConfigDict, Field, TypeAdapter

from .base import Model, MultilineText
from .brief import brief_repr, bundle_repr

__all__ = [
    "CellOutput",
    "CodeCell",
    "DisplayDataOutput",
    "ErrorOutput",
    "ExecuteResultOutput",
    "MarkdownCell",
    "Notebook",
    "NotebookCell",
    "NotebookCellAdapter",
    "RawCell",
    "StreamOutput",
    "make_sql_cell",
    "parse_notebook",
]


class _Stored(Model):
    """Base of what stands in notebook files, which may hold keys that we do not know: kept."""

    model_config = ConfigDict(extra="allow")


class StreamOutput(_Stored):
    """Text that a cell wrote to stdout or stderr."""

    output_type: Literal["stream"] = "stream"
    name: str = "stdout"
    text: MultilineText = ""

    def __repr__(self) -> str:
        return brief_repr("Output", self.name, self.text)


class DisplayDataOutput(_Stored):
    """A mimebundle that a cell displayed."""

    output_type: Literal["display_data"] = "display_data"
    data: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return bundle_repr(self.output_type, self.data)


class ExecuteResultOutput(_Stored):
    """The mimebundle of a cell's last expression."""

    output_type: Literal["execute_result"] = "execute_result"
    execution_count: int | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return bundle_repr(self.output_type, self.data)


class ErrorOutput(_Stored):
    """The exception that ended a cell."""

    output_type: Literal["error"] = "error"
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = Field(default_factory=list)

    def __repr__(self) -> str:
        return brief_repr("Output", "error", f"{self.ename}: {self.evalue}")


CellOutput = Annotated[
    StreamOutput | DisplayDataOutput | ExecuteResultOutput | ErrorOutput,
    Field(discriminator="output_type"),
]


class _Cell(_Stored):
    id: str = Field(default_factory=lambda: str(uuid4()))
    source: MultilineText = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    attachments: dict[str, Any] | None = Field(default=None, exclude_if=lambda v: v is None)

    def _rtu_metadata(self) -> dict[str, Any]:
        noteable = self.metadata.get("noteable")
        return noteable if isinstance(noteable, dict) else {}


class CodeCell(_Cell):
    """A cell that a kernel can run."""

    cell_type: Literal["code"] = "code"
    execution_count: int | None = None
    outputs: list[CellOutput] = Field(default_factory=list)

    @property
    def is_sql_cell(self) -> bool:
        """Whether the cell holds SQL for a data source instead of the kernel's language."""
        return bool(self._rtu_metadata().get("cell_type") == "sql")

    @property
    def output_collection_id(self) -> str | None:
        """The id of the collection that holds the latest run's outputs, if it ever ran."""
        found = self._rtu_metadata().get("output_collection_id")
        return None if found is None else str(found)


class MarkdownCell(_Cell):
    """A cell of Markdown text."""

    cell_type: Literal["markdown"] = "markdown"


class RawCell(_Cell):
    """A cell of raw text."""

    cell_type: Literal["raw"] = "raw"


NotebookCell = Annotated[CodeCell | MarkdownCell | RawCell, Field(discriminator="cell_type")]
NotebookCellAdapter: TypeAdapter[CodeCell | MarkdownCell | RawCell] = TypeAdapter(NotebookCell)


def make_sql_cell(
    cell_id: str | None = None,
    source: str = "",
    db_connection: str = "@noteable",
    assign_results_to: str | None = None,
) -> CodeCell:
    r"""Return a SQL cell.

    Parameters
    ----------
    cell_id
        Id of the cell; a new UUID by default.
    source
        The SQL. A first line ``%%sql …`` is dropped: SQL cells hold the statement alone.
    db_connection
        Handle of the data source.
    assign_results_to
        Name of the variable that takes the result; ``df_`` and four random letters by default.

    Examples
    --------
    >>> make_sql_cell("a", "%%sql @db\nselect 1").source
    'select 1'
    """
    if source.startswith("%%sql"):
        source = source.partition("\n")[2]
    metadata = {
        "language": "sql",
        "type": "code",
        "noteable": {
            "cell_type": "sql",
            "db_connection": db_connection,
            "assign_results_to": assign_results_to or random_result_name(),
        },
    }
    return CodeCell(id=cell_id or str(uuid4()), source=source, metadata=metadata)


def random_result_name() -> str:
    """Return ``df_`` and four random letters: the default name of a SQL cell's result."""
    return "df_" + "".join(random.choices(string.ascii_lowercase, k=4))


class Notebook(_Stored):
    """A whole notebook."""

    nbformat: int = 4
    nbformat_minor: int = 5
    metadata: dict[str, Any] = Field(default_factory=dict)
    cells: list[NotebookCell] = Field(default_factory=list)

    @property
    def language(self) -> str | None:
        """The kernel's language, as the notebook's metadata has it."""
        return self._language_info("name")

    @property
    def language_version(self) -> str | None:
        """The version of the kernel's language, as the notebook's metadata has it."""
        return self._language_info("version")

    def _language_info(self, key: str) -> str | None:
        info = self.metadata.get("language_info")
        return info.get(key) if isinstance(info, dict) else None


def parse_notebook(content: str | bytes) -> Notebook:
    """Parse nbformat JSON; list-valued sources and stream texts are joined.

    Raises
    ------
    pydantic.ValidationError
        The content is not a notebook of format 4.

    Examples
    --------
    >>> nb = parse_notebook('{"cells": [{"cell_type": "code", "source": ["a = 1; ", "b"]}]}')
    >>> nb.cells[0].source
    'a = 1; b'
    """
    return Notebook.model_validate_json(content)
