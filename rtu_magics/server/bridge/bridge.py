"""A notebook that stands on a live document: both hold the same, whoever changes one of them.

What others do in the document cannot be refused, so it leads; the chain of deltas holds what our
clients were told is accepted, with authors, roles and history. The notebook's writer asks here for
what pages did before it takes anything else, and hands what it stored on at once, with nothing
awaited in between. The document's own room is the one writer of the file meanwhile.

Where both were apart (before they met, and when another program wrote the file) they are merged
three ways by cell, from what the file held when it was last saved or loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ...document import NotebookBuilder
from ...models import FileDeltaBase, Notebook, parse_notebook
from ..file.format import DiskBase
from ..file.merge import name_cells
from ..file.snapshot import base_of
from ..outputs.adopt import adopt_outputs
from ..outputs.cache import Collections
from ..ports import LiveNotebook, Twin
from .authors import Authors, client_of
from .cells import as_in_file
from .document import LiveDocument, Touched
from .from_live import Changes, changes_in, mend_ids, set_rest
from .past import Past
from .people import People
from .shown import ExecutionStates, Shown
from .to_live import everything, follow, touched_by
from .yroom import NotSaved, YRoom

__all__ = ["Bridge", "BridgedFile", "BridgedNotebook"]

logger = logging.getLogger(__name__)

_ROUNDS = 20  # of merging, while a page types on
_AGAIN = 1.0  # seconds after which what could not be stored is tried again


class BridgedNotebook(LiveNotebook, Protocol):
    """A notebook that can have a twin."""

    twin: Twin | None

    @property
    def path(self) -> str:
        """Where it lies below the server's root."""

    def pull(self) -> None:
        """Take what the twin has now, unless the store is held."""


class BridgedFile(Protocol):
    """A notebook's file whose writing can be left to somebody else."""

    writer: Any

    @property
    def known(self) -> DiskBase | None:
        """What the file held when it was last known."""

    def at_rest(self) -> AbstractAsyncContextManager[None]:
        """Let nothing be read or written while this is held."""

    async def merge_base(self) -> DiskBase:
        """Return what the file held when it was last known, as a live document would load it."""

    async def meet(self, notebook: Notebook, base: DiskBase) -> None:
        """Bring what a notebook has beyond `base` into the room."""

    def noted(self, disk_hash: str, base: DiskBase) -> None:
        """Note what the file holds."""

    def changed(self) -> None:
        """Note that the file may be behind."""


