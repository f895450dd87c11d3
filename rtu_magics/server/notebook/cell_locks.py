"""What stands against a change: the author's role, or a lock on the cell.

A cell's metadata may say ``editable: false`` and ``deletable: false`` (nbformat). Both bind
everybody below owner: the one keeps source, type, metadata and place of a cell, the other its
existence, and neither can be lifted by them. Running a locked cell is no change.
"""

from __future__ import annotations

from uuid import UUID

from ...document import NotebookBuilder
from ...models import (
    CellContentsReplace,
    CellContentsUpdate,
    CellExecuteDelta,
    CellMetadataReplace,
    CellMetadataUpdate,
    FileDeltaBase,
    NBCellsDelete,
    NBCellsMove,
)
from ..access.people import Person
from ..access.roles import Action, Role, may, refusal

__all__ = ["needed_for", "objection"]

_KEYS = ("editable", "deletable")


def needed_for(delta: FileDeltaBase) -> Action:
    """Return what somebody has to be allowed who submits a delta."""
    return Action.EXECUTE if isinstance(delta, CellExecuteDelta) else Action.EDIT


def objection(person: Person, file_id: UUID, delta: FileDeltaBase, builder: NotebookBuilder) -> str:
    """Return why somebody may not make a change as the notebook is now, "" if they may.

    Parameters
    ----------
    person, file_id
        Who, and in which notebook.
    delta
        The change.
    builder
        The notebook right before it.
    """
    role = person.role_in(file_id)
    if role is Role.OWNER:
        return ""
    needed = needed_for(delta)
    if not may(role, needed):
        return refusal(role, needed)
    return _lock_on(delta, builder)


def _lock_on(delta: FileDeltaBase, builder: NotebookBuilder) -> str:
    keys: tuple[str, ...] = ("editable",)
    if isinstance(delta, NBCellsDelete | NBCellsMove):
        cell_id = delta.properties.id
        if isinstance(delta, NBCellsDelete):
            keys = ("deletable",)
    elif isinstance(
        delta, CellContentsUpdate | CellContentsReplace | CellMetadataUpdate | CellMetadataReplace
    ):
        cell_id = delta.resource_id
        if isinstance(delta, CellMetadataUpdate):
            path = delta.properties.path
            keys = _KEYS if path and path[0] in _KEYS else keys
    else:
        return ""
    if cell_id not in builder:
        return ""  # whatever else is wrong with it is found when it is applied
    metadata = builder.cell(cell_id).metadata
    for key in keys:
        if metadata.get(key) is False:
            what = "deleted" if isinstance(delta, NBCellsDelete) else "changed"
            return (
                f"cell {cell_id} is locked ({key}: false) and cannot be {what}; you may run it, or "
                "ask an owner"
            )
    return ""
