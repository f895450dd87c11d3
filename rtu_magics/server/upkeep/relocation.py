"""Following notebooks that other programs rename, and renaming them for people."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from ..file.format import hash_of
from ..file.io import Stamp, stamp_of
from ..file.moves import Known, cell_ids_in, moves_of, snapshot_of
from ..file.regular import read_regular
from ..file.rename import move
from ..file.workspace import Workspace
from ..kernel.sessions import KernelSessions
from ..store import files as queries
from ..store.files import FileRow
from ..store.schema import files

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["Relocation"]

logger = logging.getLogger(__name__)


class Relocation:
    """Follows notebooks that left their path, gives them others, and tells who has them open.

    Parameters
    ----------
    workspace
        The directory.
    rooms
        The notebooks that are open, by file id.
    sessions
        Their kernels.
    """

    def __init__(
        self, workspace: Workspace, rooms: Mapping[UUID, Room], sessions: KernelSessions
    ) -> None:
        self._workspace, self._rooms, self._sessions = workspace, rooms, sessions
        self._lock = asyncio.Lock()

    async def follow(self, file_id: UUID, *, by_hash: bool) -> bool:
        """Find out whether a notebook moved, and note it; whether it did.

        Parameters
        ----------
        file_id
            The notebook.
        by_hash
            Whether to believe the content where the inode says nothing: its place is empty, or
            something that has nothing in common with it lies there.
        """
        workspace = self._workspace
        async with self._lock:
            known = self._known()
            if file_id not in known:
                return False
            look = partial(snapshot_of, workspace.root, list(known.values()))
            moves, replaced = moves_of(file_id, known, *await asyncio.to_thread(look))
            if replaced or (by_hash and not moves):  # now all of them are read
                hashes = {one.disk_hash for one in known.values() if one.disk_hash}
                found = await asyncio.to_thread(look, hashes)
                moves, replaced = moves_of(file_id, known, *found)
            if moves:
                await self._note(moves, replaced)
            return file_id in moves

    def has_lost(self, stamp: Stamp, disk_hash: str, finder: UUID) -> bool:
        """Whether a file is one that another notebook had, and has no more at its own path.

        Parameters
        ----------
        stamp, disk_hash
            Of the file.
        finder
            The notebook at whose path it lies.
        """
        for file_id, one in self._known().items():
            if file_id == finder:
                continue
            if (one.stamp == stamp) if one.stamp else (one.disk_hash == disk_hash):
                there = stamp_of(self._workspace.absolute(one.path))
                if there is None or (one.stamp is not None and there != one.stamp):
                    return True
        return False

    async def claim(self, path: str) -> None:
        """Let a file that nobody knows yet be the notebook that it is, under a new name.

        Parameters
        ----------
        path
            Below the root.
        """
        workspace = self._workspace
        target = workspace.absolute(path)
        stamp = stamp_of(target)
        if stamp is None:
            return
        for room in list(self._rooms.values()):
            known = room.disk.stamp
            if known is not None and known[2] == stamp[2] and room.path != path:
                await room.disk.look_now()
                return
        async with self._lock:
            try:
                found = hash_of(await asyncio.to_thread(read_regular, target))
            except OSError:
                return
            with workspace.database.transaction() as connection:
                rows = queries.known_notebooks(connection)
            ids = cell_ids_in(target)
            same = (row for row in rows if row.disk_hash == found and row.id not in self._rooms)
            left = [row for row in same if not ids & cell_ids_in(workspace.absolute(row.path))]
            if len(left) == 1:
                await self._note({left[0].id: path}, set())

    def _known(self) -> dict[UUID, Known]:
        with self._workspace.database.transaction() as connection:
            rows = queries.known_notebooks(connection)
        rooms = self._rooms
        known = {}
        for row in rows:
            room = rooms.get(row.id)
            if room is None:
                known[row.id] = Known(row.path, None, row.disk_hash)
            else:
                ids = frozenset(room.chain.builder.cell_ids)
                known[row.id] = Known(row.path, room.disk.stamp, row.disk_hash, ids)
        return known

    async def _note(self, moves: dict[UUID, str], replaced: set[UUID]) -> None:
        workspace = self._workspace
        with workspace.database.transaction() as connection:
            for file_id in replaced:
                queries.mark_deleted(connection, files, file_id)
            for file_id, path in moves.items():
                workspace.note_path(connection, file_id, path)
        workspace.people.rights.forget()  # they hang on the directory, too
        for file_id, path in moves.items():
            room = self._rooms.get(file_id)
            if room is not None:
                room.disk.path = workspace.absolute(path)
                await self._moved(room, path)

    async def rename(self, row: FileRow, path: str, *, by_owner: bool = False) -> None:
        """Move a file to another path below the root; whoever follows it is told.

        Parameters
        ----------
        row
            The file.
        path
            The new path, in its normal form.
        by_owner
            Whether it is for an owner of this server, who may go beyond the root; see
            `file.paths`.

        Raises
        ------
        FileExistsError
            Something is there already.
        OSError
            It cannot be moved.
        """
        if path == row.path:
            return
        workspace = self._workspace
        source, target = workspace.absolute(row.path), workspace.absolute(path)
        if not by_owner:
            for place in (source.parent, target):
                workspace.paths.check(place)
        there = workspace.by_path(path)
        if there is not None and (there.id in self._rooms or workspace.absolute(path).exists()):
            raise FileExistsError(path)
        room = self._rooms.get(row.id)
        if room is not None:
            await room.disk.move(target)
        else:
            await asyncio.to_thread(move, source, target)
        if by_owner:
            workspace.paths.admit(target, by_owner=True, file_id=row.id)
        with workspace.database.transaction() as connection:
            if there is not None:  # of a file that left its path unseen
                queries.mark_deleted(connection, files, there.id)
            workspace.note_path(connection, row.id, path)
        workspace.people.rights.forget()  # they hang on the directory, too
        if room is not None:
            await self._moved(room, path)

    async def follow_elsewhere(self, room: Room, path: str) -> bool:
        """Follow a notebook that lives on another server, where its path has changed.

        What lies here is a copy. Returns False where another notebook is under that path here.
        """
        workspace = self._workspace
        source, target = workspace.absolute(room.path), workspace.absolute(path)
        if workspace.by_path(path) is not None or target.exists():
            return False
        await asyncio.to_thread(move, source, target)
        room.disk.path = target
        with workspace.database.transaction() as connection:
            workspace.note_path(connection, room.file_id, path)
        await self._moved(room, path)
        return True

    async def _moved(self, room: Room, path: str) -> None:
        """Tell the kernel and everybody that an open notebook lies elsewhere now."""
        logger.info("%s is now %s", room.path, path)
        room.path = path
        session_id = room.kernel.session_id
        if session_id is not None:
            await self._sessions.rename(session_id, path)
        filename = posixpath.basename(path)
        room.send("file_renamed_event", {"path": path, "filename": filename})
