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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from ...models import Notebook
from ..outputs.cache import Collections
from ..ports import OpenNotebook
from ..process.seldom import Seldom
from . import events as ev
from .access import why_not_writable
from .content import RoomContent
from .driver import Driver
from .format import DiskBase, hash_of
from .io import MISSING, ChangedMeanwhileError, Seen, Stamp, put_aside, replace, stamp_of
from .outside import keep_before, take_in
from .plain_contents import pairing_of
from .reader import Reader
from .record import FileRecord
from .rename import move
from .snapshot import as_loaded, base_of, content_of, differs
from .state import FileState, may_write
from .whereabouts import Tracker, Whereabouts
from .workspace import Workspace

__all__ = ["DiskFile", "NotOnDisk"]

logger = logging.getLogger(__name__)

CUT_OFF_AT_LATEST = 30.0  # until a file that ends in the middle counts as what somebody wanted
SEARCHES = 5  # for a file that is gone, a second apart
NAMES_SETTLE = 2.0  # seconds that renames which belong together may take


class NotOnDisk(OSError):
    """The file does not hold the notebook; the message says why and what to do, in one line."""


class LiveFile(Protocol):
    """Writes the file in our place."""

    async def save(self) -> None:
        """Write it with all that the notebook holds now; OSError if it cannot be."""


class DiskFile:
    """Keeps the file and the room in step.

    Parameters
    ----------
    room, workspace, collections, tracker
        The notebook, the directory that it lies in, its outputs, and who knows of all notebooks.
    record
        What the store remembers of the file.

    Attributes
    ----------
    shown
        Returns the file's condition as clients are told it.
    live
        What writes and watches the file in our place, while somebody does.
    """

    def __init__(
        self,
        room: OpenNotebook,
        workspace: Workspace,
        collections: Collections,
        tracker: Tracker,
        record: FileRecord,
    ) -> None:
        self._room, self._workspace, self._collections = room, workspace, collections
        self._path = workspace.absolute(room.path)
        self._driver = Driver(self._path.name, self)
        self._content = RoomContent(room, collections, workspace.people)
        self._record = record
        self._reader = Reader(record, self._why_outside)
        self._whereabouts = Whereabouts(room, tracker, record)
        self._stamp: Stamp | None = None
        self._searches = 0
        self._seldom = Seldom()
        self._lock = asyncio.Lock()
        self.live: LiveFile | None = None
        self.shown, self._feed = self._driver.shown, self._driver.feed

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._path

    @path.setter
    def path(self, path: Path) -> None:
        self._path = path
        self._feed(ev.Renamed(self._driver.now, path.name))

    @property
    def state(self) -> FileState:
        """What is to be done about the file."""
        return self._driver.state

    @property
    def stamp(self) -> Stamp | None:
        """Of the file as it was last read or written, None before that."""
        return self._stamp

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
            if self.live is not None:
                await self._have_it_written(self.live)
                return
            if self._workspace.holders.bridgeable(self._room.path):
                return  # a live document has just been opened: both are put together first
            while True:
                await self._take_outside_changes()
                if not self.state.unsaved or not may_write(self.state):
                    return
                if (patient and self._may_turn_up()) or await self._write():
                    return

    async def _have_it_written(self, live: LiveFile) -> None:
        self._check_owners()
        if not may_write(self.state):
            return
        generation = self.state.generation
        try:
            await live.save()
        except OSError as exc:
            raise self._failed("write", exc) from exc
        self._feed(ev.Wrote(self._driver.now, generation))

    async def move(self, target: Path) -> None:
        """Move the file, brought up to date, without replacing another one.

        Raises
        ------
        FileExistsError
            The target exists.
        OSError
            It cannot be written or moved.
        """
        if self.live is not None:
            raise PermissionError(
                errno.EBUSY, "it is open in JupyterLab with live collaboration; rename it there"
            )
        await self.flush()
        async with self._lock:
            if self.state.gone_at is None:
                await asyncio.to_thread(move, self.path, target)
            elif await asyncio.to_thread(target.exists):
                raise FileExistsError(str(target))
            self.path, self._stamp = target, stamp_of(target)
        if self.state.content == "missing":
            self.changed()

    async def poll(self) -> None:
        """Look whether another program changed the file; what it did is taken in beside this."""
        if self.live is not None:
            self._check_owners()
            return
        if self.state.gone_at is not None and not self.path.exists():
            if self._searches > 0 and not self._lock.locked():
                self._searches -= 1
                await self._find_moved()
            return
        self._check_owners()
        stamp = stamp_of(self.path)
        if self._lock.locked() or (self._stamp is not None and stamp == self._stamp):
            return
        if stamp is None and self._record.hash is None:  # not written for the first time yet
            return
        if self.state.failure is None:  # else it is looked at when it is tried again
            self._driver.spawn(self._look_quietly())

    async def look_now(self) -> None:
        """Look at once whether the file is still this notebook's, and take in what changed."""
        if self.live is not None:
            return
        if self._stamp is None or stamp_of(self.path) != self._stamp:
            await self._look_quietly()

    async def check(self) -> None:
        """After loading a room: take what changed on disk, write what was not yet written."""
        self._check_owners()
        if self.live is not None:
            return
        await self._look_quietly()
        if self._record.base is None or self.state.content == "foreign":
            return
        try:
            behind = await asyncio.to_thread(differs, self._render(), self._record.base)
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
                await self._take_outside_changes()
        except NotOnDisk:
            pass  # as above

    def _check_owners(self) -> None:
        """Note whether the system, or another program that owns the file, is against a write."""
        room = self._room
        denied = self._why_outside(self.path) or why_not_writable(self.path)
        held = self._workspace.holders.of(room.path)
        metadata = room.chain.builder.nb.metadata
        self._driver.owners(denied, held or pairing_of(room.path, self.path, metadata))

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
            notebook, own = self._render(), self._content.own_outputs()
            content, base = await asyncio.to_thread(content_of, notebook)
        except Exception as exc:  # whatever a notebook may hold, nothing is given up for it
            raise self._failed("render", exc) from exc
        if hash_of(content) != self._record.hash or stamp_of(self.path) is None:
            ids = [cell.id for cell in notebook.cells]
            notary, known = self._workspace.notary, self._record.hash
            await notary.carry_over(self.path, known, content, ids, own)
            self._record.intend(hash_of(content), base)
            try:
                self._stamp = await asyncio.to_thread(
                    replace,
                    self.path,
                    content,
                    self._stamp,
                    self._why_outside,
                    self._record.journal,
                )
            except ChangedMeanwhileError:
                return False
            except OSError as exc:
                self._check_owners()
                if not may_write(self.state):
                    raise NotOnDisk(self.state.reason) from exc
                raise self._failed("write", exc) from exc
            self._reader.replaced(self._driver.now)
            self._record.remember(hash_of(content), base)
        self._feed(ev.Wrote(self._driver.now, generation))
        return True

    def _failed(self, doing: ev.Doing, exc: Exception | str) -> NotOnDisk:
        return NotOnDisk(self._driver.failed(doing, exc))

    # Outside changes

    async def _take_outside_changes(self) -> None:
        began = self._driver.now
        while True:
            path = self.path
            ids = set(self._room.chain.builder.cell_ids)
            known = self._stamp if self.state.content else None
            seen = await self._reader.read(path, ids, known)
            if seen.notebook is not None and self._record.recognise(seen.hash):
                seen = Seen(seen.stamp, seen.hash)
            if await self._moved_away(path, seen):
                continue
            settled = self._driver.now - began > NAMES_SETTLE
            if settled or not self._whereabouts.is_of_another(seen, self._stamp):
                break
            await asyncio.sleep(0.2)
        if seen.failed or (seen.cut_off and self._may_still_come()):
            self._stamp = None if seen.failed else seen.stamp
            raise self._failed("read", seen.trouble)
        if seen.trouble == MISSING:
            if self._record.hash is not None:
                if self.state.gone_at is None:
                    self._searches = SEARCHES
                self._feed(ev.Vanished(self._driver.now))
            return
        self._stamp = seen.stamp
        if seen.trouble:
            self._feed(ev.NotNotebook(self._driver.now, seen.trouble))
            return
        if seen.notebook is not None:
            await self._merge(seen.notebook, seen.base, seen.hash)
        if self.state.content or self.state.failure or self.state.gone_at is not None:
            self._feed(ev.Found(self._driver.now))

    def _may_turn_up(self) -> bool:
        at = self.state.write_at
        return self.state.gone_at is not None and at is not None and at > self._driver.now

    def _may_still_come(self) -> bool:
        """Whether a file that ends in the middle may be one that is written slowly."""
        if self.state.content == "foreign":
            return False
        failure = self.state.failure
        return failure is None or self._driver.now - failure.since < CUT_OFF_AT_LATEST

    async def _merge(self, notebook: Notebook, base: DiskBase | None, disk_hash: str) -> None:
        try:
            if base is None:
                base = await asyncio.to_thread(base_of, self._render())
            room, held = self._room, bool(self.state.held)
            await take_in(room, self._collections, self.path.name, notebook, base, held=held)
            content = await asyncio.to_thread(base_of, notebook)
        except Exception as exc:
            self._stamp = None  # the next look reads it again
            raise self._failed("store", exc) from exc
        self._record.remember(disk_hash, content)
        # What the room has beyond the file is still to be written.
        self._feed(ev.Found(self._driver.now))
        generation = self.state.generation
        try:
            behind = await asyncio.to_thread(differs, self._render(), notebook)
        except Exception as exc:
            raise self._failed("render", exc) from exc
        if behind:
            self.changed()
        else:
            self._feed(ev.Wrote(self._driver.now, generation))

    async def _find_moved(self) -> None:
        if await self._whereabouts.find():
            self._feed(ev.Found(self._driver.now))

    async def _moved_away(self, path: Path, seen: Seen) -> bool:
        """Whether the file lies elsewhere now, and what was seen is no affair of this notebook."""
        gone = self.state.gone_at is not None
        if path != self.path:
            return True
        moved = await self._whereabouts.moved_away(path, seen, self._stamp, gone)
        if moved:
            self._feed(ev.Found(self._driver.now))
        return moved

    async def keep_room(self, name: str, *, reload: bool) -> None:
        """Keep the room as a version before anything happens to it or the file."""
        await keep_before(self._room, name, reload=reload)

    # A live document that writes the file instead; see `bridge`

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Let nothing be read or written while this is held."""
        async with self._lock:
            yield

    @property
    def known(self) -> DiskBase | None:
        """What the file held when it was last known."""
        return self._record.base

    async def merge_base(self) -> DiskBase:
        """Return what the file held when it was last known, as Jupyter would load it."""
        known = self._record.base
        if known is None:
            return await asyncio.to_thread(base_of, self._render())
        found = await asyncio.to_thread(as_loaded, self.path, self._record.hash)
        return known if found is None else found

    async def meet(self, notebook: Notebook, base: DiskBase) -> None:
        """Bring what a live document has beyond `base` into the room."""
        await take_in(self._room, self._collections, self.path.name, notebook, base, held=False)

    def noted(self, disk_hash: str, base: DiskBase) -> None:
        """Note what the file holds: a live document has just been written to it."""
        self._stamp = stamp_of(self.path)
        self._record.remember(disk_hash, base)

    # State

    def _render(self) -> Notebook:
        return self._content.notebook(self._record.base)
