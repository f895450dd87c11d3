from uuid import uuid4

from rtu_magics.models import CellState
from rtu_magics.protocol import ExecutionLedger


def state(cell_id, name, execution_id=None):
    return CellState(cell_id=cell_id, state=name, execution_id=execution_id)


OK = "finished_with_no_error"


class TestWithExecutionIds:
    def test_only_its_own_finish_ends_a_wait(self):
        ledger, earlier, mine = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(earlier)
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.states([state("a", "queued", mine)]) == []
        assert ledger.states([state("a", OK, earlier)]) == []
        assert ledger.states([state("a", "executing", mine)]) == []
        assert ledger.states([state("a", OK, mine)]) == [("token", "a")]
        assert len(ledger) == 0

    def test_so_does_the_finish_of_a_later_run(self):
        ledger, mine, later = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        ledger.squashed(later)
        assert ledger.states([state("a", "executing", later)]) == []
        assert ledger.states([state("a", "finished_with_error", later)]) == [("token", "a")]

    def test_a_run_from_before_the_subscription_does_not(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.states([state("a", OK, uuid4())]) == []
        assert ledger.states([state("a", OK, uuid4())], fresh=True) == []

    def test_after_a_reload_the_last_word_counts(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        ledger.forget_order()
        assert ledger.states([state("a", OK, uuid4())]) == []
        assert ledger.states([state("a", OK, uuid4())], fresh=True) == [("token", "a")]

    def test_after_a_reload_a_later_run_still_ends_it(self):
        ledger, mine, later = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        ledger.squashed(later)
        ledger.forget_order()  # mine ended meanwhile
        assert ledger.states([state("a", "executing", later)], fresh=True) == []
        assert ledger.states([state("a", OK, later)]) == [("token", "a")]

    def test_no_state_in_an_answer_ends_what_was_accepted_before_it(self):
        ledger, before, after = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(before)
        ledger.arm(before, "a", "gone and back")
        ledger.arm(before, "b", "queued")
        ledger.replied()
        ledger.squashed(after)
        ledger.arm(after, "a", "asked for since")
        known = [state("b", "queued", before)]
        assert ledger.states(known, fresh=True) == [("gone and back", "a")]
        assert ledger.cell_ids == ["b", "a"]

    def test_one_that_is_no_delta_of_this_chain_ends_with_what_is_shown(self):
        ledger, mine, other = ExecutionLedger(), uuid4(), uuid4()
        for cell_id in "abcd":
            ledger.arm(mine, cell_id, cell_id)
        shown = {
            "a": state("a", OK, mine),
            "b": state("b", "queued", mine),
            "c": state("c", OK, other),
        }
        ended = ledger.told_late(mine, shown)
        assert sorted(ended) == [("a", "a"), ("c", "c"), ("d", "d")]
        # Whatever ends that cell next ends the wait: it is not known what comes after what.
        ledger.squashed(other)
        assert ledger.states([state("b", OK, other)], exact=True) == [("b", "b")]

    def test_one_that_was_squashed_is_waited_for(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.told_late(mine, {"a": state("a", OK, uuid4())}) == []

    def test_after_a_reload_an_earlier_run_does_not(self):
        ledger, earlier, mine = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(earlier)
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        ledger.forget_order()
        assert ledger.states([state("a", "executing", earlier)], fresh=True) == []
        assert ledger.states([state("a", OK, earlier)]) == []
        assert ledger.states([state("a", OK, mine)]) == [("token", "a")]

    def test_the_last_word_of_a_reload_is_none_on_what_is_asked_for_after_it(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(uuid4())
        ledger.forget_order()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.states([state("a", OK, uuid4())], fresh=True) == []

    def test_two_runs_of_one_cell_end_one_after_the_other(self):
        ledger, one, two = ExecutionLedger(), uuid4(), uuid4()
        for run in (one, two):
            ledger.squashed(run)
            ledger.arm(run, "a", run)
        assert ledger.states([state("a", OK, one)]) == [(one, "a")]
        assert ledger.states([state("a", OK, one)]) == []
        assert ledger.states([state("a", OK, two)]) == [(two, "a")]


class TestWithoutExecutionIds:
    def test_a_stale_finish_ends_nothing(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.states([state("a", OK)]) == []
        assert ledger.states([state("a", "queued")]) == []
        assert ledger.states([state("a", OK)]) == [("token", "a")]

    def test_after_a_subscription_the_last_word_counts(self):
        ledger, mine = ExecutionLedger(), uuid4()
        ledger.squashed(mine)
        ledger.arm(mine, "a", "token")
        assert ledger.states([state("a", OK)], fresh=True) == [("token", "a")]


def test_other_cells_are_left_alone():
    ledger, mine = ExecutionLedger(), uuid4()
    ledger.squashed(mine)
    ledger.arm(mine, "a", "ta")
    ledger.arm(mine, "b", "tb")
    assert ledger.states([state("b", OK, mine), state("c", OK, mine)]) == [("tb", "b")]
    assert ledger.drain() == ["ta"]
    assert len(ledger) == 0


def test_a_deleted_cell_gives_its_waits_back():
    ledger, mine = ExecutionLedger(), uuid4()
    ledger.arm(mine, "a", "token")
    assert ledger.cell_gone("a") == ["token"]
    assert ledger.cell_gone("a") == []


def test_a_wait_can_be_dropped():
    ledger, mine = ExecutionLedger(), uuid4()
    one, two = object(), object()
    ledger.arm(mine, "a", one)
    ledger.arm(mine, "a", two)
    ledger.arm(mine, "b", one)
    ledger.drop(one)
    assert ledger.drain() == [two]


def test_the_order_is_remembered_only_so_far(monkeypatch):
    monkeypatch.setattr("rtu_magics.protocol.executions._REMEMBERED", 5)
    ledger = ExecutionLedger()
    for _ in range(20):
        ledger.squashed(uuid4())
    assert len(ledger._order) == 5


class TestWhatGoesOnIsTold:
    """The answer to a subscription names all that goes on, also of cells that show another's."""

    def test_what_it_does_not_name_is_over(self):
        ledger, theirs, mine = ExecutionLedger(), uuid4(), uuid4()
        ledger.squashed(theirs)  # accepted first, and its turn comes last
        ledger.squashed(mine)
        ledger.arm(mine, "a", "a")
        ledger.arm(mine, "b", "b")
        ledger.replied()
        shown = [state("a", "executing", theirs), state("b", "queued", theirs)]
        hidden = [state("b", "queued", mine)]
        assert ledger.states(shown, fresh=True, hidden=hidden) == [("a", "a")]
        assert ledger.states([state("b", OK, theirs)], exact=True) == []
        assert ledger.states([state("b", OK, mine)], exact=True) == [("b", "b")]

    def test_what_is_accepted_after_it_goes_on(self):
        ledger, mine, later = ExecutionLedger(), uuid4(), uuid4()
        ledger.replied(coming=1)
        ledger.squashed(mine)
        ledger.arm(mine, "a", "came with it")
        ledger.squashed(later)
        ledger.arm(later, "a", "after it")
        assert ledger.states([], fresh=True, hidden=[]) == [("came with it", "a")]
        assert ledger.drain() == ["after it"]

    def test_what_was_accepted_before_this_copy_began(self):
        ledger, mine = ExecutionLedger(), uuid4()
        going = [state(cell_id, "queued", mine) for cell_id in "ab"]
        ledger.states([], fresh=True, hidden=going)
        ledger.states([state("b", OK, mine)], exact=True)
        for cell_id in "abc":
            ledger.arm(mine, cell_id, cell_id)
        shown = {"c": state("c", "executing", uuid4())}
        assert sorted(ledger.told_late(mine, shown)) == [("b", "b"), ("c", "c")]
        assert ledger.states([state("a", OK, mine)], exact=True) == [("a", "a")]
