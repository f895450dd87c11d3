"""What a page of JupyterLab that is not live saves, put together with what others did meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import nbformat

from ...document.plain import whole
from ...errors import InvalidMessage
from ...models import CodeCell, Notebook
from ..file.author import other_program, page_user
from ..file.format import DiskBase, outputs_key
from ..file.outside import Origin
from ..file.page_copies import FIRST, PageCopies, PageCopy, as_sent, nearest
from ..file.plain_contents import why_not_plain
from ..file.record import FileRecord
from ..file.snapshot import base_of, differs
from ..file.trust import output_keys
from ..room import Room
from ..service import NotANotebook, Service
from ..store.files import FileRow

__all__ = ["Asker", "PageSaves", "overrides"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asker:
    """Who asks, as far as a request tells.

    Attributes
    ----------
    handle, name
        Of the user, "" if that is nobody in particular.
    page
        What pages without a mark are told apart by.
    """

    handle: str
    name: str
    page: str


def overrides(base: DiskBase, here: Notebook) -> Callable[[CodeCell], bool]:
    """Return what says whether a cell's outputs in the page replace those that it has here.

    They do unless somebody else ran the cell meanwhile, and later: the kernel counts.

    Parameters
    ----------
    base
        What the page had before.
    here
        The notebook now.
    """
    before = {cell.id: cell.outputs for cell in base.cells}
    now = {cell.id: cell for cell in here.cells}

    def replaces(sent: CodeCell) -> bool:
        present = now.get(sent.id)
        if not isinstance(present, CodeCell) or sent.id not in before:
            return True
        seen = outputs_key(CodeCell.model_validate(whole(present.model_dump())))
        if seen == before[sent.id]:
            return True
        return (sent.execution_count or 0) > (present.execution_count or 0)

    return replaces


class PageSaves:
    """Gives notebooks to pages, and takes what they save.

    Parameters
    ----------
    service
        What all handlers share.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._copies = PageCopies(service.database)
        self._locks: dict[UUID, asyncio.Lock] = {}

    async def room_for(self, row: FileRow, metadata: Any) -> Room | None:
        """Return the room that a page's notebook belongs to; None if the file is all there is."""
        try:
            room = await self._service.room(row.id, by_owner=True)
        except (OSError, NotANotebook):
            return None
        if room is None or room.disk.live.writer is not None:
            return None
        await room.disk.look_now()
        state = room.disk.state
        workspace = self._service.workspace
        if state.content == "foreign" or state.held or workspace.holders.of(room.path):
            return None
        metadata = metadata if isinstance(metadata, dict) else {}
        file = workspace.absolute(room.path)
        return (
            None if await why_not_plain(workspace.contents(), room.path, file, metadata) else room
        )

    def record_of(self, row: FileRow) -> FileRecord:
        """Return what is remembered of a notebook's file, be it open or not."""
        service, room = self._service, self._service.rooms.get(row.id)
        if room is not None:
            return room.disk.page.record
        return FileRecord(service.database, row.id, service.workspace.writes / row.id.hex)

    async def gave(self, row: FileRow, content: dict[str, Any], asker: Asker, page: str) -> None:
        """Note what a page has just loaded; `page` is its mark, "" if it has none."""
        room = self._service.rooms.get(row.id)
        head, known = (None if room is None else room.chain.head), self.record_of(row).base

        def sum_up() -> bytes:
            return PageCopy(base_of(as_sent(content, known)), head).dumps()

        self._put(row.id, page, asker, await asyncio.to_thread(sum_up))

    def _put(self, file_id: UUID, page: str, asker: Asker, body: bytes) -> None:
        """Keep a page's copy; several of those that cannot be told apart."""
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        self._copies.put(file_id, page or f"{asker.page}-{digest}", body)

    async def take(self, room: Room, content: Any, page: str, asker: Asker) -> bool:
        """Bring what a page saves into the room and its file; False if it is no notebook.

        Raises
        ------
        OSError
            It cannot be stored, or not be written; the message says why.
        """
        async with self._locks.setdefault(room.file_id, asyncio.Lock()):
            disk = room.disk
            try:
                notebook, copy = await self._read(room, content, page, asker)
            except (InvalidMessage, ValueError, RecursionError):
                return False
            async with disk.page.at_rest():
                here = disk.page.content()
                unseen = copy.head != room.chain.head
                if copy.head is None:
                    unseen = await asyncio.to_thread(differs, here, copy.base)
                origin = self._origin(room, asker, unseen, overrides(copy.base, here))
                merge = await disk.page.take(notebook, copy.base, origin)
                renamed = {**copy.renamed, **merge.renamed}
                tells = bool(merge.lost) or (unseen and len(merge) > 0 and not copy.told)
                base, head = await asyncio.to_thread(base_of, notebook), room.chain.head
                copy = PageCopy(base, head, renamed, copy.told or tells)
                body = await asyncio.to_thread(copy.dumps)
                self._put(room.file_id, page, asker, body)
            if len(merge):
                room.changed()
            if tells:
                _tell(room, origin.who, bool(merge.lost))
            await disk.save()
        await self._vouch(room, content)
        return True

    async def _vouch(self, room: Room, content: Any) -> None:
        """Sign the file as Jupyter would, if the page shows all of it and its user trusts that."""
        manager = self._service.workspace.contents()
        try:
            if manager is not None:
                vouched = await asyncio.to_thread(_trusted_outputs, manager.notary, content)
                if vouched is not None:
                    await room.disk.page.vouch(vouched)
        except Exception as exc:  # it is saved
            logger.warning("cannot tell whether %s is trusted: %s", room.path, exc)

    async def _read(
        self, room: Room, content: Any, page: str, asker: Asker
    ) -> tuple[Notebook, PageCopy]:
        """Return what a page sends, and what it had before."""
        stored, known = self._copies.of(room.file_id), room.disk.page.record.base
        ids = set(room.chain.builder.cell_ids)

        def read() -> tuple[Notebook, PageCopy]:
            found = stored.get(page) if page else None
            if found is not None:
                copy = PageCopy.loads(found)
                return as_sent(content, copy.base, copy.renamed, ids), copy
            own = [body for one, body in stored.items() if one.startswith(asker.page)]
            # What a page with a mark has is no other page's.
            bodies = [body for one, body in stored.items() if one == FIRST or one.startswith("~")]
            copies = [PageCopy.loads(body) for body in (*own, *bodies)]
            if known is not None:
                copies.append(PageCopy(known))
            near = nearest(as_sent(content, known, None, ids), copies)
            if near is None:
                raise ValueError("nothing is known of what a page may have")
            return as_sent(content, near.base, near.renamed, ids), near

        return await asyncio.to_thread(read)

    def _origin(
        self, room: Room, asker: Asker, unseen: bool, outputs: Callable[[CodeCell], bool]
    ) -> Origin:
        database, name = self._service.database, room.disk.path.name
        if asker.handle:
            author, user = page_user(database, asker.handle, asker.name)
            who = f"{user}'s page"
        else:
            author, who = other_program(database), "a page of JupyterLab"
        before = f"Before {who} saved {name}" if unseen else ""
        instead = f"{name} as {who} had it"
        return Origin(before, instead, who=who, author=author, revive=True, overrides=outputs)


def _trusted_outputs(notary: Any, content: Any) -> set[str] | None:
    """Return the keys of a page's outputs if its user trusts them all, else None."""
    cells = content["cells"]
    sent = nbformat.from_dict({**content, "cells": json.loads(json.dumps(cells))})  # type: ignore
    if not notary.check_cells(sent):
        return None
    return set(output_keys(whole(sent.cells))) - {""}


def _tell(room: Room, who: str, lost: bool) -> None:
    """Let those who follow the notebook know what a page did that does not show what they do."""
    kept = (
        "where both changed the same, yours stays, and the page's is kept as a version"
        if lost
        else "both are in it now"
    )
    notice = (
        f"{who} saved {room.path} without having seen the latest changes: {kept}; "
        "%rtu_versions lists what was before"
    )
    room.send("v0_file_versions_changed_event", {"notice": notice})
