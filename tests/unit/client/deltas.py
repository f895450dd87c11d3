"""Other people's deltas."""

from rtu_magics.models import (
    CellContentsReplace,
    CellContentsUpdate,
    CellExecute,
    CodeCell,
    NBCellsAdd,
    NBCellsDelete,
)


def replace(file_id, cell_id, source):
    return CellContentsReplace(file_id=file_id, resource_id=cell_id, properties={"source": source})


def patch(file_id, cell_id, text):
    return CellContentsUpdate(file_id=file_id, resource_id=cell_id, properties={"patch": text})


def add(file_id, cell_id, source="", after_id=None):
    cell = CodeCell(id=cell_id, source=source)
    return NBCellsAdd(
        file_id=file_id, properties={"id": cell_id, "cell": cell, "after_id": after_id}
    )


def delete(file_id, cell_id):
    return NBCellsDelete(file_id=file_id, properties={"id": cell_id})


def execute(file_id, cell_id):
    return CellExecute(file_id=file_id, resource_id=cell_id)
