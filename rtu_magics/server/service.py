"""The server's heart: everything that its handlers share, and the rooms that are open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import os
import posixpath
from pathlib import Path
from typing import Any
from uuid import UUID

from ..document import NotebookBuilder
from ..errors import InvalidMessage
from ..models import NIL_UUID, Notebook
from .broadcast import Outbox
from .chain import Chain
from .collections_cache import Collections
from .compaction import Compactor
from .disk import DiskFile
from .disk_files import notebooks_below, read_notebook, write_atomically
from .disk_format import DiskBase, dumps, hash_of
from .kernel_sessions import KernelSessions
from .links import Links
from .people import People
from .periodic import Periodic
from .role_watch import RoleWatch
from .room import Room
from .store import Database
from .store import deltas as delta_queries
from .store import files as file_queries
from .store.files import FileRow
from .store.schema import files as files_table
from .usage import UsageMeter

__all__ = ["STATE_DIR", "BadPath", "NotANotebook", "Service"]

logger = logging.getLogger(__name__)

STATE_DIR = ".rtu_magics"
_POLL_EVERY = 1.0
_UNLOAD_AFTER = 600.0  # a room that nobody uses leaves memory
_MAX_PATH = 1024


class BadPath(ValueError):
    """A path that cannot name a file below the root."""


class NotANotebook(ValueError):
    """A file that is no notebook; the message says why."""


class Service:
    """All that the handlers of one server share.

    Parameters
    ----------
    database
        The open store.
    root
        The directory that is served.
    sessions, people
        Kernels and who may do what.
    api_prefix
        Path of the REST API on the server.
    """

    def __init__(
        self,
        database: Database,
        root: Path,
        sessions: KernelSessions,
        people: People,
        api_prefix: str,
    ) -> None:
        self.database = database
        self.root = root
        self.sessions = sessions
        self.people = people
        self.api_prefix = api_prefix
        self.links = Links(database.secret, api_prefix)
        self.collections = Collections(database, self.links)
        self.outbox = Outbox()
        self.rooms: dict[UUID, Room] = {}
        self._role_watch = RoleWatch(people, self.rooms)
        self._compactor = Compactor(self)
        self._usage = UsageMeter(self)
        self._polling = Periodic(self._poll, _POLL_EVERY, name="rtu-poll", tell=_log)
        self._opening: dict[UUID, asyncio.Lock] = {}

    def start(self) -> None:
        """Start watching files and kernels of open rooms."""
        self._role_watch.start()
        self._compactor.start()
        self._usage.start()
        self._polling.start()

    async def close(self) -> None:
        """Bring every notebook on disk up to date and stop."""
        await self._role_watch.close()
        await self._compactor.close()
        await self._usage.close()
        await self._polling.close()
        await asyncio.gather(*(room.close() for room in self.rooms.values()))
        self.rooms.clear()
        self.database.close()

    # Paths

    def clean_path(self, path: str) -> str:
        """Return a path below the root in its normal form.

        Raises
        ------
        BadPath
            It leads outside, into a hidden place, or is none.
        """
        if not path or len(path) > _MAX_PATH or any(char < " " for char in path):
            raise BadPath("a path is 1 to 1024 characters, none of them NUL or a line break")
        if os.path.isabs(path):
            try:
                path = Path(os.path.realpath(path)).relative_to(self.root).as_posix()
            except ValueError:
                raise BadPath(
                    f"{path[:200]} is not below the directory that is served; give a path below it"
                ) from None
        clean = posixpath.normpath(path.replace("\\", "/"))
        parts = clean.split("/")
        if clean.startswith("/") or ".." in parts or clean in (".", ""):
            raise BadPath(f"{path[:200]} leads out of the directory that is served")
        if any(part.startswith(".") for part in parts):
            raise BadPath(f"{path[:200]} is hidden; choose a path without names that begin with .")
        if any(len(part.encode()) > 200 for part in parts):
            raise BadPath("a name in the path is longer than 200 bytes")
        return clean

    def absolute(self, path: str) -> Path:
        """Return where a path below the root lies on disk."""
        return self.root.joinpath(*path.split("/"))

    def staged_upload(self, upload_id: UUID) -> Path:
        """Return where the content of an upload waits to be completed."""
        return self.root / STATE_DIR / "uploads" / str(upload_id)

    # Files

    def file(self, file_id: UUID) -> FileRow | None:
        """Return a file's row, or None."""
        with self.database.transaction() as connection:
            return file_queries.get_by_id(connection, files_table, file_id)

    async def open_path(self, path: str, create: bool = False) -> FileRow:
        """Return the notebook at a path below the root, known from then on.

        Raises
        ------
        BadPath
            The path cannot be one.
        FileNotFoundError
            There is none and `create` is false.
        NotANotebook
            What is there is no notebook.
        OSError
            It cannot be made.
        """
        path = self.clean_path(path)
        if not path.endswith(".ipynb"):
            raise NotANotebook(f"{path} is no notebook; its name has to end in .ipynb")
        with self.database.transaction() as connection:
            row = file_queries.file_by_path(connection, path)
        target = self.absolute(path)
        if row is not None and row.ready:
            if row.id in self.rooms or target.exists():
                return row
            await self._file_gone(row)
        if target.is_dir():
            raise NotANotebook(f"{path} is a directory")
        if not target.exists():
            if not create:
                raise FileNotFoundError(f"no notebook at {path}")
            await asyncio.to_thread(write_atomically, target, dumps(Notebook()))
        with self.database.transaction() as connection:
            row = file_queries.file_by_path(connection, path)
            if row is None or not row.ready:
                if row is not None:  # an upload that was never completed
                    file_queries.mark_deleted(connection, files_table, row.id)
                row = file_queries.create_file(
                    connection,
                    self.project_in(connection, path),
                    path,
                    "notebook",
                    ready=True,
                    mimetype=self.mimetype(path),
                )
        return row

    async def _first_version(self, row: FileRow) -> None:
        """Make what is on disk version 0 of a notebook that has none yet."""
        with self.database.transaction() as connection:
            if delta_queries.current_version(connection, row.id) is not None:
                return
        try:
            content = await asyncio.to_thread(self.absolute(row.path).read_bytes)
            notebook = read_notebook(content)
        except InvalidMessage as exc:
            raise NotANotebook(f"{row.path}: {exc}") from exc
        self.register(row, notebook, content)

    async def _file_gone(self, row: FileRow) -> None:
        """A known notebook that is not open has left its path: it moved, or it is no more."""
        moved = await self.find_moved(row.disk_hash) if row.disk_hash else None
        with self.database.transaction() as connection:
            if moved is not None:
                file_queries.update_file(connection, row.id, path=moved)
            else:
                file_queries.mark_deleted(connection, files_table, row.id)

    def register(
        self, row: FileRow, notebook: Notebook, content: bytes, author: UUID | None = None
    ) -> None:
        """Give a notebook its version 0.

        Parameters
        ----------
        row, notebook
            The file and what it is.
        content
            The bytes of the file on disk.
        author
            Who made it.
        """
        with self.database.transaction() as connection:
            delta_queries.insert_version(
                connection,
                row.id,
                epoch=row.epoch,
                seq=0,
                last_delta_id=NIL_UUID,
                body=NotebookBuilder(notebook).dumps(),
                reason="upload",
                created_by_id=author,
            )
            file_queries.update_file(connection, row.id, ready=True)
            base = DiskBase.of(notebook).dumps()
            file_queries.put_disk_base(connection, row.id, hash_of(content), base)

    def project_in(self, connection: Any, path: str) -> UUID:
        """Return the project that a path below the root belongs to."""
        directories = file_queries.live_project_directories(connection)
        directory = posixpath.dirname(path)
        while directory and directory not in directories:
            directory = posixpath.dirname(directory)
        return directories.get(directory, self.database.project_id)

    async def delete_file(self, row: FileRow) -> float:
        """Forget a file and remove it from disk; returns when, in seconds since the epoch."""
        room = self.rooms.pop(row.id, None)
        if room is not None:
            await room.close()
            room.tell_inconsistent(f"{row.path} was deleted")
        self.collections.forget(row.id)
        with self.database.transaction() as connection:
            at = file_queries.mark_deleted(connection, files_table, row.id)
        if row.ready:
            await asyncio.to_thread(self.absolute(row.path).unlink, missing_ok=True)
        return at

    async def find_moved(self, disk_hash: str) -> str | None:
        """Return the path of a notebook with this content that is not known yet, or None."""
        with self.database.transaction() as connection:
            known = file_queries.all_paths(connection)

        def search() -> str | None:
            for path in notebooks_below(self.root):
                relative = path.relative_to(self.root).as_posix()
                with contextlib.suppress(OSError):  # unreadable, or gone meanwhile
                    if relative not in known and hash_of(path.read_bytes()) == disk_hash:
                        return relative
            return None

        return await asyncio.to_thread(search)

    async def moved(self, room: Room, path: str) -> None:
        """Note that an open notebook lies elsewhere now."""
        logger.info("%s is now %s", room.path, path)
        with self.database.transaction() as connection:
            file_queries.update_file(connection, room.file_id, path=path)
        room.path = path
        session_id = room.kernel.session_id
        if session_id is not None:
            await self.sessions.rename(session_id, path)

    # Rooms

    async def room(self, file_id: UUID) -> Room | None:
        """Return the room of a notebook, opened if need be, or None if there is none.

        Raises
        ------
        NotANotebook
            What is on disk, opened for the first time, is no notebook.
        OSError
            It cannot be read.
        """
        found = self.rooms.get(file_id)
        if found is not None:
            found.touch()
            return found
        async with self._opening.setdefault(file_id, asyncio.Lock()):
            found = self.rooms.get(file_id)
            if found is not None:
                return found
            row = self.file(file_id)
            if row is None or not row.ready or row.type != "notebook":
                return None
            await self._first_version(row)
            room = self._open(self.file(file_id) or row)
            await room.disk.check()
            await room.kernel.poll()
            return room

    def _open(self, row: FileRow) -> Room:
        chain = Chain(self.database, row.id)
        with self.database.transaction() as connection:
            base = file_queries.get_disk_base(connection, row.id)
        room = Room(self, chain, row.path)
        room.disk = DiskFile(
            room,
            self.absolute(row.path),
            row.disk_hash,
            None if base is None else DiskBase.loads(base),
        )
        room.start()
        self.rooms[row.id] = room
        return room

    async def _poll(self) -> None:
        for room in list(self.rooms.values()):
            if room.idle_for > _UNLOAD_AFTER:
                del self.rooms[room.file_id]
                self.collections.forget(room.file_id)
                await room.close()
                continue
            for poll in (room.kernel.poll, room.disk.poll):
                try:
                    await poll()
                except Exception:
                    logger.exception("cannot look after %s", room.path)

    @staticmethod
    def mimetype(path: str) -> str:
        """Return the mimetype that a file's name suggests."""
        if path.endswith(".ipynb"):
            return "application/x-ipynb+json"
        return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _log(exc: Exception) -> None:
    logger.error("cannot look after the open notebooks", exc_info=exc)
