"""One notebook's file on disk: written when the room changes, read when somebody else changes it.

Nothing is overwritten unseen: before each replace the file is compared with what we last read or
wrote, and what another program changed becomes ordinary deltas first. A file that nobody changed
here is never written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..document import NotebookBuilder, normalise_notebook
from ..errors import InvalidMessage, SquashError
from ..models import CellOutput, CellOutputCollectionReplace, CodeCell, Notebook
from .disk_format import DiskBase, dumps, hash_of, render
from .disk_merge import merge_file, name_cells
from .recording import LiveCollection
from .store import deltas as delta_queries
from .store import files as file_queries

if TYPE_CHECKING:
    from .room import Room

__all__ = ["DiskFile", "read_notebook", "write_atomically"]

logger = logging.getLogger(__name__)

WRITE_AFTER = 0.7  # seconds of quiet after a change
WRITE_AT_LATEST = 3.0

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    content: bytes
    stamp: Stamp


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step, keeping its mode; a symbolic link stays one."""
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_notebook(content: bytes, base: DiskBase | None = None) -> Notebook:
    """Return the notebook in a file's bytes; cells without an id get those they had in `base`.

    Raises
    ------
    InvalidMessage
        It is no notebook; the message says why.
    """
    notebook = normalise_notebook(content if content.strip() else b'{"cells": []}')
    if base is not None:
        cells = json.loads(content or b"{}").get("cells", [])
        name_cells(notebook, [cell.get("id") for cell in cells], base)
    return notebook


