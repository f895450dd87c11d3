"""What all models share."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = [
    "NIL_UUID",
    "NULL_RESOURCE_SENTINEL",
    "OTHER_PROGRAM",
    "OTHER_PROGRAM_ID",
    "Model",
    "MultilineText",
    "Resource",
    "utcnow",
]

NIL_UUID = UUID(int=0)

OTHER_PROGRAM_ID = UUID("6d2f9a7e-3c51-5b8e-9a40-0f17c0ded15c")
OTHER_PROGRAM = "another program (on disk)"
"""The author of what was changed in a notebook's file, on every server (our addition)."""
"""The parent of a chain's first delta, and the head of a notebook without deltas."""

NULL_RESOURCE_SENTINEL = "__NULL_RESOURCE__"
"""The ``resource_id`` of a delta that concerns no single cell (RTU protocol)."""


def utcnow() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(timezone.utc)


def _join_lines(value: Any) -> Any:
    # nbformat's list-valued strings keep their line ends, so nothing goes between them.
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


MultilineText = Annotated[str, BeforeValidator(_join_lines)]
"""A string that nbformat also allows as a list of lines."""


class Model(BaseModel):
    """Base of all models: extra keys are ignored, as the RTU protocol asks."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Resource(Model):
    """A thing with an identity that the REST API hands out.

    Attributes
    ----------
    id
        Its UUID.
    created_at, updated_at
        Times, UTC.
    deleted_at
        Time of deletion, or None while it exists.
    """

    id: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
