"""Types of cells: their names, new cells of each, and making one the other."""

from __future__ import annotations

from typing import Any

from ... import models as m
from ...errors import RTUError
from ..context import Cell, Context
from ..names import check_text

__all__ = ["change_type", "check_type", "new_cell", "type_of"]


def check_type(cell_type: str) -> None:
    """Check the name of a cell type.

    Raises
    ------
    RTUError
        It is none.
    """
    if cell_type not in ("code", "markdown", "raw", "sql"):
        raise RTUError(f"{cell_type!r} is no cell type: write code, markdown, raw or sql")


def new_cell(cell_type: str, source: str) -> Cell:
    """Make a cell of a type, with a new id."""
    check_type(cell_type)
    check_text(source, "a cell's source")
    if cell_type == "markdown":
        return m.MarkdownCell(source=source)
    if cell_type == "raw":
        return m.RawCell(source=source)
    if cell_type == "sql":
        return m.make_sql_cell(source=source)
    return m.CodeCell(source=source)


def type_of(cell: Cell) -> str:
    """Return the name of a cell's type."""
    return "sql" if getattr(cell, "is_sql_cell", False) else cell.cell_type


async def change_type(
    context: Context, cell_id: str, cell_type: str, like: Cell | None = None
) -> None:
    """Make a cell one of a type; its language or data source like those of another cell."""
    client = context.client
    noteable = like.metadata.get("noteable", {}) if like is not None else {}
    if cell_type == "raw":  # not among the client's, whose types are given
        await client.new_delta_request(
            m.CellMetadataReplace(
                file_id=client.file_id,
                resource_id=cell_id,
                properties=m.CellMetadataReplaceProperties(type="raw", language=None),
            )
        )
        return
    options: dict[str, Any] = {}
    if cell_type == "sql":
        options = {
            key: noteable[key]
            for key in ("db_connection", "assign_results_to")
            if isinstance(noteable.get(key), str)
        }
    elif cell_type == "code" and isinstance(noteable.get("cell_type"), str):
        options = {"code_language": noteable["cell_type"]}
    name: Any = cell_type
    await client.change_cell_type(cell_id, name, **options)
