"""What the server tells about a notebook beside its cells: kernel, runs, people, role, file."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Generic, TypeVar
from uuid import UUID

from ..document import NotebookBuilder, targets_of
from ..errors import CellNotFound, KernelDied, RTUError
from ..models import (
    BaseRTUResponse,
    BulkCellStateUpdateData,
    BulkCellStateUpdateResponse,
    CellExecuteDelta,
    CellState,
    FileDeltaBase,
    FileStateData,
    FileStateEvent,
    FileSubscribeReplyData,
    KernelStateName,
    KernelStatusUpdate,
    KernelStatusUpdateResponse,
    KernelSubscribeReply,
    RemoveUserFileSubscriptionEvent,
    UpdateUserFileSubscriptionEvent,
    UpdateUserFileSubscriptionEventData,
)
from .effects import Effect, Effects, Finish, Idle, Lose
from .executions import ExecutionLedger

__all__ = ["TOLD", "NotebookState"]

W = TypeVar("W")


TOLD = (
    KernelStatusUpdateResponse,
    KernelSubscribeReply,
    BulkCellStateUpdateResponse,
    FileStateEvent,
    UpdateUserFileSubscriptionEvent,
    RemoveUserFileSubscriptionEvent,
)
"""The messages that change nothing but the state."""


class NotebookState(Generic[W]):
    """Kernel and cell states, who is here, and the waits for cells that run.

    Attributes
    ----------
    kernel_state, kernel_status
        The kernel's state, and all that is known of it.
    cell_states, cell_state_details
        The states of the cells by cell id, and all that is known of them. Both are replaced whole,
        so nobody ever sees one half filled.
    people
        Who has the notebook open, by user id.
    role, file_state
        What we may do, and what keeps the notebook from its file; None if the server never said.
    checks_positions
        Whether the server takes ``positions_at``, see `models.NewDeltaRequestData`.
    waits
        The waits for cells.
    """

    def __init__(self) -> None:
        self.kernel_state: str = KernelStateName.NOT_STARTED
        self.kernel_status: KernelStatusUpdate | None = None
        self.cell_states: dict[str, str] = {}
        self.cell_state_details: dict[str, CellState] = {}
        self.people: dict[UUID, UpdateUserFileSubscriptionEventData] = {}
        self.role: str | None = None
        self.file_state: FileStateData | None = None
        self.checks_positions = False
        self.waits: ExecutionLedger[W] = ExecutionLedger()

    # What the server tells

    def told(self, message: BaseRTUResponse, builder: NotebookBuilder) -> Effects:
        """Take one of the messages in `TOLD`."""
        match message:
            case KernelStatusUpdateResponse():
                return self.kernel(message.data)
            case KernelSubscribeReply():
                return self.kernel(message.data.kernel_session) if message.data.success else ()
            case BulkCellStateUpdateResponse():
                return self.cells(message.data, builder)
            case FileStateEvent():
                self.file_state = message.data
            case UpdateUserFileSubscriptionEvent() if message.data.subscribed:
                self.people[message.data.user_id] = message.data
            case UpdateUserFileSubscriptionEvent() | RemoveUserFileSubscriptionEvent():
                self.people.pop(message.data.user_id, None)
        return ()

    def subscribed(self, data: FileSubscribeReplyData, new: Iterable[FileDeltaBase]) -> Effects:
        """Take everything from the reply to a subscription.

        Parameters
        ----------
        data
            What the reply holds.
        new
            Those of its deltas that are still to be applied.
        """
        self.role, self.file_state = data.role, data.file_state
        self.checks_positions = data.checks_positions
        self.people = {one.user_id: one for one in data.user_subscriptions if one.subscribed}
        effects = self.kernel(data.kernel_session or data.kernel_culled)
        self._take(data.cell_states)
        self.waits.replied(sum(isinstance(delta, CellExecuteDelta) for delta in new))
        return effects

    def caught_up(self, data: FileSubscribeReplyData, builder: NotebookBuilder) -> Effects:
        """End what the states of a reply end, now that its deltas are applied."""
        ended = self.waits.states(data.cell_states, fresh=True, hidden=data.hidden_cell_states)
        effects = self._ended(ended, builder)
        for cell_id in self.waits.cell_ids:
            if cell_id not in builder:  # it went while nobody here could be told
                effects += self.cell_gone(cell_id)
        return effects

    def kernel(self, status: KernelStatusUpdate | None) -> Effects:
        """Take the kernel's status; None if it has none."""
        self.kernel_status = status
        self.kernel_state = (
            KernelStateName.NOT_STARTED if status is None else status.kernel.execution_state
        )
        if self.kernel_state == KernelStateName.IDLE:
            return (Idle(),)
        if self.kernel_state == KernelStateName.FAILED:
            reason = f" ({status.reason})" if status is not None and status.reason else ""
            return (Idle(KernelDied(f"the kernel did not start{reason}: start it again")),)
        return ()

    def cells(self, data: BulkCellStateUpdateData, builder: NotebookBuilder) -> Effects:
        """Take cell states, all of them or those that changed.

        Afterwards ``data.changed`` is what came, and ``data.cell_states`` the whole list, as from
        any server.
        """
        data.changed = data.cell_states
        self._take(data.cell_states, known=builder if data.partial else None)
        if data.partial:
            told = {state.cell_id: state for state in data.changed}
            data.cell_states = list({**self.cell_state_details, **told}.values())
        return self._ended(self.waits.states(data.changed, exact=data.partial), builder)

    def _take(self, states: Iterable[CellState], known: Container[str] | None = None) -> None:
        details = {state.cell_id: state for state in states}
        if known is not None:
            details = {**self.cell_state_details, **details}
            for cell_id in [cell_id for cell_id in details if cell_id not in known]:
                del details[cell_id]
        self.cell_state_details = details
        self.cell_states = {cell_id: state.state for cell_id, state in details.items()}

    # Runs

    def arm(
        self, delta: FileDeltaBase, builder: NotebookBuilder, wait_for: Callable[[str], W]
    ) -> Effects:
        """Wait for the cells of an execute delta, at its very place in the chain.

        The server takes its cells there, and states follow later.
        """
        if not isinstance(delta, CellExecuteDelta):
            return ()
        for cell in targets_of(delta, builder):
            self.waits.arm(delta.id, cell.id, wait_for(cell.id))
        return self._ended(self.waits.told_late(delta.id, self.cell_state_details), builder)

    def cell_gone(self, cell_id: str) -> Effects:
        """End the waits for a deleted cell."""
        said = f"cell {cell_id} was deleted before its run ended"
        return tuple(Lose(wait, CellNotFound(said)) for wait in self.waits.cell_gone(cell_id))

    def closed(self, error: RTUError) -> Effects:
        """End every wait with an error."""
        return (*(Lose(wait, error) for wait in self.waits.drain()), Idle(error))

    def _ended(self, ended: Iterable[tuple[W, str]], builder: NotebookBuilder) -> Effects:
        effects: list[Effect] = []
        for wait, cell_id in ended:
            try:
                # A cell that somebody has turned into text meanwhile is handed out as it is.
                effects.append(Finish(wait, builder.cell(cell_id)))
            except CellNotFound as exc:
                effects.append(Lose(wait, exc))
        return tuple(effects)
