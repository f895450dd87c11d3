"""Output collections by id: those of the cells' latest runs in memory, all others in the store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ...models import CodeCell
from ..ports import LiveNotebook
from ..store import Database, runs
from ..wire.links import Links
from .collection import LiveCollection
from .stored import load_collection
from .truncation import LongTexts
from .wire_form import from_stored, representation

__all__ = ["Collections", "Showing"]

logger = logging.getLogger(__name__)


class Showing(LiveNotebook, Protocol):
    """A notebook whose outputs are shown."""

    def store_later(self, collection: LiveCollection) -> None:
        """Store a collection once the database that another program holds is free again."""


class Collections:
    """The output collections of a server.

    Parameters
    ----------
    database, links
        Where they are stored, and how their content is linked to.

    Attributes
    ----------
    link
        Returns a link to one representation of an output.
    """

    def __init__(self, database: Database, links: Links) -> None:
        self.database = database
        self.link = links.output
        # Not in the store: what it holds is small, and is there for ever.
        self.long_texts = LongTexts(
            database.path.parent / "outputs", lambda found: links.output(found, "text/plain")
        )
        self._by_id: dict[UUID, LiveCollection] = {}
        self._latest: dict[tuple[UUID, str], UUID] = {}
        # Those of earlier runs that may still put something out: a second copy would miss it.
        self._alive: WeakValueDictionary[UUID, LiveCollection] = WeakValueDictionary()
        self._displays_loaded: set[UUID] = set()  # of these notebooks

    def put(self, collection: LiveCollection) -> None:
        """Keep the collection of a cell's new run in memory; the one before leaves it."""
        self._by_id[collection.id] = self._alive[collection.id] = collection
        if collection.cell_id is not None:
            key = (collection.file_id, collection.cell_id)
            before = self._latest.get(key)
            if before is not None and before != collection.id:
                self._by_id.pop(before, None)
                self.long_texts.remove(before)
            self._latest[key] = collection.id

    def get(self, collection_id: UUID) -> LiveCollection | None:
        """Return a collection from memory or the store, or None."""
        found = self._by_id.get(collection_id)
        if found is not None:
            return found
        with self.database.transaction() as connection:
            return self._load(connection, collection_id)

    async def read(self, collection_id: UUID) -> LiveCollection | None:
        """Do what `get` does, beside the loop."""
        found = self._by_id.get(collection_id)
        if found is not None:
            return found
        return await self.database.read(lambda c: self._load(c, collection_id))

    def _load(self, connection: Connection, collection_id: UUID) -> LiveCollection | None:
        alive = self._alive.get(collection_id)
        if alive is not None and runs.get_collection(connection, collection_id) is not None:
            return alive
        return load_collection(connection, collection_id, self.link)

    async def content(self, output_id: UUID, mimetype: str) -> str | None:
        """Return one representation of an output, in memory or stored, or None."""
        text = self.live_content(output_id, mimetype)
        if text is not None:
            return text
        stored = await self.database.read(lambda c: runs.output_body(c, output_id))
        return None if stored is None else representation(from_stored(stored), mimetype)

    def of_cell(self, collection_id: str, file_id: UUID) -> LiveCollection | None:
        """Return the collection that a cell's metadata name, and keep it in memory.

        A cell has none of another notebook, nor of a run without a cell, whatever it names.
        """
        try:
            found = self.get(UUID(collection_id))
        except ValueError:
            return None
        if found is None or found.file_id != file_id or found.private_to is not None:
            return None
        self.put(found)
        return found

    def live_content(self, output_id: UUID, mimetype: str) -> str | None:
        """Return one representation of an output in memory, stored or not, or None."""
        for collection in list(self._alive.values()):
            text = collection.content_of(output_id, mimetype)
            if text is not None:
                return text
        return None

    def update_display(
        self,
        notebook: Showing,
        display_id: str,
        content: Mapping[str, Any],
        source: LiveCollection,
    ) -> None:
        """Show something new under a display id in the other runs of the notebook, and store it."""
        self._load_displays(notebook)
        for collection in list(self._by_id.values()):
            if collection is source or collection.file_id != notebook.file_id:
                continue
            if collection.private_to is not None:
                continue  # its starter sees what it showed as it was
            if collection.update_display(display_id, content, source.run_id):
                collection.authors |= source.authors
                for event, data in collection.drain():
                    notebook.send(event, data)
                try:
                    with self.database.quick_transaction() as connection:
                        collection.store(connection)
                except SQLAlchemyError as exc:
                    collection.store_again()  # with what it shows next; the file has it now
                    if self.database.held:
                        notebook.store_later(collection)
                    else:
                        cause = getattr(exc, "orig", exc)
                        logger.error("an update could not be stored: %s", cause)
                notebook.changed(revive=False)

    def _load_displays(self, notebook: LiveNotebook) -> None:
        """Load what cells show under display ids from before this server was started."""
        if notebook.file_id in self._displays_loaded:
            return
        cells = notebook.chain.builder.cells
        shown = {c.output_collection_id for c in cells if isinstance(c, CodeCell)}
        missing = [i for i in map(_uuid, shown) if i is not None and i not in self._by_id]
        try:
            with self.database.transaction() as connection:
                found = runs.with_displays(connection, missing)
            for collection_id in found:
                self.of_cell(str(collection_id), notebook.file_id)
        except SQLAlchemyError as exc:  # the next update tries again
            logger.error("what cells display could not be read: %s", getattr(exc, "orig", exc))
            return
        self._displays_loaded.add(notebook.file_id)

    def drop(self, collection_id: UUID) -> None:
        """Drop one collection from memory; one that is private is gone with that."""
        self._by_id.pop(collection_id, None)
        self._alive.pop(collection_id, None)
        self.long_texts.remove(collection_id)

    def forget(self, file_id: UUID) -> None:
        """Drop a notebook's collections from memory."""
        self._displays_loaded.discard(file_id)
        for key in [key for key in self._latest if key[0] == file_id]:
            self._by_id.pop(self._latest.pop(key), None)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
