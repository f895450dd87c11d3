"""What the writer of a notebook is asked to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ...models import FileDeltaBase
from ..access.people import Person
from ..store import AnyConnection
from ..wire.connection import Connection

__all__ = ["Call", "Submission"]


@dataclass(slots=True)
class Submission:
    """A delta to append, and who gets the answer: a connection, or whoever awaits `done`."""

    delta: FileDeltaBase
    author: UUID
    digest: str
    connection: Connection | None = None
    transaction_id: UUID | None = None
    also: Callable[[AnyConnection], None] | None = None
    done: asyncio.Future[FileDeltaBase] | None = None
    person: Person | None = None  # whose rights count; the server's own changes have none
    positions_at: UUID | None = None  # the delta after which cells were counted, if they were
    twin: bool = False  # whether the twin has it already
    accepted: bool = False
    refused: str = ""  # why, if it will be the next time, too


@dataclass(slots=True)
class Call:
    """A function to run between two batches; `overtakes`: before those that wait for the store."""

    work: Callable[[], Any]
    done: asyncio.Future[Any]
    overtakes: bool = False
