"""Whatever happens to a notebook's executions in whatever order: the rules of the oracle hold.

The rules are those of `tests/scenarios/control/oracle.py`, which reads them off a server's log.
"""

from __future__ import annotations

from collections import Counter, deque
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtu_magics.models import SCRATCH_CELL, CellState, CellStateName, EndReason
from rtu_magics.server.execution.events import (
    Accepted,
    Ask,
    Deleted,
    DropState,
    Effect,
    Ended,
    Executing,
    NotStored,
    Settle,
    Show,
    Turn,
    Withdrawn,
)
from rtu_magics.server.execution.plan import Plan, Target
from rtu_magics.server.execution.queue import ExecutionQueue
from rtu_magics.server.execution.turn import CellEnd, CellTurn

CELLS = "abcd"
PEOPLE = [UUID(int=100 + n) for n in range(3)]
ENDS = [
    CellEnd(),
    CellEnd("ValueError: no", EndReason.ERROR),
    CellEnd("ValueError: no", EndReason.EXPECTED_ERROR),
    CellEnd("KeyboardInterrupt", EndReason.INTERRUPTED),
    CellEnd(None, EndReason.INTERRUPTED),
    CellEnd("gone", EndReason.KERNEL_GONE),
]
_NEXT = {
    None: {CellStateName.QUEUED},
    CellStateName.QUEUED: {CellStateName.EXECUTING, CellStateName.FAILED},
    CellStateName.EXECUTING: {
        CellStateName.EXECUTING,  # it waits for an answer, or goes on
        CellStateName.FINISHED,
        CellStateName.FAILED,
    },
}
_ENDS = {CellStateName.FINISHED, CellStateName.FAILED}


