"""Giving a file another path: on disk, in the store, and for its kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..store import files as queries
from ..store.files import FileRow
from ..store.schema import files

if TYPE_CHECKING:
    from ..service import Service

__all__ = ["rename_file"]


async def rename_file(service: Service, row: FileRow, path: str, *, by_owner: bool = False) -> None:
    """Move a file to another path below the root; whoever follows it is told.

    Parameters
    ----------
    service
        The server.
    row
        The file.
    path
        The new path, in its normal form.
    by_owner
        Whether it is for an owner of this server, who may go beyond the root; see `file.paths`.

    Raises
    ------
    FileExistsError
        Something is there already.
    OSError
        It cannot be moved.
    """
    if path == row.path:
        return
    source, target = service.absolute(row.path), service.absolute(path)
    if not by_owner:
        for place in (source.parent, target):
            service.paths.check(place)
    with service.database.transaction() as connection:
        there = queries.file_by_path(connection, path)
    if there is not None and (there.id in service.rooms or service.absolute(path).exists()):
        raise FileExistsError(path)
    room = service.rooms.get(row.id)
    if room is not None:
        await room.disk.move(target)
    else:
        await asyncio.to_thread(move, source, target)
    if by_owner:
        service.paths.admit(target, by_owner=True, file_id=row.id)
    with service.database.transaction() as connection:
        if there is not None:  # of a file that left its path unseen
            queries.mark_deleted(connection, files, there.id)
        service.note_path(connection, row.id, path)
    service.people.rights.forget()  # they hang on the directory, too
    if room is not None:
        await service.moved(room, path)


def move(source: Path, target: Path) -> None:
    """Move a file without replacing another one.

    Raises
    ------
    FileExistsError
        The target exists.
    OSError
        It cannot be moved.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Taking the name first leaves nobody a moment to take it.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(source, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise
