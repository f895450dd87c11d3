"""From what people call a cell to its id, in what the server has by now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import models as m
from ..errors import CellNotFound, RTUError
from ..protocol import is_position, positions_of, resolve_cell
from .events import ConnectionChanged, Event
from .hub import EventHub

if TYPE_CHECKING:
    from ..client import RTUClient

__all__ = ["CellRefs"]

CATCH_UP = 3.0  # seconds that the question whether this copy is behind may take


class CellRefs:
    """Finds cells, and remembers the one that ``.`` names.

    Parameters
    ----------
    client
        The client.
    hub
        Its events.
    """

    def __init__(self, client: RTUClient, hub: EventHub) -> None:
        self._client = client
        self._last_touched: str | None = None
        hub.subscribe(self._on_event)

    @property
    def last_touched(self) -> str | None:
        """The cell that ``.`` names, and in which others see this user; set it on the loop."""
        return self._last_touched

    @last_touched.setter
    def last_touched(self, cell_id: str | None) -> None:
        if cell_id != self._last_touched:
            self._last_touched = cell_id
            self._tell_place()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionChanged) and event.state == "live":
            self._tell_place()  # the server knew it of the connection that was lost

    def _tell_place(self) -> None:
        client, cell_id = self._client, self._last_touched
        if client.connection_state != "live" or cell_id not in client.builder:
            return
        data = m.UpdateUserCellSelectionRequestData(id=cell_id)
        with contextlib.suppress(RTUError):
            client.send(m.UpdateUserCellSelectionRequest(channel=client.file_channel, data=data))

    async def resolve(self, ref: str | int, *, checked: bool = False) -> str:
        """Return the id of the cell that `ref` names, which is the one last touched from then on.

        Parameters are those of `find`.

        Raises
        ------
        CellNotFound
            None does, or several do.
        """
        cell_id = await self.find(ref, checked=checked)
        self.last_touched = cell_id
        return cell_id

    async def resolve_all(self, refs: Sequence[str | int]) -> list[str]:
        """Return the ids of the cells that `refs` name; ``2-4`` and ``2,4`` name several.

        Raises
        ------
        CellNotFound
            One of them names none.
        """
        ids: list[str] = []
        for ref in refs:
            try:
                ids.append(await self.find(ref))
            except CellNotFound:
                several = positions_of(str(ref))
                if several is None:
                    raise
                ids += [await self.find(position) for position in several]
        if ids:
            self.last_touched = ids[-1]
        return ids

    async def find(self, ref: str | int, *, checked: bool = False) -> str:
        """Return the id of the cell that `ref` names in what the server has by now.

        Parameters
        ----------
        ref
            What people call it.
        checked
            Whether the server is told by what a position was counted, and checks that: then it
            need not be asked beforehand.

        Raises
        ------
        CellNotFound
            None does, or several do.
        """
        behind = checked or not is_position(str(ref))
        if not behind:
            await self.catch_up()
        try:
            return self._find(ref)
        except CellNotFound:
            if not behind:
                raise
            await self.catch_up()
            return self._find(ref)

    def _find(self, ref: str | int) -> str:
        return resolve_cell(str(ref), self._client.cell_ids, self.last_touched)

    async def catch_up(self) -> None:
        """Wait, for a moment, until this copy has what the server had when it was asked.

        What the server sends comes in order, so an answer comes after all earlier changes.
        """
        client = self._client
        if client.connection_state != "live":
            return
        # Neither `wait_for` nor an event: each costs a task or a turn of the loop, in every run.
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def over(_msg: object = None) -> None:
            if not answered.done():
                answered.set_result(None)

        request = m.PingRequest()
        stop = client.register_transaction_id_callback(request.transaction_id, over)
        timer = loop.call_later(CATCH_UP, over)
        try:
            client.send(request)
            await answered
        except RTUError:
            pass
        finally:
            timer.cancel()
            stop()
