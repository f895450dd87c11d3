"""The rules of a notebook's executions, as lists of effects: no kernel, no loop, no store."""

from __future__ import annotations

from collections import deque
from uuid import UUID

import pytest

from rtu_magics.models import SCRATCH_CELL, CellState, CellStateName, EndReason
from rtu_magics.server.execution.events import (
    Accepted,
    Ask,
    Cleared,
    Deleted,
    DropState,
    Effect,
    Elsewhere,
    Ended,
    Executing,
    Forget,
    NotStored,
    Settle,
    Show,
    Turn,
    Withdraw,
    Withdrawn,
)
from rtu_magics.server.execution.plan import Plan, Target
from rtu_magics.server.execution.queue import ExecutionQueue, after_restart
from rtu_magics.server.execution.turn import CellEnd

QUEUED, EXECUTING = CellStateName.QUEUED, CellStateName.EXECUTING
FINISHED, FAILED = CellStateName.FINISHED, CellStateName.FAILED
ADA, BOB, FILE = UUID(int=101), UUID(int=102), UUID(int=7)
OK = CellEnd()
BROKE = CellEnd("ValueError: no", EndReason.ERROR)
CUT = CellEnd("KeyboardInterrupt", EndReason.INTERRUPTED)


def plan(number: int, cells: str, author: UUID = ADA, **more: bool) -> Plan:
    """Return an execution of some cells, each named by a letter."""
    targets = deque(Target(cell, f"run {cell}") for cell in cells)
    return Plan(UUID(int=number), FILE, author, targets, **more)


def scratch(number: int = 9, *, forget: bool = False) -> Plan:
    return Plan(
        UUID(int=number), FILE, ADA, deque([Target(SCRATCH_CELL, "1")]), scratch=True, forget=forget
    )


def queue_of(*plans: Plan, cells: str = "abcdef", ready: bool = True) -> ExecutionQueue:
    """Return a queue that has accepted some executions."""
    queue = ExecutionQueue(set(cells))
    for one in plans:
        queue.handle(Accepted(one, ready and queue.current is None))
    return queue


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def told(effects: list[Effect]) -> list[tuple[int, str, str]]:
    """Return execution, cell and state of all that is told, in order."""
    return [
        (0 if state.execution_id is None else state.execution_id.int, state.cell_id, state.state)
        for effect in effects
        if isinstance(effect, Show | Settle)
        for state in effect.states
    ]


def asked(effects: list[Effect]) -> list[str]:
    return [effect.turn.target.cell_id for effect in effects if isinstance(effect, Ask)]


def reasons(effects: list[Effect]) -> list[str | None]:
    return [s.reason for e in effects if isinstance(e, Show | Settle) for s in e.states]


def run(queue: ExecutionQueue, end: CellEnd = OK) -> list[Effect]:
    """End the cell whose turn it is, and let the next begin."""
    return queue.handle(Ended(end, 1, ready=True)) + queue.handle(Turn())


# Accepted


def test_the_kernel_is_asked_before_anything_is_told():
    queue = ExecutionQueue({"a"})
    assert kinds(queue.handle(Accepted(plan(1, "a"), ready=True))) == ["Ask", "Show"]


def test_while_the_kernel_is_not_ready_it_waits():
    queue = ExecutionQueue({"a"})
    effects = queue.handle(Accepted(plan(1, "a"), ready=False))
    assert kinds(effects) == ["Show"]
    assert told(effects) == [(1, "a", QUEUED)]
    assert asked(queue.handle(Turn())) == ["a"]


def test_an_execution_of_nothing_is_nothing():
    queue = ExecutionQueue({"a"})
    assert queue.handle(Accepted(plan(1, ""), ready=True)) == []
    assert not queue


def test_all_its_cells_are_queued_at_once_and_its_author_is_told_first():
    queue = ExecutionQueue(set("abc"))
    (_, show) = queue.handle(Accepted(plan(1, "abc"), ready=True))
    assert isinstance(show, Show)
    assert [s.state for s in show.states] == [QUEUED] * 3
    assert show.author == ADA


def test_one_cell_at_a_time():
    queue = queue_of(plan(1, "ab"))
    assert queue.handle(Turn()) == []
    assert asked(queue.handle(Accepted(plan(2, "c"), ready=True))) == []


