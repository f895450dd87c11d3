"""One notebook's file on disk: written when the room changes, read when somebody else changes it.

Nothing is overwritten unseen: before each replace the file is compared with what we last read or
wrote, and what another program changed becomes ordinary deltas first. A file that nobody changed
here is never written.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from ..models import CellOutput, CodeCell, Notebook
from .disk_files import (
    MISSING,
    ChangedMeanwhileError,
    Seen,
    Stamp,
    look,
    replace,
    stamp_of,
    write_atomically,
)
from .disk_format import DiskBase, dumps, hash_of, render
from .disk_outside import take_in
from .relocation import cell_ids_in
from .renaming import move
from .store import files as file_queries

if TYPE_CHECKING:
    from .room import Room

__all__ = ["DiskFile"]

logger = logging.getLogger(__name__)

WRITE_AFTER = 0.7  # seconds of quiet after a change
WRITE_AT_LATEST = 3.0
RETRY_AFTER = 5.0  # after a write that failed
SETTLES = 0.6  # seconds without a change until a file that is no notebook counts as written
SETTLES_AT_LATEST = 5.0
STALE = 10.0  # seconds that another program may take between reading and writing
SEARCHES = 5  # for a file that is gone, a second apart


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
        self._suspended: str | None = None  # why the file is left alone: "missing", "foreign"
        self._trouble = ""  # why exactly
        self._failed = ""  # why the last write did not succeed
        self._searches = 0
        self._earlier: deque[tuple[float, DiskBase]] = deque(maxlen=8)
        self._first_change = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def stamp(self) -> Stamp | None:
        """Of the file as it was last read or written, None before that."""
        return self._stamp

    @property
    def dirty(self) -> bool:
        """Whether the room has changes that are not on disk."""
        return self._dirty and self._suspended is None

    def changed(self, *, revive: bool = True) -> None:
        """Note that the room changed: the file is written after a moment of quiet.

        Parameters
        ----------
        revive
            Whether a file that was deleted comes back.
        """
        loop = asyncio.get_running_loop()
        if not self._dirty:
            self._dirty, self._first_change = True, loop.time()
        if self._suspended == "missing" and revive:
            self._resume(None)  # somebody works on: the file comes back
        if self._timer is not None:
            if loop.time() - self._first_change > WRITE_AT_LATEST:
                return
            self._timer.cancel()
        self._timer = loop.call_later(WRITE_AFTER, self._write_soon)

    def _write_soon(self) -> None:
        self._timer = None
        self._spawn(self._write_logged())

    async def _write_logged(self) -> None:
        try:
            await self.flush()
        except OSError as exc:
            self._note_failure(exc)
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(RETRY_AFTER, self._write_soon)
        except Exception:
            logger.exception("cannot write %s", self.path)

    async def save(self) -> None:
        """Bring the file up to date now, also where it had been deleted or is no notebook.

        Raises
        ------
        OSError
            It cannot be written.
        """
        if self._suspended == "foreign":
            self._resume(await asyncio.to_thread(self._keep_foreign))
        elif self._suspended == "missing":
            self._resume(None)
        await self.flush()
        if self._suspended is not None:
            raise OSError(self._trouble)

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
        loop = asyncio.get_running_loop()
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
                    self._stamp = await asyncio.to_thread(replace, self.path, content, self._stamp)
                except ChangedMeanwhileError:
                    self._dirty = True
                    continue
                except OSError:
                    self._dirty = True
                    raise
                if self._base is not None:
                    self._earlier.append((loop.time(), self._base))
                self._remember(hash_of(content), DiskBase.of(notebook))
                if self._failed:
                    self._failed = ""
                    logger.info("%s is written again", self.path.name)
                return

    async def move(self, target: Path) -> None:
        """Move the file, brought up to date, without replacing another one.

        Raises
        ------
        FileExistsError
            The target exists.
        OSError
            It cannot be written or moved.
        """
        await self.flush()
        async with self._lock:
            if self._suspended != "missing":
                await asyncio.to_thread(move, self.path, target)
            elif await asyncio.to_thread(target.exists):
                raise FileExistsError(str(target))
            self.path = target
            self._stamp = stamp_of(target)
        if self._suspended == "missing":
            self.changed()

    async def poll(self) -> None:
        """Look whether another program changed the file; what it did is taken in beside this."""
        if self._suspended == "missing" and not self.path.exists():
            if self._searches > 0:
                self._searches -= 1
                await self._find_moved()
            return
        stamp = stamp_of(self.path)
        if self._lock.locked() or (self._stamp is not None and stamp == self._stamp):
            return
        if stamp is None and self._hash is None:  # not written for the first time yet
            return
        self._spawn(self._poll_logged())

    async def look_now(self) -> None:
        """Look at once whether the file is still this notebook's, and take in what changed."""
        if self._stamp is None or stamp_of(self.path) != self._stamp:
            await self._poll_logged()

    async def _poll_logged(self) -> None:
        try:
            async with self._lock:
                await self._take_outside_changes()
        except OSError as exc:
            self._note_failure(exc)
        except Exception:
            logger.exception("cannot take in what changed in %s", self.path)

    def _note_failure(self, exc: OSError) -> None:
        reason = exc.strerror or str(exc)
        if reason != self._failed:  # once, however often it is tried
            logger.error(
                "cannot write %s (%s); nothing is lost, it is tried again until it works",
                self.path,
                reason,
            )
        self._failed = reason

    async def stop(self) -> None:
        """Write nothing more; returns when what was being written is."""
        while True:
            if self._timer is not None:  # a write that fails sets it for another try
                self._timer.cancel()
                self._timer = None
            writing = self._tasks - {asyncio.current_task()}
            if not writing:
                return
            await asyncio.gather(*writing, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Outside changes

    async def _take_outside_changes(self) -> None:
        while True:
            path = self.path
            seen = await self._look_until_settled()
            if path == self.path and not await self._moved_away(seen):
                break
        if seen.trouble == MISSING:
            await self._vanished()
            return
        self._stamp = seen.stamp
        if seen.trouble:
            await self._no_notebook(seen.trouble)
            return
        if self._suspended is not None:
            logger.info("%s is a notebook again", self.path.name)
            self._suspended = None
            if self._dirty:
                self.changed()
        if seen.notebook is not None:
            await self._merge(seen.notebook, seen.base, seen.hash)

    async def _look_until_settled(self) -> Seen:
        """Read the file; what is no notebook may be one that is being written just now."""
        loop = asyncio.get_running_loop()
        began = since = loop.time()
        last: Seen | None = None
        while True:
            seen = await asyncio.to_thread(
                look, self.path, self._hash, self._bases(), set(self._room.chain.builder.cell_ids)
            )
            now = loop.time()
            if last is None or seen.stamp != last.stamp:
                last, since = seen, now
            known = self._suspended is not None and seen.stamp == self._stamp
            if not seen.trouble or known or (seen.trouble == MISSING and self._hash is None):
                return seen
            if now - since >= SETTLES or now - began >= SETTLES_AT_LATEST:
                return seen
            await asyncio.sleep(0.1)

    def _bases(self) -> list[DiskBase]:
        if self._base is None:
            return []
        oldest = asyncio.get_running_loop().time() - STALE
        while self._earlier and self._earlier[0][0] < oldest:
            self._earlier.popleft()
        return [self._base, *(base for _, base in reversed(self._earlier))]

    async def _merge(self, notebook: Notebook, base: DiskBase | None, disk_hash: str) -> None:
        base = base or DiskBase.of(self._render())
        try:
            await take_in(self._room, self.path.name, notebook, base)
        except OSError:
            self._stamp = None  # the next poll looks again
            raise
        self._remember(disk_hash, DiskBase.of(notebook))
        # What the room has beyond the file is still to be written.
        wanted = self._render().model_dump()
        self._dirty = wanted != notebook.model_dump()
        if self._dirty:
            self.changed()

    async def _moved_away(self, seen: Seen) -> bool:
        """Whether the file lies elsewhere now, and what was seen is no affair of this notebook."""
        if self._hash is None or seen.hash == self._hash:
            return False
        if seen.trouble == MISSING:
            return self._suspended != "missing" and await self._find_moved()
        if self._stamp is not None and seen.stamp is not None and seen.stamp[2] == self._stamp[2]:
            return False
        ids = await asyncio.to_thread(cell_ids_in, self.path)
        alien = not ids & set(self._room.chain.builder.cell_ids)
        return (alien or self._stamp is not None) and await self._find_moved(by_hash=alien)

    async def _vanished(self) -> None:
        if self._hash is not None and self._suspended != "missing":
            self._suspended, self._trouble, self._searches = "missing", MISSING, SEARCHES
            await self._keep_room(f"{self.path.name} was deleted on disk")

    async def _find_moved(self, *, by_hash: bool = True) -> bool:
        """Look for a file that left its place; whether it was found."""
        room = self._room
        if not await room.service.relocation.follow(room.file_id, by_hash=by_hash):
            return False
        self._suspended = None
        if self._dirty:
            self.changed()
        return True

    async def _no_notebook(self, reason: str) -> None:
        self._trouble = reason
        if self._suspended != "foreign":
            self._suspended = "foreign"
            await self._keep_room(f"{self.path.name} on disk is no notebook any more ({reason})")

    async def _keep_room(self, reason: str) -> None:
        logger.warning("%s; the notebook lives on here, save it to write it again", reason)
        room = self._room
        await room.exclusively(lambda: room.chain.save_version(name=reason, reason="outside"))
        room.tell_inconsistent(f"{reason}; it lives on here and saving writes it again")

    def _resume(self, disk_hash: str | None) -> None:
        """Write again; what the file holds now, if anything, has been dealt with."""
        self._suspended, self._hash, self._dirty = None, disk_hash, True

    def _keep_foreign(self) -> str | None:
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        kept = self.path.with_name(f"{self.path.name[:50]}.{hash_of(content)[:8]}.bak")
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
        self._stamp = stamp_of(self.path)
        self._remember(hash_of(content), DiskBase.of(notebook))

    async def check(self) -> None:
        """After loading a room: take what changed on disk, write what was not yet written."""
        async with self._lock:
            await self._take_outside_changes()
        known = self._suspended is None and self._base
        if known and DiskBase.of(self._render()).dumps() != known.dumps():
            self.changed()
