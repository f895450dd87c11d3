"""What the store knows of one notebook's file, also when a server ends in the midst of a write.

What a file is about to hold is stored before the file is touched. So the next server knows its
predecessor's last write for its own, however it ended; taken for somebody else's edit, it would be
merged with what is in the notebook already, and words come twice.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ..store import Database
from ..store import files as queries
from ..store.schema import files
from .format import DiskBase

__all__ = ["FileRecord"]

logger = logging.getLogger(__name__)

_LATELY = 8  # states of a file that are kept for who loaded an earlier one


class FileRecord:
    """What is known of a notebook's file.

    Parameters
    ----------
    database, file_id
        Where it is stored, and of which notebook.
    journal
        Beside what a file's bytes are noted while they are changed in place; see `in_place`.

    Attributes
    ----------
    hash
        Of the file's content as it was last read or written, None before that.
    base
        What it held then.
    page_hash
        Of what it held when another program wrote it last. Pages that show it are told this one:
        what we write ourselves is no reason to ask somebody whose side counts.
    """

    def __init__(self, database: Database, file_id: UUID, journal: Path) -> None:
        self._database = database
        self._file_id = file_id
        self.journal = journal
        self._next: tuple[str, DiskBase] | None = None
        with database.transaction() as connection:
            row = queries.get_disk_base(connection, file_id)
            file = queries.get_by_id(connection, files, file_id)
        self.hash: str | None = None if file is None else file.disk_hash
        self.page_hash: str | None = None if file is None else file.page_hash
        self.base = None if row is None else DiskBase.loads(row.body)
        self._lately: deque[tuple[float, DiskBase]] = deque(maxlen=_LATELY)
        if self.base is not None:
            self._lately.append((time.time(), self.base))
        if row is not None and row.next_hash and row.next_hash != self.hash:
            self._next = row.next_hash, DiskBase.loads(row.next_body)

    @property
    def next_base(self) -> DiskBase | None:
        """What the file may hold instead, if a write of it was begun."""
        return None if self._next is None else self._next[1]

    def held_when(self, modified: float) -> DiskBase | None:
        """Return what the file held that was written at a time, None if that is what it holds now.

        `modified` is the file's own, in seconds since 1970. What it held is noted right after.
        """
        found = next((base for noted, base in self._lately if noted >= modified), None)
        return None if found is self.base else found

    def as_told(self, disk_hash: str) -> str:
        """Return what pages are told that the file's hash is."""
        known = (self.hash, None if self._next is None else self._next[0])
        return self.page_hash if disk_hash in known and self.page_hash else disk_hash

    def intend(self, disk_hash: str, base: DiskBase) -> None:
        """Note what the file is about to hold.

        A store that does not take it now keeps nothing from being written: what is not acknowledged
        may be in the file all the same.
        """
        self._next = disk_hash, base
        text = base.dumps()
        self._store(lambda c: queries.put_next_base(c, self._file_id, disk_hash, text))

    def recognise(self, disk_hash: str) -> bool:
        """Whether the file holds what it was about to; that is what is known of it from then on."""
        if self._next is None or self._next[0] != disk_hash:
            return False
        self.remember(*self._next)
        return True

    def remember(self, disk_hash: str, base: DiskBase, *, by_others: bool = False) -> None:
        """Note what the file holds, and whether another program wrote that."""
        if by_others or self.page_hash is None:
            self.page_hash = disk_hash if by_others else self.hash or disk_hash
        self.hash, self.base, self._next = disk_hash, base, None
        self._lately.append((time.time(), base))
        text, page_hash = base.dumps(), self.page_hash
        self._store(lambda c: queries.put_disk_base(c, self._file_id, disk_hash, text, page_hash))

    def _store(self, work: Callable[..., None]) -> None:
        try:
            with self._database.transaction() as connection:
                work(connection)
        except SQLAlchemyError as exc:
            logger.error("cannot note what is on disk: %s", getattr(exc, "orig", exc))