class Executions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.present = set(CELLS)
        self.queue = ExecutionQueue(self.present)
        self.plans: dict[UUID, tuple[UUID, tuple[str, ...]]] = {}  # author and cells
        self.told: dict[tuple[UUID, str], CellState] = {}
        self.begun: list[UUID] = []  # executions, in the order of their first cells
        self.running: CellTurn | None = None
        self.executing = False
        self.stored: dict[str, CellState] = {}
        # For each who waits: whose executions have begun since.
        self.overtaken: dict[UUID, Counter[UUID]] = {}

    # What happens

    @rule(who=st.sampled_from(PEOPLE), cells=st.permutations(CELLS), count=st.integers(1, 4))
    def somebody_asks(self, who: UUID, cells: list[str], count: int) -> None:
        chosen = [cell for cell in cells[:count] if cell in self.present]
        self._accept(who, chosen, scratch=False)

    @rule(who=st.sampled_from(PEOPLE))
    def somebody_runs_code_without_a_cell(self, who: UUID) -> None:
        self._accept(who, [SCRATCH_CELL], scratch=True)

    @precondition(lambda self: self.running is None)
    @rule()
    def the_kernel_is_ready(self) -> None:
        self._take(self.queue.handle(Turn()))

    @precondition(lambda self: self.running is not None)
    @rule(waiting=st.booleans())
    def the_cell_runs(self, waiting: bool) -> None:
        self.executing = True
        self._take(self.queue.handle(Executing(waiting)))

    @precondition(lambda self: self.executing)
    @rule(end=st.sampled_from(ENDS), ready=st.booleans(), early=st.booleans())
    def the_cell_ends(self, end: CellEnd, ready: bool, early: bool) -> None:
        turn = self.running
        if early and not turn.gone and not turn.plan.scratch:
            turn.stored = turn.done(1, CellEnd())
            self.stored[turn.target.cell_id] = turn.stored
        self._end(end, ready)

    @precondition(lambda self: self.running is not None)
    @rule()
    def the_server_fails_to_run_it(self) -> None:
        self._end(CellEnd("the server failed", EndReason.SERVER_ERROR), ready=False)

    @rule(who=st.sampled_from([None, *PEOPLE]))
    def somebody_ends_what_waits(self, who: UUID | None) -> None:
        effects = self.queue.handle(Withdrawn(who, "not run: ended", EndReason.INTERRUPTED))
        self._take(effects)
        assert self.queue.waiting(who) == 0

    @rule(cell=st.sampled_from(CELLS))
    def a_cell_is_deleted(self, cell: str) -> None:
        if cell in self.present:
            self.present.discard(cell)
            self._take(self.queue.handle(Deleted(cell)))

    @rule(cell=st.sampled_from(CELLS))
    def a_cell_comes_back(self, cell: str) -> None:
        running = self.running
        if running is None or running.target.cell_id != cell:
            self.present.add(cell)

    # What has to hold

    @invariant()
    def the_states_are_those_that_were_told_last(self) -> None:
        assert set(self.queue.states) <= self.present
        for state in self.queue.states.values():
            assert self.told[(state.execution_id, state.cell_id)] == state

    @invariant()
    def what_is_stored_has_ended(self) -> None:
        for cell, state in self.stored.items():
            shown = self.queue.states.get(cell)
            if shown is not None and shown.state in _ENDS and shown.reason != EndReason.NOT_STORED:
                assert state == shown or shown.reason == EndReason.DELETED

    def teardown(self) -> None:
        """Every cell of every execution comes to an end."""
        for _ in range(10_000):
            if self.running is not None:
                self.executing = True
                self._take(self.queue.handle(Executing()))
                self._end(CellEnd(), ready=True)
            self._take(self.queue.handle(Turn()))
            if not self.queue:
                break
        assert not self.queue
        for execution_id, (_, cells) in self.plans.items():
            for cell in cells:
                assert self.told[(execution_id, cell)].state in _ENDS

    # How it is followed

    def _accept(self, who: UUID, cells: list[str], *, scratch: bool) -> None:
        targets = deque(Target(cell, "1") for cell in cells)
        plan = Plan(UUID(int=len(self.plans) + 1), UUID(int=1), who, targets, scratch=scratch)
        self.plans[plan.execution_id] = (who, tuple(cells))
        idle = not self.queue
        effects = self.queue.handle(Accepted(plan, ready=self.running is None))
        # Its queued states come after the kernel was asked; the order of the rules is theirs.
        self._take(sorted(effects, key=lambda effect: isinstance(effect, Ask)))
        if cells and not idle and who not in self.overtaken and self._waits(who):
            self.overtaken[who] = Counter()

    def _waits(self, who: UUID) -> bool:
        return any(plan.execution_id not in self.begun for plan in self.queue.turns.of(who))

    def _end(self, end: CellEnd, ready: bool) -> None:
        turn, self.running, self.executing = self.running, None, False
        self._take(self.queue.handle(Ended(end, 1, ready)))
        assert turn is not self.queue.current

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ask(turn):
                    self._begins(turn)
                case Show(states):
                    self._tell(states)
                case Settle(states, stored):
                    assert all(state.cell_id in self.present for state in stored)
                    self.stored.update({state.cell_id: state for state in stored})
                    self._tell(states)
                case DropState(cell):
                    self.stored.pop(cell, None)

    def _tell(self, states: tuple[CellState, ...]) -> None:
        for state in states:
            key = (state.execution_id, state.cell_id)
            before = self.told.get(key)
            was = None if before is None else before.state
            again = was == state.state == CellStateName.QUEUED  # another execution has ended it
            deleted = was is None and state.reason == EndReason.DELETED
            assert again or deleted or state.state in _NEXT[was], (was, state)
            assert state.cause or state.state != CellStateName.FAILED
            assert state.reason or state.state != CellStateName.FAILED
            self.told[key] = state

    def _begins(self, turn: CellTurn) -> None:
        assert self.running is None, "one cell at a time"
        self.running, execution_id = turn, turn.plan.execution_id
        who = turn.plan.author
        assert turn.plan.scratch or turn.target.cell_id in self.present
        if execution_id in self.begun:
            assert self.begun[-1] == execution_id, "it began between the cells of another"
            return
        self.begun.append(execution_id)
        mine = [one for one, (author, _) in self.plans.items() if author == who]
        for earlier in mine[: mine.index(execution_id)]:
            for cell in self.plans[earlier][1]:
                assert self.told[(earlier, cell)].state in _ENDS, "it overtook an earlier one"
        self.overtaken.pop(who, None)
        for other, counts in list(self.overtaken.items()):
            if not self._waits(other):
                del self.overtaken[other]
                continue
            counts[who] += 1
            assert counts[who] <= 1, "somebody waited for two executions of another"
        if self._waits(who):
            self.overtaken[who] = Counter()


class Refusals(Executions):
    """The same, with a store that refuses now and then."""

    @precondition(lambda self: self.executing)
    @rule(end=st.sampled_from(ENDS))
    def the_end_cannot_be_stored(self, end: CellEnd) -> None:
        running, self.running, self.executing = self.running, None, False
        effects = self.queue.handle(Ended(end, 1, ready=False))
        replaced: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Settle) and effect.of is running:
                replaced += self.queue.handle(NotStored(effect.states, effect.more))
            else:
                replaced.append(effect)
        self._take(replaced)


TestExecutions = Executions.TestCase
TestExecutions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRefusals = Refusals.TestCase
TestRefusals.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
