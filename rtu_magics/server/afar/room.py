"""A live document on another server, joined as a page joins it.

After a connection broke, an old copy may be gone on with only where the document there is what it
was: if it has been made anew from its file, what an old copy brings into it stands there twice.
Then a fresh copy is taken, and both are merged from what the file held.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycrdt import (
    Awareness,
    Doc,
    Map,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    read_message,
)
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from ..bridge.authors import client_of
from ..bridge.cells import as_in_file
from ..bridge.document import LiveDocument
from ..bridge.live_room import Listener, NotSaved
from ..file.format import DiskBase, dumps, hash_of
from ..file.io import write_atomically
from ..file.snapshot import base_of
from .messages import (
    AWARENESS,
    RAW,
    STEP_1,
    STEP_2,
    SYNC,
    UPDATE,
    answer_in,
    covers,
    save_request,
    why_closed,
)
from .remote import RemoteServer, Unreachable

__all__ = ["RemoteRoom"]

logger = logging.getLogger(__name__)

_SYNC_WITHIN = 60.0  # seconds; a large notebook is read from disk first
_SAVE_WITHIN = 30.0
_TOLD_WITHIN = 1.0  # from the end of a save until it has told the hash of the file
_TRIES = 8  # to save while the page's own saves get in between


class RemoteRoom:
    """One room there; see `bridge.live_room.LiveRoom`.

    Parameters
    ----------
    server
        Where it is.
    place
        Returns the notebook's path there, and where to keep what its file there held when it was
        last saved.
    gone
        Called once when the connection has ended, with the reason in words.
    moved
        Called with the path there when it has changed.
    before
        Who was in the room until its connection broke.

    Attributes
    ----------
    base
        What both sides held when that happened, where the document goes on; else None.
    broke
        Whether the connection ended from the other side.
    """

    def __init__(
        self,
        server: RemoteServer,
        place: Callable[[], tuple[str, Path]],
        gone: Callable[[str], None],
        moved: Callable[[str], None],
        before: RemoteRoom | None = None,
    ) -> None:
        self._server, self._place, self._gone, self._moved = server, place, gone, moved
        self._before = before
        self._begin(Doc())
        self.base: DiskBase | None = None
        self._session_id = ""
        self.broke = False
        self._parted_with: DiskBase | None = None
        self._has: bytes | None = None  # what the server had for sure, as a state vector
        self._socket: WebSocketClientConnection | None = None
        self._listener: Listener | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._theirs = False  # what is written now comes from there
        self._writing: int | None = None  # by this client
        self._servers: set[int | None] = set()  # the clients that are the server itself
        self._synced: asyncio.Future[None] | None = None
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._asked = 0
        self._saved = asyncio.Event()  # since it was last cleared
        self._saving = asyncio.Lock()
        self._subscriptions: list[Callable[[], None]] = []

    def _begin(self, ydoc: Any) -> None:
        self.ydoc = ydoc
        self.awareness = Awareness(Doc())  # of no client here: it never lets go of its own
        self.awareness.set_local_state(None)
        self._content = LiveDocument(ydoc)
        self._state: Map = ydoc.get("state", type=Map)

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._receiving is not None and not self._receiving.done()

    @property
    def writer(self) -> int:
        """The client that writes what our people do."""
        return int(self.ydoc.client_id)

    @property
    def taken_up(self) -> float | None:
        """Not known of a file elsewhere."""
        return None

    @property
    def is_alone(self) -> bool:
        """Whether no page is in the room."""
        users = [state.get("user") for state in self.awareness.states.values()]
        return all(not isinstance(user, dict) or user.get("rtu") for user in users)

    @property
    def _path(self) -> str:
        return self._place()[0]

    async def open(self, expected: str | None = None) -> str:
        """Connect, and get the document.

        Parameters
        ----------
        expected
            The id that the file there has to have.

        Returns
        -------
        str
            The id that it has.

        Raises
        ------
        Unreachable
            It cannot be had.
        """
        await self._server.file(self._path)  # first: see `RemoteServer.document`
        file_id, self._session_id = await self._server.document(self._path)
        if expected not in (None, file_id):
            raise Unreachable(
                f"another notebook is at {self._path} on {self._server.url} now; %rtu_disconnect, "
                "and connect to it again"
            )
        self._socket = await self._server.connect(file_id, self._session_id)
        try:
            await asyncio.wait_for(self._sync(), _SYNC_WITHIN)
        except (asyncio.TimeoutError, TimeoutError):
            self.leave()
            raise Unreachable(f"{self._server.url} does not send {self._path}") from None
        finally:
            self._before = None
        return file_id

    async def _sync(self) -> None:
        first = await self._first()
        before = self._before
        if before is not None and before._is_continued(self._session_id, first):
            self.base = before.parted_with()
            self._begin(before.ydoc)
        self._receiving = asyncio.create_task(self._receive(), name="rtu-afar")
        await self._round_trip()
        if self.base is not None:
            self._send(create_update_message(self.ydoc.get_update(first)))

    def _is_continued(self, session_id: str, state: bytes) -> bool:
        """Whether what a server has now is what it had, gone on with."""
        return bool(self._has and session_id == self._session_id and covers(state, self._has))

    def parted_with(self) -> DiskBase:
        """Return what the document held when the connection broke; first asked for then."""
        if self._parted_with is None:
            self._parted_with = base_of(as_in_file(self._content.notebook()))
        return self._parted_with

    async def _first(self) -> bytes:
        """Return what the server has, as it says first."""
        assert self._socket is not None
        while (message := await self._socket.read_message()) is not None:
            if isinstance(message, bytes) and message[:2] == bytes([SYNC, STEP_1]):
                return bytes(read_message(message[2:]))
        raise Unreachable(
            f"{self._server.url}: {why_closed(self._socket.close_code, self._socket.close_reason)}"
        )

    def join(self, listener: Listener) -> None:
        """Send from now on what is changed here."""
        self._listener = listener
        changes = self.ydoc.observe(self._changed)
        people = self.awareness.observe(self._people_changed)
        state = self._state.observe(self._state_changed)
        self._subscriptions = [
            lambda: self.ydoc.unobserve(changes),
            lambda: self.awareness.unobserve(people),
            lambda: self._state.unobserve(state),
        ]

    def leave(self) -> None:
        """Disconnect."""
        for undo in self._subscriptions:
            undo()
        self._subscriptions = []
        if self._receiving is not None:
            self._receiving.cancel()
        if self._socket is not None:
            self._socket.close()
        self._fail(ConnectionError("the connection was closed"))

    # What comes from there

    async def _receive(self) -> None:
        assert self._socket is not None
        why = ""
        try:
            while (message := await self._socket.read_message()) is not None:
                if isinstance(message, bytes) and message:
                    self._take(message)
            why = why_closed(self._socket.close_code, self._socket.close_reason)
        except ConnectionError as exc:
            self._has = None  # begin afresh
            why = str(exc)
            self._socket.close()
        except Exception as exc:  # whatever a document may hold, and its observers
            logger.exception("what %s sends of %s cannot be taken", self._server.url, self._path)
            self._has = None  # begin afresh
            why = f"what it sent cannot be taken ({type(exc).__name__})"
            self._socket.close()
        self._fail(ConnectionError(why))
        self.broke = True
        self._gone(f"{self._server.url}: {why}")

    def _take(self, message: bytes) -> None:
        if message[0] == AWARENESS:
            self.awareness.apply_awareness_update(read_message(message[1:]), "remote")
        elif message[0] == RAW:
            answer = answer_in(message)
            if answer.get("type") == "conflict":  # what we sent is not in the document there
                raise ConnectionError("the document there was made anew")
            waiting = self._answers.pop(int(answer.get("responseTo") or 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(str(answer.get("status")))
        elif message[0] == SYNC:
            is_update = message[1] == UPDATE
            self._writing = client_of(read_message(message[2:])) if is_update else None
            # The server itself writes the hash of a saved file, and a file that others wrote.
            if self._listener is not None and self._writing in self._servers:
                self._listener.taking(lambda: self._apply(message))
            else:
                self._apply(message)
            if message[1] == STEP_2 and self._synced is not None and not self._synced.done():
                self._synced.set_result(None)

    def _apply(self, message: bytes) -> None:
        self._theirs = True
        try:
            reply = handle_sync_message(message[1:], self.ydoc)
        finally:
            self._theirs = False
        if reply is not None:
            self._send(reply)

    def _state_changed(self, event: Any) -> None:
        if self._theirs and "hash" in event.keys:
            self._saved.set()
            if self._writing is not None:
                self._servers = {self._writing}
        if self._theirs and "path" in event.keys and (path := self._state.get("path")):
            self._moved(str(path).strip("/"))

    def _fail(self, error: Exception) -> None:
        waiting: list[asyncio.Future[Any]] = list(self._answers.values())
        if self._synced is not None:
            waiting.append(self._synced)
        self._answers = {}
        for one in waiting:
            if not one.done():
                one.set_exception(error)
                one.exception()  # nobody may be waiting any more

    # What goes there

    def _changed(self, event: Any) -> None:
        if not self._theirs:
            self._send(create_update_message(event.update))

    def _people_changed(self, topic: str, changes: tuple[dict[str, list[int]], Any]) -> None:
        clients, origin = changes
        if topic == "update" and origin == "local":
            ids = [*clients["added"], *clients["updated"], *clients["removed"]]
            self._send(create_awareness_message(self.awareness.encode_awareness_update(ids)))

    def _send(self, message: bytes) -> None:
        if self._socket is None:
            return
        # Whoever reads the socket notices that it is closed.
        with contextlib.suppress(WebSocketClosedError):
            written = asyncio.ensure_future(self._socket.write_message(message, binary=True))
            written.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _round_trip(self) -> None:
        """Return once the server has taken all that was sent to it so far."""
        self._synced = asyncio.get_running_loop().create_future()
        has = self.ydoc.get_state()
        self._send(create_sync_message(self.ydoc))
        try:
            await self._synced
            self._has = has
        except ConnectionError as exc:
            raise Unreachable(f"{self._server.url}: {exc}") from None

    # The file

    async def save(self, is_whole: Callable[[], bool]) -> None:
        """Have the document written now; see `bridge.live_room.LiveRoom`."""
        async with self._saving:
            for _ in range(_TRIES):
                if not (is_whole() and self.is_open):
                    break
                content = self._content.notebook()
                if await self._ask_to_save() or await self._holds(content):
                    await self._keep(content)
                    return
        raise NotSaved(
            f"{self._server.url} did not write it; its log says why"
            if self.is_open
            else f"{self._server.url} is not connected"
        )

    async def _ask_to_save(self) -> bool:
        """Ask for a save; whether one is known to have been made since."""
        try:
            # Its requests to save overtake changes that came before them.
            await asyncio.wait_for(self._round_trip(), _SAVE_WITHIN)
            self._asked += 1
            number = self._asked
            answer = self._answers[number] = asyncio.get_running_loop().create_future()
            self._saved.clear()
            self._send(save_request(number))
            await asyncio.wait_for(answer, _SAVE_WITHIN)
            await asyncio.wait_for(self._saved.wait(), _TOLD_WITHIN)
        except (asyncio.TimeoutError, TimeoutError, ConnectionError, Unreachable):
            return False
        return True

    async def _holds(self, content: dict[str, Any]) -> bool:
        """Whether the file has a content of the document: not every save is told of."""
        try:
            found = await self._server.file(self._path, content=True)
        except Unreachable as exc:
            if exc.status == 404:
                raise NotSaved(
                    f"{self._path} is not at {self._server.url} any more; it was deleted or "
                    "renamed there"
                ) from None
            raise NotSaved(str(exc)) from None
        if await asyncio.to_thread(_same, found["content"], content):
            return True
        if found.get("writable") is False:
            raise NotSaved(f"{self._path} is read-only at {self._server.url}")
        return False

    async def _keep(self, content: dict[str, Any]) -> None:
        data = await asyncio.to_thread(lambda: dumps(as_in_file(content)))
        await asyncio.to_thread(write_atomically, self._place()[1], data)
        if self._listener is not None:
            self._listener.saved(content, hash_of(data))


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return dumps(as_in_file(one)) == dumps(as_in_file(other))
