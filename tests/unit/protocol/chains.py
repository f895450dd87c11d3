"""Chains of real deltas for tests."""

from uuid import UUID

from rtu_magics.models import (
    NIL_UUID,
    CellContentsReplace,
    CodeCell,
    NBCellsAdd,
    NBCellsDelete,
    NBCellsMove,
)

FILE_ID = UUID(int=1)


def execute_chain(n, make):
    """Return `n` deltas, each the child of the one before it."""
    chain, parent = [], NIL_UUID
    for i in range(n):
        delta = make(i)
        delta.parent_delta_id = parent
        parent = delta.id
        chain.append(delta)
    return chain


def replace(cell_id, source):
    return CellContentsReplace(file_id=FILE_ID, resource_id=cell_id, properties={"source": source})


def add(cell_id, after_id=None, source=""):
    cell = CodeCell(id=cell_id, source=source)
    return NBCellsAdd(
        file_id=FILE_ID, properties={"id": cell_id, "cell": cell, "after_id": after_id}
    )


def delete(cell_id):
    return NBCellsDelete(file_id=FILE_ID, properties={"id": cell_id})


def move(cell_id, after_id=None):
    return NBCellsMove(file_id=FILE_ID, properties={"id": cell_id, "after_id": after_id})