class Bridge:
    """One notebook on one live document.

    Parameters
    ----------
    notebook, file
        The notebook, and its file.
    room
        The live document's, of jupyter-collaboration.
    collections
        The outputs of the server's notebooks.
    runs
        What goes on in the notebook.
    people
        Returns who follows it.
    broken
        Called when the two cannot be kept the same any more, with the reason.
    """

    def __init__(
        self,
        notebook: BridgedNotebook,
        file: BridgedFile,
        room: Any,
        collections: Collections,
        *,
        runs: ExecutionStates,
        people: Callable[[], Any],
        broken: Callable[[str], None],
    ) -> None:
        self._notebook, self._file, self._collections = notebook, file, collections
        self.room = room
        self._yroom = YRoom(room, self)
        self._live = LiveDocument(room.ydoc)
        self._authors = Authors(collections.database, lambda: room.awareness.states)
        self._people = People(room.awareness, people)
        self._broken = broken
        self._shown = Shown(
            notebook,
            self._live,
            collections,
            runs,
            joined=self._is_joined,
            author=self._author_in,
        )
        self._builder: NotebookBuilder | None = None
        self._writers: dict[str, int | None] = {}  # who touched what, by cell
        self._found = Changes()
        self._past = Past()
        self._held: dict[str, Any] | None = None  # by the file, and not noted yet
        self._before: dict[str, Any] | DiskBase | None = None  # held before it was replaced
        self._scheduled = False
        self._closed = False
        self._meeting = asyncio.Lock()
        self._notes = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Any = None
        self._due: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    # Coming together, and parting

    async def attach(self) -> None:
        """Merge both, and keep them the same from then on.

        Raises
        ------
        Exception
            They are as they were, and apart.
        """
        self._yroom.join()
        self._live.watch(self._heard)
        self._subscription = self.room.ydoc.observe(self._by)
        try:
            async with self._meeting, self._file.at_rest():
                await self._meet(await self._file.merge_base())
                self._file.writer = self
        except BaseException:
            self._leave()
            raise
        self._people.start()
        self._file.changed()

    async def detach(self) -> None:
        """Part; the notebook keeps what pages did so far, and its file is its own again."""
        if self._closed:
            return
        self._part()
        self._leave()
        if self._file.writer is self:
            self._file.writer = None
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._file.changed()

    def _part(self) -> None:
        if self._notebook.twin is self:
            self._notebook.pull()
            self._notebook.twin = None

    def _leave(self) -> None:
        self._closed = True
        if self._due is not None:
            self._due.cancel()
        self._shown.close()
        self._people.stop()
        self._live.unwatch()
        if self._subscription is not None:
            self.room.ydoc.unobserve(self._subscription)
        self._yroom.leave()

    @property
    def is_alone(self) -> bool:
        """Whether no page has the notebook open."""
        return self._yroom.is_alone

    async def _meet(self, base: DiskBase) -> None:
        for _ in range(_ROUNDS):
            if self._live.busy:
                await asyncio.sleep(0.01)
                continue
            mend_ids(self._live, self._notebook.chain.builder, self._past, revived=False)
            self._live.touched = Touched()
            ids = self._live.ids
            raw = self._live.notebook()
            notebook = await asyncio.to_thread(as_in_file, raw)
            name_cells(notebook, ids, base, set(self._notebook.chain.builder.cell_ids))
            await self._file.meet(notebook, base)
            if await self._notebook.exclusively(partial(self._join_up, notebook)):
                return
            base = await asyncio.to_thread(base_of, notebook)
        raise NotSaved("the page changes it without a pause")

    def _join_up(self, notebook: Notebook) -> bool:
        """Bring the document to what the notebook holds, unless a page has gone on."""
        if self._live.busy or self._live.touched.content or self._closed:
            return False
        with self._live.change():
            for index, cell in enumerate(notebook.cells):
                if self._live.ids[index] != cell.id:
                    self._live.rename(index, cell.id)
            builder = self._builder = self._notebook.chain.builder
            follow(self._live, everything(builder), builder, self._shown.outputs_of)
            self._shown.bring(everything=True)
        self._notebook.twin = self
        return True

    # What pages do: asked for by the notebook's writer

    def changes(self) -> list[tuple[FileDeltaBase, UUID]]:
        """Return what pages did, as deltas with their authors; the same until it is `took`."""
        touched = self._live.touched
        if not touched.content or self._live.busy:
            return []
        try:
            if touched.order:
                touched.cells.update(mend_ids(self._live, self._notebook.chain.builder, self._past))
            found = self._compare(touched)
            if found.rest:
                self._begin_anew(found)
                found = self._compare(touched)
        except SQLAlchemyError:
            self._later()
            return []
        except Exception as exc:
            self._give_up(exc)
            return []
        self._found = found
        if not found.deltas:
            self.took("", True)
        return [(delta, self._author(delta)) for delta in found.deltas]

    def took(self, refused: str, stored: bool) -> None:
        """Note what became of the changes: `refused` says why one was, `stored` if all are."""
        if refused:
            self._give_up(ValueError(refused))
        elif not stored:
            self._later()
        else:
            found, self._found = self._found, Changes()
            self._live.touched = Touched(outputs=self._live.touched.outputs)
            self._writers = {
                one: self._writers[one] for one in self._live.touched.outputs & set(self._writers)
            }
            if found.merged:
                follow(self._live, Touched(cells=found.merged), self._notebook.chain.builder)
            for cell in found.outputs:
                author = self._authors.of(None)
                self._spawn(adopt_outputs(self._notebook, self._collections, cell, author))

    def _compare(self, touched: Touched) -> Changes:
        notebook = self._notebook
        builder = notebook.chain.builder
        return changes_in(notebook.file_id, self._live, touched, builder, self._past)

    def _begin_anew(self, found: Changes) -> None:
        """Change what no delta can: what was is kept as a version."""
        chain = self._notebook.chain
        builder = NotebookBuilder(parse_notebook(chain.builder.dumps()))
        set_rest(builder, found)
        what = "attachments or parts that are no edits" if found.parts else "removed metadata"
        cell_id = next((one[0] for one in (*found.parts, *found.removed) if one[0]), None)
        author = self._authors.of(self._writers.get(cell_id or ""))
        before = f"Before JupyterLab's page changed {what}"
        chain.begin_epoch(builder, reason="outside", before=before, author=author)
        self._builder = chain.builder
        self._notebook.tell_inconsistent(f"a page of JupyterLab changed {what}")

    def _author(self, delta: FileDeltaBase) -> UUID:
        properties = delta.properties
        cell_id = delta.resource_id
        if delta.delta_type == "nb_cells":
            cell_id = str(properties.id)
        return self._author_in(cell_id)

    def _author_in(self, cell_id: str) -> UUID:
        return self._authors.of(self._writers.get(cell_id))

    def _is_joined(self) -> bool:
        return self._notebook.twin is self

    # What our clients do: handed on by the notebook's writer

    def settle(self, deltas: Sequence[FileDeltaBase]) -> None:
        """Make in the document what was stored; without deltas, whatever else has changed."""
        builder = self._notebook.chain.builder
        anew = builder is not self._builder
        if not (anew or deltas):
            return
        self._builder = builder
        if anew and self._live.touched.content:  # gone back to the store: the page leads
            self._later()
            return
        try:
            if anew:
                follow(self._live, everything(builder), builder, self._shown.outputs_of)
                self._shown.bring(everything=True)
            else:
                touched = touched_by(deltas)
                follow(self._live, touched, builder, self._shown.outputs_of, self._past)
                self._shown.changed()
        except Exception as exc:
            self._give_up(exc)

    def outputs_changed(self) -> None:
        """Show soon what our runs put out since."""
        self._shown.changed()

    # Heard from the document, inside others' transactions

    def _heard(self) -> None:
        self._wake()

    def _by(self, event: Any) -> None:
        """Note who made a transaction; what it touched has just been noted."""
        client = client_of(event.update)
        for cell_id in self._live.touched.cells | self._live.touched.outputs:
            self._writers.setdefault(cell_id, client)

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pull)

    def _pull(self) -> None:
        self._scheduled = False
        if self._is_joined():
            self._notebook.pull()
            came, self._live.touched.outputs = self._live.touched.outputs, set()
            if came:
                self._shown.heard(came)

    def _later(self) -> None:
        if self._due is None and not self._closed:
            self._due = self._loop.call_later(_AGAIN, self._try_again)

    def _try_again(self) -> None:
        self._due = None
        self._pull()

    # The file, which the document's room writes

    async def save(self) -> None:
        """Have the document written, with all that the notebook holds now.

        Raises
        ------
        NotSaved
            It was not written.
        """
        async with self._meeting:
            await self._yroom.save(self._is_joined)
        async with self._notes:
            pass  # what the file holds is known before anybody is told

    def saved(self, content: dict[str, Any], disk_hash: str) -> None:
        """Note what the file holds now; see `yroom.Listener`."""
        self._held = content
        self._spawn(self._note(content, disk_hash))

    async def _note(self, content: dict[str, Any], disk_hash: str) -> None:
        async with self._notes:
            base = await asyncio.to_thread(lambda: base_of(as_in_file(content)))
            self._file.noted(disk_hash, base)
            if self._held is content:
                self._held = None

    def replaced_soon(self) -> None:
        """Take what pages did before another program's file replaces it; see `yroom.Listener`."""
        self._part()
        self._before = self._held or self._before or self._file.known

    def replaced(self) -> None:
        """Merge what another program wrote; see `yroom.Listener`."""
        if not self._closed:
            self._spawn(self._meet_again())

    async def _meet_again(self) -> None:
        try:
            async with self._meeting:
                before, self._before = self._before, None
                if before is None:  # another one, merged together with the one before
                    return
                if isinstance(before, dict):
                    before = await asyncio.to_thread(base_of, as_in_file(before))
                await self._meet(before)
            self._file.changed()
        except Exception as exc:
            self._give_up(exc)

    # Tasks

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s", self._notebook.path, exc_info=task.exception())

    def _give_up(self, exc: Exception) -> None:
        if self._closed:
            return
        logger.error("%s: %s", self._notebook.path, exc, exc_info=exc)
        self._loop.call_soon(self._broken, " ".join(str(exc).split())[:200])
