"""One connection of this process to one remote notebook, with synchronous verbs.

The verbs work from any thread. What they do happens on the background thread's loop, where the
client lives; the caller waits in short turns, so Ctrl-C works everywhere.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from .. import models as m
from ..document import make_patch
from ..errors import ClientClosed, DeltaRejected, RTUError, SquashError
from ..protocol import resolve_cell
from .editing import EditConflict, three_way
from .events import CellStatesChanged, ConnectionChanged, Event, EventHub, KernelChanged, feed
from .execution import Execution
from .kernel import KernelVerbs
from .loop import background
from .registry import sessions
from .views import CellView, SessionStatus

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..embedded import Lease

__all__ = ["Session"]

T = TypeVar("T")
Cell = m.CodeCell | m.MarkdownCell | m.RawCell

CLOSE_TIMEOUT = 3.0  # seconds that leaving politely may take


class Session(KernelVerbs):
    """A connection to one remote notebook; made by `rtu_magics.connect`.

    A CELL argument is an id, a unique beginning of one, a position (``"3"`` or ``3``, ``-1`` for
    the last) or ``"."`` for the cell last touched.

    Attributes
    ----------
    name
        What ``-s NAME`` says to the magics.
    client
        The asynchronous client; its methods belong on the loop ``background().loop``.
    api
        The asynchronous REST client.
    file
        The notebook's file on the server.
    local_path
        The same on this machine, for a notebook of the embedded server.
    hub
        Every event of the notebook, for whoever subscribes.
    seen
        By cell id, the source that the user last saw: what an edit of theirs is based on.

    Examples
    --------
    ::

        session = rtu_magics.connect("lesson.ipynb")
        cell = session.add("print(6 * 7)")
        session.run(cell.id)
        session.outputs(cell.id)
        session.close()
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
        say: Callable[[str], object] = print,
    ) -> None:
        self.name = name
        self.api = api
        self.client = client
        self.file = file
        self.server_url = server_url
        self.lease = lease
        self.local_path = local_path
        self.say = say
        self.hub = EventHub()
        self.seen: dict[str, str] = {}
        self.cell_states: dict[str, m.CellState] = {}
        self.last_touched: str | None = None
        self.open = True
        self.opened_at = time.time()
        self._own_kernel_checked: UUID | None = None
        self.kernel_session: m.KernelStatusUpdate | None = None
        self.hub.subscribe(self._note)
        self._unfeed = feed(self.hub, client)

    def __repr__(self) -> str:
        return f"<Session {self.name!r} on {self.path} at {self.server_url}>"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ waiting

    def call(self, coro: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the background loop and wait, saying so when the connection is lost.

        Raises
        ------
        ClientClosed
            The session is closed.
        """
        if not self.open:
            coro.close()
            raise ClientClosed(f"session {self.name!r} is closed; %rtu_connect opens a new one")
        lost: float | None = None

        def on_turn() -> None:
            nonlocal lost
            state = self.client.connection_state
            if state == "reconnecting" and lost is None:
                lost = time.monotonic()
                self.say(RECONNECTING)
            elif state == "live" and lost is not None:
                self.say(f"reconnected after {time.monotonic() - lost:.1f} s")
                lost = None

        return background().run(coro, timeout, on_turn)

    def _note(self, event: Event) -> None:
        if isinstance(event, CellStatesChanged):
            self.cell_states = event.states
        elif isinstance(event, KernelChanged):
            self.kernel_session = event.status
        elif isinstance(event, ConnectionChanged) and event.state == "closed":
            self.open = False

    # ------------------------------------------------------------------ reading

    @property
    def path(self) -> str:
        """The notebook's path below the server's directory."""
        return self.file.path

    @property
    def connection(self) -> str:
        """``connecting``, ``live``, ``reconnecting`` or ``closed``."""
        return self.client.connection_state if self.open else "closed"

    def resolve(self, ref: str | int) -> str:
        """Return the id of the cell that `ref` names.

        Raises
        ------
        CellNotFound
            None does, or several do.
        """
        return self.call(self._resolve(ref))

    async def _resolve(self, ref: str | int) -> str:
        cell_id = resolve_cell(str(ref), self.client.cell_ids, self.last_touched)
        self.last_touched = cell_id
        return cell_id

    def label(self, cell_id: str) -> str:
        """Return how to show a cell to people: its position and the beginning of its id."""
        ids = list(self.client.cell_ids)
        short = short_ids(ids).get(cell_id, cell_id[:8])
        return f"{ids.index(cell_id) + 1} ({short})" if cell_id in ids else short

    def cells(self) -> list[CellView]:
        """Return every cell with its position and state, in order."""
        return self.call(self._cells())

    async def _cells(self) -> list[CellView]:
        short = short_ids(self.client.cell_ids)
        return [
            CellView(
                position=index + 1,
                short_id=short[cell.id],
                cell=cell,
                state=self.cell_states.get(cell.id),
            )
            for index, cell in enumerate(self.client.builder.nb.cells)
        ]

    def cell(self, ref: str | int) -> Cell:
        """Return a copy of a cell, which from then on counts as seen by the user."""

        async def find() -> Cell:
            cell = self._get(await self._resolve(ref))
            self.seen[cell.id] = cell.source
            return cell.model_copy(deep=True)

        return self.call(find())

    def _get(self, cell_id: str) -> Cell:
        found: Cell = self.client.builder.get_cell(cell_id)[1]
        return found

    def outputs(self, ref: str | int) -> list[m.Output] | list[Any]:
        """Return a cell's outputs: those of its latest run, or those the notebook came with."""

        async def find() -> list[Any]:
            cell = self._get(await self._resolve(ref))
            if not isinstance(cell, m.CodeCell):
                return []
            collection_id = self.collection_of(cell.id)
            if collection_id is None:
                return list(cell.outputs)
            return list((await self.api.get_output_collection(collection_id)).outputs)

        return self.call(find())

    def collection_of(self, cell_id: str) -> UUID | None:
        """Return the id of the collection with the outputs of a cell's latest run, if it ran."""
        with contextlib.suppress(RTUError, ValueError):
            cell = self._get(cell_id)
            if isinstance(cell, m.CodeCell) and cell.output_collection_id is not None:
                return UUID(cell.output_collection_id)
        return None

    def status(self) -> SessionStatus:
        """Return what is known of connection, kernel and cells now."""
        kernel = self.kernel_session
        views = self.cells() if self.connection == "live" else []
        return SessionStatus(
            name=self.name,
            path=self.path,
            server_url=self.server_url,
            connection=self.connection,
            kernel_name=kernel.kernel.name if kernel is not None else None,
            kernel_state=self.client.kernel_state,
            cells=len(views),
            running=[v for v in views if v.state_name in ("queued", "executing")],
            failed=[v for v in views if v.state_name == "finished_with_error"],
        )

    # ------------------------------------------------------------------ editing

    def add(
        self,
        source: str = "",
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
        cell_type: str = "code",
    ) -> Cell:
        """Add a cell, at the end by default, and return it.

        Parameters
        ----------
        source
            Its text.
        after, before
            The cell that it goes after or before.
        first
            Whether it goes to the top.
        cell_type
            ``code``, ``markdown``, ``raw`` or ``sql``.

        Raises
        ------
        CellNotFound
            There is no such neighbour.
        DeltaRejected
            The server refuses it.
        """
        _one_place(after, before, first)
        new = new_cell(cell_type, source)

        async def add() -> Cell:
            after_id = await self._anchor(after, before, first)
            cell: Cell = await self.client.add_cell(cell=new, after_id=after_id) if (
                after_id is not None
            ) else await self._add_on_top(new)
            self._touched(cell)
            return cell

        return self.call(add())

    async def _add_on_top(self, cell: Cell) -> Cell:
        ids = self.client.cell_ids
        if ids:
            found: Cell = await self.client.add_cell(cell=cell, before_id=ids[0])
        else:
            found = await self.client.add_cell(cell=cell)
        return found

    async def _anchor(
        self, after: str | int | None, before: str | int | None, first: bool, moving: str = ""
    ) -> str | None:
        """Return the id of the cell to go after; None for the top."""
        ids = [cell_id for cell_id in self.client.cell_ids if cell_id != moving]
        if after is not None:
            return resolve_cell(str(after), self.client.cell_ids, self.last_touched)
        if before is not None:
            cell_id = resolve_cell(str(before), self.client.cell_ids, self.last_touched)
            if cell_id == moving:
                return cell_id
            index = ids.index(cell_id)
            return ids[index - 1] if index else None
        if first:
            return None
        return ids[-1] if ids else None

    def _touched(self, cell: Cell) -> None:
        self.last_touched = cell.id
        self.seen[cell.id] = cell.source

    def edit(self, ref: str | int, source: str) -> Cell:
        """Make `source` a cell's text, merged with what others changed since the user saw it.

        Raises
        ------
        EditConflict
            Others changed the same place. Nothing was sent; the error carries all three texts,
            and theirs counts as seen, so the same edit again puts `source` in its place.
        """

        async def edit() -> Cell:
            cell_id = await self._resolve(ref)
            why: Exception | None = None
            for _ in range(2):  # the second time against what the text has become meanwhile
                now = self._get(cell_id).source
                merged = self._merge(cell_id, source, now)
                if merged == now:
                    self._touched(self._get(cell_id))
                    return self._get(cell_id)
                try:
                    cell: Cell = await self.client.update_cell_content(
                        cell_id, make_patch(now, merged)
                    )
                except (DeltaRejected, SquashError) as exc:
                    why = exc
                    continue
                self._touched(cell)
                return cell
            raise DeltaRejected(
                f"the server did not take the edit of cell {self.label(cell_id)} ({why}); "
                f"look at it with %rtu_show and edit again"
            )

        return self.call(edit())

    def _merge(self, cell_id: str, mine: str, theirs: str) -> str:
        base = self.seen.get(cell_id, theirs)
        merged = three_way(base, mine, theirs)
        if merged is None:
            self.seen[cell_id] = theirs
            raise EditConflict(
                f"cell {self.label(cell_id)} was changed by somebody else in the same place; "
                f"nothing was sent. Change your text, or run it again as it is to replace theirs",
                base=base,
                mine=mine,
                theirs=theirs,
            )
        return merged

    def delete(self, ref: str | int) -> str:
        """Delete a cell and return its id."""

        async def delete() -> str:
            cell_id = await self._resolve(ref)
            await self.client.delete_cell(cell_id)
            self.seen.pop(cell_id, None)
            return cell_id

        return self.call(delete())

    def move(
        self,
        ref: str | int,
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        first: bool = False,
    ) -> str:
        """Move a cell and return its id."""
        _one_place(after, before, first)

        async def move() -> str:
            cell_id = await self._resolve(ref)
            after_id = await self._anchor(after, before, first, moving=cell_id)
            if after_id == cell_id:
                raise RTUError(f"cell {self.label(cell_id)} cannot go next to itself")
            properties = m.NBCellsMoveProperties(id=cell_id, after_id=after_id)
            await self.client.new_delta_request(
                m.NBCellsMove(file_id=self.client.file_id, properties=properties)
            )
            return cell_id

        return self.call(move())

    def set_type(self, ref: str | int, cell_type: str) -> Cell:
        """Make a cell ``code``, ``markdown``, ``raw`` or ``sql``."""
        check_type(cell_type)

        async def change() -> Cell:
            cell_id = await self._resolve(ref)
            if cell_type == "raw":  # not among the client's, whose types are given
                replace = m.CellMetadataReplaceProperties(type="raw", language=None)
                await self.client.new_delta_request(
                    m.CellMetadataReplace(
                        file_id=self.client.file_id, resource_id=cell_id, properties=replace
                    )
                )
                return self._get(cell_id)
            cell: Cell = await self.client.change_cell_type(cell_id, cell_type)
            return cell

        return self.call(change())

    # ------------------------------------------------------------------ running

    def start(
        self,
        ref: str | int | None = None,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
    ) -> Execution:
        """Start a run and return it as soon as the server has accepted it.

        The remote kernel is started first if there is none, which is said.

        Parameters
        ----------
        ref
            The cell to run.
        run_all
            Run every cell.
        before, after
            Run every cell up to and with, or from and with this one.

        Raises
        ------
        RTUError
            There is nothing to run, or the run would wait for itself.
        """
        given = [ref is not None, run_all, before is not None, after is not None]
        if sum(given) != 1:
            raise RTUError("say what to run: one cell, all, all up to one, or all from one")

        async def prepare() -> m.FileDeltaBase:
            classes = (m.CellExecute, m.CellExecuteBefore, m.CellExecuteAfter)
            for found, cls in zip((ref, before, after), classes, strict=True):
                if found is not None:
                    cell_id = await self._resolve(found)
                    delta: m.FileDeltaBase = cls(file_id=self.client.file_id, resource_id=cell_id)
                    break
            else:
                delta = m.CellExecuteAll(file_id=self.client.file_id)
            if not self.runnable(delta):
                raise RTUError(self._nothing_to_run(delta))
            return delta

        delta = self.call(prepare())
        self.ensure_kernel()
        execution = Execution(self, delta)  # subscribed before it is submitted
        try:
            self.call(self.client.new_delta_request(delta))
        except BaseException:
            execution.close()
            raise
        return execution

    def run(
        self,
        ref: str | int | None = None,
        *,
        run_all: bool = False,
        before: str | int | None = None,
        after: str | int | None = None,
    ) -> None:
        """Run cells and wait until they are done; arguments as in `start`.

        Raises
        ------
        RemoteCellError
            A cell raised.
        KernelDied
            The kernel died.
        """
        execution = self.start(ref, run_all=run_all, before=before, after=after)
        try:
            for _ in execution:
                pass
        finally:
            execution.close()
        execution.raise_for_failure()

    def runnable(self, delta: m.FileDeltaBase) -> list[str]:
        """Return the ids of the cells that an execute delta runs, in order."""
        ids = self.client.cell_ids
        if isinstance(delta, m.CellExecute):
            ids = [delta.resource_id]
        elif isinstance(delta, m.CellExecuteBefore):
            ids = ids[: ids.index(delta.resource_id) + 1]
        elif isinstance(delta, m.CellExecuteAfter):
            ids = ids[ids.index(delta.resource_id) :]
        cells = [self._get(cell_id) for cell_id in ids]
        return [c.id for c in cells if isinstance(c, m.CodeCell) and c.source.strip()]

    def _nothing_to_run(self, delta: m.FileDeltaBase) -> str:
        if not isinstance(delta, m.CellExecute):
            return "there is no code cell to run; %%rtu_add adds one"
        cell = self._get(delta.resource_id)
        if isinstance(cell, m.CodeCell):
            return f"cell {self.label(cell.id)} is empty; %%rtu_edit gives it a text"
        return (
            f"cell {self.label(cell.id)} is a {cell.cell_type} cell and nothing to run; "
            f"%rtu_type {cell.id} code makes it code"
        )

    # ------------------------------------------------------------------ saving and leaving

    def save(self) -> str:
        """Have the notebook written to its file now; returns the path."""
        return self.call(self._save())

    async def _save(self) -> str:
        saved: Any = await self.api.save_file(self.file.id)
        return str(saved["path"]) if isinstance(saved, dict) else self.path

    def close(self) -> None:
        """Leave the notebook; the remote kernel goes on. A second call does nothing."""
        sessions.remove(self)
        if not self.open:
            return
        self.open = False
        self._unfeed()
        loop = background()
        if loop.running:
            with contextlib.suppress(RTUError, TimeoutError, OSError):
                loop.run(self._leave(), CLOSE_TIMEOUT)
        if self.lease is not None:
            self.lease.release()
        self.hub.publish(ConnectionChanged("closed", "the session was closed"))

    async def _leave(self) -> None:
        await self.client.shutdown(now=True)
        await self.api.aclose()


RECONNECTING = "the connection is lost, reconnecting … (Ctrl-C stops waiting)"


def check_type(cell_type: str) -> None:
    """Check the name of a cell type.

    Raises
    ------
    RTUError
        It is none.
    """
    if cell_type not in ("code", "markdown", "raw", "sql"):
        raise RTUError(f"{cell_type!r} is no cell type: write code, markdown, raw or sql")


def new_cell(cell_type: str, source: str) -> Cell:
    """Make a cell of a type, with a new id."""
    check_type(cell_type)
    if cell_type == "markdown":
        return m.MarkdownCell(source=source)
    if cell_type == "raw":
        return m.RawCell(source=source)
    if cell_type == "sql":
        return m.make_sql_cell(source=source)
    return m.CodeCell(source=source)


def short_ids(ids: list[str], least: int = 8) -> dict[str, str]:
    """Return for each cell id as much of its beginning as names it.

    Examples
    --------
    >>> short_ids(["0123456789ab", "0123456799ab", "1"])
    {'0123456789ab': '012345678', '0123456799ab': '012345679', '1': '1'}
    """
    ordered = sorted(ids)
    found: dict[str, str] = {}
    for before, cell_id, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        same = max(_common(cell_id, before), _common(cell_id, after))
        found[cell_id] = cell_id[: max(least, same + 1)]
    return {cell_id: found[cell_id] for cell_id in ids}


def _common(one: str, other: str) -> int:
    return len(os.path.commonprefix([one, other]))


def _one_place(after: object, before: object, first: bool) -> None:
    if sum((after is not None, before is not None, first)) > 1:
        raise RTUError("give one of after, before and first")
