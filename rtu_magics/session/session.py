"""One connection of this process to one remote notebook, with synchronous verbs.

The verbs work from any thread. What they do happens on the background thread's loop, where the
client lives; the caller waits in short turns, so Ctrl-C works everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from .. import models as m
from ..document import still_cell
from ..errors import RTUError
from ..foreign import shown
from .context import Cell
from .events import ConnectionChanged
from .execution.outputs import fetch_bundle, fetch_stream
from .ops.cells import EditVerbs
from .ops.files import NotebookVerbs
from .ops.history import HistoryVerbs
from .ops.people import SharingVerbs
from .registry import sessions
from .thread import background
from .transfer.verbs import TransferVerbs
from .views import CellView, SessionStatus

__all__ = ["Session"]

CLOSE_TIMEOUT = 3.0  # seconds that leaving politely may take


class Session(EditVerbs, TransferVerbs, NotebookVerbs, SharingVerbs, HistoryVerbs):
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
    trust_outputs
        Whether its outputs are trusted; None where nobody said so, see `trusts_outputs`.
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

    def __repr__(self) -> str:
        return shown(f"<Session {self.name!r} on {self.path} at {self.server_url}>")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cells(self) -> list[CellView]:
        """Return every cell with its position and state, in order."""
        return self.call(self._cells())

    async def _cells(self) -> list[CellView]:
        await self._catch_up()
        short = self.positions().short
        return [
            CellView(
                position=index + 1,
                short_id=short[cell.id],
                cell=still_cell(cell),
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

    def outputs(self, ref: str | int) -> list[m.Output] | list[Any]:
        """Return a cell's outputs: those of its latest run, or those the notebook came with."""

        async def find() -> list[Any]:
            cell = self._get(await self._resolve(ref))
            if not isinstance(cell, m.CodeCell):
                return []
            collection_id = self.collection_of(cell.id)
            if collection_id is None:
                return list(cell.outputs)
            collection = await self.api.get_output_collection(collection_id)
            return [await fetch_stream(self.api, output) for output in collection.outputs]

        return self.call(find())

    def fetch(self, links: dict[str, str]) -> dict[str, Any]:
        """Return the entries of a mimebundle that an output gives by link.

        Parameters
        ----------
        links
            Their addresses by mimetype (`Output.links`).
        """
        return self.call(fetch_bundle(self.api, links))

    def status(self) -> SessionStatus:
        """Return what is known of connection, kernel and cells now."""
        kernel = self.kernel_session
        live = self.connection == "live"
        views = self.cells() if live else []
        return SessionStatus(
            name=self.name,
            path=self.path,
            server_url=self.server_url,
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

    # ------------------------------------------------------------------ leaving

    def close(self) -> None:
        """Leave the notebook; the remote kernel goes on. A second call does nothing."""
        sessions.remove(self)
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
