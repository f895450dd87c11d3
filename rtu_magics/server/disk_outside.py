"""Bringing what another program did to a notebook's file into the room."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ..document import NotebookBuilder
from ..errors import SquashError
from ..models import Notebook, parse_notebook
from .adopting import adopt_outputs
from .disk_format import DiskBase
from .disk_merge import merge_file
from .store import deltas as delta_queries
from .writer import NotStored

if TYPE_CHECKING:
    from .room import Room

__all__ = ["take_in"]

logger = logging.getLogger(__name__)


async def take_in(room: Room, name: str, notebook: Notebook, base: DiskBase) -> None:
    """Make the file's changes in the room, as ordinary deltas where it can be.

    What deltas cannot bring is not lost: the file is kept as a version. Metadata that is gone from
    it begins the chain anew.

    Parameters
    ----------
    room
        Of the notebook.
    name
        Of the file, for the log.
    notebook
        What the file holds now.
    base
        What it held when the other program read it.

    Raises
    ------
    OSError
        The store does not take the changes now. Doing it again later brings what is missing.
    """
    try:
        await _take_in(room, name, notebook, base)
    except (NotStored, SQLAlchemyError) as exc:
        # Why, the writer or the database has logged or will.
        raise OSError("another program's change to it cannot be stored") from exc


async def _take_in(room: Room, name: str, notebook: Notebook, base: DiskBase) -> None:
    merge = merge_file(room.file_id, notebook, base, room.chain.builder)
    count = len(merge.deltas) + len(merge.outputs) + len(merge.removed)
    logger.info("%s was changed by another program: %d changes", name, count)
    lost = list(merge.lost)
    for delta in merge.deltas:
        try:
            await room.apply(delta, room.service.people.owner.id)
        except NotStored:
            raise
        except SquashError as exc:  # the room changed meanwhile
            lost.append(str(exc))
    for cell in merge.outputs:
        await adopt_outputs(room, cell, room.service.people.owner.id)
    if lost:
        logger.warning("%s: kept the file as a version, for %s", name, lost[0])
        await room.exclusively(lambda: _keep_as_version(room, notebook))
        room.send("v0_file_versions_changed_event", {})
    if merge.removed:
        await _remove_metadata(room, merge.removed)


def _keep_as_version(room: Room, notebook: Notebook) -> None:
    """Keep what the file holds as a version that is not the current one."""
    with room.service.database.transaction() as connection:
        delta_queries.insert_version(
            connection,
            room.file_id,
            epoch=-1,
            seq=0,
            last_delta_id=room.chain.head,
            body=NotebookBuilder(notebook).dumps(),
            reason="outside",
            name="The file as another program changed it",
        )
    room.chain.save_version(reason="automatic")


async def _remove_metadata(room: Room, keys: list[tuple[str | None, str]]) -> None:
    """Take keys away, which no delta can: the chain begins anew."""

    def begin() -> None:
        builder = NotebookBuilder(parse_notebook(room.chain.builder.dumps()))
        for cell_id, key in keys:
            if cell_id is None:
                builder.nb.metadata.pop(key, None)
            elif cell_id in builder:
                builder.cell(cell_id).metadata.pop(key, None)
        room.chain.begin_epoch(
            builder, reason="outside", before="Before another program removed metadata"
        )

    await room.exclusively(begin)
    room.tell_inconsistent("another program removed metadata from the file")
