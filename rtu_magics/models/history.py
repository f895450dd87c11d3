"""What became of a notebook, and the variables of its kernel (our addition to the RTU API)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from .base import Model

__all__ = ["DeltaAuthor", "DeltaLog", "DeltaLogStart", "Variable", "Variables"]


class DeltaAuthor(Model):
    """Who made a delta."""

    user_id: UUID | None = None
    name: str | None = None


class DeltaLogStart(Model):
    """The notebook just before the first delta of a log.

    Attributes
    ----------
    version_id
        The version that it is, if it is one.
    notebook
        Its content in Jupyter's format.
    """

    version_id: UUID | None = None
    notebook: dict[str, Any]


class DeltaLog(Model):
    """A piece of a notebook's chain, in its order.

    Attributes
    ----------
    deltas
        Deltas as they are on the wire, each with an ``author`` (`DeltaAuthor`).
    more
        Whether there are earlier ones.
    """

    start: DeltaLogStart
    deltas: list[dict[str, Any]]
    more: bool = False


class Variable(Model):
    """One variable of a kernel.

    Attributes
    ----------
    shape
        Its dimensions as text or numbers, if it has any.
    size_bytes
        Bytes that it takes, as far as that is known.
    preview
        The beginning of how it looks.
    """

    name: str
    type: str
    shape: Any = None
    size_bytes: int | None = None
    preview: str = ""


class Variables(Model):
    """The variables of a notebook's kernel."""

    variables: list[Variable] = Field(default_factory=list)
    kernel_state: str | None = None
