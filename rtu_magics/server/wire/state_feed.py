"""What people are sent of the cells' states: to each receiver what it takes, as much as it needs.

Other clients clear their table with each message (RTU protocol), so they need the whole list, whose
length is the notebook's. They get it at once as long as that is little; when much changes, one list
stands for several changes: the first goes out at once, further ones as often as their length lets
them. Clients that said they take parts (``partial_states``) get each change, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from ...models import BulkCellStateUpdateData, CellState, KernelStateName, KernelStatusUpdate
from .connection import Connection, broadcast
from .frames import Envelope, Frame, message

__all__ = ["StateFeed", "StatusFeed"]

_EVENT = "bulk_cell_state_update_event"
_BYTES_PER_SECOND = 100_000  # of whole lists, to each receiver, in the long run
_AT_ONCE = 500_000  # bytes of lists that may go out sooner


class StateFeed:
    """Sends the states of one notebook's cells.

    Parameters
    ----------
    channel
        The kernels channel.
    states
        The present states by cell id; kept by whoever owns them.
    session_id
        Returns the kernel session's id.
    receivers
        Returns the connections that follow the notebook or its kernel.
    """

    def __init__(
        self,
        channel: str,
        states: Callable[[], Mapping[str, CellState]],
        session_id: Callable[[], UUID | None],
        receivers: Callable[[], Iterable[Connection]],
    ) -> None:
        self._channel = channel
        self._states = states
        self._session_id = session_id
        self._receivers = receivers
        self._unsent: dict[str, CellState] = {}  # to those who get lists
        self._held: list[CellState] = []  # of those who take parts, within a turn of the loop
        self._allowed = float(_AT_ONCE)
        self._counted_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def whole(self) -> Frame:
        """Return the states of all cells as one message."""
        states = dict(self._states())
        for cell_id, state in self._unsent.items():
            states.setdefault(cell_id, state)  # the last word on one that has gone
        data = BulkCellStateUpdateData(
            cell_states=list(states.values()), kernel_session_id=self._session_id()
        )
        return message(self._channel, _EVENT, data)

    def changed(
        self, states: Iterable[CellState], author: UUID | None = None, *, more: bool = False
    ) -> None:
        """Send new states.

        Parameters
        ----------
        states
            What changed, as it is now.
        author
            Whose request it comes from if it is one that was just accepted: their clients count
            from the list that shows it, so they get that at once.
        more
            Whether the next change is about to follow, in this very turn of the loop: one message
            does for both.
        """
        new = list(states)
        takers, others = _split(self._receivers())
        self._send_parts(takers, new, more)
        if not others:
            self._unsent.clear()
            return
        self._unsent |= {state.cell_id: state for state in new}
        mine = [c for c in others if c.person is not None and c.person.id == author]
        if self._allow():
            self._send_whole(others)
            return
        if mine:
            broadcast(mine, self.whole())
        self._wait()

    def _send_parts(self, takers: list[Connection], new: list[CellState], more: bool) -> None:
        held, self._held = self._held, []
        if {state.cell_id for state in held} & {state.cell_id for state in new}:
            self._send_part(takers, held)  # each change of a cell is told
            held = []
        if more:
            self._held = [*held, *new]
            asyncio.get_running_loop().call_soon(self._send_held)
        else:
            self._send_part(takers, [*held, *new])

    def _send_held(self) -> None:
        held, self._held = self._held, []
        self._send_part(_split(self._receivers())[0], held)

    def _send_part(self, takers: list[Connection], states: list[CellState]) -> None:
        if takers and states:
            data = BulkCellStateUpdateData(cell_states=states, partial=True)
            broadcast(takers, Envelope(self._channel).short(_EVENT, data))

    def close(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _allow(self) -> bool:
        """Return whether a list may go out now: none waits, and the last ones were small."""
        now = asyncio.get_running_loop().time()
        more = (now - self._counted_at) * _BYTES_PER_SECOND
        self._allowed, self._counted_at = min(_AT_ONCE, self._allowed + more), now
        return self._timer is None and self._allowed > 0

    def _send_whole(self, receivers: Iterable[Connection]) -> None:
        frame = self.whole()
        self._unsent.clear()
        self._allowed -= len(frame.payload)
        broadcast(receivers, frame)

    def _wait(self) -> None:
        if self._timer is None:
            seconds = max(0.05, -self._allowed / _BYTES_PER_SECOND)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._later)

    def _later(self) -> None:
        self._timer = None
        if self._unsent:
            self._allow()
            self._send_whole(_split(self._receivers())[1])


class StatusFeed:
    """Sends the state of one notebook's kernel.

    Between two cells of its queue a kernel is idle for no time at all. Other clients count on being
    told (RTU protocol); those that take parts are told once it stays idle.

    Parameters
    ----------
    channel, receivers
        As for `StateFeed`.
    """

    def __init__(self, channel: str, receivers: Callable[[], Iterable[Connection]]) -> None:
        self._channel = channel
        self._receivers = receivers
        self._held: Frame | None = None

    def send(self, status: KernelStatusUpdate) -> None:
        """Send a new state."""
        frame = message(self._channel, "kernel_status_update_event", status)
        takers, others = _split(self._receivers())
        broadcast(others, frame)
        state, held = status.kernel.execution_state, self._held
        self._held = None
        if state == KernelStateName.IDLE:
            self._held = frame
            asyncio.get_running_loop().call_soon(self._idle_still, frame)
        elif held is None or state != KernelStateName.BUSY:
            broadcast(takers, frame)

    def _idle_still(self, frame: Frame) -> None:
        if self._held is frame:
            self._held = None
            broadcast(_split(self._receivers())[0], frame)


def _split(receivers: Iterable[Connection]) -> tuple[list[Connection], list[Connection]]:
    """Return who takes parts, and who does not."""
    takers: list[Connection] = []
    others: list[Connection] = []
    for connection in receivers:
        (takers if connection.takes_partial else others).append(connection)
    return takers, others
