"""`RTUClient`: a live copy of one remote notebook, to edit and to run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from ..document import NotebookBuilder
from ..models import (
    Attach,
    CellContentsReplace,
    CellContentsReplaceProperties,
    CellContentsUpdate,
    CellContentsUpdateProperties,
    CellMetadataReplace,
    CellMetadataReplaceProperties,
    CellMetadataUpdate,
    CellMetadataUpdateProperties,
    CodeCell,
    FileDeltaBase,
    MarkdownCell,
    NBCellsAdd,
    NBCellsAddProperties,
    NBCellsDelete,
    NBCellsDeleteProperties,
    NBCellsMove,
    NBCellsMoveProperties,
    RawCell,
)
from ..models.notebook import random_result_name
from ..protocol import Backoff
from ..transport import Connect
from .connection import ConnectOptions
from .deltas import DeltaRequestCallbackManager
from .executions import ExecutingClient
from .follower import ReloadHook

__all__ = ["RTUClient"]

Cell = CodeCell | MarkdownCell | RawCell


class RTUClient(ExecutingClient):
    """A live copy of one remote notebook.

    Parameters
    ----------
    rtu_url
        The ``ws:`` or ``wss:`` URL of the server's RTU endpoint.
    jwt
        The token.
    file_id, file_version_id
        The notebook, and the version of it that `builder` holds.
    builder
        The notebook's content; the client keeps it up to date.
    rtu_client_type
        What kind of program this is, for the server.
    file_subscribe_timeout
        Seconds that the server has to answer a subscription.
    reload_hook
        Loads the notebook anew when this copy can no longer follow. Without it the client then
        ends with `InconsistentState`.
    connect
        Opens connections; websockets by default.
    backoff
        When lost connections are tried again.
    gap_timeout
        Seconds that later deltas wait for a missing one before the client asks again.

    Attributes
    ----------
    manager
        The `RTUManager`: the connection.
    builder
        The notebook.
    user_id, rtu_session_id
        Who we are, and the id of the connection; None until known.
    role
        What we may do with the notebook, if the server says so.
    file_state
        What keeps the notebook from its file, as the server last told it; None if it never did.
    people
        Who has the notebook open, and the cell that each is in, by user id.
    connection_state
        ``connecting``, ``live``, ``reconnecting`` or ``closed``.
    kernel_state, kernel_status
        The kernel's state, and all that is known of it.
    cell_states, cell_state_details
        The states of the cells by cell id, and all that is known of them.
    delta_callbacks
        The registered delta callbacks.
    deltas_to_apply_event
        Set while deltas are applied as they come.
    in_flight
        The deltas sent and not settled.

    Examples
    --------
    ::

        client = RTUClient(rtu_url, token, file.id, file.current_version_id, builder)
        await client.initialize()
        await client.wait_ready(timeout=20)
        cell = await client.add_cell("1 + 1")
        await client.shutdown()
    """

    def __init__(  # noqa: PLR0917  the signature is given
        self,
        rtu_url: str,
        jwt: str,
        file_id: UUID,
        file_version_id: UUID,
        builder: NotebookBuilder,
        rtu_client_type: str = "rtu_magics",
        file_subscribe_timeout: float = 10,
        *,
        reload_hook: ReloadHook | None = None,
        connect: Connect | None = None,
        backoff: Backoff | None = None,
        gap_timeout: float = 5.0,
    ) -> None:
        super().__init__(
            rtu_url,
            jwt,
            file_id,
            file_version_id,
            builder,
            options=ConnectOptions(rtu_client_type, file_subscribe_timeout, connect, backoff),
            reload_hook=reload_hook,
            gap_timeout=gap_timeout,
        )

    # Deltas

    async def new_delta_request(
        self,
        delta: FileDeltaBase,
        *,
        timeout: float | None = None,
        attach: Attach | None = None,
    ) -> FileDeltaBase:
        """Send a delta; return it, as the server completed it, once it is squashed here.

        It survives a lost connection: after a reconnect it is found in what was missed, or sent
        again under the same id.

        Parameters
        ----------
        delta
            The change.
        timeout
            Seconds to wait at most; None to wait for as long as the client lives.
        attach
            For a delta that runs cells: ``ask`` if this client answers what they ask, ``keep`` if
            the server has to stay for the run. Only our server knows it.

        Raises
        ------
        DeltaRejected
            The server refuses it, calls it invalid or does not permit it.
        InconsistentState
            The server took it, but it cannot be squashed here.
        ClientClosed
            The client was shut down meanwhile.
        TimeoutError
            No answer in time; the server may still apply it.
        """
        return await self._request(delta, timeout=timeout, attach=attach)

    async def _request(
        self,
        delta: FileDeltaBase,
        on_squashed: Callable[[FileDeltaBase], None] | None = None,
        timeout: float | None = None,
        attach: Attach | None = None,
        outputs_of: UUID | None = None,
    ) -> FileDeltaBase:
        self.manager.step_aside()
        request = DeltaRequestCallbackManager(self, delta, on_squashed, attach, outputs_of)
        try:
            await self.manager.flush()
            if timeout is None:
                return await request.result
            return await asyncio.wait_for(request.result, timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(
                f"no answer to the change within {timeout:g} s: it may still be applied, look at "
                "the notebook before you try again"
            ) from None
        finally:
            if not request.result.done() or request.result.cancelled():
                request.deregister_callbacks()

    async def add_cell(
        self,
        source: str = "",
        cell: Cell | None = None,
        before_id: str | None = None,
        after_id: str | None = None,
        *,
        outputs_of: UUID | None = None,
    ) -> Cell:
        """Add a cell, at the end by default; return the squashed cell.

        Parameters
        ----------
        source
            The source of a new code cell; ignored when `cell` is given.
        cell
            The cell to add; it is copied.
        before_id, after_id
            The cell before or after which it goes.
        outputs_of
            An output collection of this notebook that the cell gets a copy of.

        Raises
        ------
        ValueError
            Both `before_id` and `after_id` are given.
        CellNotFound
            The notebook has no such cell.
        DeltaRejected
            The server refused.
        """
        if before_id is not None and after_id is not None:
            raise ValueError("give before_id or after_id, not both")
        cell = CodeCell(source=source) if cell is None else cell.model_copy(deep=True)
        if before_id is not None:
            # On the wire there is only "after": other clients drop the other one.
            index = self.builder.index_of(before_id)
            after_id = self.builder.nb.cells[index - 1].id if index else None
        elif after_id is not None:
            self.builder.cell(after_id)
        elif cells := self.builder.nb.cells:
            after_id = cells[-1].id
        properties = NBCellsAddProperties(id=cell.id, cell=cell, after_id=after_id)
        added = NBCellsAdd(file_id=self.file_id, properties=properties)
        await self._request(added, outputs_of=outputs_of)
        return self.builder.cell(cell.id)

    async def delete_cell(self, cell_id: str) -> FileDeltaBase:
        """Delete a cell; return the delta.

        Raises
        ------
        CellNotFound, DeltaRejected
            There is no such cell; the server refused.
        """
        self.builder.cell(cell_id)
        properties = NBCellsDeleteProperties(id=cell_id)
        return await self._request(NBCellsDelete(file_id=self.file_id, properties=properties))

    async def move_cell(
        self, cell_id: str, after_id: str | None = None, before_id: str | None = None
    ) -> FileDeltaBase:
        """Move a cell after or before another, to the top without either; return the delta.

        Raises
        ------
        ValueError
            Both are given, or the cell itself.
        CellNotFound, DeltaRejected
            There is no such cell; the server refused.
        """
        if after_id is not None and before_id is not None:
            raise ValueError("give before_id or after_id, not both")
        self.builder.cell(cell_id)
        if cell_id in (after_id, before_id):
            raise ValueError("a cell cannot be moved after or before itself: name another cell")
        if before_id is not None:
            others = [other for other in self.cell_ids if other != cell_id]
            self.builder.cell(before_id)
            index = others.index(before_id)
            after_id = others[index - 1] if index else None
        elif after_id is not None:
            self.builder.cell(after_id)
        properties = NBCellsMoveProperties(id=cell_id, after_id=after_id)
        return await self._request(NBCellsMove(file_id=self.file_id, properties=properties))

    async def update_cell_content(self, cell_id: str, patch: str) -> Cell:
        """Patch a cell's source; return the squashed cell.

        Parameters
        ----------
        cell_id
            The cell.
        patch
            A patch in diff-match-patch's text format; see `rtu_magics.document.make_patch`.

        Raises
        ------
        CellNotFound, DeltaRejected
            There is no such cell; the patch does not apply.
        """
        self.builder.cell(cell_id)
        delta = CellContentsUpdate(
            file_id=self.file_id,
            resource_id=cell_id,
            properties=CellContentsUpdateProperties(patch=patch),
        )
        await self._request(delta)
        return self.builder.cell(cell_id)

    async def replace_cell_content(self, cell_id: str, source: str) -> Cell:
        """Replace a cell's source; return the squashed cell.

        Raises
        ------
        CellNotFound, DeltaRejected
            There is no such cell; the server refused.
        """
        self.builder.cell(cell_id)
        delta = CellContentsReplace(
            file_id=self.file_id,
            resource_id=cell_id,
            properties=CellContentsReplaceProperties(source=source),
        )
        await self._request(delta)
        return self.builder.cell(cell_id)

    async def change_cell_type(
        self,
        cell_id: str,
        cell_type: Literal["code", "markdown", "sql"],
        code_language: str = "python",
        db_connection: str = "@noteable",
        assign_results_to: str | None = None,
    ) -> Cell:
        """Change a cell's type; return the squashed cell.

        Parameters
        ----------
        cell_id
            The cell.
        cell_type
            ``code``, ``markdown`` or ``sql``.
        code_language
            The language of a code cell.
        db_connection, assign_results_to
            For SQL: the data source, and the variable that takes the result (``df_`` and four
            random letters by default).

        Raises
        ------
        ValueError
            No such type.
        CellNotFound, DeltaRejected
            There is no such cell; the server refused.
        """
        languages = {"code": code_language, "markdown": "markdown", "sql": "sql"}
        if cell_type not in languages:
            raise ValueError(f"no cell type {cell_type!r}: use code, markdown or sql")
        self.builder.cell(cell_id)
        properties = CellMetadataReplaceProperties(
            type="markdown" if cell_type == "markdown" else "code", language=languages[cell_type]
        )
        await self._request(
            CellMetadataReplace(file_id=self.file_id, resource_id=cell_id, properties=properties)
        )
        if cell_type == "sql":
            # Key by key: what else stands beside them (the output collection's id) stays.
            await self._set_metadata(cell_id, "db_connection", db_connection)
            await self._set_metadata(
                cell_id, "assign_results_to", assign_results_to or random_result_name()
            )
        return self.builder.cell(cell_id)

    async def _set_metadata(self, cell_id: str, key: str, value: Any) -> None:
        properties = CellMetadataUpdateProperties(path=["noteable", key], value=value)
        await self._request(
            CellMetadataUpdate(file_id=self.file_id, resource_id=cell_id, properties=properties)
        )