class DiskFile:
    """Keeps the file and the room in step.

    Parameters
    ----------
    room
        The notebook.
    path
        The file, absolute.
    disk_hash, base
        What the store remembers of the file as we last read or wrote it.
    """

    def __init__(
        self, room: Room, path: Path, disk_hash: str | None, base: DiskBase | None
    ) -> None:
        self._room = room
        self.path = path
        self._hash = disk_hash
        self._base = base
        self._stamp: Stamp | None = None
        self._dirty = False
        self._suspended: str | None = None
        self._first_change = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def dirty(self) -> bool:
        """Whether the room has changes that are not on disk."""
        return self._dirty and self._suspended is None

    def changed(self) -> None:
        """Note that the room changed: the file is written after a moment of quiet."""
        loop = asyncio.get_running_loop()
        if not self._dirty:
            self._dirty, self._first_change = True, loop.time()
        if self._suspended == "missing":
            self._resume(None)  # somebody works on: the file comes back
        if self._timer is not None:
            if loop.time() - self._first_change > WRITE_AT_LATEST:
                return
            self._timer.cancel()
        self._timer = loop.call_later(WRITE_AFTER, self._write_soon)

    def _write_soon(self) -> None:
        self._timer = None
        task = asyncio.ensure_future(self._write_logged())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_logged(self) -> None:
        try:
            await self.flush()
        except OSError as exc:
            logger.error("cannot write %s: %s", self.path, exc.strerror or exc)
        except Exception:
            logger.exception("cannot write %s", self.path)

    async def save(self) -> None:
        """Bring the file up to date now, also where it had been deleted or is no notebook."""
        if self._suspended == "foreign":
            self._resume(await asyncio.to_thread(self._keep_foreign))
        elif self._suspended == "missing":
            self._resume(None)
        await self.flush()

    async def flush(self) -> None:
        """Write the file if the room changed since.

        Raises
        ------
        OSError
            It cannot be written; it is tried again with the next change.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._lock:
            if not self._dirty or self._suspended is not None:
                return
            while True:
                await self._take_outside_changes()
                if self._suspended is not None or not self._dirty:
                    return
                self._dirty = False
                notebook = self._render()
                content = dumps(notebook)
                if hash_of(content) == self._hash and self.path.exists():
                    return
                try:
                    await asyncio.to_thread(_replace, self.path, content, self._stamp)
                except _ChangedMeanwhileError:
                    self._dirty = True
                    continue
                except OSError:
                    self._dirty = True
                    raise
                self._stamp = _stamp(self.path)
                self._remember(hash_of(content), DiskBase.of(notebook))
                return

    async def poll(self) -> None:
        """Look whether another program changed the file."""
        if self._suspended == "missing" and not self.path.exists():
            return
        if self._lock.locked() or (self._stamp is not None and _stamp(self.path) == self._stamp):
            return
        async with self._lock:
            await self._take_outside_changes()

    # Outside changes

    async def _take_outside_changes(self) -> None:
        try:
            found = await asyncio.to_thread(_read, self.path)
        except FileNotFoundError:
            await self._vanished()
            return
        except OSError as exc:
            logger.warning("cannot read %s: %s", self.path, exc.strerror or exc)
            return
        self._stamp = found.stamp
        if hash_of(found.content) == self._hash:
            self._suspended = None
            return
        try:
            notebook = read_notebook(found.content, self._base)
        except (InvalidMessage, ValueError) as exc:
            await self._no_notebook(str(exc))
            return
        self._suspended = None
        await self._merge(notebook, hash_of(found.content))

    async def _merge(self, notebook: Notebook, disk_hash: str) -> None:
        room, author = self._room, self._room.service.people.owner.id
        base = self._base or DiskBase.of(self._render())
        merge = merge_file(room.file_id, notebook, base, room.chain.builder)
        logger.info(
            "%s was changed by another program: %d changes", self.path.name, len(merge.deltas)
        )
        lost = list(merge.lost)
        for delta in merge.deltas:
            try:
                await room.apply(delta, author)
            except SquashError as exc:  # the room changed meanwhile
                lost.append(str(exc))
        for cell in merge.outputs:
            await self._adopt_outputs(cell)
        if lost:
            logger.warning("%s: kept the file as a version, for %s", self.path.name, lost[0])
            await room.exclusively(lambda: self._keep_as_version(notebook))
            room.send("v0_file_versions_changed_event", {})
        self._remember(disk_hash, DiskBase.of(notebook))
        # What the room has beyond the file is still to be written.
        wanted = self._render().model_dump()
        self._dirty = wanted != notebook.model_dump()
        if self._dirty:
            self.changed()

    async def _adopt_outputs(self, cell: CodeCell) -> None:
        room = self._room
        collection = LiveCollection(
            uuid4(), room.file_id, cell.id, None, link=room.service.links.output
        )
        collection.execution_count = cell.execution_count
        collection.adopt([output.model_dump() for output in cell.outputs])

        def store(connection: Connection) -> None:
            collection.create(connection)
            collection.store(connection)

        delta = CellOutputCollectionReplace(
            file_id=room.file_id,
            resource_id=cell.id,
            properties={"output_collection_id": collection.id},
        )
        room.service.collections.put(collection)
        try:
            await room.apply(delta, room.service.people.owner.id, also=store)
        except SquashError:
            return
        collection.drain()
        room.send("update_output_collection_event", collection.to_wire(16 * 1024))

    def _keep_as_version(self, notebook: Notebook) -> None:
        """Keep what the file holds as a version that is not the current one."""
        room = self._room
        with room.service.database.transaction() as connection:
            delta_queries.insert_version(
                connection,
                room.file_id,
                epoch=-1,
                seq=0,
                last_delta_id=room.chain.head,
                body=NotebookBuilder(notebook).dumps(),
                name="The file as another program changed it",
            )
        room.chain.save_version(automatic=True)

    async def _vanished(self) -> None:
        if self._hash is None:  # it was never there
            return
        moved = await self._room.service.find_moved(self._hash)
        if moved is not None:
            await self._room.service.moved(self._room, moved)
            self.path = self._room.service.absolute(moved)
            self._stamp = _stamp(self.path)
            return
        if self._suspended != "missing":
            self._suspended = "missing"
            await self._keep_room(f"{self.path.name} was deleted on disk")

    async def _no_notebook(self, reason: str) -> None:
        if self._suspended != "foreign":
            self._suspended = "foreign"
            await self._keep_room(f"{self.path.name} on disk is no notebook any more ({reason})")

    async def _keep_room(self, reason: str) -> None:
        logger.warning("%s; the notebook lives on here, save it to write it again", reason)
        room = self._room
        await room.exclusively(lambda: room.chain.save_version(name=reason))
        room.tell_inconsistent(f"{reason}; it lives on here and saving writes it again")

    def _resume(self, disk_hash: str | None) -> None:
        """Write again; what the file holds now, if anything, has been dealt with."""
        self._suspended, self._hash, self._dirty = None, disk_hash, True

    def _keep_foreign(self) -> str | None:
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        kept = self.path.with_name(f"{self.path.name}.{hash_of(content)[:8]}.bak")
        write_atomically(kept, content)
        logger.warning("kept what was there as %s", kept.name)
        return hash_of(content)

    # State

    def _render(self) -> Notebook:
        return render(self._room.chain.builder, self._outputs_of)

    def _outputs_of(self, cell: CodeCell) -> tuple[list[CellOutput], int | None] | None:
        if cell.output_collection_id is None:
            return None
        found = self._room.service.collections.of_cell(cell.output_collection_id)
        return None if found is None else (found.to_nbformat(), found.execution_count)

    def _remember(self, disk_hash: str, base: DiskBase) -> None:
        self._hash, self._base = disk_hash, base
        try:
            with self._room.service.database.transaction() as connection:
                file_queries.put_disk_base(connection, self._room.file_id, disk_hash, base.dumps())
        except SQLAlchemyError as exc:
            logger.error("cannot note what is on disk: %s", getattr(exc, "orig", exc))

    def adopt(self, content: bytes, notebook: Notebook) -> None:
        """Note that the file holds this, as just read or written by somebody we trust."""
        self._stamp = _stamp(self.path)
        self._remember(hash_of(content), DiskBase.of(notebook))

    async def check(self) -> None:
        """After loading a room: take what changed on disk, write what was not yet written."""
        async with self._lock:
            await self._take_outside_changes()
        known = self._suspended is None and self._base
        if known and DiskBase.of(self._render()).dumps() != known.dumps():
            self.changed()


class _ChangedMeanwhileError(Exception):
    """The file is not the one that was looked at."""


def _replace(path: Path, content: bytes, expected: Stamp | None) -> None:
    present = _stamp(path)
    if present is not None and present != expected:
        raise _ChangedMeanwhileError
    write_atomically(path, content)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> _Read:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        content = file.read()
    return _Read(content, (found.st_mtime_ns, found.st_size, found.st_ino))


def notebooks_below(root: Path) -> Iterable[Path]:
    """Yield the notebooks below a directory, hidden and checkpoint directories left out."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith(".") and n != "node_modules")
        for name in sorted(files):
            if name.endswith(".ipynb") and not name.startswith("."):
                yield Path(directory) / name