def test_the_source_is_the_one_of_when_it_was_accepted():
    queue = queue_of()
    (ask, _) = queue.handle(Accepted(plan(1, "a"), ready=True))
    assert isinstance(ask, Ask)
    assert ask.turn.target.source == "run a"


# Turns


def test_the_cells_of_an_execution_run_in_order():
    queue = queue_of(plan(1, "cab"))
    order = [queue.current.target.cell_id]
    while asked(effects := run(queue)):
        order += asked(effects)
    assert order == ["c", "a", "b"]


def test_executions_of_one_person_run_in_order():
    queue = queue_of(plan(1, "ab"), plan(2, "c"), plan(3, "d"))
    assert [asked(run(queue)) for _ in range(4)] == [["b"], ["c"], ["d"], []]


def test_people_take_turns_an_execution_each():
    queue = queue_of(plan(1, "a"), plan(2, "b"), plan(3, "c"), plan(4, "d", BOB))
    assert [asked(run(queue)) for _ in range(4)] == [["d"], ["b"], ["c"], []]


def test_nobody_gets_between_the_cells_of_another():
    queue = queue_of(plan(1, "abc"), plan(2, "d", BOB))
    assert [asked(run(queue)) for _ in range(4)] == [["b"], ["c"], ["d"], []]


@pytest.mark.parametrize("flood", [1, 5, 50])
def test_whoever_floods_makes_nobody_wait_for_more_than_one(flood):
    queue = queue_of(*(plan(n, "a") for n in range(1, flood + 1)), plan(99, "b", BOB))
    assert "b" in asked(run(queue))


def test_code_without_a_cell_runs_too():
    queue = queue_of(scratch(), cells="")
    assert queue.current.target.cell_id == SCRATCH_CELL
    assert queue.current.place == str(UUID(int=9))


# States


def test_the_way_of_a_cell():
    queue = ExecutionQueue({"a"})
    effects = queue.handle(Accepted(plan(1, "a"), ready=True))
    effects += queue.handle(Executing()) + queue.handle(Ended(OK, 3))
    assert told(effects) == [(1, "a", QUEUED), (1, "a", EXECUTING), (1, "a", FINISHED)]
    assert queue.states["a"].execution_count == 3


def test_executing_is_told_and_not_stored():
    queue = queue_of(plan(1, "a"))
    assert kinds(queue.handle(Executing())) == ["Show"]


def test_a_question_shows_that_the_cell_waits_and_an_answer_that_it_goes_on():
    queue = queue_of(plan(1, "a"))
    (asks,), (goes_on,) = queue.handle(Executing(waiting=True)), queue.handle(Executing())
    assert asks.states[0].waiting_for_input
    assert not goes_on.states[0].waiting_for_input


def test_an_end_is_stored_with_the_outputs_of_its_cell():
    queue = queue_of(plan(1, "a"))
    turn = queue.current
    (withdraw, settle) = queue.handle(Ended(OK, 1))
    assert withdraw == Withdraw(turn)
    assert settle.of is turn
    assert settle.stored == settle.states


def test_an_end_that_is_stored_already_is_only_told():
    queue = queue_of(plan(1, "a"))
    queue.current.stored = queue.current.done(1, OK)
    (_, settle) = queue.handle(Ended(OK, 1))
    assert settle.stored == ()
    assert len(settle.states) == 1


def test_an_end_other_than_the_stored_one_is_stored():
    queue = queue_of(plan(1, "a"))
    queue.current.stored = queue.current.done(1, OK)
    (_, settle) = queue.handle(Ended(BROKE, 1))
    assert settle.stored == settle.states


def test_a_cause_is_one_line():
    queue = queue_of(plan(1, "a"))
    queue.handle(Ended(CellEnd("ValueError: one\ntwo" + "x" * 1000, EndReason.ERROR)))
    assert queue.states["a"].cause == "ValueError: one"


@pytest.mark.parametrize("length", [499, 500, 501, 10_000])
def test_a_cause_has_an_end(length):
    queue = queue_of(plan(1, "a"))
    queue.handle(Ended(CellEnd("x" * length, EndReason.ERROR)))
    assert len(queue.states["a"].cause) == min(length, 500)


