"""What every part of a session stands on: the client, the wait, the naming of cells."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from .. import models as m
from ..errors import APIError, CellNotFound, ClientClosed, ConnectionLost, RTUError
from ..protocol import is_position, positions_of, resolve_cell
from .changes import cell_of
from .events import (
    CellStatesChanged,
    ConnectionChanged,
    DeltaApplied,
    Event,
    EventHub,
    FileMoved,
    FileStateChanged,
    KernelChanged,
    PeopleChanged,
    Person,
    RoleChanged,
    feed,
    people_of,
)
from .execution.late import LateRuns
from .positions import LatestPositions, Positions
from .thread import background, on_loop
from .trust import usual_trust

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..embedded import Lease

__all__ = ["RECONNECTING", "Cell", "SessionBase"]

T = TypeVar("T")

CATCH_UP = 3.0  # seconds that the question whether this copy is behind may take
SERVER_GRACE = 5.0  # seconds that a server which has ended gets to be started again
Cell = m.CodeCell | m.MarkdownCell | m.RawCell

RECONNECTING = "the connection is lost, reconnecting … (Ctrl-C stops waiting)"


class SessionBase:
    """The common ground of the verbs; `Session` documents the attributes."""

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
        say: Callable[[str], object] = print,
    ) -> None:
        self.name = name
        self.api = api
        self.client = client
        self.file = file
        self.server_url = server_url
        self.lease = lease
        # The directory on this machine that the embedded server serves.
        self.root = None if local_path is None else _root_of(local_path, file.path)
        self._renaming_to: str | None = None  # by this session itself
        self.say = say
        self.tell = say  # what matters also where one wants to hear little
        self.hub = EventHub()
        self._latest_positions = LatestPositions(client)
        self.seen: dict[str, str] = {}
        self.cell_states: dict[str, m.CellState] = dict(client.cell_state_details)
        self._last_touched: str | None = None
        self.edited_by: dict[str, UUID | None] = {}  # cells by whom others changed them last
        self._notices: deque[str] = deque()  # filled on the loop, emptied by whoever asks
        self._closed = False
        self._server_gone: float | None = None  # since when, in seconds of the monotonic clock
        self._asides: set[Future[None]] = set()
        self._why_closed = ""
        self.opened_at = time.time()
        self.trust_outputs: bool | None = None
        self._own_kernel_checked: UUID | None = None
        self.kernel_session: m.KernelStatusUpdate | None = client.kernel_status
        self.people: dict[UUID, Person] = people_of(client)
        self.role: str | None = client.role
        self.file_state: m.FileStateData | None = client.file_state
        self.known_kernels: tuple[str, ...] = ()
        self.known_invites: list[str] = []
        self.known_versions: list[str] = []
        self.known_cells: list[str] = []
        self.hub.subscribe(self._note)
        self.late = LateRuns(self.hub)
        self._unfeed = feed(self.hub, client)

    # ------------------------------------------------------------------ waiting

    def call(
        self, coro: Coroutine[Any, Any, T], timeout: float | None = None, *, aloud: bool = True
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

        Raises
        ------
        ClientClosed
            The session is closed.
        """
        if not self.open:
            coro.close()
            why = f" ({self._why_closed})" if self._why_closed else ""
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
            return background().run(coro, timeout, on_turn if aloud else None)
        except APIError:
            self.check_server(at_once=True)  # "nothing listens" is true as well, and helps less
            raise

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
            where = os.path.relpath(self.lease.server.root_dir / self.path)
            raise ConnectionLost(
                f"the server of {self.path} has ended; %rtu_connect {shlex.quote(where)} starts "
                "one anew (what it had acknowledged is kept)"
            ) from None

    def aside(self, coro: Coroutine[Any, Any, None]) -> None:
        """Let something run on the loop that nobody waits for; it ends with the session."""
        future = background().submit(coro)
        self._asides.add(future)
        future.add_done_callback(self._asides.discard)

    def _note(self, event: Event) -> None:
        if isinstance(event, DeltaApplied):
            author = event.delta.created_by_id
            cell_id = cell_of(event.delta)
            kept = isinstance(event.delta, m.CellExecuteDelta | m.CellOutputCollectionReplace)
            if cell_id is not None and author != self.client.user_id and not kept:
                self.edited_by[cell_id] = author
        elif isinstance(event, CellStatesChanged):
            self.cell_states = event.states
        elif isinstance(event, KernelChanged):
            self.kernel_session = event.status
        elif isinstance(event, PeopleChanged):
            self.people = event.people
        elif isinstance(event, RoleChanged):
            if event.role != self.role:
                self._notices.append(event.message or _role_notice(event.role))
            self.role = event.role
        elif isinstance(event, FileMoved):
            self.moved_to(event.path)
        elif isinstance(event, FileStateChanged):
            self._note_file(event.state)
        elif isinstance(event, ConnectionChanged) and event.state == "closed":
            self._why_closed = event.detail
        elif isinstance(event, ConnectionChanged) and event.state == "live":
            self._tell_place()  # the server knew it of the connection that was lost

    def _note_file(self, new: m.FileStateData) -> None:
        """Note whether the file is written; whoever uses the session hears of a change, once."""
        before = self.file_trouble
        self.file_state = new
        if self.file_trouble and self.file_trouble != before:
            self._notices.append(self.file_trouble)
        elif before and not self.file_trouble:
            self._notices.append(f"{self.path} is written to its file again")

    @property
    def file_trouble(self) -> str:
        """What keeps the notebook from its file, in one line; empty if nothing does."""
        state = self.file_state
        return state.reason if state is not None and state.troubled else ""

    def take_notices(self) -> list[str]:
        """Return what the user should hear of before anything else, once."""
        notices = []
        with contextlib.suppress(IndexError):
            while True:
                notices.append(self._notices.popleft())
        return notices

    @property
    def trusts_outputs(self) -> bool:
        """Whether outputs may run scripts in the reader's page, by HTML; `trust_outputs` decides.

        As long as that is None, those of one's own servers may, and those of others may not.
        """
        if self.trust_outputs is not None:
            return self.trust_outputs
        local = self.local_path is not None
        return usual_trust(self.api.authorization_token, self.role, local=local)

    @property
    def path(self) -> str:
        """The notebook's path below the server's directory."""
        return self.file.path

    @property
    def local_path(self) -> Path | None:
        """The same on this machine, for a notebook of the embedded server."""
        return None if self.root is None else self.root / self.path

    def moved_to(self, path: str) -> None:
        """Note where the notebook lies now; the user hears of it unless it was this session."""
        old = self.path
        if path == old:
            return
        filename = PurePosixPath(path).name
        self.file = self.file.model_copy(update={"path": path, "filename": filename})
        if path != self._renaming_to:
            self._notices.append(f"{old} has been renamed, it is {path} now")

    @property
    def open(self) -> bool:
        """Whether the session can be used: not closed, and not given up by its client."""
        return not self._closed and self.client.connection_state != "closed"

    @property
    def refused(self) -> str:
        """Why the server ended this session, empty if it did not."""
        gave_up = not self._closed and self.client.connection_state == "closed"
        return (self._why_closed or "the server ended the session") if gave_up else ""

    @property
    def connection(self) -> str:
        """``connecting``, ``live``, ``reconnecting`` or ``closed``."""
        return self.client.connection_state if self.open else "closed"

    @property
    def last_touched(self) -> str | None:
        """The cell that ``.`` names, and in which others see this user; set it on the loop."""
        return self._last_touched

    @last_touched.setter
    def last_touched(self, cell_id: str | None) -> None:
        if cell_id != self._last_touched:
            self._last_touched = cell_id
            self._tell_place()

    def _tell_place(self) -> None:
        client, cell_id = self.client, self._last_touched
        if client.connection_state != "live" or cell_id not in client.builder:
            return
        data = m.UpdateUserCellSelectionRequestData(id=cell_id)
        with contextlib.suppress(RTUError):
            client.send(m.UpdateUserCellSelectionRequest(channel=client.file_channel, data=data))

    def resolve(self, ref: str | int) -> str:
        """Return the id of the cell that `ref` names.

        Raises
        ------
        CellNotFound
            None does, or several do.
        """
        return self.call(self._resolve(ref))

    def resolve_all(self, refs: Sequence[str | int]) -> list[str]:
        """Return the ids of the cells that `refs` name; ``2-4`` and ``2,4`` name several.

        Raises
        ------
        CellNotFound
            One of them names none.
        """

        async def found() -> list[str]:
            ids: list[str] = []
            for ref in refs:
                try:
                    ids.append(await self._find_latest(ref))
                except CellNotFound:
                    several = positions_of(str(ref))
                    if several is None:
                        raise
                    ids += [await self._find_latest(position) for position in several]
            if ids:
                self.last_touched = ids[-1]
            return ids

        return self.call(found())

    async def _resolve(self, ref: str | int) -> str:
        cell_id = await self._find_latest(ref)
        self.last_touched = cell_id
        return cell_id

    async def _find_latest(self, ref: str | int) -> str:
        """Return the id of the cell that `ref` names in what the server has by now."""
        behind = not is_position(str(ref))
        if not behind:
            await self._catch_up()
        try:
            return self._find(ref)
        except CellNotFound:
            if not behind:
                raise
            await self._catch_up()
            return self._find(ref)

    async def _catch_up(self) -> None:
        """Wait, for a moment, until this copy has what the server had when it was asked.

        What the server sends comes in order, so an answer comes after all earlier changes.
        """
        client = self.client
        if client.connection_state != "live":
            return
        answered = asyncio.Event()
        request = m.PingRequest()
        stop = client.register_transaction_id_callback(
            request.transaction_id, lambda _msg: answered.set()
        )
        try:
            with contextlib.suppress(RTUError, asyncio.TimeoutError):
                client.send(request)
                await asyncio.wait_for(answered.wait(), CATCH_UP)
        finally:
            stop()

    def _find(self, ref: str | int) -> str:
        return resolve_cell(str(ref), self.client.cell_ids, self.last_touched)

    def positions(self) -> Positions:
        """Return where the cells stand now; from any thread."""
        return self._latest_positions()

    def label(self, cell_id: str) -> str:
        """Return how to show a cell to people: its position and the beginning of its id."""
        return self.positions().label(cell_id)

    def source_of(self, cell_id: str) -> str:
        """Return a cell's text; unlike with `Session.cell`, it does not count as seen by that.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        return on_loop(lambda: self._get(cell_id).source)

    def _get(self, cell_id: str) -> Cell:
        """Return the live cell; on the loop, which it must not leave."""
        found: Cell = self.client.builder.cell(cell_id)
        return found

    def collection_of(self, cell_id: str) -> UUID | None:
        """Return the id of the collection with the outputs of a cell's latest run, if it ran."""
        with contextlib.suppress(RTUError, ValueError):
            cell = self._get(cell_id)
            if isinstance(cell, m.CodeCell) and cell.output_collection_id is not None:
                return UUID(cell.output_collection_id)
        return None


def _root_of(local_path: Path, path: str) -> Path:
    return local_path.parents[len(PurePosixPath(path).parts) - 1]


def _role_notice(role: str | None) -> str:
    if role is None:
        return "this notebook is no longer shared with you; ask its owner for a new link"
    return f"your role here is now {role}"
