"""The thirteen kinds of delta: one change in a notebook's linear chain each.

A class's name is its type and action. ``parent_delta_id``, ``created_at`` and ``created_by_id`` are
filled in by the server; requests carry them as null.

Source of the shapes: the RTU protocol, files channel, ``new_delta_request``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import Field, TypeAdapter

from .base import NULL_RESOURCE_SENTINEL, Model
from .notebook import NotebookCell

__all__ = [
    "NULL_PRIOR_VALUE_SENTINEL",
    "CellContentsReplace",
    "CellContentsReplaceProperties",
    "CellContentsUpdate",
    "CellContentsUpdateProperties",
    "CellExecute",
    "CellExecuteAfter",
    "CellExecuteAll",
    "CellExecuteBefore",
    "CellExecuteDelta",
    "CellMetadataReplace",
    "CellMetadataReplaceProperties",
    "CellMetadataUpdate",
    "CellMetadataUpdateProperties",
    "CellOutputCollectionReplace",
    "CellOutputCollectionReplaceProperties",
    "FileDelta",
    "FileDeltaAdapter",
    "FileDeltaBase",
    "NBCellsAdd",
    "NBCellsAddProperties",
    "NBCellsDelete",
    "NBCellsDeleteProperties",
    "NBCellsMove",
    "NBCellsMoveProperties",
    "NBMetadataUpdate",
    "NBMetadataUpdateProperties",
]

NULL_PRIOR_VALUE_SENTINEL = "__NULL_PRIOR_VALUE__"
"""The ``prior_value`` of a metadata update whose author does not say what was there (RTU)."""


class FileDeltaBase(Model):
    """What every delta has.

    Attributes
    ----------
    id
        Chosen by its author; a retry carries the same id.
    file_id
        The notebook's file.
    delta_type, delta_action
        Its kind.
    resource_id
        The cell it concerns, or ``__NULL_RESOURCE__``.
    parent_delta_id
        The delta before it in the chain.
    properties
        What changes.
    created_at, created_by_id
        When (UTC) and by whom it was accepted.
    """

    id: UUID = Field(default_factory=uuid4)
    file_id: UUID
    delta_type: str
    delta_action: str
    resource_id: str = NULL_RESOURCE_SENTINEL
    parent_delta_id: UUID | None = None
    properties: Any = None
    created_at: datetime | None = None
    created_by_id: UUID | None = None


class NBCellsAddProperties(Model):
    """The new cell, and the cell after which it goes (None: the top).

    ``before_id`` is accepted from requests; the server turns it into ``after_id``.
    """

    id: str
    cell: NotebookCell
    after_id: str | None = None
    before_id: str | None = Field(default=None, exclude_if=lambda v: v is None)


class NBCellsAdd(FileDeltaBase):
    """Adds a cell."""

    delta_type: Literal["nb_cells"] = "nb_cells"
    delta_action: Literal["add"] = "add"
    properties: NBCellsAddProperties


class NBCellsDeleteProperties(Model):
    """The cell that goes."""

    id: str


class NBCellsDelete(FileDeltaBase):
    """Deletes a cell."""

    delta_type: Literal["nb_cells"] = "nb_cells"
    delta_action: Literal["delete"] = "delete"
    properties: NBCellsDeleteProperties


class NBCellsMoveProperties(Model):
    """The cell that moves, and the cell after which it goes (None: the top)."""

    id: str
    after_id: str | None = None


class NBCellsMove(FileDeltaBase):
    """Moves a cell."""

    delta_type: Literal["nb_cells"] = "nb_cells"
    delta_action: Literal["move"] = "move"
    properties: NBCellsMoveProperties


class CellContentsUpdateProperties(Model):
    """A text patch in diff-match-patch's format, with code-point offsets."""

    patch: str


class CellContentsUpdate(FileDeltaBase):
    """Patches a cell's source."""

    delta_type: Literal["cell_contents"] = "cell_contents"
    delta_action: Literal["update"] = "update"
    properties: CellContentsUpdateProperties