def test_nothing_follows_an_end():
    queue = queue_of(plan(1, "a"))
    queue.handle(Ended(OK))
    assert queue.handle(Ended(BROKE)) == []
    assert queue.handle(Executing()) == []
    assert queue.states["a"].state == FINISHED


def test_scratch_states_are_told_and_not_remembered():
    queue = queue_of(scratch(), cells="")
    assert told(queue.handle(Executing())) == [(9, SCRATCH_CELL, EXECUTING)]
    (_, settle) = queue.handle(Ended(OK))
    assert settle.stored == ()
    assert queue.states == {}


@pytest.mark.parametrize("forget", [True, False])
def test_what_is_wanted_for_its_answer_alone_is_forgotten(forget):
    queue = queue_of(scratch(forget=forget), cells="")
    assert (Forget(UUID(int=9)) in queue.handle(Ended(OK))) is forget


def test_more_follows_where_the_kernel_could_go_on():
    queue = queue_of(plan(1, "ab"))
    (_, settle) = queue.handle(Ended(OK, ready=True))
    assert settle.more
    queue.handle(Turn())
    (_, settle) = queue.handle(Ended(OK, ready=True))
    assert not settle.more


def test_no_more_follows_a_kernel_that_is_not_ready():
    queue = queue_of(plan(1, "ab"))
    (_, settle) = queue.handle(Ended(OK, ready=False))
    assert not settle.more


# What a failure ends


def test_a_failed_cell_ends_what_its_execution_still_had_queued():
    queue = queue_of(plan(1, "abc"))
    effects = run(queue, BROKE)
    assert told(effects) == [(1, "a", FAILED), (1, "b", FAILED), (1, "c", FAILED)]
    assert reasons(effects) == [EndReason.ERROR, EndReason.EARLIER_FAILED, EndReason.EARLIER_FAILED]
    assert asked(effects) == []


def test_other_executions_go_on_after_a_failure():
    queue = queue_of(plan(1, "ab"), plan(2, "c"), plan(3, "d", BOB))
    assert asked(run(queue, BROKE)) == ["d"]
    assert asked(run(queue)) == ["c"]


def test_a_failure_that_a_tag_allows_ends_nothing():
    queue = queue_of(plan(1, "ab"))
    effects = run(queue, CellEnd("ValueError: no", EndReason.EXPECTED_ERROR))
    assert told(effects) == [(1, "a", FAILED)]
    assert asked(effects) == ["b"]
    assert not queue.states["a"].failed


def test_an_interrupted_cell_ends_its_execution_even_if_its_kernel_says_ok():
    queue = queue_of(plan(1, "ab"))
    effects = run(queue, CellEnd(None, EndReason.INTERRUPTED))
    assert told(effects) == [(1, "a", FINISHED), (1, "b", FAILED)]
    assert reasons(effects) == [EndReason.INTERRUPTED] * 2


@pytest.mark.parametrize(
    "reason",
    [
        EndReason.ERROR,
        EndReason.STDIN,
        EndReason.STOPPED,
        EndReason.ABORTED,
        EndReason.NO_ANSWER,
        EndReason.KERNEL_GONE,
        EndReason.CULLED,
        EndReason.RESTARTED,
        EndReason.NO_DATA_SOURCE,
        EndReason.NOT_STORED,
        EndReason.SERVER_ERROR,
        EndReason.DELETED,
        None,
    ],
)
def test_whatever_the_reason_a_failure_ends_the_rest(reason):
    queue = queue_of(plan(1, "ab"))
    effects = run(queue, CellEnd("it failed", reason))
    assert reasons(effects) == [reason, EndReason.EARLIER_FAILED]


def test_a_cell_that_another_execution_waits_for_is_queued_again():
    queue = queue_of(plan(1, "ab"), plan(2, "b"))
    effects = queue.handle(Ended(BROKE))
    assert told(effects) == [(1, "a", FAILED), (1, "b", FAILED), (2, "b", QUEUED)]
    assert queue.states["b"].execution_id == UUID(int=2)


def test_a_cell_that_is_asked_for_twice_runs_twice():
    queue = queue_of(plan(1, "a"), plan(2, "a"))
    effects = queue.handle(Ended(OK))
    assert told(effects) == [(1, "a", FINISHED), (2, "a", QUEUED)]
    assert asked(queue.handle(Turn())) == ["a"]


