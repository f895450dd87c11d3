"""A room of jupyter-collaboration, as we use it: all that touches its objects is here.

It has no interface for a partner in its own process. What is relied upon (jupyter-server-ydoc 2 and
3): ``clients``, ``awareness``, ``ydoc``; ``_document`` with ``aset``; ``_file`` with
``maybe_save_content``, the one way in which the room writes its file; ``_save_to_disc``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from .live_room import Listener, NotSaved

__all__ = ["YRoom", "is_usable"]

_TRIES = 8  # to save while the page's own saves get in between
_NEEDED = ("clients", "awareness", "ydoc", "_document", "_file", "_save_to_disc")


def is_usable(room: Any) -> bool:
    """Whether a room looks as we know them, and has its content."""
    if not all(hasattr(room, name) for name in _NEEDED):
        return False
    document, file = room._document, room._file
    if not (hasattr(document, "aset") and hasattr(file, "maybe_save_content")):
        return False
    loads = getattr(room, "_document_load_progressively", False)
    loaded = getattr(room, "_document_progressively_loaded", None)
    return bool(room.ready) and not (loads and loaded is not None and not loaded.done())


class _Client:
    """Keeps a room from being thrown away while we stand on it; hears nothing."""

    path = "rtu_magics"

    async def send(self, message: bytes) -> None:
        """Take a message to the clients of a room: we have heard it from the document."""

    async def recv(self) -> bytes:
        """Never return: nothing comes from here."""
        await asyncio.Event().wait()
        return b""

    def __aiter__(self) -> _Client:
        return self

    async def __anext__(self) -> bytes:
        return await self.recv()


class YRoom:
    """One such room; see `live_room.LiveRoom`.

    Parameters
    ----------
    room
        The ``DocumentRoom``.
    """

    def __init__(self, room: Any) -> None:
        self.room = room
        self.ydoc = room.ydoc
        self._listener: Listener | None = None
        self._client = _Client()
        self._saves = 0

    @property
    def awareness(self) -> Any:
        """Who is in the room."""
        return self.room.awareness

    @property
    def writer(self) -> None:
        """The room's own client writes: what another program did to the file, too."""

    @property
    def is_alone(self) -> bool:
        """Whether no page is in the room."""
        return not (set(self.room.clients) - {self._client})

    @property
    def taken_up(self) -> float | None:
        """When the file was written that the document took up, None if that is not known."""
        modified = getattr(self.room._file, "last_modified", None)
        return modified.timestamp() if isinstance(modified, datetime) else None

    def join(self, listener: Listener) -> None:
        """Be in the room from now on."""
        self._listener = listener
        document, file = self.room._document, self.room._file
        self.room.clients.add(self._client)
        document.aset = self._around(document.aset)
        file.maybe_save_content = self._noting(file.maybe_save_content)

    def leave(self) -> None:
        """Be there no more."""
        self.room.clients.discard(self._client)
        for holder, name in (
            (self.room._document, "aset"),
            (self.room._file, "maybe_save_content"),
        ):
            holder.__dict__.pop(name, None)

    async def save(self, is_whole: Callable[[], bool]) -> None:
        """Have the document written now; see `live_room.LiveRoom`."""
        why = replaced = "another program wrote it, which is merged first"
        for _ in range(_TRIES):
            if not is_whole():
                break
            before = self._saves
            task = self.room._save_to_disc()
            if task is None:
                await asyncio.sleep(0.05)
                continue
            await asyncio.wait([task])
            if not is_whole():
                break
            if self._saves != before:
                return
            why = "JupyterLab's live document did not write it; the server's log says why"
            await asyncio.sleep(0.02)
        raise NotSaved(why if is_whole() else replaced)

    def _around(self, aset: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def replace(*args: Any, **kwargs: Any) -> None:
            listener = self._listener
            assert listener is not None
            await listener.replaced_soon()
            try:
                await aset(*args, **kwargs)
            finally:
                listener.replaced()

        return replace

    def _noting(self, save: Callable[[dict[str, Any]], Awaitable[Any]]) -> Callable[..., Any]:
        async def noting(model: dict[str, Any]) -> Any:
            # The room may give up waiting for a save; the file is written all the same.
            task = asyncio.ensure_future(save(model))
            task.add_done_callback(lambda done: self._note(model, done))
            return await asyncio.shield(task)

        return noting

    def _note(self, model: dict[str, Any], done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None or not done.result():
            return
        self._saves += 1
        assert self._listener is not None
        self._listener.saved(model["content"], str(done.result().get("hash", "")))
