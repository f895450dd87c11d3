"""Runs: what one execute request became, whoever asked for it (our addition to the protocol)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from .base import Model
from .kernels import CellState

__all__ = ["SCRATCH_CELL", "Run"]

SCRATCH_CELL = ""
"""Stands for the cell where a run has none."""


class Run(Model):
    """One run: of one cell, of several, or of code without a cell.

    Attributes
    ----------
    execution_id
        Id of the execute delta, or what a scratch run's starter chose.
    cell_ids
        The cells, in the order in which they run; `SCRATCH_CELL` for a scratch run.
    scratch
        Whether it runs code without a cell, which only its starter sees.
    state
        ``queued``, ``executing``, or how it ended: the name of a finished state.
    cell_states
        The state of each cell in this run, whatever happened to the cell since.
    collections
        The output collections by cell id, of those cells that have begun.
    payloads
        By cell id, what its reply asks of a front end (`ExecutePayloadEventData`); not for long.
    user_id
        Who started it, None when that is not known any more.
    created_at, started_at, ended_at
        Times, UTC.
    """

    execution_id: UUID
    cell_ids: list[str] = Field(default_factory=list)
    scratch: bool = False
    state: str
    cell_states: list[CellState] = Field(default_factory=list)
    collections: dict[str, UUID] = Field(default_factory=dict)
    payloads: dict[str, list[dict[str, Any]]] = Field(
        default_factory=dict, repr=False, exclude_if=lambda v: not v
    )
    user_id: UUID | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