# Withdrawn


def test_what_somebody_withdraws_does_not_run():
    queue = queue_of(plan(1, "a"), plan(2, "bc"), plan(3, "d", BOB))
    effects = queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))
    assert told(effects) == [(2, "b", FAILED), (2, "c", FAILED)]
    assert asked(run(queue)) == ["d"]
    assert not asked(run(queue))


def test_everybody_s_can_be_withdrawn():
    queue = queue_of(plan(1, "a"), plan(2, "b"), plan(3, "d", BOB))
    effects = queue.handle(Withdrawn(None, "not run: gone", EndReason.KERNEL_GONE))
    assert {one[1] for one in told(effects)} == {"b", "d"}
    assert set(reasons(effects)) == {EndReason.KERNEL_GONE}


def test_what_runs_is_not_withdrawn_but_the_rest_of_its_execution_is():
    queue = queue_of(plan(1, "abc"))
    effects = queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))
    assert told(effects) == [(1, "b", FAILED), (1, "c", FAILED)]
    assert queue.current.target.cell_id == "a"
    assert told(run(queue)) == [(1, "a", FINISHED)]


def test_how_many_cells_wait_is_known():
    queue = queue_of(plan(1, "abc"), plan(2, "d", BOB))
    assert (queue.waiting(ADA), queue.waiting(BOB), queue.waiting(None)) == (2, 1, 3)


def test_what_waits_for_the_running_cell_gets_its_end_after_that_one():
    queue = queue_of(plan(1, "a"), plan(2, "a"))
    assert told(queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))) == []
    effects = queue.handle(Ended(OK, ready=True))
    assert told(effects) == [(1, "a", FINISHED), (2, "a", FAILED)]
    assert not effects[1].more


def test_an_end_that_others_of_its_cell_follow_does_not_wait_for_more():
    queue = queue_of(plan(1, "ab"), plan(2, "a", BOB))
    queue.handle(Withdrawn(BOB, "not run: ended", EndReason.INTERRUPTED))
    effects = queue.handle(Ended(OK, ready=True))
    assert told(effects) == [(1, "a", FINISHED), (2, "a", FAILED)]
    assert not effects[1].more


def test_a_withdrawn_cell_that_somebody_else_waits_for_is_queued_again():
    queue = queue_of(plan(1, "a"), plan(2, "b"), plan(3, "b", BOB))
    effects = queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))
    assert told(effects) == [(2, "b", FAILED), (3, "b", QUEUED)]


def test_each_of_several_executions_of_a_cell_gets_its_end():
    queue = queue_of(plan(1, "a"), plan(2, "b"), plan(3, "b"))
    effects = queue.handle(Withdrawn(None, "not run: gone", EndReason.KERNEL_GONE))
    assert told(effects) == [(2, "b", FAILED), (3, "b", FAILED)]


def test_withdrawing_nothing_is_nothing():
    assert queue_of(plan(1, "a")).handle(Withdrawn(BOB, "no", EndReason.INTERRUPTED)) == []


# Deleted


def test_whoever_waits_for_a_deleted_cell_is_told():
    queue = queue_of(plan(1, "a"), plan(2, "bc"))
    queue._present.discard("b")
    effects = queue.handle(Deleted("b"))
    assert told(effects) == [(2, "b", FAILED)]
    assert reasons(effects) == [EndReason.DELETED]
    assert asked(run(queue)) == ["c"]


@pytest.mark.parametrize(("cell", "began"), [("a", True), ("b", False)])
def test_of_a_deleted_cell_it_is_told_whether_it_ran(cell, began):
    targets = deque(Target(name, "1", digest=f"digest of {name}") for name in "ab")
    queue = queue_of(Plan(UUID(int=1), FILE, ADA, targets))
    queue._present.discard(cell)
    states = [s for e in queue.handle(Deleted(cell)) if isinstance(e, Show) for s in e.states]
    assert [state.source_digest is not None for state in states] == [began]


def test_a_deleted_cell_has_no_state():
    queue = queue_of(plan(1, "ab"))
    queue._present.discard("b")
    assert DropState("b") in queue.handle(Deleted("b"))
    assert "b" not in queue.states


