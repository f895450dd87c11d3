"""Which waits for a cell a finished state ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from ..models import FINISHED_STATES, CellState

__all__ = ["ExecutionLedger"]

T = TypeVar("T")

_REMEMBERED = 1 << 14  # execute deltas whose place in the chain is kept


@dataclass(slots=True)
class _Wait(Generic[T]):
    execution_id: UUID
    token: T
    # Without execution ids, an old finished state can only be told from ours by the "queued" that
    # the server sends between them.
    seen_unfinished: bool = field(default=False)
    # Whether it may have ended while nobody here could be told.
    unsure: bool = field(default=False)


class ExecutionLedger(Generic[T]):
    """Waits for cells to finish: several per cell, each for one execute delta.

    From a server that sends every change (*exact*), a wait is ended by its own execution's finished
    state, whatever the order in which people get their turns; only after a gap the finish of a
    later execution ends it, too. From one whose lists may stand for several changes, a finished
    state ends every wait for that cell whose execute delta came no later. A server that sends no
    execution ids is followed by states alone: finished counts after unfinished was seen.
    """

    def __init__(self) -> None:
        self._waits: dict[str, list[_Wait[T]]] = {}
        self._order: dict[UUID, int] = {}
        self._count = 0
        self._skipped_at = 0  # how many had been squashed when deltas were last skipped
        self._replied_at = 0  # … and when a subscription was last answered
        # Of what that answer knew, by cell and execution, what has not ended since; None: not told.
        self._going: set[tuple[str, UUID | None]] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._waits.values()))

    @property
    def cell_ids(self) -> list[str]:
        """The cells that are waited for."""
        return list(self._waits)

    def squashed(self, execution_id: UUID) -> None:
        """Note the next execute delta of the chain, anybody's."""
        self._count += 1
        self._order[execution_id] = self._count
        if len(self._order) > _REMEMBERED:
            del self._order[next(iter(self._order))]

    def arm(self, execution_id: UUID, cell_id: str, token: T) -> None:
        """Wait for a cell; the execute delta has just been squashed."""
        self._waits.setdefault(cell_id, []).append(_Wait(execution_id, token))

    def states(
        self,
        states: Iterable[CellState],
        *,
        fresh: bool = False,
        exact: bool = False,
        hidden: Iterable[CellState] | None = None,
    ) -> list[tuple[T, str]]:
        """Take cell states; return what they end, as (token, cell id).

        Parameters
        ----------
        states
            The states: all of them, or those that changed.
        exact
            Whether no change is left out.
        fresh
            They came with the reply to a subscription: what happened before is unknown, and a
            finished state is the last word on all that was accepted until then. So is no state at
            all: the cell went and came back, as it does between two versions.
        hidden
            With *fresh*, the states of what goes on beside the states shown, each of a cell that
            shows the state of another execution; None if that is not known.
        """
        ended: list[tuple[T, str]] = []
        if fresh:
            self._going = None
        if fresh and hidden is not None:
            return self._not_going_on([*states, *hidden])
        if self._going:
            states = list(states)
            self._going -= {(s.cell_id, s.execution_id) for s in states if _finished(s)}
        if not self._waits:
            return ended
        if fresh:
            states = list(states)
            ended += self._unknown({state.cell_id for state in states})
        for state in states:
            waits = self._waits.get(state.cell_id)
            if waits is None:
                continue
            left: list[_Wait[T]] = []
            for wait in waits:
                wait.unsure = wait.unsure or (fresh and state.execution_id != wait.execution_id)
                if self._ends(wait, state, fresh, exact):
                    ended.append((wait.token, state.cell_id))
                else:
                    left.append(wait)
            if left:
                self._waits[state.cell_id] = left
            else:
                del self._waits[state.cell_id]
        return ended

    def _not_going_on(self, states: list[CellState]) -> list[tuple[T, str]]:
        """Drop the waits for what a reply to a subscription knows and does not name as going on."""
        going = {(s.cell_id, s.execution_id) for s in states if not _finished(s)}
        self._going = going
        ended: list[tuple[T, str]] = []
        for cell_id in list(self._waits):
            left: list[_Wait[T]] = []
            for wait in self._waits.pop(cell_id):
                since = self._order.get(wait.execution_id, 0) > self._replied_at
                if since or (cell_id, wait.execution_id) in going:
                    left.append(wait)
                else:
                    ended.append((wait.token, cell_id))
            if left:
                self._waits[cell_id] = left
        return ended

    def _unknown(self, known: set[str]) -> list[tuple[T, str]]:
        """Drop the waits for cells of which a reply to a subscription knows nothing."""
        ended: list[tuple[T, str]] = []
        for cell_id in [cell_id for cell_id in self._waits if cell_id not in known]:
            left: list[_Wait[T]] = []
            for wait in self._waits.pop(cell_id):
                if self._order.get(wait.execution_id, 0) <= self._replied_at:
                    ended.append((wait.token, cell_id))
                else:
                    left.append(wait)
            if left:
                self._waits[cell_id] = left
        return ended

    def _ends(self, wait: _Wait[T], state: CellState, fresh: bool, exact: bool) -> bool:
        if state.state not in FINISHED_STATES:
            if state.execution_id is None:
                wait.seen_unfinished = True
            return False
        if state.execution_id is None:
            return fresh or wait.seen_unfinished
        if state.execution_id == wait.execution_id:
            return True
        if exact and not wait.unsure and wait.execution_id in self._order:
            return False
        mine = self._order.get(wait.execution_id, 0)
        if fresh and mine <= max(self._skipped_at, self._replied_at):
            return True  # whatever of this cell still waits is shown as that
        theirs = self._order.get(state.execution_id)
        return theirs is not None and theirs > mine

    def told_late(self, execution_id: UUID, states: Mapping[str, CellState]) -> list[tuple[T, str]]:
        """End the waits for an execution that was accepted before this copy began.

        It is no delta of the chain that is followed, so its end may have been told already.

        Parameters
        ----------
        execution_id
            Of an execute delta that was just found accepted.
        states
            The present states by cell id. A cell with none, or with a finished one, is at rest:
            the server shows as queued whatever waits. Only looked at where the answer to the
            subscription did not tell all that goes on.
        """
        ended: list[tuple[T, str]] = []
        if execution_id in self._order:
            return ended
        for cell_id, waits in list(self._waits.items()):
            state = states.get(cell_id)
            if self._going is not None:
                if (cell_id, execution_id) in self._going:
                    continue
            elif state is not None and not _finished(state):
                continue
            over = [wait for wait in waits if wait.execution_id == execution_id]
            ended += [(wait.token, cell_id) for wait in over]
            left = [wait for wait in waits if wait.execution_id != execution_id]
            if left:
                self._waits[cell_id] = left
            else:
                del self._waits[cell_id]
        return ended

    def replied(self, coming: int = 0) -> None:
        """Note that a subscription was answered: what was accepted until now, the answer knows.

        Parameters
        ----------
        coming
            How many execute deltas come with the answer, to be squashed next.
        """
        self._replied_at = self._count + coming

    def forget_order(self) -> None:
        """Note that the notebook was loaded anew: deltas were skipped, whose order is unknown.

        That of those before them still holds: a run may have ended unseen meanwhile, and the one
        that came next then ends the wait for it.
        """
        self._skipped_at = self._count

    def cell_gone(self, cell_id: str) -> list[T]:
        """Drop the waits for a cell that was deleted; return their tokens."""
        return [wait.token for wait in self._waits.pop(cell_id, [])]

    def drop(self, token: T) -> None:
        """Drop one wait, wherever it is."""
        for cell_id, waits in list(self._waits.items()):
            left = [wait for wait in waits if wait.token is not token]
            if left:
                self._waits[cell_id] = left
            else:
                del self._waits[cell_id]

    def drain(self) -> list[T]:
        """Drop every wait; return their tokens."""
        tokens = [wait.token for waits in self._waits.values() for wait in waits]
        self._waits.clear()
        return tokens


def _finished(state: CellState) -> bool:
    return state.state in FINISHED_STATES
