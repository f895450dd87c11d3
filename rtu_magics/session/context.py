"""What every part of a session stands on: the client, the wait, the cells, what is known.

A `Context` is handed to every collaborator of a `Session`; it has no verbs of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shlex
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from .. import models as m
from ..errors import APIError, ClientClosed, ConnectionLost, PermissionDenied, RTUError
from .cell_refs import CellRefs
from .events import ConnectionChanged
from .feed import feed
from .hub import EventHub
from .known import Known
from .positions import LatestPositions, Positions
from .thread import Calls, background, on_loop
from .trust import usual_trust

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..embedded import Lease

__all__ = ["RECONNECTING", "Cell", "Context", "Say"]

T = TypeVar("T")

SERVER_GRACE = 5.0  # seconds that a server which has ended gets to be started again
CLOSE_TIMEOUT = 3.0  # seconds that leaving politely may take
REPLY_TIMEOUT = 20.0  # seconds, after which a lost request is sent once more
_TRIES = 3
Cell = m.CodeCell | m.MarkdownCell | m.RawCell
Say = Callable[[str], object]
"""Takes one line for whoever waits."""

RECONNECTING = "the connection is lost, reconnecting … (Ctrl-C stops waiting)"


class Context:
    """One connection to one notebook, and what is known of it.

    Parameters
    ----------
    name, api, client, file, server_url, lease, local_path, say
        As for `Session`.

    Attributes
    ----------
    hub
        Every event of the notebook.
    known
        What the server has told.
    refs
        Finds cells.
    seen
        By cell id, the source that the user last saw.
    tell
        As `say`, for what matters also where one wants to hear little.
    trust_outputs
        See `trusts_outputs`.
    """

    def __init__(
        self,
        name: str,
        api: APIClient,
        client: RTUClient,
        file: m.File,
        *,
        server_url: str,
        lease: Lease | None = None,
        local_path: Path | None = None,
        say: Say = print,
    ) -> None:
        self.name = name
        self.api = api
        self.client = client
        self.server_url = server_url
        self.lease = lease
        self.say = say
        self.tell = say
        self.hub = EventHub()
        self.known = Known(client, file, local_path)
        self.hub.subscribe(self.known.note)
        self.refs = CellRefs(client, self.hub)
        self.seen: dict[str, str] = {}
        self.trust_outputs: bool | None = None
        self.opened_at = time.time()
        self._latest_positions = LatestPositions(client)
        self._closed = False
        self._server_gone: float | None = None  # since when, in seconds of the monotonic clock
        self._asides: set[Future[None]] = set()
        self._unfeed = feed(self.hub, client)

    # ------------------------------------------------------------------ waiting

    def call(
        self,
        coro: Coroutine[Any, Any, T],
        timeout: float | None = None,
        *,
        aloud: bool = True,
        calls: Calls | None = None,
    ) -> T:
        """Run a coroutine on the background loop and wait, saying so when the connection is lost.

        Parameters
        ----------
        coro
            The coroutine.
        timeout
            Seconds to wait; None waits as long as it takes.
        aloud
            Whether to say so; not where the copy is loaded anew on purpose.
        calls
            See `LoopThread.run`.

        Raises
        ------
        ClientClosed
            The session is closed.
        """
        if not self.open:
            coro.close()
            why = f" ({self.known.why_closed})" if self.known.why_closed else ""
            raise ClientClosed(
                f"session {self.name!r} is closed{why}; %rtu_connect opens a new one"
            )
        lost: float | None = None

        def on_turn() -> None:
            nonlocal lost
            state = self.client.connection_state
            if state == "reconnecting":
                if lost is None:
                    lost = time.monotonic()
                    self.tell(RECONNECTING)
                self.check_server()
            elif state == "live" and lost is not None:
                self.tell(f"reconnected after {time.monotonic() - lost:.1f} s")
                lost = None

        try:
            return background().run(coro, timeout, on_turn if aloud else None, calls)
        except APIError:
            self.check_server(at_once=True)  # "nothing listens" is true as well, and helps less
            raise

    def call_with_say(self, start: Callable[[Say], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine that says something meanwhile, as `call` does.

        Parameters
        ----------
        start
            Makes the coroutine, given what it says lines with. They are said by the thread that
            waits: what another one prints would land in whichever cell ran last.
        """
        calls: Calls = queue.SimpleQueue()
        return self.call(start(lambda line: calls.put(lambda: self.say(line))), calls=calls)

    def aside(self, coro: Coroutine[Any, Any, None]) -> None:
        """Let something run on the loop that nobody waits for; it ends with the session."""
        future = background().submit(coro)
        self._asides.add(future)
        future.add_done_callback(self._asides.discard)

    async def request(self, message: m.BaseRTURequest) -> m.BaseRTUResponse:
        """Send a request that may be sent twice, and return the first answer.

        Raises
        ------
        PermissionDenied
            The server does not allow it.
        RTUError
            There is no answer.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[m.BaseRTUResponse] = loop.create_future()

        def take(reply: m.BaseRTUResponse) -> None:
            if not answer.done():
                answer.set_result(reply)

        stop = self.client.register_transaction_id_callback(message.transaction_id, take)
        try:
            for _ in range(_TRIES):
                self.client.send(message)
                done, _pending = await asyncio.wait([answer], timeout=REPLY_TIMEOUT)
                if done:
                    break
            else:
                raise RTUError("the server does not answer; try again")
        finally:
            stop()
        reply = answer.result()
        if isinstance(reply, m.PermissionDeniedResponse):
            raise PermissionDenied(reply.data.message)
        return reply

    # ------------------------------------------------------------------ the connection

    @property
    def open(self) -> bool:
        """Whether the session can be used: not closed, and not given up by its client."""
        return not self._closed and self.client.connection_state != "closed"

    @property
    def refused(self) -> str:
        """Why the server ended this session, empty if it did not."""
        gave_up = not self._closed and self.client.connection_state == "closed"
        return (self.known.why_closed or "the server ended the session") if gave_up else ""

    @property
    def lives_at(self) -> str:
        """The address of the server on which the notebook lives; ours may only have a copy."""
        afar = self.lease.server.afar if self.lease is not None else ""
        return afar or self.server_url

    @property
    def connection(self) -> str:
        """``connecting``, ``live``, ``reconnecting`` or ``closed``."""
        return self.client.connection_state if self.open else "closed"

    @property
    def server_ended(self) -> bool:
        """Whether the server on this machine that keeps the session has ended."""
        return (
            self.lease is not None and self.connection == "reconnecting" and self.lease.server.ended
        )

    def check_server(self, *, at_once: bool = False) -> None:
        """Raise if it is no use to wait for the connection.

        Parameters
        ----------
        at_once
            Leave no time in which somebody may start it again.

        Raises
        ------
        ConnectionLost
            The server on this machine that keeps the session has ended, and stayed away.
        """
        if not self.server_ended:
            self._server_gone = None
            return
        now = time.monotonic()
        if self._server_gone is None:
            self._server_gone = now
        if self.lease is not None and (at_once or now - self._server_gone >= SERVER_GRACE):
            path = self.known.path
            afar = self.lease.server.afar
            where = os.path.relpath(self.lease.server.root_dir / path)
            where = f"{afar}/lab/tree/{quote(path)}" if afar else where
            raise ConnectionLost(
                f"the server of {path} has ended; %rtu_connect {shlex.quote(where)} starts "
                "one anew (what it had acknowledged is kept)"
            ) from None

    def leave(self) -> None:
        """Leave the notebook; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._unfeed()
        loop = background()
        if loop.running:
            with contextlib.suppress(RTUError, TimeoutError, OSError):
                loop.run(self._leave(), CLOSE_TIMEOUT)
        if self.lease is not None:
            self.lease.release()
        self.hub.publish(ConnectionChanged("closed", "the session was closed"))

    async def _leave(self) -> None:
        # A request that is still on its way would open a connection that nobody closes.
        for future in list(self._asides):
            future.cancel()
        await asyncio.sleep(0)
        await self.client.shutdown(now=True)
        await self.api.aclose()

    # ------------------------------------------------------------------ the notebook

    @property
    def file_id(self) -> UUID:
        """The file's id on the server."""
        return self.known.file.id

    @property
    def trusts_outputs(self) -> bool:
        """Whether outputs may run scripts in the reader's page, by HTML; `trust_outputs` decides.

        As long as that is None, those of one's own servers may, and those of others may not.
        """
        if self.trust_outputs is not None:
            return self.trust_outputs
        # Asked for every output.
        known = self.known
        return usual_trust(self.api.authorization_token, known.role, local=known.root is not None)

    def positions(self) -> Positions:
        """Return where the cells stand now; from any thread."""
        return self._latest_positions()

    def label(self, cell_id: str) -> str:
        """Return how to show a cell to people: its position and the beginning of its id."""
        return self.positions().label(cell_id)

    def live_cell(self, cell_id: str) -> Cell:
        """Return the live cell; on the loop, which it must not leave.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        found: Cell = self.client.builder.cell(cell_id)
        return found

    def source_of(self, cell_id: str) -> str:
        """Return a cell's text, without its counting as seen; from any thread.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        return on_loop(lambda: self.live_cell(cell_id).source)

    def touch(self, cell: Cell) -> None:
        """Note that the user has changed a cell, and so seen it."""
        self.refs.last_touched = cell.id
        self.seen[cell.id] = cell.source

    def collection_of(self, cell_id: str) -> UUID | None:
        """Return the id of the collection with the outputs of a cell's latest run, if it ran."""
        with contextlib.suppress(RTUError, ValueError):
            cell = self.live_cell(cell_id)
            if isinstance(cell, m.CodeCell) and cell.output_collection_id is not None:
                return UUID(cell.output_collection_id)
        return None