class CellContentsReplaceProperties(Model):
    """The whole new source."""

    source: str


class CellContentsReplace(FileDeltaBase):
    """Replaces a cell's source."""

    delta_type: Literal["cell_contents"] = "cell_contents"
    delta_action: Literal["replace"] = "replace"
    properties: CellContentsReplaceProperties


class CellMetadataUpdateProperties(Model):
    """A path of keys into the metadata, the value to put there, and the one that was there."""

    path: list[Any]
    value: Any = None
    prior_value: Any = NULL_PRIOR_VALUE_SENTINEL


class CellMetadataUpdate(FileDeltaBase):
    """Sets one value in a cell's metadata."""

    delta_type: Literal["cell_metadata"] = "cell_metadata"
    delta_action: Literal["update"] = "update"
    properties: CellMetadataUpdateProperties


class CellMetadataReplaceProperties(Model):
    """The new cell type, and the language that goes to ``metadata.noteable.cell_type``."""

    type: str | None = None
    language: str | None = None


class CellMetadataReplace(FileDeltaBase):
    """Changes a cell's type."""

    delta_type: Literal["cell_metadata"] = "cell_metadata"
    delta_action: Literal["replace"] = "replace"
    properties: CellMetadataReplaceProperties


class NBMetadataUpdateProperties(Model):
    """A path of keys into the metadata, the value to put there, and the one that was there."""

    path: list[Any]
    value: Any = None
    prior_value: Any = NULL_PRIOR_VALUE_SENTINEL


class NBMetadataUpdate(FileDeltaBase):
    """Sets one value in the notebook's metadata."""

    delta_type: Literal["nb_metadata"] = "nb_metadata"
    delta_action: Literal["update"] = "update"
    properties: NBMetadataUpdateProperties


class CellOutputCollectionReplaceProperties(Model):
    """The collection that holds the outputs of the cell's new run."""

    output_collection_id: UUID


class CellOutputCollectionReplace(FileDeltaBase):
    """Gives a cell a new output collection; made by the server at each run."""

    delta_type: Literal["cell_output_collection"] = "cell_output_collection"
    delta_action: Literal["replace"] = "replace"
    properties: CellOutputCollectionReplaceProperties


class CellExecuteDelta(FileDeltaBase):
    """Base of the four execute deltas; their id is the run's ``execution_id``."""

    delta_type: Literal["cell_execute"] = "cell_execute"


class CellExecute(CellExecuteDelta):
    """Runs one cell."""

    delta_action: Literal["execute"] = "execute"


class CellExecuteBefore(CellExecuteDelta):
    """Runs every cell up to this one, and this one."""

    delta_action: Literal["execute_before"] = "execute_before"


class CellExecuteAfter(CellExecuteDelta):
    """Runs this cell and every one after it."""

    delta_action: Literal["execute_after"] = "execute_after"


class CellExecuteAll(CellExecuteDelta):
    """Runs every cell."""

    delta_action: Literal["execute_all"] = "execute_all"


_NBCells = Annotated[NBCellsAdd | NBCellsDelete | NBCellsMove, Field(discriminator="delta_action")]
_CellContents = Annotated[
    CellContentsUpdate | CellContentsReplace, Field(discriminator="delta_action")
]
_CellMetadata = Annotated[
    CellMetadataUpdate | CellMetadataReplace, Field(discriminator="delta_action")
]
_CellExecute = Annotated[
    CellExecute | CellExecuteBefore | CellExecuteAfter | CellExecuteAll,
    Field(discriminator="delta_action"),
]

FileDelta = Annotated[
    _NBCells
    | _CellContents
    | _CellMetadata
    | NBMetadataUpdate
    | CellOutputCollectionReplace
    | _CellExecute,
    Field(discriminator="delta_type"),
]
FileDeltaAdapter: TypeAdapter[FileDeltaBase] = TypeAdapter(FileDelta)
