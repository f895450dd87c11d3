"""Keeps the notebooks of a folder with their live documents on another server."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...document import normalise_notebook
from ...errors import InvalidMessage
from ...tasks import TaskSet
from ..file.format import dumps
from ..file.holders import Holders
from ..file.io import write_atomically
from ..file.workspace import Workspace
from ..outputs.cache import Collections
from ..ports import OpenRoom
from .identities import Identities
from .remote import RemoteServer, Unreachable

if TYPE_CHECKING:
    from ..bridge.bridge import Bridge
    from .room import RemoteRoom

__all__ = ["AfarHolders", "Stays"]

logger = logging.getLogger(__name__)

_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before each try to come back
_STEADY = 10.0  # seconds after which a connection that breaks is tried again at once
_FIRST_WITHIN = 20.0  # seconds that whoever opens a notebook waits for its document
_NONE_THERE = "there is no notebook at {} on {}; make it there, and connect again"


class _Stay:
    """One notebook, with its document or trying to get to it."""

    def __init__(self, notebook: OpenRoom) -> None:
        self.notebook = notebook
        self.left: RemoteRoom | None = None  # to be gone on with
        self.bridge: Bridge[RemoteRoom] | None = None
        self.coming: asyncio.Task[None] | None = None
        self.parting: asyncio.Task[None] | None = None
        self.why = ""
        self.tries = 0
        self.next_at = 0.0
        self.since = 0.0  # it has been with its document
        self.closed = False


class Stays:
    """The notebooks of one folder, each at its document; as `bridge.bridges.Bridges` is asked.

    Parameters
    ----------
    collections
        The outputs of the server's notebooks.
    server
        Where the documents are.
    workspace
        The copies.
    identities
        Of which files they are.
    follow
        Gives an open notebook another path; returns False where that is taken.
    unload
        Closes an open notebook; returns False where somebody uses it.
    """

    def __init__(
        self,
        collections: Collections,
        server: RemoteServer,
        workspace: Workspace,
        identities: Identities,
        *,
        follow: Callable[[Any, str], Awaitable[bool]],
        unload: Callable[[Any], Awaitable[bool]],
    ) -> None:
        self._collections, self._server, self._workspace = collections, server, workspace
        self._absolute = workspace.absolute
        self._identities, self._follow, self._unload = identities, follow, unload
        self._tasks = TaskSet()
        self._stays: dict[UUID, _Stay] = {}

    def can(self, path: str) -> bool:
        """Whether a notebook's file is left to its document: always."""
        return True

    def why_apart(self, path: str) -> str:
        """Return why a notebook is without its document now, "" if it is not."""
        stay = next((one for one in self._stays.values() if one.notebook.path == path), None)
        if stay is None or stay.bridge is not None or not stay.why:
            return ""
        return f"{path} is not connected: {stay.why}; edits are kept here until it is"

    def renew(self, token: str) -> None:
        """Use another token, and try again at once."""
        self._server.renew(token)
        for stay in self._stays.values():
            stay.tries, stay.next_at = 0, 0.0

    async def provide(self, path: str) -> None:
        """Have a copy of a notebook here before it is opened.

        Raises
        ------
        FileNotFoundError
            There is none on the server.
        OSError
            It cannot be asked.
        """
        place = self._absolute(path)
        try:
            await self._server.file(path)  # first: see `RemoteServer.document`
            file_id, _ = await self._server.document(path)
            known = self._identities.of(path)
            if place.exists() and known not in (None, file_id):
                await self._put_aside(path)
            if not place.exists():
                await self._fetch(path, place)
            self._identities.note(path, file_id)
        except Unreachable as exc:
            if exc.status == 404:
                raise FileNotFoundError(_NONE_THERE.format(path, self._server.url)) from None
            if not place.exists():
                raise

    async def _fetch(self, path: str, place: Path) -> None:
        found = await self._server.file(path, content=True)
        try:
            notebook = normalise_notebook(found["content"])
        except (InvalidMessage, KeyError) as exc:
            raise OSError(f"what the server has there is no notebook: {exc}") from None
        place.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(write_atomically, place, dumps(notebook))

    async def _put_aside(self, path: str) -> None:
        """Keep the copy of a notebook that lay at a path before under another name."""
        open_here = [one.notebook for one in self._stays.values() if one.notebook.path == path]
        if open_here and not await self._unload(open_here[0]):
            raise OSError(
                "another notebook is there now than the one that is open here; %rtu_disconnect, "
                "and connect again"
            )
        place = PurePosixPath(path)
        aside = str(place.with_name(f"{place.stem} (before {secrets.token_hex(3)}).ipynb"))
        await asyncio.to_thread(os.replace, self._absolute(path), self._absolute(aside))
        row = self._workspace.by_path(path)
        if row is not None:
            with self._workspace.database.transaction() as connection:
                self._workspace.note_path(connection, row.id, aside)
        self._identities.moved(path, aside)
        logger.warning("another notebook is at %s now; what was there is kept as %s", path, aside)

    async def look(self, notebook: OpenRoom) -> None:
        """See to it that a notebook is with its document; waits for it the first time."""
        stay = self._stays.get(notebook.file_id)
        if stay is None:
            stay = self._stays[notebook.file_id] = _Stay(notebook)
            await asyncio.wait([self._come(stay)], timeout=_FIRST_WITHIN)
            return
        busy = stay.bridge is not None or stay.coming is not None or stay.parting is not None
        if not busy and asyncio.get_running_loop().time() >= stay.next_at:
            self._come(stay)

    async def close(self, notebook: OpenRoom) -> None:
        """Part from a notebook's document for good: the notebook is closed."""
        stay = self._stays.pop(notebook.file_id, None)
        if stay is None:
            return
        stay.closed = True
        if stay.coming is not None:
            stay.coming.cancel()
            await asyncio.wait([stay.coming])
        if stay.parting is not None:
            await asyncio.wait([stay.parting])
        if stay.bridge is not None:
            await stay.bridge.detach()

    def _come(self, stay: _Stay) -> asyncio.Task[None]:
        stay.coming = asyncio.create_task(self._attach(stay), name="rtu-afar-attach")
        return stay.coming

    async def _attach(self, stay: _Stay) -> None:
        from ..bridge.bridge import Bridge
        from ..bridge.shown import ExecutionStates
        from .room import RemoteRoom

        notebook: Any = stay.notebook
        executor = notebook.executor
        there = RemoteRoom(
            self._server,
            lambda: (notebook.path, self._absolute(notebook.path)),
            partial(self._gone, stay),
            partial(self._renamed, stay),
            stay.left,
        )
        bridge = None
        try:
            await self._find(stay)
            file_id = await there.open(self._identities.of(notebook.path))
            self._identities.note(notebook.path, file_id)
            bridge = Bridge(
                notebook,
                notebook.disk.live,
                there,
                self._collections,
                runs=ExecutionStates.of(executor),
                people=notebook.presence.connected,
                broken=partial(self._gone, stay),
            )
            await bridge.attach(there.base)
            if not there.is_open:
                raise Unreachable(stay.why)
        except asyncio.CancelledError:
            await _end(bridge, there)
            raise
        except Exception as exc:
            await _end(bridge, there)
            stay.why = str(exc) or type(exc).__name__
            self._later(stay)
            if not isinstance(exc, Unreachable):
                logger.exception("%s cannot be put on its live document", notebook.path)
        else:
            stay.bridge, stay.left = bridge, None
            stay.since = asyncio.get_running_loop().time()
            logger.info("%s stands on the live document at %s", notebook.path, self._server.url)
        finally:
            stay.coming = None

    async def _find(self, stay: _Stay) -> None:
        """Follow a notebook that was renamed there while nobody heard of it."""
        path = stay.notebook.path
        file_id = self._identities.of(path)
        now = None if file_id is None else await self._server.path_of(file_id)
        if now is None or now == path:
            return
        await self._server.file(now)
        if (await self._server.document(now))[0] == file_id:
            await self._move(stay, now)

    def _renamed(self, stay: _Stay, path: str) -> None:
        if path != stay.notebook.path and not stay.closed:
            self._tasks.spawn(self._move(stay, path))

    async def _move(self, stay: _Stay, path: str) -> None:
        before = stay.notebook.path
        if path.endswith(".ipynb") and await self._follow(stay.notebook, path):
            self._identities.moved(before, path)

    def _gone(self, stay: _Stay, why: str) -> None:
        """Note that a document cannot be reached any more; it is tried again."""
        stay.why = why
        bridge, stay.bridge = stay.bridge, None
        if bridge is None or stay.closed:
            return
        logger.warning("%s parts from its live document: %s", stay.notebook.path, why)
        if asyncio.get_running_loop().time() - stay.since > _STEADY:
            stay.tries = 0
        self._later(stay)
        stay.parting = asyncio.create_task(self._part(stay, bridge), name="rtu-afar-part")

    async def _part(self, stay: _Stay, bridge: Bridge[RemoteRoom]) -> None:
        try:
            await bridge.detach()
            if bridge.room.broke:  # else the two could not be kept the same: begin afresh
                stay.left = bridge.room
        except Exception:
            logger.exception("%s cannot part from its live document", stay.notebook.path)
        finally:
            stay.parting = None

    def _later(self, stay: _Stay) -> None:
        pause = _PAUSES[min(stay.tries, len(_PAUSES) - 1)]
        stay.tries += 1
        stay.next_at = asyncio.get_running_loop().time() + pause


async def _end(bridge: Bridge[RemoteRoom] | None, there: RemoteRoom) -> None:
    if bridge is not None:
        await bridge.detach()
    there.leave()


class AfarHolders(Holders):
    """The server that owns the files of a folder; they are copies.

    Parameters
    ----------
    root
        The folder.
    stays
        What keeps its notebooks with their documents.
    """

    def __init__(self, root: Path, stays: Stays) -> None:
        super().__init__(root)
        self._stays = stays
        self.bridgeable = stays.can

    async def look(self, *, now: bool = False) -> None:
        """Do nothing: nobody else has this folder."""

    def of(self, path: str) -> str:
        """Return why a notebook's file cannot be written now; "" if it can."""
        return self._stays.why_apart(path)

    def refusal(self, path: str) -> str:
        """Return nothing: whoever wants to work here may."""
        return ""
