"""One connection of this process to one remote notebook, with synchronous verbs.

The verbs work from any thread. What they do happens on the background thread's loop, where the
client lives (`ops`); the caller waits in short turns, so Ctrl-C works everywhere (`context`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from .. import models as m
from ..client.own_kernel import waiting_kernels
from ..foreign import shown
from .attributes import Attributes
from .changes import Change
from .context import Cell, Context, Say
from .execution.execution import Execution
from .execution.fetch import fetch_bundle
from .ops import files, history, people
from .ops.cells import Cells
from .ops.executions import Executions
from .ops.kernel import Kernel
from .ops.undo import Undo
from .positions import Positions
from .transfer.verbs import LIMIT, Copied, Transfer
from .views import CellView, SessionStatus

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..embedded import Lease

__all__ = ["Session"]

T = TypeVar("T")
Ref = str | int


def _waiting(background: bool) -> list[str]:
    """Return the kernels that will wait for a run; on the thread that asks for it."""
    return [] if background else waiting_kernels()


class Session(Attributes):
    """A connection to one remote notebook; made by `rtu_magics.connect`.

    A CELL argument is an id, a unique beginning of one, a position (``"3"`` or ``3``, ``-1`` for
    the last) or ``"."`` for the cell last touched.

    Parameters
    ----------
    name, api, client, file, server_url, lease, local_path, say
        As the attributes.
    on_close
        Called with the session when it is closed.

    Attributes
    ----------
    context
        What all parts of the session share.
    kernel
        The notebook's kernel; its methods are asynchronous and belong on the loop.

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
        say: Say = print,
        on_close: Callable[[Session], object] = lambda session: None,
    ) -> None:
        self.context = Context(
            name,
            api,
            client,
            file,
            server_url=server_url,
            lease=lease,
            local_path=local_path,
            say=say,
        )
        self.kernel = Kernel(self.context)
        self._undo = Undo(self.context)
        self._cells = Cells(self.context, self._undo)
        self._executions = Executions(self.context, self.kernel)
        self._transfer = Transfer(self.context, self.kernel, self._executions)
        self._on_close = on_close

    def __repr__(self) -> str:
        return shown(f"<Session {self.name!r} on {self.path} at {self.context.lives_at}>")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ the session itself

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
        return self.context.call(coro, timeout, aloud=aloud)

    def aside(self, coro: Coroutine[Any, Any, None]) -> None:
        """Let something run on the loop that nobody waits for; it ends with the session."""
        self.context.aside(coro)

    async def request(self, message: m.BaseRTURequest) -> m.BaseRTUResponse:
        """Send a request that may be sent twice, and return the first answer; on the loop.

        Raises
        ------
        PermissionDenied
            The server does not allow it.
        RTUError
            There is no answer.
        """
        return await self.context.request(message)

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
        self.context.check_server(at_once=at_once)

    def take_notices(self) -> list[str]:
        """Return what the user should hear of before anything else, once."""
        return self.context.known.take_notices()

    def moved_to(self, path: str) -> None:
        """Note where the notebook lies now; the user hears of it unless it was this session."""
        self.context.known.moved_to(path)

    def status(self) -> SessionStatus:
        """Return what is known of connection, kernel and cells now."""
        kernel = self.kernel_session
        live = self.connection == "live"
        views = self.cells() if live else []
        return SessionStatus(
            name=self.name,
            path=self.path,
            server_url=self.context.lives_at,
            connection=self.connection,
            kernel_name=kernel.kernel.name if kernel is not None else None,
            kernel_state=self.client.kernel_state,
            cells=len(views) if live else None,
            running=[v for v in views if v.state_name in ("queued", "executing")],
            failed=[v for v in views if v.state and v.state.failed and not v.state.never_began],
            outdated=[v for v in views if v.is_outdated],
            not_run=[v for v in views if v.state and v.state.never_began],
            role=self.role,
            file_trouble=self.file_trouble,
        )

    def close(self) -> None:
        """Leave the notebook; the remote kernel goes on. A second call does nothing."""
        self._on_close(self)
        self.context.leave()

    # ------------------------------------------------------------------ reading cells

    def cells(self) -> list[CellView]:
        """Return every cell with its position and state, in order."""
        return self.call(self._cells.views())

    def cell(self, ref: Ref) -> Cell:
        """Return a copy of a cell, which from then on counts as seen by the user.

        Raises
        ------
        CellNotFound
            There is no such cell, or `ref` names several.
        """
        return self.call(self._cells.look(ref))

    def outputs(self, ref: Ref) -> list[m.Output] | list[Any]:
        """Return a cell's outputs: those of its latest run, or those the notebook came with."""
        return self.call(self._cells.outputs(ref))

    def fetch(self, links: dict[str, str]) -> dict[str, Any]:
        """Return the entries of a mimebundle that an output gives by link.

        Parameters
        ----------
        links
            Their addresses by mimetype (`Output.links`).
        """
        return self.call(fetch_bundle(self.api, links))

    def resolve(self, ref: Ref) -> str:
        """Return the id of the cell that `ref` names.

        Raises
        ------
        CellNotFound
            None does, or several do.
        """
        return self.call(self.context.refs.resolve(ref))

    def resolve_all(self, refs: Sequence[Ref]) -> list[str]:
        """Return the ids of the cells that `refs` name; ``2-4`` and ``2,4`` name several.

        Raises
        ------
        CellNotFound
            One of them names none.
        """
        return self.call(self.context.refs.resolve_all(refs))

    def positions(self) -> Positions:
        """Return where the cells stand now; from any thread."""
        return self.context.positions()

    def label(self, cell_id: str) -> str:
        """Return how to show a cell to people: its position and the beginning of its id."""
        return self.context.label(cell_id)

    def source_of(self, cell_id: str) -> str:
        """Return a cell's text; unlike with `cell`, it does not count as seen by that.

        Raises
        ------
        CellNotFound
            The notebook has no such cell.
        """
        return self.context.source_of(cell_id)

    def collection_of(self, cell_id: str) -> UUID | None:
        """Return the id of the collection with the outputs of a cell's latest run, if it ran."""
        return self.context.collection_of(cell_id)

    # ------------------------------------------------------------------ changing cells

    def add(
        self,
        source: str = "",
        *,
        after: Ref | None = None,
        before: Ref | None = None,
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
        return self.call(
            self._cells.add(source, after=after, before=before, first=first, cell_type=cell_type)
        )

    def edit(self, ref: Ref, source: str) -> Cell:
        """Make `source` a cell's text, merged with what others changed since the user saw it.

        Raises
        ------
        EditConflict
            Others changed the same place. Nothing was sent; the error carries all three texts,
            and theirs counts as seen, so the same edit again puts `source` in its place.
        """
        return self.call(self._cells.edit(ref, source))

    def delete(self, ref: Ref) -> str:
        """Delete a cell and return its id."""
        return self.call(self._cells.delete(ref))

    def move(
        self,
        ref: Ref,
        *,
        after: Ref | None = None,
        before: Ref | None = None,
        first: bool = False,
    ) -> str:
        """Move a cell and return its id; arguments as in `add`, one of them must be given."""
        return self.call(self._cells.move(ref, after=after, before=before, first=first))

    def set_type(self, ref: Ref, cell_type: str) -> Cell:
        """Make a cell ``code``, ``markdown``, ``raw`` or ``sql``."""
        return self.call(self._cells.set_type(ref, cell_type))

    def undo(self) -> str:
        """Take back the last edit that this session made; returns what was done, in one line.

        It goes out as a new change like any other. Called again, it takes back the edit before
        that, up to the hundredth.

        Raises
        ------
        CannotUndo
            There is nothing to take back, or others have changed it since.
        """
        return self.call(self._undo.take_back())

    # ------------------------------------------------------------------ running

    def start(
        self,
        ref: Ref | None = None,
        *,
        run_all: bool = False,
        before: Ref | None = None,
        after: Ref | None = None,
        asks: bool = False,
        background: bool = False,
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
        asks
            Whether the caller answers what the cells ask (`InputRequested`, `Execution.answer`);
            otherwise ``input()`` fails there at once.
        background
            Whether a server that was started for this kernel stays for the run although the kernel
            has gone.

        Raises
        ------
        RTUError
            There is nothing to run, or the run would wait for itself.
        """
        waiting = _waiting(background)
        return self.context.call_with_say(
            lambda say: self._executions.start(
                ref,
                say,
                run_all=run_all,
                before=before,
                after=after,
                asks=asks,
                background=background,
                waiting=waiting,
            )
        )

    def start_scratch(
        self,
        source: str,
        *,
        asks: bool = False,
        background: bool = False,
        forget: bool = False,
        expression: bool = False,
    ) -> Execution:
        """Run code in the notebook's kernel without a cell; only this session sees its outputs.

        Parameters
        ----------
        source
            The code.
        asks, background
            As in `start`.
        forget
            Whether the server keeps neither the run nor its outputs once it has ended.
        expression
            Whether it is one expression, see `models.ScratchRequestData`; its value is not shown.

        Raises
        ------
        RTUError
            There is nothing to run, or the server refuses.
        """
        waiting = _waiting(background)
        return self.context.call_with_say(
            lambda say: self._executions.start_scratch(
                source,
                say,
                asks=asks,
                background=background,
                waiting=waiting,
                forget=forget,
                expression=expression,
            )
        )

    def attach(self, execution_id: UUID) -> Execution:
        """Follow a run that has begun, whoever started it, with its outputs from the first on.

        From then on this session is asked what the run asks, unless its starter is there.

        Raises
        ------
        RTUError
            The server knows no such run.
        """
        return self.call(self._executions.attach(execution_id))

    def run(
        self,
        ref: Ref | None = None,
        *,
        run_all: bool = False,
        before: Ref | None = None,
        after: Ref | None = None,
    ) -> None:
        """Run cells and wait until they are done; arguments as in `start`.

        Raises
        ------
        RemoteCellError
            A cell raised.
        KernelDied
            The kernel died.
        """
        self.start(ref, run_all=run_all, before=before, after=after).wait()

    def select(
        self, *, run_all: bool = False, before: Ref | None = None, after: Ref | None = None
    ) -> list[str]:
        """Return the ids of the cells that `start` would run for the same arguments, in order."""
        return self.call(self._executions.select(run_all=run_all, before=before, after=after))

    def runnable(self, delta: m.CellExecuteDelta) -> list[str]:
        """Return the ids of the cells that an execute delta runs, in order; on the loop.

        Raises
        ------
        CellNotFound
            The notebook has no cell that the delta names.
        """
        return self._executions.targets(delta)

    def runs(self) -> list[m.Run]:
        """Return what runs and what ran lately in this notebook, the newest first."""
        return self.call(self._executions.runs())

    def clear(self, *refs: Ref) -> list[str]:
        """Clear the outputs of some cells for everybody, of all without an argument.

        Returns
        -------
        list of str
            The ids of the cells that had outputs.
        """
        return self.call(self._executions.clear(*refs))

    # ------------------------------------------------------------------ the kernel

    def kernel_status(self) -> m.KernelStatusUpdate | None:
        """Return the kernel session's state as the server has it, None if no kernel runs."""
        return self.call(self.kernel.status())

    def kernel_names(self) -> tuple[str, dict[str, str]]:
        """Return the default kernel's name, and the names and titles of all that are installed."""
        return self.call(self.kernel.names())

    def ensure_kernel(self) -> None:
        """Start the kernel if none runs, and say so; check that it is not this very process.

        Raises
        ------
        KernelUnknown
            The notebook's kernel is not installed on the server.
        KernelError
            It does not start, or it is the kernel that would wait for it.
        """
        self.context.call_with_say(self.kernel.ensure)

    def kernel_start(self, kernel_name: str | None = None) -> m.KernelStatusUpdate:
        """Start the kernel, or wait until the one that starts is ready.

        Parameters
        ----------
        kernel_name
            Name of the kernelspec; None for the notebook's own, or else the server's default.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed on the server.
        KernelError
            It does not start, or one of another name runs.
        """
        return self.context.call_with_say(lambda say: self.kernel.start(kernel_name, say))

    def kernel_interrupt(self, whose: str | None = "mine") -> str:
        """End what this person asked for, running and waiting; returns what was done, in one line.

        If there is nothing of theirs, what runs is interrupted, as far as their role allows.

        Parameters
        ----------
        whose
            ``all`` ends everybody's, which is for owners; None only interrupts the cell that runs.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        return self.call(self.kernel.interrupt(whose))

    def kernel_restart(self) -> m.KernelStatusUpdate:
        """Restart the kernel and wait until it is ready; its variables are gone.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        return self.call(self.kernel.restart())

    def kernel_change(self, kernel_name: str) -> m.KernelStatusUpdate:
        """Run the notebook on a kernel of another name from now on; all variables are gone.

        The notebook's metadata name it then, for everybody who starts it later.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed on the server; the one that runs goes on.
        """
        return self.context.call_with_say(lambda say: self.kernel.change(kernel_name, say))

    def kernel_stop(self) -> None:
        """End the kernel.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        self.call(self.kernel.stop())

    @property
    def own_kernel(self) -> bool:
        """Whether the notebook's kernel is this very process, as far as its server tells."""
        return self.kernel.may_be_own and self.call(self.kernel.is_own())

    def refuse_own_kernel(self, instead: str = "run the cell in place") -> None:
        """Refuse to wait for the kernel that waits: it would do so for ever.

        Parameters
        ----------
        instead
            What to do instead, besides the same from another notebook.

        Raises
        ------
        KernelError
            The notebook's kernel is this process.
        """
        if self.kernel.may_be_own:
            self.call(self.kernel.refuse_own(instead))

    def variables(self) -> list[m.Variable]:
        """Return the variables of the remote kernel, by name."""
        return self.call(history.variables(self.context))

    def push(self, name: str, value: Any, *, limit: int = LIMIT) -> Copied:
        """Copy a value into a variable of the remote kernel.

        Parameters
        ----------
        name
            The remote variable.
        value
            Plain values, a NumPy array, a pandas or an Arrow table; nothing is pickled.
        limit
            The most bytes to send.

        Raises
        ------
        RTUError
            It is of another kind or too large, the remote kernel is no Python, or this person may
            not run code there.
        """
        return self._transfer.push(name, value, limit=limit)

    def get(self, name: str, *, limit: int = LIMIT) -> Copied:
        """Copy a variable of the remote kernel; the value is in the result.

        Parameters and errors as in `push`.
        """
        return self._transfer.get(name, limit=limit)

    # ------------------------------------------------------------------ files

    def notebooks(self) -> list[m.File]:
        """Return the notebooks of the session's server, by path."""
        return self.call(files.notebooks(self.context))

    def new_notebook(self, path: str) -> m.File:
        """Make an empty notebook on the session's server and return its file.

        Parameters
        ----------
        path
            With slashes, relative to the server's directory.

        Raises
        ------
        TargetError
            There is one already, or the path names no notebook.
        """
        return self.call(files.new_notebook(self.context, path))

    def target(self, path: str) -> str:
        """Return what ``%rtu_connect`` takes for a notebook of this session's server.

        Parameters
        ----------
        path
            The notebook's path below the server's directory.
        """
        return files.target(self.context, path)

    def rename(self, path: str) -> str:
        """Give the notebook another path on its server; returns the new one.

        Parameters
        ----------
        path
            With slashes, relative to the server's directory.

        Raises
        ------
        TargetError
            It names no notebook.
        """
        return self.call(files.rename(self.context, path))

    def save(self) -> str:
        """Have the notebook written to its file now; returns the path.

        Raises
        ------
        RTUError
            The file does not hold the notebook; why, and what to do, in one line.
        """
        return self.call(files.save(self.context))

    def ask_file_state(self) -> m.FileStateData:
        """Return whether the file on the server's disk holds the notebook now, and if not, why."""
        return self.call(files.state(self.context))

    # ------------------------------------------------------------------ history

    def history(
        self, ref: Ref | None = None, *, limit: int = 20, runs: bool = False
    ) -> list[Change]:
        """Return who changed what and when, the latest last.

        Several edits of one cell by one person in one go count as one.

        Parameters
        ----------
        ref
            Only what concerns this cell; one that was deleted goes by its id.
        limit
            How many changes at most.
        runs
            Whether to tell who ran what, too.

        Notes
        -----
        It goes back as far as the server keeps its log; `versions` goes back further.

        Raises
        ------
        CellNotFound
            There is no such cell, and there was none as far back as the log goes.
        """
        return self.call(history.history(self.context, ref, limit=limit, runs=runs))

    def versions(self) -> list[m.FileVersion]:
        """Return the saved versions, the latest first."""
        return self.call(history.versions(self.context))

    async def ask_versions(self) -> list[m.FileVersion]:
        """Return the versions, as `versions` does, from within the loop."""
        return await history.versions(self.context)

    def save_version(self, name: str | None = None) -> m.FileVersion:
        """Save the notebook as it is now as a version, with a name if you like."""
        return self.call(history.save_version(self.context, name))

    def version(self, ref: Ref) -> m.FileVersion:
        """Return a version by its number, its name, or the beginning of its id.

        Raises
        ------
        RTUError
            None is called so, or several are.
        """
        return self.call(history.version(self.context, ref))

    def restore(self, ref: Ref) -> tuple[m.FileVersion, m.FileVersion]:
        """Make the notebook what it was in a version, for everybody who has it open.

        What it was until now is kept as a version, too: nothing is lost.

        Parameters
        ----------
        ref
            As in `version`.

        Returns
        -------
        tuple
            The version that was restored, and the one that the notebook now is.
        """
        version = self.version(ref)
        made = self.call(history.restore(self.context, version), aloud=False)
        self._undo.forget()
        return version, made

    # ------------------------------------------------------------------ people

    def who(self) -> list[m.FilePerson]:
        """Return the people of this notebook, those who are here first."""
        return self.call(people.who(self.context))

    def share(
        self, role: str = "viewer", *, expires: str | float | None = None, name: str | None = None
    ) -> m.Invite:
        """Invite somebody to this notebook.

        Parameters
        ----------
        role
            ``viewer`` reads, ``executor`` also runs, ``contributor`` also edits, ``owner`` also
            shares, renames and restores.
        expires
            How long the link is good for: seconds, or a text such as ``"2h"``; by default seven
            days.
        name
            What the person is called in the notebook.

        Returns
        -------
        Invite
            Its ``url`` is what ``%rtu_connect`` takes. Whoever has it gets in.

        Raises
        ------
        PermissionDenied
            This user is no owner of the notebook.

        Examples
        --------
        ::

            invite = session.share("contributor", expires="2h", name="Ann")
            print(invite.url)
            session.change_invite("Ann", "viewer")
            session.revoke("Ann")
        """
        return self.call(people.share(self.context, role, expires=expires, name=name))

    def invites(self) -> list[m.Invite]:
        """Return every invitation to this notebook, the oldest first, without their links."""
        return self.call(people.invites(self.context))

    async def ask_invites(self) -> list[m.Invite]:
        """Return the invitations, as `invites` does, from within the loop."""
        return await people.invites(self.context)

    def change_invite(self, ref: str, role: str) -> m.Invite:
        """Give whoever comes, or came, with an invitation another role; it takes effect at once.

        Parameters
        ----------
        ref
            The invitation's name, or the beginning of its id.
        role
            The new role.
        """
        return self.call(people.change_invite(self.context, ref, role))

    def revoke(self, ref: str) -> m.Invite:
        """Take an invitation back; whoever is here with it is told, and out at once.

        Parameters
        ----------
        ref
            The invitation's name, or the beginning of its id.
        """
        return self.call(people.revoke(self.context, ref))

    def revoke_all(self) -> list[m.Invite]:
        """Take every open invitation back; returns them."""
        return self.call(people.revoke_all(self.context))
