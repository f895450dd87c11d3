"""Editing cells: the verbs of `RTUClient` that change the notebook.

Each takes the client as its first argument, and is a method there.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from ..models import (
    CellContentsReplace,
    CellContentsReplaceProperties,
    CellContentsUpdate,
    CellContentsUpdateProperties,
    CellMetadataReplace,
    CellMetadataReplaceProperties,
    CellMetadataUpdate,
    CellMetadataUpdateProperties,
    CodeCell,
    FileDeltaBase,
    MarkdownCell,
    NBCellsAdd,
    NBCellsAddProperties,
    NBCellsDelete,
    NBCellsDeleteProperties,
    NBCellsMove,
    NBCellsMoveProperties,
    RawCell,
)
from ..models.notebook import random_result_name
from .deltas import DeltaClient, request_delta

__all__ = [
    "add_cell",
    "change_cell_type",
    "delete_cell",
    "move_cell",
    "replace_cell_content",
    "update_cell_content",
]

Cell = CodeCell | MarkdownCell | RawCell


async def add_cell(
    client: DeltaClient,
    source: str = "",
    cell: Cell | None = None,
    before_id: str | None = None,
    after_id: str | None = None,
    *,
    outputs_of: UUID | None = None,
) -> Cell:
    """Add a cell, at the end by default; return the squashed cell.

    Parameters
    ----------
    source
        The source of a new code cell; ignored when `cell` is given.
    cell
        The cell to add; it is copied.
    before_id, after_id
        The cell before or after which it goes.
    outputs_of
        An output collection of this notebook that the cell gets a copy of.

    Raises
    ------
    ValueError
        Both `before_id` and `after_id` are given.
    CellNotFound
        The notebook has no such cell.
    DeltaRejected
        The server refused.
    """
    if before_id is not None and after_id is not None:
        raise ValueError("give before_id or after_id, not both")
    cell = CodeCell(source=source) if cell is None else cell.model_copy(deep=True)
    if before_id is not None:
        # On the wire there is only "after": other clients drop the other one.
        index = client.builder.index_of(before_id)
        after_id = client.builder.nb.cells[index - 1].id if index else None
    elif after_id is not None:
        client.builder.cell(after_id)
    elif cells := client.builder.nb.cells:
        after_id = cells[-1].id
    properties = NBCellsAddProperties(id=cell.id, cell=cell, after_id=after_id)
    added = NBCellsAdd(file_id=client.file_id, properties=properties)
    await request_delta(client, added, outputs_of=outputs_of)
    return client.builder.cell(cell.id)


async def delete_cell(client: DeltaClient, cell_id: str) -> FileDeltaBase:
    """Delete a cell; return the delta.

    Raises
    ------
    CellNotFound, DeltaRejected
        There is no such cell; the server refused.
    """
    client.builder.cell(cell_id)
    properties = NBCellsDeleteProperties(id=cell_id)
    return await request_delta(client, NBCellsDelete(file_id=client.file_id, properties=properties))


async def move_cell(
    client: DeltaClient, cell_id: str, after_id: str | None = None, before_id: str | None = None
) -> FileDeltaBase:
    """Move a cell after or before another, to the top without either; return the delta.

    Raises
    ------
    ValueError
        Both are given, or the cell itself.
    CellNotFound, DeltaRejected
        There is no such cell; the server refused.
    """
    if after_id is not None and before_id is not None:
        raise ValueError("give before_id or after_id, not both")
    client.builder.cell(cell_id)
    if cell_id in (after_id, before_id):
        raise ValueError("a cell cannot be moved after or before itself: name another cell")
    if before_id is not None:
        others = [other for other in client.builder.cell_ids if other != cell_id]
        client.builder.cell(before_id)
        index = others.index(before_id)
        after_id = others[index - 1] if index else None
    elif after_id is not None:
        client.builder.cell(after_id)
    properties = NBCellsMoveProperties(id=cell_id, after_id=after_id)
    return await request_delta(client, NBCellsMove(file_id=client.file_id, properties=properties))


async def update_cell_content(client: DeltaClient, cell_id: str, patch: str) -> Cell:
    """Patch a cell's source; return the squashed cell.

    Parameters
    ----------
    cell_id
        The cell.
    patch
        A patch in diff-match-patch's text format; see `rtu_magics.document.make_patch`.

    Raises
    ------
    CellNotFound, DeltaRejected
        There is no such cell; the patch does not apply.
    """
    client.builder.cell(cell_id)
    delta = CellContentsUpdate(
        file_id=client.file_id,
        resource_id=cell_id,
        properties=CellContentsUpdateProperties(patch=patch),
    )
    await request_delta(client, delta)
    return client.builder.cell(cell_id)


async def replace_cell_content(client: DeltaClient, cell_id: str, source: str) -> Cell:
    """Replace a cell's source; return the squashed cell.

    Raises
    ------
    CellNotFound, DeltaRejected
        There is no such cell; the server refused.
    """
    client.builder.cell(cell_id)
    delta = CellContentsReplace(
        file_id=client.file_id,
        resource_id=cell_id,
        properties=CellContentsReplaceProperties(source=source),
    )
    await request_delta(client, delta)
    return client.builder.cell(cell_id)


async def change_cell_type(  # noqa: PLR0917  the signature is given
    client: DeltaClient,
    cell_id: str,
    cell_type: Literal["code", "markdown", "sql"],
    code_language: str = "python",
    db_connection: str = "@noteable",
    assign_results_to: str | None = None,
) -> Cell:
    """Change a cell's type; return the squashed cell.

    Parameters
    ----------
    cell_id
        The cell.
    cell_type
        ``code``, ``markdown`` or ``sql``.
    code_language
        The language of a code cell.
    db_connection, assign_results_to
        For SQL: the data source, and the variable that takes the result (``df_`` and four
        random letters by default).

    Raises
    ------
    ValueError
        No such type.
    CellNotFound, DeltaRejected
        There is no such cell; the server refused.
    """
    languages = {"code": code_language, "markdown": "markdown", "sql": "sql"}
    if cell_type not in languages:
        raise ValueError(f"no cell type {cell_type!r}: use code, markdown or sql")
    client.builder.cell(cell_id)
    properties = CellMetadataReplaceProperties(
        type="markdown" if cell_type == "markdown" else "code", language=languages[cell_type]
    )
    await request_delta(
        client,
        CellMetadataReplace(file_id=client.file_id, resource_id=cell_id, properties=properties),
    )
    if cell_type == "sql":
        # Key by key: what else stands beside them (the output collection's id) stays.
        await _set_metadata(client, cell_id, "db_connection", db_connection)
        await _set_metadata(
            client, cell_id, "assign_results_to", assign_results_to or random_result_name()
        )
    return client.builder.cell(cell_id)


async def _set_metadata(client: DeltaClient, cell_id: str, key: str, value: Any) -> None:
    properties = CellMetadataUpdateProperties(path=["noteable", key], value=value)
    await request_delta(
        client,
        CellMetadataUpdate(file_id=client.file_id, resource_id=cell_id, properties=properties),
    )