def test_deleting_a_cell_that_never_ran_drops_nothing():
    queue = queue_of(plan(1, "a"))
    queue._present.discard("c")
    assert queue.handle(Deleted("c")) == []


def test_of_a_cell_that_is_deleted_while_it_runs_nothing_more_is_told():
    queue = queue_of(plan(1, "ab"))
    turn = queue.current
    queue._present.discard("a")
    effects = queue.handle(Deleted("a"))
    assert told(effects) == [(1, "a", FAILED)]
    assert turn.gone
    assert Withdraw(turn) in effects
    effects = run(queue)
    assert told(effects) == []
    assert asked(effects) == ["b"]


def test_a_running_cell_is_deleted_once():
    queue = queue_of(plan(1, "a"))
    queue._present.discard("a")
    queue.handle(Deleted("a"))
    assert queue.handle(Deleted("a")) == []


def test_every_execution_of_a_deleted_cell_ends():
    queue = queue_of(plan(1, "a"), plan(2, "a"), plan(3, "ba"), plan(4, "a", BOB))
    queue._present.discard("a")
    assert told(queue.handle(Deleted("a"))) == [
        (1, "a", FAILED),
        (4, "a", FAILED),
        (2, "a", FAILED),
        (3, "a", FAILED),
    ]
    assert asked(run(queue)) == ["b"]


def test_a_cell_that_comes_twice_in_an_execution_is_taken_out_twice():
    queue = queue_of(plan(1, "b"), plan(2, "aca"))
    queue._present.discard("a")
    queue.handle(Deleted("a"))
    assert asked(run(queue)) == ["c"]
    assert asked(run(queue)) == []


def test_deleted_by_a_change_that_was_stored_together_with_the_execution():
    queue = ExecutionQueue({"b"})
    effects = queue.handle(Accepted(plan(1, "ab"), ready=True))
    assert asked(effects) == ["b"]
    assert told(effects) == [(1, "a", FAILED), (1, "b", QUEUED)]


def test_what_was_withdrawn_of_the_running_cell_ends_when_it_is_deleted():
    queue = queue_of(plan(1, "a"), plan(2, "a"))
    queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))
    queue._present.discard("a")
    assert told(queue.handle(Deleted("a"))) == [(1, "a", FAILED), (2, "a", FAILED)]
    assert told(run(queue)) == []


def test_a_deleted_cell_that_comes_back_runs():
    queue = queue_of(plan(1, "a"))
    queue._present.discard("a")
    queue.handle(Deleted("a"))
    run(queue)
    queue._present.add("a")
    effects = queue.handle(Accepted(plan(2, "a"), ready=True))
    assert asked(effects) == ["a"]
    assert told(queue.handle(Ended(OK))) == [(2, "a", FINISHED)]


# The store refuses


def test_what_cannot_be_stored_is_told_as_failed():
    queue = queue_of(plan(1, "a"))
    (_, settle) = queue.handle(Ended(OK, 1))
    effects = queue.handle(NotStored(settle.states))
    assert told(effects) == [(1, "a", FAILED)]
    assert reasons(effects) == [EndReason.NOT_STORED]
    assert queue.states["a"].reason == EndReason.NOT_STORED


def test_a_cell_that_went_well_is_not_changed_by_what_is_told_of_a_refusal():
    queue = queue_of(plan(1, "a"))
    (_, settle) = queue.handle(Ended(OK, 1))
    queue.handle(NotStored(settle.states))
    assert settle.states[0].state == FINISHED


# Restart of the server


@pytest.mark.parametrize("state", [QUEUED, EXECUTING])
def test_what_the_last_server_left_unfinished_has_failed(state):
    found = [CellState(cell_id="a", state=state), CellState(cell_id="b", state=FINISHED)]
    assert [s.cell_id for s in after_restart(found)] == ["a"]
    assert (found[0].state, found[0].reason) == (FAILED, EndReason.SERVER_RESTARTED)
    assert found[1].state == FINISHED


def test_states_of_cells_that_are_gone_are_not_loaded():
    found = [CellState(cell_id="a", state=FINISHED), CellState(cell_id="z", state=FINISHED)]
    assert set(ExecutionQueue({"a"}, found).states) == {"a"}


