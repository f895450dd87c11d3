"""Bringing what another program did to a notebook's file into the room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from ...document import ORIGINAL, NotebookBuilder, copied
from ...errors import SquashError
from ...models import (
    CellContentsReplace,
    CellMetadataReplace,
    CodeCell,
    FileDeltaBase,
    NBCellsDelete,
    Notebook,
)
from ..notebook.chain import NotStored
from ..notebook.still import Label
from ..outputs.adopt import adopt_outputs
from ..outputs.cache import Collections
from ..ports import LiveNotebook
from ..process.slices import Steps
from ..versions import Versions
from .author import other_program
from .format import DiskBase
from .merge import Merge, merge_file

__all__ = ["Origin", "keep_before", "on_disk", "take_in"]

logger = logging.getLogger(__name__)

MOST_DELTAS = 1000  # of one change on disk; what is larger would stop everybody for seconds


@dataclass(frozen=True)
class Origin:
    """Where changes come from, and what is kept of the notebook besides.

    Attributes
    ----------
    who
        What whoever hears of it is told that it was.
    author
        Whose they are; another program's if that is not known.
    before, after, instead
        The names of versions: of what was before, where something is taken away; of what came of
        that; and of what the changes come from, where they cannot all be made.
    revive
        Whether a cell that was deleted here and edited there comes back.
    overrides
        Whether outputs from there replace those that a cell has here.
    """

    before: str
    instead: str
    after: str = ""
    who: str = "another program"
    author: UUID | None = None
    revive: bool = False
    overrides: Callable[[CodeCell], bool] = lambda cell: True


def on_disk(name: str, *, held: bool = False) -> Origin:
    """Return the origin of what another program wrote to a file.

    Parameters
    ----------
    name
        Of the file.
    held
        Whether that program owns the file: it saves again and again, and a version was kept.
    """
    instead = "The file as another program changed it"
    if held:
        return Origin("", instead)
    before = f"Before another program saved {name}"
    return Origin(before, instead, f"{name} as another program saved it")


async def take_in(
    room: LiveNotebook,
    versions: Versions,
    collections: Collections,
    name: str,
    notebook: Notebook,
    *,
    base: DiskBase,
    origin: Origin,
) -> Merge:
    """Make the file's changes in the room, as ordinary deltas where it can be.

    What deltas cannot bring is not lost: the file is kept as a version. Metadata that is gone from
    it, attachments and keys that nbformat does not name begin the chain anew.

    Parameters
    ----------
    room, versions, collections
        Of the notebook, and of the server.
    name
        Of the file, for the log.
    notebook
        What the file holds now.
    base
        What it held when the other program read it.
    origin
        What program that is.

    Returns
    -------
    Merge
        What was done.

    Raises
    ------
    OSError
        The store does not take the changes now. Doing it again later brings what is missing.
    """
    try:
        return await _take_in(room, versions, collections, name, notebook, base=base, origin=origin)
    except (NotStored, SQLAlchemyError) as exc:
        # Why, the writer or the database has logged or will.
        raise OSError("another program's change to it cannot be stored") from exc


async def _take_in(
    room: LiveNotebook,
    versions: Versions,
    collections: Collections,
    name: str,
    notebook: Notebook,
    *,
    base: DiskBase,
    origin: Origin,
) -> Merge:
    merge = await _merged(room, versions, notebook, base, origin.revive)
    unseen = [part for part in merge.parts if part[1] == ORIGINAL]
    merge.parts = [part for part in merge.parts if part[1] != ORIGINAL]
    merge.outputs = [cell for cell in merge.outputs if origin.overrides(cell)]
    logger.info("%s was changed by %s: %d changes", name, origin.who, len(merge))
    author = origin.author or other_program(room.chain.database)
    takes_away = _takes_away(merge) and bool(origin.before)
    if takes_away:
        await _keep(versions, origin.before, author)
    lost = merge.lost
    many = len(merge.deltas) > MOST_DELTAS
    if not (many and await _begin_anew(room, versions, merge, name, author, who=origin.who)):
        for delta in merge.deltas:
            try:
                await room.apply(delta, author)
            except NotStored:
                raise
            except SquashError as exc:  # the room changed meanwhile
                lost.append(str(exc))
    for cell in merge.outputs:
        await adopt_outputs(room, collections, cell, author)
    if lost:
        logger.warning("%s: kept the file as a version, for %s", name, lost[0])
        await versions.save_beside(notebook, Label(origin.instead, "outside"))
    elif takes_away and origin.after:
        await _keep(versions, origin.after, author)
    if unseen:
        await room.exclusively(lambda: _note_unseen(room, unseen))
        await versions.save(reason="automatic")
    if merge.removed or merge.parts:
        await _set_parts(room, versions, merge, author, who=origin.who)
    return merge


async def _merged(
    room: LiveNotebook, versions: Versions, notebook: Notebook, base: DiskBase, revive: bool
) -> Merge:
    """Compare on another thread; a room that changes meanwhile is compared again."""
    for _ in range(3):
        head = room.chain.head
        merge = await _compared(room, versions, notebook, base, revive)
        if room.chain.head == head:
            return merge
    async with versions.held():
        return await _compared(room, versions, notebook, base, revive)


async def _compared(
    room: LiveNotebook, versions: Versions, notebook: Notebook, base: DiskBase, revive: bool
) -> Merge:
    copy = await versions.slices.run(copied(room.chain.builder))
    return await asyncio.to_thread(merge_file, room.file_id, notebook, base, copy, revive=revive)


def _takes_away(merge: Merge) -> bool:
    """Whether something that the room had is not there any more afterwards."""
    return bool(merge.outputs or merge.removed or merge.parts) or any(
        isinstance(delta, NBCellsDelete | CellContentsReplace | CellMetadataReplace)
        for delta in merge.deltas
    )


async def _keep(versions: Versions, name: str, author: UUID) -> None:
    await versions.save(name=name, reason="outside", author=author)


async def keep_before(room: LiveNotebook, versions: Versions, name: str, *, reload: bool) -> None:
    """Keep the room as a version before anything happens to it or the file.

    Parameters
    ----------
    room, versions
        Of the notebook.
    name
        Of the version.
    reload
        Whether whoever follows the notebook loads it anew.
    """
    try:
        await versions.save(name=name, reason="outside")
    except SQLAlchemyError as exc:
        logger.error("no version could be saved: %s", getattr(exc, "orig", exc))
        return
    if reload:
        room.tell_inconsistent(f"{name}; it lives on here and saving writes it again")


async def _begin_anew(
    room: LiveNotebook, versions: Versions, merge: Merge, name: str, author: UUID, *, who: str
) -> bool:
    """Make very many changes in one step; whether that was done: the room may have moved on."""
    head = room.chain.head

    async def make() -> NotebookBuilder | None:
        if room.chain.head != head:
            return None
        builder = await versions.slices.run(copied(room.chain.builder))
        await versions.slices.run(_applied(builder, merge.deltas))
        return builder

    before = f"Before {who} saved {name}"
    done = await versions.begin_anew(make, reason="outside", before=before, author=author)
    if done:
        room.tell_inconsistent(f"{who} changed very much of {name}; load it again")
    return done


def _applied(builder: NotebookBuilder, deltas: Iterable[FileDeltaBase]) -> Steps[None]:
    for delta in deltas:
        builder.apply_delta(delta, strict=True)
        yield


def _note_unseen(room: LiveNotebook, parts: list[tuple[str | None, str, Any]]) -> None:
    """Note what the file has in the place of repairs, which no client is shown."""
    for part in parts:
        room.chain.builder.set_unnamed_part(*part)


async def _set_parts(
    room: LiveNotebook, versions: Versions, merge: Merge, author: UUID, *, who: str
) -> None:
    """Change what no delta can: the chain begins anew, and what was is kept as a version."""
    what = "changed attachments or parts that are no edits" if merge.parts else "removed metadata"

    async def make() -> NotebookBuilder:
        builder = await versions.slices.run(copied(room.chain.builder))
        for cell_id, key in merge.removed:
            if cell_id is None:
                builder.nb.metadata.pop(key, None)
            elif cell_id in builder:
                builder.cell(cell_id).metadata.pop(key, None)
        for part in merge.parts:
            builder.set_unnamed_part(*part)
        return builder

    before = f"Before {who} {what}"
    await versions.begin_anew(make, reason="outside", before=before, author=author)
    room.tell_inconsistent(f"{who} {what} in the file")
