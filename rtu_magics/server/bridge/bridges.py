"""Finds the live documents of this server's notebooks, and puts both together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...tasks import TaskSet
from ..file.live_documents import notebook_rooms
from ..outputs.cache import Collections
from ..ports import OpenRoom

if TYPE_CHECKING:
    from .bridge import Bridge
    from .ports import BridgedFile, BridgedNotebook
    from .yroom import YRoom

__all__ = ["DOCUMENT_EVENTS", "Bridges"]

logger = logging.getLogger(__name__)

DOCUMENT_EVENTS = "https://schema.jupyter.org/jupyter_collaboration/session/v1"
"""The schema of what jupyter-collaboration tells of its rooms."""

_LOADS_WITHIN = 30.0  # seconds; a room that has no content by then counts as another program's


class Bridges:
    """The notebooks of one server that stand on live documents.

    Without jupyter-collaboration on the server it does nothing and imports nothing.

    Parameters
    ----------
    collections
        The outputs of the server's notebooks.
    settings, apps
        Of the Jupyter Server's web application, and its extensions by name.
    """

    def __init__(
        self,
        collections: Collections,
        settings: Mapping[str, Any] | None = None,
        apps: Callable[[], Mapping[str, Iterable[Any]]] = dict,
    ) -> None:
        self._collections, self._settings, self._apps = collections, settings or {}, apps
        self._bridges: dict[UUID, Bridge[YRoom]] = {}
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._seen: dict[int, float] = {}  # rooms that load, and when they were first seen
        self._refused: dict[int, Any] = {}  # rooms with which it did not work
        self._tasks = TaskSet()

    def can(self, path: str) -> bool:
        """Whether a notebook is open as a live document on which ours can stand."""
        room = self._rooms().get(path)
        if room is None or id(room) in self._refused:
            return False
        if getattr(room, "ready", False):
            return True
        return time.monotonic() - self._seen.setdefault(id(room), time.monotonic()) < _LOADS_WITHIN

    async def provide(self, path: str) -> None:
        """Do nothing: the files are here."""

    async def look(self, notebook: OpenRoom) -> None:
        """Put a notebook on its live document if there is one; part from one that is gone."""
        bridge = self._bridges.get(notebook.file_id)
        room = self._rooms().get(notebook.path)
        if bridge is None and room is None:
            return
        async with self._locks.setdefault(notebook.file_id, asyncio.Lock()):
            bridge = self._bridges.get(notebook.file_id)
            if bridge is not None and bridge.room.room is not room:
                await self._drop(notebook.file_id, bridge)
                bridge = None
            if bridge is None and room is not None and id(room) not in self._refused:
                await self._attach(notebook, room)

    async def close(self, notebook: OpenRoom) -> None:
        """Part from a notebook's live document for good: the notebook is closed."""
        bridge = self._bridges.get(notebook.file_id)
        if bridge is not None:
            await self._drop(notebook.file_id, bridge)
            await self._end(bridge)
        self._locks.pop(notebook.file_id, None)

    async def _attach(self, notebook: OpenRoom, room: Any) -> None:
        from .bridge import Bridge
        from .shown import ExecutionStates
        from .yroom import YRoom, is_usable

        if not is_usable(room):
            return
        file: BridgedFile = notebook.disk.live
        target: Any = notebook

        def broken(why: str) -> None:
            logger.error("%s cannot stay with its live document: %s", notebook.path, why)
            self._refused[id(room)] = room
            self._tasks.spawn(self._drop(notebook.file_id, bridge))

        joined: BridgedNotebook = target
        executor = notebook.executor
        runs = ExecutionStates.of(executor)
        bridge = Bridge(
            joined,
            file,
            YRoom(room),
            self._collections,
            runs=runs,
            people=notebook.presence.connected,
            broken=broken,
        )
        try:
            await bridge.attach()
        except Exception:
            logger.exception("%s cannot be put on its live document", notebook.path)
            self._refused[id(room)] = room
            return
        self._bridges[notebook.file_id] = bridge
        logger.info("%s stands on JupyterLab's live document", notebook.path)

    async def _drop(self, file_id: UUID, bridge: Bridge[YRoom]) -> None:
        if self._bridges.get(file_id) is bridge:
            del self._bridges[file_id]
        await bridge.detach()

    async def _end(self, bridge: Bridge[YRoom]) -> None:
        """Free a live document that only we kept, as its server does after the last page."""
        if not bridge.is_alone:
            return
        for app in self._apps().get("jupyter_server_ydoc", ()):
            server = getattr(app, "ywebsocket_server", None)
            loaders = getattr(app, "file_loaders", None)
            if server is None or bridge.room.room not in server.rooms.values():
                continue
            try:
                await server.delete_room(room=bridge.room.room)
                file = bridge.room.room._file
                if loaders is not None and file.number_of_subscriptions == 0:
                    await loaders.remove(file.file_id)
            except Exception as exc:
                logger.debug("a live document stays in memory: %s", exc)

    def _rooms(self) -> dict[str, Any]:
        apps = self._apps()
        return notebook_rooms(self._settings, apps) if "jupyter_server_ydoc" in apps else {}
