"""The server's heart: everything that its handlers share, and the rooms that are open."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

from ..errors import InvalidMessage
from ..models import Notebook
from .access.people import People
from .bridge.bridges import Bridges
from .file.first_version import FirstVersion
from .file.format import dumps
from .file.in_place import finish_all
from .file.io import write_atomically
from .file.paths import BadPath
from .file.record import FileRecord
from .file.regular import NotRegular, read_regular
from .file.sync import DiskFile
from .file.workspace import STATE_DIR, Workspace
from .kernel.lost import LostKernels
from .kernel.sessions import KernelSessions
from .limits.admission import Admission
from .limits.gate import Gate
from .limits.settings import Limits
from .notebook.chain import Chain
from .notebook.replay import Stored, replay
from .outputs.cache import Collections
from .ports import LiveDocuments
from .process.periodic import Periodic
from .process.seldom import Seldom
from .process.slices import Slices
from .room import Room
from .store import Database
from .store import deltas as delta_queries
from .store import files as file_queries
from .store.files import FileRow
from .store.schema import files as files_table
from .upkeep.activity import Activity
from .upkeep.orphans import Orphans
from .upkeep.relocation import Relocation
from .upkeep.retention import Compactor
from .upkeep.role_watch import RoleWatch
from .upkeep.usage import UsageMeter
from .wire.connection import Outbox
from .wire.links import Links

__all__ = ["STATE_DIR", "BadPath", "NotANotebook", "Service"]

logger = logging.getLogger(__name__)

_POLL_EVERY = 1.0
_UNLOAD_AFTER = 600.0  # a room that nobody uses leaves memory


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
    limits
        How much anybody may take.

    Attributes
    ----------
    workspace, relocation
        The files, and what becomes of their names.
    admission, gate
        What holds connections and requests against the limits.
    slices
        Does what takes long.
    renew
        Takes a new token of the server that the notebooks live on; None where they live here.
    closed
        Whether it has begun to stop.
    pages
        Returns what a page of JupyterLab on the same server is: see `models.ServerInfo`.
    """

    def __init__(
        self,
        database: Database,
        root: Path,
        sessions: KernelSessions,
        people: People,
        api_prefix: str,
        *,
        limits: Limits | None = None,
    ) -> None:
        self.database = database
        self.workspace = Workspace(database, root, people)
        self.sessions = sessions
        self.people = people
        self.api_prefix = api_prefix
        self.links = Links(database.secret, api_prefix)
        self.collections = Collections(database, self.links)
        self.outbox = Outbox()
        # Of the live documents here the extension knows more.
        self.bridges: LiveDocuments = Bridges(self.collections)
        self.renew: Callable[[str], None] | None = None
        self.limits = limits or Limits()
        self.admission = Admission(self.limits)
        self.gate = Gate(self.limits)
        self.slices = Slices()
        self.rooms: dict[UUID, Room] = {}
        self.relocation = Relocation(self.workspace, self.rooms, sessions)
        self.lost_kernels = LostKernels(database)
        self._role_watch = RoleWatch(people, self.rooms)
        self._compactor = Compactor(database, self.rooms, self.workspace.staged_upload)
        self._usage = UsageMeter(self.rooms)
        self.activity: Activity | None = None
        self.orphans = Orphans(sessions.connections)
        self._polling = Periodic(self._poll, _POLL_EVERY, name="rtu-poll", tell=_log)
        self._seldom = Seldom()
        self._opening: dict[UUID, asyncio.Lock] = {}
        self.closed = False
        self.pages: Callable[[], str] = lambda: ""

    def start(self) -> None:
        """Start watching files and kernels of open rooms."""
        finish_all(self.workspace.writes, self.workspace.place_of)
        self._role_watch.start()
        self._compactor.start()
        self._usage.start()
        self._polling.start()

    async def close(self) -> list[str]:
        """Bring every notebook on disk up to date and stop.

        Returns
        -------
        list of str
            The notebooks whose latest changes are in the database alone, with the reason.
        """
        self.closed = True
        await self._role_watch.close()
        await self._compactor.close()
        await self._usage.close()
        await self._polling.close()
        rooms = list(self.rooms.values())
        left = await asyncio.gather(*(room.close() for room in rooms))
        self.rooms.clear()
        self.workspace.notary.close()
        self.database.close()
        return [f"{room.path}: {why}" for room, why in zip(rooms, left, strict=True) if why]

    # Files

    async def open_path(
        self, path: str, create: bool = False, *, by_owner: bool = False
    ) -> FileRow:
        """Return the notebook at a path below the root, known from then on.

        `by_owner` says whether it is opened for an owner of this server; see `file.paths`.

        Raises
        ------
        BadPath
            The path cannot be one.
        FileNotFoundError
            There is none and `create` is false.
        NotANotebook
            What is there is no notebook.
        OSError
            It cannot be made, or leads out of the root.
        """
        path = self.workspace.clean_path(path)
        if not path.endswith(".ipynb"):
            raise NotANotebook(f"{path} is no notebook; its name has to end in .ipynb")
        target = self.workspace.absolute(path)
        if not by_owner:
            known = self.workspace.by_path(path)
            self.workspace.paths.check(target, None if known is None else known.id)
        await self.bridges.provide(path)
        row = await self._row_at(path)
        if row is not None and row.ready:
            return row
        if target.is_dir():
            raise NotANotebook(f"{path} is a directory")
        if not target.exists():
            if not create:
                raise FileNotFoundError(f"no notebook at {path}")
            self.workspace.check_new(path)
            await asyncio.to_thread(write_atomically, target, dumps(Notebook()))
        with self.database.transaction() as connection:
            row = file_queries.file_by_path(connection, path)
            if row is None or not row.ready:
                if row is not None:  # an upload that was never completed
                    file_queries.mark_deleted(connection, files_table, row.id)
                row = file_queries.create_file(
                    connection,
                    self.workspace.project_in(connection, path),
                    path,
                    "notebook",
                    ready=True,
                    mimetype=self.workspace.mimetype(path),
                )
        return row

    async def known_at(self, path: str) -> FileRow | None:
        """Return the notebook at a path below the root if anybody ever opened it here."""
        try:
            row = await self._row_at(self.workspace.clean_path(path))
        except (BadPath, OSError):
            return None
        known = row is not None and row.ready and row.type == "notebook" and row.disk_hash
        return row if known else None

    async def _first_version(self, row: FileRow) -> None:
        """Make what is on disk version 0 of a notebook that has none yet."""
        with self.database.transaction() as connection:
            if delta_queries.current_version(connection, row.id) is not None:
                return
        try:
            place = self.workspace.absolute(row.path)
            self.workspace.paths.check(place, row.id)
            found = await asyncio.to_thread(lambda: FirstVersion.of_file(read_regular(place)))
        except (NotRegular, InvalidMessage) as exc:
            raise NotANotebook(f"{row.path}: {getattr(exc, 'strerror', exc)}") from exc
        await self.workspace.register(row, found)

    async def _row_at(self, path: str) -> FileRow | None:
        """Return the notebook that lies at a path now, if it is known under any name."""
        row = self.workspace.by_path(path)
        if row is not None and row.id in self.rooms:
            await self.rooms[row.id].disk.look_now()
            row = self.workspace.by_path(path)  # another one, if that one was renamed
        if row is not None and (row.id in self.rooms or not row.ready):
            return row
        if row is None:
            await self.relocation.claim(path)
        elif not self.workspace.absolute(path).exists():
            if not await self.relocation.follow(row.id, by_hash=True):
                with self.database.transaction() as connection:
                    file_queries.mark_deleted(connection, files_table, row.id)
        else:
            return row
        return self.workspace.by_path(path)

    async def delete_file(self, row: FileRow, *, by_owner: bool = False) -> float:
        """Forget a file and remove it from disk; returns when, in seconds since the epoch.

        Raises
        ------
        PermissionError
            Its directory leads out of the root, see `file.paths`; or it lives elsewhere.
        """
        if self.renew is not None:
            raise PermissionError(errno.EPERM, "it lives on another server; delete it there")
        paths, place = self.workspace.paths, self.workspace.absolute(row.path)
        if paths.why_outside(place.parent):  # the link itself may go, wherever it leads
            paths.admit(place, by_owner=by_owner, file_id=row.id)
        room = self.rooms.pop(row.id, None)
        if room is not None:
            # Nobody could reach it any more, and it would run on.
            await room.kernel.shutdown()
            await room.close()
            room.tell_inconsistent(f"{row.path} was deleted, and its kernel with it")
        else:
            await self.sessions.end_of(row.path)
        self.lost_kernels.forget(row.id)
        self.collections.forget(row.id)
        with self.database.transaction() as connection:
            at = file_queries.mark_deleted(connection, files_table, row.id)
        if row.ready:
            await asyncio.to_thread(place.unlink, missing_ok=True)
        return at

    # Rooms

    async def room(self, file_id: UUID, *, by_owner: bool = False) -> Room | None:
        """Return the room of a notebook, opened if need be, or None if there is none.

        `by_owner` as in `open_path`.

        Raises
        ------
        NotANotebook
            What is on disk, opened for the first time, is no notebook.
        OSError
            It cannot be read, or leads out of the root.
        """
        found = self.rooms.get(file_id)
        if found is not None:
            found.touch()
            return found
        async with self._opening.setdefault(file_id, asyncio.Lock()):
            found = self.rooms.get(file_id)
            if found is not None:
                return found
            row = self.workspace.file(file_id)
            if row is None or not row.ready or row.type != "notebook":
                return None
            place = self.workspace.absolute(row.path)
            self.workspace.paths.admit(place, by_owner=by_owner, file_id=row.id)
            await self._first_version(row)
            room = await self._open(row)
            if room is None:
                return None
            await self.bridges.look(room)
            await room.disk.check()
            await room.kernel.poll()
            return room

    async def _open(self, found: FileRow) -> Room | None:
        stored = await self.database.read(lambda c: Stored.read(c, found.id))
        chain = Chain(self.database, found.id, await self.slices.run(replay(stored)))
        row = self.workspace.file(found.id)  # it may have got another name meanwhile
        if row is None:  # or be deleted
            return None
        record = FileRecord(self.database, row.id, self.workspace.writes / row.id.hex)
        room = Room(
            chain,
            row.path,
            sessions=self.sessions,
            collections=self.collections,
            limits=self.limits,
            outbox=self.outbox,
            slices=self.slices,
            lost_kernels=self.lost_kernels,
        )
        room.disk = DiskFile(
            room,
            room.versions,
            self.workspace,
            collections=self.collections,
            tracker=self.relocation,
            record=record,
        )
        room.bridges = self.bridges
        room.start()
        self.rooms[row.id] = room
        return room

    async def _poll(self) -> None:
        if self.activity is not None:
            self.activity.note(self.rooms.values())
        if self.rooms:
            await self.workspace.holders.look()
        for room in list(self.rooms.values()):
            if room.idle_for > _UNLOAD_AFTER:
                await self._unload(room)
                continue
            polls = (
                (room.kernel.poll, "the kernel of "),
                (partial(self.bridges.look, room), "the live document of "),
                (room.disk.poll, ""),
            )
            for poll, of in polls:
                what = f"{of}{room.path}"
                try:
                    await poll()
                    self._seldom.over(what)
                except Exception as exc:
                    if self._seldom.due(what, exc):
                        logger.exception("cannot look after %s", what)
        await self.orphans.look(self.rooms.values())

    async def unload_unused(self, room: Room) -> bool:
        """Close a notebook at once unless somebody follows it; whether it was closed."""
        if room.subscribers or room.kernel_subscribers:
            return False
        await self._unload(room)
        return True

    async def _unload(self, room: Room) -> None:
        del self.rooms[room.file_id]
        self.collections.forget(room.file_id)
        await room.close()

    async def live_document_opened(self) -> None:
        """Put the notebooks that are open here on live documents that were opened just now."""
        for room in list(self.rooms.values()):
            await self.bridges.look(room)


def _log(exc: Exception) -> None:
    logger.error("cannot look after the open notebooks", exc_info=exc)
