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
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ...document import NotebookBuilder
from ...models import FileDeltaBase, Notebook
from ...tasks import TaskSet
from ..file.format import DiskBase
from ..file.merge import name_cells
from ..file.snapshot import base_of
from ..notebook.chain import Chain
from ..outputs.adopt import adopt_outputs
from ..outputs.cache import Collections
from .authors import Authors
from .before import before_of
from .cells import as_in_file
from .document import LiveDocument
from .from_live import mend_ids
from .held import HeldByFile
from .live_room import LiveRoom, NotSaved
from .pages import Pages
from .past import Past
from .ports import BridgedFile, BridgedNotebook
from .presence import PresenceOfBoth
from .shown import ExecutionStates, Shown
from .to_live import everything, follow, touched_by
from .touched import Touched

__all__ = ["Bridge"]

logger = logging.getLogger(__name__)

_Room = TypeVar("_Room", bound=LiveRoom)

_ROUNDS = 20  # of merging, while a page types on
_TAKES = 3  # tries to take what pages did
_AGAIN = 1.0  # seconds after which what could not be stored is tried again


class Bridge(Generic[_Room]):
    """One notebook on one live document.

    Parameters
    ----------
    notebook, file
        The notebook, and its file.
    room
        The live document's.
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
        room: _Room,
        collections: Collections,
        *,
        runs: ExecutionStates,
        people: Callable[[], Any],
        broken: Callable[[str], None],
    ) -> None:
        self._notebook, self._file, self._collections = notebook, file, collections
        self.room = room
        self._live = LiveDocument(room.ydoc)
        self._authors = Authors(collections.database, lambda: room.awareness.states)
        self._past = Past()
        self._pages = Pages(notebook, self._live, self._authors, self._past)
        self._held = HeldByFile(file)
        self._presence = PresenceOfBoth(
            room, self._live, self._authors, ours=people, tell=notebook.others_here
        )
        self._broken = broken
        self._shown = Shown(
            notebook,
            self._live,
            collections,
            runs,
            joined=self._is_joined,
            author=self._pages.author_of,
        )
        self._builder: NotebookBuilder | None = None  # to which the document was brought last
        self._epoch = notebook.chain.epoch  # of that one
        self._left: NotebookBuilder | None = None  # the one before, while both are merged anew
        self._scheduled = False
        self._asked = False  # for what pages did
        self._closed = False
        self._meeting = asyncio.Lock()
        self._tasks = TaskSet()
        self._subscription: Any = None
        self._due: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    # Coming together, and parting

    async def attach(self, base: DiskBase | None = None) -> None:
        """Merge both, and keep them the same from then on.

        Parameters
        ----------
        base
            What both held when they parted; by default what the document took up from the file.

        Raises
        ------
        Exception
            They are as they were, and apart.
        """
        self.room.join(self)
        self._live.watch(self._heard)
        self._subscription = self.room.ydoc.observe(self._pages.heard)
        try:
            async with self._meeting, self._file.at_rest():
                await self._meet(base or await self._file.merge_base(self.room.taken_up))
                self._file.writer = self
        except BaseException:
            self._leave()
            raise
        self._presence.start()
        self._file.changed()

    async def detach(self) -> None:
        """Part; the notebook keeps what pages did so far, and its file is its own again."""
        if self._closed:
            return
        await self._part()
        if self._closed:
            return
        self._leave()
        if self._file.writer is self:
            self._file.writer = None
        await self._tasks.settle()
        self._file.changed()

    async def _part(self) -> None:
        """Be the notebook's twin no more, once it has what pages did."""
        for _ in range(_TAKES):
            if self._notebook.twin is not self:
                return
            self._asked = False
            self._notebook.pull()
            if self._asked:
                break
            await self._notebook.exclusively(lambda: None)  # whatever is in the way ends first
        self._notebook.twin = None

    def _leave(self) -> None:
        self._closed = True
        if self._due is not None:
            self._due.cancel()
        self._shown.close()
        self._presence.stop()
        self._live.unwatch()
        if self._subscription is not None:
            self.room.ydoc.unobserve(self._subscription)
        self.room.leave()

    @property
    def is_alone(self) -> bool:
        """Whether no page has the notebook open."""
        return self.room.is_alone

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
            builder = self._stands_on(self._notebook.chain)
            follow(self._live, everything(builder), builder, self._shown.outputs_of)
            self._shown.bring(everything=True)
        self._notebook.twin = self
        return True

    def _stands_on(self, chain: Chain) -> NotebookBuilder:
        self._builder, self._epoch = chain.builder, chain.epoch
        return chain.builder

    # What pages do: asked for by the notebook's writer

    def changes(self) -> list[tuple[FileDeltaBase, UUID]]:
        """Return what pages did, as deltas with their authors; the same until it is `took`."""
        self._asked = True
        if not self._live.touched.content or self._live.busy:
            return []
        chain = self._notebook.chain
        if chain.epoch != self._epoch:
            self._merge_anew()
            return []
        builder = chain.builder
        try:
            found = self._pages.find()
        except SQLAlchemyError:
            self._later()
            return []
        except Exception as exc:
            self._give_up(exc)
            return []
        finally:
            if chain.builder is not builder:
                self._stands_on(chain)
        if not found:
            self.took("", True)
        return found

    def took(self, refused: str, stored: bool) -> None:
        """Note what became of the changes: `refused` says why one was, `stored` if all are."""
        if refused:
            self._give_up(ValueError(refused))
        elif not stored:
            self._later()
        else:
            found = self._pages.taken()
            if found.merged:
                follow(self._live, Touched(cells=found.merged), self._notebook.chain.builder)
            for cell in found.outputs:
                author = self._authors.of(None)
                self._spawn(adopt_outputs(self._notebook, self._collections, cell, author))

    def _is_joined(self) -> bool:
        return self._notebook.twin is self

    # What our clients do: handed on by the notebook's writer

    def settle(self, deltas: Sequence[FileDeltaBase]) -> None:
        """Make in the document what was stored; without deltas, whatever else has changed."""
        builder = self._notebook.chain.builder
        anew = builder is not self._builder
        if not (anew or deltas):
            return
        if anew and self._live.touched.content:  # what pages did is taken first
            self._later()
            return
        self._stands_on(self._notebook.chain)
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
            self._shown.bring_now()
            await self.room.save(self._is_joined)
        await self._held.noted()  # what the file holds is known before anybody is told

    def saved(self, content: dict[str, Any], disk_hash: str) -> None:
        """Note what the file holds now; see `live_room.Listener`."""
        self._held.saved(content)
        self._spawn(self._held.note(content, disk_hash))

    async def replaced_soon(self) -> None:
        """Take what pages did before another program's file replaces it; see `Listener`."""
        await self._part()
        self._held.replaced()

    def replaced(self) -> None:
        """Merge what another program wrote; see `live_room.Listener`."""
        if not self._closed:
            self._spawn(self._meet_again())

    def taking(self, take: Callable[[], None]) -> None:
        """Take what may be another program's file, and merge it if it is; see `Listener`."""
        if self._is_joined():
            self._notebook.pull()
        pending = self._live.touched.content
        take()
        if self._is_joined() and self._live.touched.content and not pending:
            self._notebook.twin = None
            self._held.replaced()
            self.replaced()

    def _merge_anew(self) -> None:
        """Merge what pages did while the notebook began anew: neither undoes the other."""
        self._notebook.twin = None
        self._left = self._builder
        self._spawn(self._meet_again())

    async def _before(self) -> DiskBase | None:
        """Return what both held before one of them was replaced; None if that has been merged."""
        left, self._left = self._left, None
        held = await self._held.take_before()
        if held is not None or left is None:
            return held
        while self._live.busy:  # noqa: ASYNC110  nothing tells when it ends
            await asyncio.sleep(0.01)
        raw = before_of(self._live.notebook(), self._live.touched, left)
        return await asyncio.to_thread(lambda: base_of(as_in_file(raw)))

    async def _meet_again(self) -> None:
        try:
            async with self._meeting:
                before = await self._before()
                if before is None:  # another one, merged together with the one before
                    return
                await self._meet(before)
            self._file.changed()
        except Exception as exc:
            self._give_up(exc)

    def _spawn(self, work: Any) -> None:
        self._tasks.spawn(work).add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s", self._notebook.path, exc_info=task.exception())

    def _give_up(self, exc: Exception) -> None:
        if self._closed:
            return
        logger.error("%s: %s", self._notebook.path, exc, exc_info=exc)
        self._loop.call_soon(self._broken, " ".join(str(exc).split())[:200])
