"""Jupyter's own route to a notebook, for pages of JupyterLab that are not live.

Before each save JupyterLab (``docregistry/src/context.ts``) asks for the file's hash, and asks its
user which side counts if it is not the one that it was told last. So it is told the same hash as
long as only we write the file, and what it saves is put together with what others did.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.handlers import ContentsHandler
from sqlalchemy.exc import SQLAlchemyError
from tornado.web import HTTPError

from ..file.failure import NotOnDisk
from ..file.page_copies import mark, take_mark
from ..room import Room
from ..service import Service
from ..store.files import FileRow
from .page_saves import Asker, PageSaves

__all__ = ["PATTERN", "PageContents", "PageContentsHandler"]

logger = logging.getLogger(__name__)

PATTERN = r"/api/contents(?P<path>(?:/[^/]+)*/[^/]+\.ipynb)"
"""The route of a notebook, without those of its checkpoints."""

_ANONYMOUS = re.compile(r"[0-9a-f]{32}")  # a name that Jupyter made up, for one request only


class PageContents:
    """Jupyter's contents manager, as requests for notebooks see it.

    Parameters
    ----------
    manager
        The real one; what is not here is its.
    service, saves
        What all handlers share, and what takes the pages' saves.
    asker
        Who asks.
    """

    def __init__(self, manager: Any, service: Service, saves: PageSaves, asker: Asker) -> None:
        self._manager, self._service, self._saves = manager, service, saves
        self._asker = asker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    async def get(
        self, path: str, content: Any = True, type: Any = None, format: Any = None, **more: Any
    ) -> Any:
        """Return a notebook's model; a page that loads it gets all that is accepted."""
        try:
            row = await self._known(path)
        except SQLAlchemyError as exc:  # the file can be read all the same
            logger.warning("cannot tell whether anybody works on %s: %s", path, exc)
            row = None
        room = None if row is None else self._service.rooms.get(row.id)
        if room is not None and content and room.disk.live.writer is None:
            await room.disk.write_quietly()
        found = await ensure_async(
            self._manager.get(path=path, content=content, type=type, format=format, **more)
        )
        live = room is not None and room.disk.live.writer is not None
        if live or found.get("type") != "notebook":
            return found
        if row is not None:
            self._tell_hash(row, found)
        if content and isinstance(found.get("content"), dict):
            # Only JupyterLab asks like this; whether anybody works on it here may come later.
            page = mark(found["content"]) if more.get("require_hash") else ""
            if row is None:
                return found
            try:
                await self._saves.gave(row, found["content"], self._asker, page)
            except Exception as exc:  # a page that nothing is known of is told by what it saves
                logger.warning("cannot note what a page has of %s: %s", path, exc)
        return found

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        """Save what a page has of a notebook; returns the model without content."""
        page = take_mark(model.get("content"))
        try:
            row, room = await self._open(model, path)
            if row is None or room is None:
                return await ensure_async(self._manager.save(model, path))
            taken = await self._saves.take(room, model["content"], page, self._asker)
        except NotOnDisk as exc:
            raise HTTPError(409, str(exc)) from exc
        except (OSError, SQLAlchemyError) as exc:
            why = str(getattr(exc, "orig", exc))
            raise HTTPError(503, f"{path} cannot be saved now: {why}; try again") from exc
        if not taken:
            return await ensure_async(self._manager.save(model, path))
        return await self._saved(row, path)

    async def new(self, model: Any = None, path: str = "") -> Any:
        """Make a notebook of what a page sends, for example when it is saved under another name."""
        if isinstance(model, dict):
            take_mark(model.get("content"))
        return await ensure_async(self._manager.new(model, path))

    async def update(self, model: dict[str, Any], path: str) -> Any:
        """Rename a notebook; the page goes on with the hash that it knows."""
        found = await ensure_async(self._manager.update(model, path))
        row = await self._known(str(found.get("path", "")))
        if row is not None and found.get("type") == "notebook":
            again = await self._hashed(str(found["path"]))
            self._tell_hash(row, again)
            found.update(hash=again.get("hash"), hash_algorithm=again.get("hash_algorithm"))
        return found

    async def _open(self, model: dict[str, Any], path: str) -> tuple[FileRow | None, Room | None]:
        """Return the notebook that a page saves, if it is known, and its room, if it has one."""
        content = model.get("content")
        if model.get("type") != "notebook" or not isinstance(content, dict):
            return None, None
        row = await self._known(path)
        if row is None:
            return None, None
        return row, await self._saves.room_for(row, content.get("metadata"))

    async def _saved(self, row: FileRow, path: str) -> Any:
        manager = self._manager
        if not await ensure_async(manager.list_checkpoints(path)):
            await ensure_async(manager.create_checkpoint(path))
        found = await self._hashed(path)
        self._tell_hash(row, found)
        if hasattr(manager, "emit"):
            manager.emit(data={"action": "save", "path": path.strip("/")})
        return found

    async def _hashed(self, path: str) -> Any:
        try:
            return await ensure_async(self._manager.get(path, content=False, require_hash=True))
        except TypeError:  # before jupyter_server 2.11
            return await ensure_async(self._manager.get(path, content=False))

    async def _known(self, path: str) -> FileRow | None:
        return await self._service.known_at(path.strip("/"))

    def _tell_hash(self, row: FileRow, model: dict[str, Any]) -> None:
        if model.get("hash"):
            model["hash"] = self._saves.record_of(row).as_told(model["hash"])


class PageContentsHandler(ContentsHandler):
    """The route of a notebook: Jupyter's own, over what others did meanwhile."""

    def initialize(self, service: Service, saves: PageSaves) -> None:
        """Take what the application hands in."""
        self.service = service
        self.saves = saves

    @property
    def contents_manager(self) -> Any:
        """Jupyter's contents manager, as this request sees it."""
        manager = super().contents_manager
        if self.service.closed:
            return manager
        return PageContents(manager, self.service, self.saves, self._asker())

    def _asker(self) -> Asker:
        user: Any = self.current_user
        handle = str(getattr(user, "username", "") or "")
        name = str(getattr(user, "display_name", "") or getattr(user, "name", "") or handle)
        if not self.request.cookies and _ANONYMOUS.fullmatch(handle):
            handle = name = ""
        headers = self.request.headers
        told = [handle, headers.get("User-Agent", ""), headers.get("Referer", "").partition("?")[0]]
        told += [] if handle else [str(self.request.remote_ip)]
        page = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
        return Asker(handle, name, f"~{page}")