# Whether anything goes on


def test_busy_until_the_last_cell_has_ended():
    queue = queue_of(plan(1, "ab"))
    seen = [bool(queue)]
    run(queue)
    seen.append(bool(queue))
    run(queue)
    assert [*seen, bool(queue)] == [True, True, False]


def test_an_execution_whose_cells_are_all_deleted_keeps_nobody():
    queue = queue_of(plan(1, "a"), plan(2, "b"), plan(3, "c", BOB))
    queue._present.discard("b")
    queue.handle(Deleted("b"))
    assert asked(run(queue)) == ["c"]
    run(queue)
    assert not queue


# What is hidden behind another execution's state


def hidden(queue: ExecutionQueue) -> list[tuple[int, str, str]]:
    return [(s.execution_id.int, s.cell_id, s.state) for s in queue.hidden()]


def test_what_the_latest_state_of_its_cell_hides_is_known():
    queue = queue_of(plan(1, "a"), plan(2, "a"))
    queue.handle(Executing())
    assert hidden(queue) == [(2, "a", QUEUED)]


def test_an_execution_whose_states_are_shown_hides_nothing():
    queue = queue_of(plan(1, "ab"))
    queue.handle(Executing())
    assert hidden(queue) == []


def test_what_was_withdrawn_of_the_running_cell_still_counts_as_queued():
    queue = queue_of(plan(1, "a"), plan(2, "a"))
    queue.handle(Executing())
    queue.handle(Withdrawn(ADA, "not run: ended", EndReason.INTERRUPTED))
    assert hidden(queue) == [(2, "a", QUEUED)]
    run(queue)
    assert hidden(queue) == []


@pytest.mark.parametrize("end", [OK, BROKE, CUT])
def test_a_cell_that_is_cleared_after_its_end_counts_as_not_run(end: CellEnd) -> None:
    queue = queue_of(plan(1, "a"))
    queue.handle(Ended(end, 3))
    (settle,) = queue.handle(Cleared("a"))
    cleared = CellState(cell_id="a", state=CellStateName.NOT_RUN)
    assert settle == Settle((cleared,), (cleared,))
    assert queue.states == {"a": cleared}
    assert queue.handle(Cleared("a")) == []


@pytest.mark.parametrize("end", [FINISHED, FAILED])
def test_what_a_page_runs_is_told_and_its_end_is_stored(end: str) -> None:
    queue = queue_of()
    begun = CellState(cell_id="a", state=EXECUTING)
    assert queue.handle(Elsewhere(begun)) == [Show((begun,))]
    over = CellState(cell_id="a", state=end)
    assert queue.handle(Elsewhere(over)) == [Settle((over,), (over,))]
    assert queue.states == {"a": over}
    assert not queue


def test_what_a_page_says_of_a_cell_that_an_execution_has_is_not_told() -> None:
    queue = queue_of(plan(1, "ab"))
    for cell_id in "ab":
        for state in (EXECUTING, FINISHED, CellStateName.NOT_RUN):
            assert queue.handle(Elsewhere(CellState(cell_id=cell_id, state=state))) == []


def test_an_execution_takes_a_cell_that_a_page_executions() -> None:
    queue = queue_of()
    queue.handle(Elsewhere(CellState(cell_id="a", state=EXECUTING)))
    queue.handle(Accepted(plan(1, "a"), ready=True))
    assert (queue.states["a"].state, queue.states["a"].execution_id) == (QUEUED, UUID(int=1))


def test_what_a_page_says_of_a_cell_that_never_ran_or_is_gone_is_nothing() -> None:
    queue = queue_of(cells="a")
    for cell_id, state in (("a", CellStateName.NOT_RUN), ("z", EXECUTING), ("z", FINISHED)):
        assert queue.handle(Elsewhere(CellState(cell_id=cell_id, state=state))) == []


def test_a_cell_that_waits_or_runs_goes_on_when_it_is_cleared() -> None:
    queue = queue_of(plan(1, "ab"))
    queue.handle(Executing())
    assert queue.handle(Cleared("a")) == queue.handle(Cleared("b")) == []
    assert queue.handle(Cleared("c")) == []
    assert [queue.states[cell].state for cell in "ab"] == [EXECUTING, QUEUED]
