"""The directory that a server serves: where its files lie, what the store knows of them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from ...models import NIL_UUID
from ..access.people import People
from ..notebook.version_store import store_pieces
from ..process.directory_lock import STATE_DIR
from ..store import Database
from ..store import deltas as delta_queries
from ..store import files as file_queries
from ..store.files import FileRow
from ..store.page_bases import put_page_base
from ..store.schema import files as files_table
from .first_version import FirstVersion
from .format import DiskBase
from .holders import Holders
from .page_copies import FIRST, PageCopy
from .paths import Paths, mimetype_of
from .trust import Notary

__all__ = ["STATE_DIR", "Workspace"]


class Workspace:
    """The files of one server.

    Parameters
    ----------
    database, people
        The open store, and who may do what.
    root
        The directory that is served.

    Attributes
    ----------
    paths, clean_path, check_new, absolute
        Where files may lie.
    holders
        The other programs that own a file at the moment.
    contents, notary
        Returns Jupyter's contents manager, None where there is none; and who signs what it
        trusted.
    writes
        Where changes of a file in place are noted while they are made.
    """

    def __init__(self, database: Database, root: Path, people: People) -> None:
        self.database, self.root, self.people = database, root, people
        self.paths = paths = Paths(root)
        self.clean_path, self.check_new = paths.clean, paths.check_new
        self.absolute = paths.absolute
        self.holders = Holders(root)  # of whose apps the extension knows more
        self.contents: Callable[[], Any] = lambda: None
        self.notary = Notary(self.contents)
        self.writes = database.path.parent / "writes"

    def staged_upload(self, upload_id: UUID) -> Path:
        """Return where the content of an upload waits to be completed."""
        return self.root / STATE_DIR / "uploads" / str(upload_id)

    def place_of(self, file_id: UUID) -> Path | None:
        """Return where a file lies, None of one that nobody knows."""
        row = self.file(file_id)
        return None if row is None else self.absolute(row.path)

    def file(self, file_id: UUID) -> FileRow | None:
        """Return a file's row, or None."""
        with self.database.transaction() as connection:
            return file_queries.get_by_id(connection, files_table, file_id)

    def by_path(self, path: str) -> FileRow | None:
        """Return the file that the store has at a path, or None."""
        with self.database.transaction() as connection:
            return file_queries.file_by_path(connection, path)

    async def register(self, row: FileRow, found: FirstVersion, author: UUID | None = None) -> None:
        """Give a notebook its version 0, unless it has got one meanwhile.

        Parameters
        ----------
        row, found
            The file and what it holds.
        author
            Who made it.
        """
        copy = PageCopy(DiskBase.loads(found.base)).dumps()
        async with store_pieces(self.database, found.body) as stored:
            with self.database.transaction() as connection:
                if delta_queries.current_version(connection, row.id) is not None:
                    return
                delta_queries.insert_version(
                    connection,
                    row.id,
                    epoch=row.epoch,
                    seq=0,
                    last_delta_id=NIL_UUID,
                    body=stored.beginning,
                    version_id=stored.version_id,
                    reason="upload",
                    created_by_id=author,
                )
                file_queries.update_file(connection, row.id, ready=True)
                known = found.disk_hash, found.base, found.disk_hash
                file_queries.put_disk_base(connection, row.id, *known)
                put_page_base(connection, row.id, FIRST, copy)

    def project_in(self, connection: Any, path: str) -> UUID:
        """Return the project that a path below the root belongs to."""
        directories = file_queries.live_project_directories(connection)
        directory = posixpath.dirname(path)
        while directory and directory not in directories:
            directory = posixpath.dirname(directory)
        return directories.get(directory, self.database.project_id)

    def note_path(self, connection: Any, file_id: UUID, path: str) -> None:
        """Store where a file lies now."""
        file_queries.update_file(
            connection,
            file_id,
            path=path,
            project_id=self.project_in(connection, path),
            mimetype=self.mimetype(path),
        )

    mimetype = staticmethod(mimetype_of)
