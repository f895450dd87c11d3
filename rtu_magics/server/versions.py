"""The versions of one open notebook: saving one, and beginning its chain anew.

A large notebook takes long to put into JSON and to store, so both are done in pieces beside
everything else. A version holds what the notebook was when it was asked for, whatever is edited
meanwhile. While a chain begins anew, what is edited waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ..document import NotebookBuilder, built
from ..models import NIL_UUID, Notebook
from .notebook.chain import EpochOver
from .notebook.still import Kept, Label, Still, spend_ids
from .notebook.version_store import store_pieces
from .ports import LiveNotebook
from .process.slices import Slices, joined
from .store.deltas import VersionRow

__all__ = ["Versions"]

logger = logging.getLogger(__name__)

_NO_EPOCH = -1  # of what the notebook never was
_TRIES = 3  # to save what begins anew meanwhile, before that has to wait

_Step = Callable[[Callable[[], Any]], Awaitable[Any]]


class Versions:
    """Makes versions of one notebook, one at a time.

    Parameters
    ----------
    notebook
        Which.
    slices
        Does what takes long.
    held
        Lets what is to change the notebook wait for the length of a block.
    """

    def __init__(
        self,
        notebook: LiveNotebook,
        slices: Slices,
        held: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self._notebook, self.held = notebook, held
        self._database, self.slices = notebook.chain.database, slices
        self._lock = asyncio.Lock()
        self._automatic: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop what nobody waits for; returns when all else that was begun is done."""
        if self._automatic is not None:
            self._automatic.cancel()
            await asyncio.gather(self._automatic, return_exceptions=True)
        async with self._lock:
            pass

    async def save(
        self, *, name: str | None = None, reason: str = "save", author: UUID | None = None
    ) -> VersionRow:
        """Save the notebook as it is as the next version, tell everybody, and return its row.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            The store does not take it.
        """
        return await self._save(Label(name, reason, author))

    async def save_beside(self, other: Notebook, label: Label) -> None:
        """Keep what the notebook never was as a version, and the notebook as the one after that.

        Parameters
        ----------
        other
            What to keep. It is never the current version.
        label
            What is said of it.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            The store does not take it.
        """
        still = Still(await self.slices.run(built(other)), _NO_EPOCH, 0, NIL_UUID)
        parts = await self.slices.run(joined(still.pieces()))
        async with store_pieces(self._database, parts) as stored:
            beside = Kept(still, label, stored.beginning, stored.version_id)
            await self._save(Label(reason="automatic"), beside)

    async def _save(self, label: Label, beside: Kept | None = None) -> VersionRow:
        notebook, version = self._notebook, None
        async with self._lock:
            for _ in range(_TRIES):
                # A live document may begin the chain anew, for which it does not wait.
                with suppress(EpochOver):
                    version = await self._stored(notebook.exclusively, label, beside)
                    break
            if version is None:
                async with self.held():
                    version = await self._stored(_at_once, label, beside)
        notebook.send("v0_file_versions_changed_event", {"version_id": str(version.id)})
        return version

    async def _stored(self, step: _Step, label: Label, beside: Kept | None) -> VersionRow:
        """Store the notebook as it is; `step` does in order what is not awaited."""
        chain = self._notebook.chain
        with ExitStack() as block:
            still = await step(lambda: block.enter_context(chain.still()))
            parts = await self.slices.run(joined(still.pieces()))
            async with store_pieces(self._database, parts) as stored:
                kept = Kept(still, label, stored.beginning, stored.version_id)
                version: VersionRow = await step(lambda: chain.keep_version(kept, beside))
        return version

    def save_automatically(self) -> None:
        """Save a version because many changes followed the last, unless that is under way."""
        if self._automatic is None or self._automatic.done():
            name = f"rtu-version-{self._notebook.file_id}"
            self._automatic = asyncio.create_task(self._save_automatically(), name=name)

    async def _save_automatically(self) -> None:
        try:
            await self.save(reason="automatic")
        except SQLAlchemyError as exc:
            logger.error("no version could be saved: %s", type(exc).__name__)

    async def begin_anew(
        self,
        make: Callable[[], Awaitable[NotebookBuilder | None]],
        *,
        reason: str,
        before: str,
        name: str | None = None,
        author: UUID | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> bool:
        """Replace the content outside the chain; what it was is kept as a version.

        Parameters
        ----------
        make
            Returns the new content, or None to leave all as it is. Nothing changes meanwhile, and
            it may ask the room's writer for nothing.
        reason, author
            Why, as versions have it, and who does it.
        before, name
            What the versions with the present and with the new content are called.
        then
            Called once it is done, before anything else changes.

        Returns
        -------
        bool
            Whether it was done.
        """
        chain, database, slices = self._notebook.chain, self._database, self.slices
        async with self._lock, self.held():
            builder = await make()
            if builder is None:
                return False
            spend_ids(builder, chain.builder)
            old = Still(chain.builder, chain.epoch, chain.seq, chain.head)
            new = Still(builder, chain.epoch + 1, 0, NIL_UUID)
            old_parts = await slices.run(joined(old.pieces()))
            new_parts = await slices.run(joined(new.pieces()))
            async with (
                store_pieces(database, old_parts) as was,
                store_pieces(database, new_parts) as becomes,
            ):
                label = Label(before, reason, author)
                chain.turn(
                    builder,
                    Kept(old, label, was.beginning, was.version_id),
                    Kept(new, replace(label, name=name), becomes.beginning, becomes.version_id),
                )
            then()
        return True


async def _at_once(work: Callable[[], Any]) -> Any:
    return work()
