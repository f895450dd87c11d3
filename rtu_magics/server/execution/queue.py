"""What runs in one notebook, what waits, and what is told of it: events in, effects out.

Pure: no loop, no clock, no store, no kernel. `ExecutionQueue` is the whole memory, `handle` the
only function that changes it. The rules:

- one cell at a time; people take turns (`turns`), each one's executions in their order, and none
  begins between the cells of another;
- each cell of an execution goes from *queued* over *executing* to an end, or from *queued* to its
  end; no state of it follows its end;
- a failed cell ends what its own execution still had queued, unless its tag allows the failure
  (``raises-exception``); an interrupted one ends it whatever it said; other executions go on;
- whoever waits for a cell that is deleted learns that it will not finish;
- a cell whose outputs are cleared after its end counts as not run;
- what a cell does without us is told where no execution of ours has it;
- a cell that an execution has ended and another still waits for is *queued* again;
- what is told of a cell is stored before, but for *queued* (stored with its delta) and *executing*
  (what a server leaves in either has failed just the same).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import Any
from uuid import UUID

from ...models import FINISHED_STATES, SCRATCH_CELL, CellState, CellStateName, EndReason
from .events import (
    Accepted,
    Ask,
    Cleared,
    Deleted,
    DropState,
    Effect,
    Elsewhere,
    Ended,
    Event,
    Executing,
    Forget,
    NotStored,
    Settle,
    Show,
    Turn,
    Withdraw,
    Withdrawn,
)
from .plan import Plan, Target, queued_states
from .turn import CellTurn
from .turns import FairQueue

__all__ = ["ExecutionQueue", "after_restart"]

DELETED = "the cell was deleted"
RESTARTED = "the server restarted before the cell had finished; run it again"
UNSTORED = "outputs could not be stored"

_ACTIVE = frozenset({CellStateName.QUEUED, CellStateName.EXECUTING})


def after_restart(found: Iterable[CellState]) -> list[CellState]:
    """Mark what the last server left unfinished as failed; returns those states, changed.

    Parameters
    ----------
    found
        The states that were stored; those unfinished are changed in place.
    """
    unfinished = [state for state in found if state.state in _ACTIVE]
    for state in unfinished:
        state.state, state.cause = CellStateName.FAILED, RESTARTED
        state.reason = EndReason.SERVER_RESTARTED
    return unfinished


class ExecutionQueue:
    """The executions of one notebook.

    Parameters
    ----------
    present
        The cells that the notebook has at each moment, by id.
    states
        Those that were stored.

    Attributes
    ----------
    states
        The latest state of every cell that has one, by cell id.
    turns
        What waits, in the order of the turns.
    current
        The cell whose turn it is, None if none has it.

    Examples
    --------
    >>> from collections import deque
    >>> from rtu_magics.server.execution.turn import CellEnd
    >>> from uuid import UUID
    >>> plan = Plan(UUID(int=1), UUID(int=2), UUID(int=3), deque([Target("a", "1+1")]))
    >>> queue = ExecutionQueue({"a"})
    >>> [type(effect).__name__ for effect in queue.handle(Accepted(plan, ready=True))]
    ['Ask', 'Show']
    >>> [type(effect).__name__ for effect in queue.handle(Ended(CellEnd()))]
    ['Withdraw', 'Settle']
    """

    def __init__(self, present: Container[str], states: Iterable[CellState] = ()) -> None:
        self._present = present
        self.states = {s.cell_id: s for s in states if s.cell_id in present}
        self.turns: FairQueue[Plan] = FairQueue()
        self.current: CellTurn | None = None
        # States of the cell whose turn it is, of executions that were withdrawn meanwhile: the
        # last one for a cell decides, and that is not over.
        self._later: list[CellState] = []
        self._handlers: dict[type[Any], Callable[[Any], list[Effect]]] = {
            Accepted: self._accepted,
            Turn: lambda _: self._turn(),
            Executing: self._executing,
            Ended: self._ended,
            Withdrawn: self._withdrawn,
            Cleared: self._cleared,
            Elsewhere: self._elsewhere,
            Deleted: self._deleted,
            NotStored: self._not_stored,
        }

    def __bool__(self) -> bool:
        """Whether anything runs or waits to."""
        return self.current is not None or bool(self.turns)

    def waiting(self, author: UUID | None) -> int:
        """Return how many cells of somebody wait, or of everybody (None)."""
        return sum(len(plan.targets) for plan in self._of(author))

    def hidden(self) -> list[CellState]:
        """Return the states of what goes on for cells that show the state of another execution."""
        waiting = [s for plan in self.turns if not plan.scratch for s in plan.states()]
        turn = self.current
        if turn is not None and not turn.plan.scratch and not turn.gone:
            waiting.append(turn.executing())
        # Which is not known yet to have ended.
        queued = {"state": CellStateName.QUEUED}
        waiting += [state.model_copy(update=queued) for state in self._later]
        shown = {(s.cell_id, s.execution_id) for s in self.states.values() if s.state in _ACTIVE}
        return [s for s in waiting if (s.cell_id, s.execution_id) not in shown]

    def handle(self, event: Event) -> list[Effect]:
        """Take an event; returns what is to be done for it, in this order."""
        return self._handlers[type(event)](event)

    # Each event

    def _accepted(self, event: Accepted) -> list[Effect]:
        plan = event.plan
        if not plan.targets:
            return []
        queued = plan.states()
        self.turns.put(plan)
        # The kernel is at work while the rest is told.
        effects = self._turn() if event.ready else []
        effects.append(Show(self._told(queued), plan.author))
        return effects

    def _turn(self) -> list[Effect]:
        effects: list[Effect] = []
        while self.current is None and (plan := self.turns.current) is not None:
            target = plan.targets.popleft()
            if plan.scratch or target.cell_id in self._present:
                self.current = CellTurn(plan, target)
                effects.append(Ask(self.current))
            else:  # deleted by a change that was stored together with the execution
                effects.append(Show(self._told([_deleted(plan, target)])))
        return effects

    def _executing(self, event: Executing) -> list[Effect]:
        if self.current is None:
            return []
        return [Show(self._told([self.current.executing(waiting=event.waiting)]))]

    def _ended(self, event: Ended) -> list[Effect]:
        turn, self.current = self.current, None
        if turn is None:
            return []
        plan, end = turn.plan, event.end
        done = turn.done(event.execution_count, end)
        dropped = [] if end.rest is None else plan.failed(*end.rest)
        if dropped:
            plan.targets.clear()
        more = bool(plan.targets) and not self._later and event.ready
        effects: list[Effect] = [
            Withdraw(turn),
            self._settle([done, *dropped], of=turn, more=more),
        ]
        if plan.forget:
            effects.append(Forget(plan.execution_id))
        later, self._later = self._later, []
        effects += [self._settle([state]) for state in later]
        return effects + self._still_queued({state.cell_id for state in (done, *dropped)})

    def _withdrawn(self, event: Withdrawn) -> list[Effect]:
        running = None if self.current is None else self.current.target.cell_id
        effects: list[Effect] = []
        gone = set[str]()
        for plan in self._of(event.author):
            failed = plan.failed(event.cause, event.reason)
            gone.update(state.cell_id for state in failed)
            plan.targets.clear()
            self._later += [state for state in failed if state.cell_id == running]
            # One execution after the other: each of several for a cell is waited for.
            told = [state for state in failed if state.cell_id != running]
            if told:
                effects.append(self._settle(told))
        return effects + self._still_queued(gone - {running})

    def _cleared(self, event: Cleared) -> list[Effect]:
        state = self.states.get(event.cell_id)
        if state is None or state.state not in FINISHED_STATES:
            return []
        return [self._settle([CellState(cell_id=event.cell_id, state=CellStateName.NOT_RUN)])]

    def _elsewhere(self, event: Elsewhere) -> list[Effect]:
        state = event.state
        known = self.states.get(state.cell_id)
        ours = known is not None and known.execution_id is not None and known.state in _ACTIVE
        if state.cell_id not in self._present or ours:
            return []
        if state.state == CellStateName.NOT_RUN and known is None:
            return []
        return [Show(self._told([state]))] if state.state in _ACTIVE else [self._settle([state])]

    def _deleted(self, event: Deleted) -> list[Effect]:
        cell_id, effects = event.cell_id, list[Effect]()
        gone: list[CellState] = []
        turn = self.current
        if turn is not None and turn.target.cell_id == cell_id and not turn.gone:
            turn.gone = True
            effects.append(Withdraw(turn))
            gone.append(_deleted(turn.plan, turn.target, began=True))
        for plan in list(self.turns):
            gone += [_deleted(plan, target) for target in plan.targets if target.cell_id == cell_id]
            plan.targets = deque(target for target in plan.targets if target.cell_id != cell_id)
        failed = {"cause": DELETED, "reason": EndReason.DELETED}
        gone += [s.model_copy(update=failed) for s in self._later if s.cell_id == cell_id]
        self._later = [state for state in self._later if state.cell_id != cell_id]
        # One after the other: each execution that has the cell is waited for.
        effects += [Show(self._told([state])) for state in gone]
        if self.states.pop(cell_id, None) is not None:
            effects.append(DropState(cell_id))
        return effects

    def _not_stored(self, event: NotStored) -> list[Effect]:
        failed = {
            "state": CellStateName.FAILED,
            "cause": UNSTORED,
            "reason": EndReason.NOT_STORED,
        }
        states = [state.model_copy(update=failed) for state in event.states]
        return [Show(self._told(states), more=event.more)]

    # What they have in common

    def _of(self, author: UUID | None) -> list[Plan]:
        return list(self.turns) if author is None else self.turns.of(author)

    def _still_queued(self, cell_ids: set[str]) -> list[Effect]:
        """Say again that cells are queued which another execution waits to run."""
        queued = queued_states(self.turns, cell_ids)
        return [self._settle(queued)] if queued else []

    def _settle(
        self, states: list[CellState], of: CellTurn | None = None, *, more: bool = False
    ) -> Settle:
        known = None if of is None else of.stored
        stored = (s for s in states if s.cell_id in self._present and s != known)
        return Settle(self._told(states), tuple(stored), of, more)

    def _told(self, states: Iterable[CellState]) -> tuple[CellState, ...]:
        """Remember the states of cells; returns those that are to be told."""
        told = []
        for state in states:
            present = state.cell_id in self._present
            if present:
                self.states[state.cell_id] = state
            if present or state.cell_id == SCRATCH_CELL or state.reason == EndReason.DELETED:
                told.append(state)
        return tuple(told)


def _deleted(plan: Plan, target: Target, *, began: bool = False) -> CellState:
    return CellState(
        cell_id=target.cell_id,
        state=CellStateName.FAILED,
        execution_id=plan.execution_id,
        cause=DELETED,
        reason=EndReason.DELETED,
        source_digest=target.digest if began else None,  # of what ran
    )
