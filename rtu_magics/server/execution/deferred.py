"""What could not be stored while another program held the database: kept, and stored afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ...models import CellState
from ..outputs.collection import LiveCollection
from ..ports import Log
from ..store import Database, runs

__all__ = ["Deferred"]

logger = logging.getLogger(__name__)

_AGAIN = 0.25  # seconds


class Deferred:
    """The states and outputs of one notebook that have still to be stored.

    Parameters
    ----------
    notebook, database
        Whose, and where they are stored.
    states
        Returns the states of its cells as they are now, by cell id.
    """

    def __init__(
        self, notebook: Log, database: Database, states: Callable[[], Mapping[str, CellState]]
    ) -> None:
        self._notebook, self._database, self._states = notebook, database, states
        self._cells: set[str] = set()
        self._collections: dict[UUID, LiveCollection] = {}
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, cell_ids: Iterable[str], collection: LiveCollection | None) -> None:
        """Store some cells' states, as they then are, and a collection's outputs when it can be."""
        self._cells.update(cell_ids)
        if collection is not None:
            self._collections[collection.id] = collection
        if self._timer is None:
            self._later()

    def close(self) -> None:
        """Try for the last time: the server stops."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        trouble = self._store() if self._cells or self._collections else ""
        if trouble:
            logger.error("outputs or states could not be stored: %s", trouble)

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_AGAIN, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        if not self._database.is_free() or self._store():
            self._later()

    def _store(self) -> str:
        """Store everything; returns why that failed, "" if it did not."""
        notebook = self._notebook
        states = [
            state
            for cell_id in self._cells
            if cell_id in notebook.chain.builder
            and (state := self._states().get(cell_id)) is not None
        ]
        try:
            with self._database.transaction() as connection:
                for collection in self._collections.values():
                    if runs.get_collection(connection, collection.id) is not None:
                        collection.store(connection)
                runs.put_states(connection, notebook.file_id, states)
        except SQLAlchemyError as exc:
            for collection in self._collections.values():
                collection.store_again()
            return str(getattr(exc, "orig", exc))
        self._cells.clear()
        self._collections.clear()
        return ""
