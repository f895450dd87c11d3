"""One notebook's file on disk: written when the room changes, read when somebody else changes it.

Nothing is overwritten unseen: before each replace the file is compared with what we last read or
wrote, and what another program changed becomes ordinary deltas first. A file that nobody changed
here is never written. When to write, when to wait and what to tell decides `file.state`; here it is
done.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path
from typing import Any

from ..outputs.cache import Collections
from ..ports import OpenNotebook
from ..process.seldom import Seldom
from ..versions import Versions
from . import events as ev
from .access import why_not_writable
from .content import RoomContent
from .context import FileContext
from .driver import Driver
from .failure import NotOnDisk
from .format import hash_of
from .intake import Intake
from .io import ChangedMeanwhileError, Stamp, put_aside, replace, stamp_of
from .live import LiveSide
from .outside import keep_before
from .page_side import PageSide
from .plain_contents import pairing_of
from .reader import Reader
from .record import FileRecord
from .rename import move
from .snapshot import content_of
from .state import FileState, may_write
from .whereabouts import Tracker, Whereabouts
from .workspace import Workspace

__all__ = ["DiskFile"]

logger = logging.getLogger(__name__)


class DiskFile:
    """Keeps the file and the room in step.

    Parameters
    ----------
    room, versions, workspace, collections, tracker
        The notebook, its versions, its directory, its outputs, and who knows of all notebooks.
    record
        What the store remembers of the file.

    Attributes
    ----------
    shown
        Returns the file's condition as clients are told it.
    live
        The file's other side: what a live document writes and watches in our place.
    page
        What pages that are not live have to do with it.
    """

    def __init__(
        self,
        room: OpenNotebook,
        versions: Versions,
        workspace: Workspace,
        *,
        collections: Collections,
        tracker: Tracker,
        record: FileRecord,
    ) -> None:
        path = workspace.absolute(room.path)
        self._room, self._versions, self._workspace = room, versions, workspace
        self._driver = Driver(path.name, self)
        self._content = RoomContent(room, collections, workspace.people)
        self._record = record
        file = FileContext(room, versions, collections, path, self._driver, record, self._content)
        self._file, self._lock = file, file.lock
        self._reader = Reader(record, self._why_outside)
        self._intake = Intake(file, self._reader, Whereabouts(room, tracker, record))
        self._seldom = Seldom()
        self.live = LiveSide(file)
        self.page = PageSide(file, workspace.notary)
        self.shown, self._feed = self._driver.shown, self._driver.feed

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._file.path

    @path.setter
    def path(self, path: Path) -> None:
        self._file.path = path
        self._feed(ev.Renamed(self._driver.now, path.name))

    @property
    def state(self) -> FileState:
        """What is to be done about the file."""
        return self._driver.state

    @property
    def stamp(self) -> Stamp | None:
        """Of the file as it was last read or written, None before that."""
        return self._file.stamp

    @property
    def dirty(self) -> bool:
        """Whether the room has changes that are still to be written."""
        return self._driver.unsaved and not self.state.content

    def changed(self, *, revive: bool = True) -> None:
        """Note that the room changed: the file is written after a moment of quiet.

        Parameters
        ----------
        revive
            Whether a file that was deleted comes back.
        """
        self._driver.changed(revive=revive)

    async def write_quietly(self) -> None:
        """Do what `flush` does; what goes wrong has been told and is tried again."""
        try:
            await self.flush(patient=True)
        except NotOnDisk:
            pass
        except Exception as exc:
            if self._seldom.due(str(self.path), exc):
                logger.exception("cannot write %s", self.path)

    def show_state(self, shown: dict[str, Any]) -> None:
        """Let everybody who has the notebook open know the file's condition."""
        self._room.send("file_state_event", shown)

    # What is asked for

    async def save(self) -> None:
        """Bring the file up to date now, also where it had been deleted or is no notebook.

        Raises
        ------
        NotOnDisk
            What the room held when this was called is not on disk.
        """
        self._check_owners()
        kept = self._record.hash
        if self.state.content and not (self.state.held or self._why_outside(self.path)):
            foreign = self.state.content == "foreign"
            try:
                kept = await asyncio.to_thread(put_aside, self.path) if foreign else kept
            except OSError as exc:
                why = f"what lies at {self.path.name} cannot be put aside: {exc.strerror or exc}"
                raise NotOnDisk(why) from exc
        self._feed(ev.SaveAsked(self._driver.now))
        self._record.hash = kept
        wanted = self.state.generation
        await self.flush()
        if self.state.written < wanted:
            raise NotOnDisk(self.state.reason or f"{self.path.name} changed while it was written")

    async def flush(self, *, patient: bool = False) -> None:
        """Write the file if the room changed since, and nothing but an error is in the way.

        Parameters
        ----------
        patient
            Whether a file that is gone may be on its way to another name, and is waited for.

        Raises
        ------
        NotOnDisk
            It cannot be read or written; it is tried again by itself.
        """
        async with self._lock:
            if not (self.dirty or self.state.failure):
                return
            if self.live.writer is not None:
                self._check_owners()
                await self.live.have_written(self.live.writer)
                return
            if self._workspace.holders.bridgeable(self._room.path):
                return  # a live document has just been opened: both are put together first
            while True:
                await self._intake.take()
                if not self.state.unsaved or not may_write(self.state):
                    return
                if (patient and self._may_turn_up()) or await self._write():
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
        live = self.live.writer is not None
        if live or self._workspace.holders.bridgeable(self._room.path):
            raise PermissionError(
                errno.EBUSY, "it is open in JupyterLab with live collaboration; rename it there"
            )
        await self.flush()
        async with self._lock:
            if self.state.gone_at is None:
                await asyncio.to_thread(move, self.path, target)
            elif await asyncio.to_thread(target.exists):
                raise FileExistsError(str(target))
            self.path, self._file.stamp = target, stamp_of(target)
        if self.state.content == "missing":
            self.changed()

    async def poll(self) -> None:
        """Look whether another program changed the file; what it did is taken in beside this."""
        if self.live.writer is not None:
            self._check_owners()
            return
        if self.state.gone_at is not None and not self.path.exists():
            if not self._lock.locked():
                await self._intake.search()
            return
        self._check_owners()
        stamp = stamp_of(self.path)
        if self._lock.locked() or (self._file.stamp is not None and stamp == self._file.stamp):
            return
        if stamp is None and self._record.hash is None:  # not written for the first time yet
            return
        if self.state.failure is None:  # else it is looked at when it is tried again
            self._driver.spawn(self._look_quietly())

    async def look_now(self) -> None:
        """Look at once whether the file is still this notebook's, and take in what changed."""
        if self.live.writer is not None:
            return
        if self._file.stamp is None or stamp_of(self.path) != self._file.stamp:
            await self._look_quietly()

    async def check(self) -> None:
        """After loading a room: take what changed on disk, write what was not yet written."""
        self._check_owners()
        if self.live.writer is not None:
            return
        await self._look_quietly()
        if self._record.base is None or self.state.content == "foreign":
            return
        try:
            behind = await self._file.is_behind(self._record.base)
        except Exception:  # the write says why
            behind = True
        if behind:
            self.changed()

    async def close(self) -> str:
        """Bring the file up to date for the last time; returns why it is not, if so."""
        try:
            await self.flush()
        except Exception as exc:
            return str(exc) or type(exc).__name__
        return self.state.reason if self._driver.unsaved else ""

    async def stop(self) -> None:
        """Write nothing more; returns when what was being written is."""
        await self._driver.stop()

    async def _look_quietly(self) -> None:
        try:
            async with self._lock:
                await self._intake.take()
        except NotOnDisk:
            pass  # as above

    def _check_owners(self) -> None:
        """Note whether the system, or another program that owns the file, is against a write."""
        room = self._room
        denied = self._why_outside(self.path) or why_not_writable(self.path)
        held = self._workspace.holders.of(room.path)
        metadata = room.chain.builder.nb.metadata
        self._driver.owners(denied, held or pairing_of(room.path, self.path, metadata))

    def _may_turn_up(self) -> bool:
        at = self.state.write_at
        return self.state.gone_at is not None and at is not None and at > self._driver.now

    def _why_outside(self, path: Path) -> str:
        return self._workspace.paths.why_outside(path, self._room.file_id)

    # Writing

    async def _write(self) -> bool:
        """Write the room's content; False if another program was quicker."""
        self._check_owners()
        if not may_write(self.state):
            return True
        generation = self.state.generation
        try:
            notebook, own = self._file.render(), self._content.own_outputs()
            content, base = await asyncio.to_thread(content_of, notebook)
        except Exception as exc:  # whatever a notebook may hold, nothing is given up for it
            raise self._file.failed("render", exc) from exc
        if hash_of(content) != self._record.hash or stamp_of(self.path) is None:
            ids = [cell.id for cell in notebook.cells]
            notary, known = self._workspace.notary, self._record.hash
            await notary.carry_over(self.path, known, content, ids, own)
            self._record.intend(hash_of(content), base)
            try:
                self._file.stamp = await asyncio.to_thread(
                    replace,
                    self.path,
                    content,
                    self._file.stamp,
                    self._why_outside,
                    self._record.journal,
                )
            except ChangedMeanwhileError:
                return False
            except OSError as exc:
                self._check_owners()
                if not may_write(self.state):
                    raise NotOnDisk(self.state.reason) from exc
                raise self._file.failed("write", exc) from exc
            self._reader.replaced(self._driver.now)
            self._record.remember(hash_of(content), base)
        self._feed(ev.Wrote(self._driver.now, generation))
        return True

    async def keep_room(self, name: str, *, reload: bool) -> None:
        """Keep the room as a version before anything happens to it or the file."""
        await keep_before(self._room, self._versions, name, reload=reload)
