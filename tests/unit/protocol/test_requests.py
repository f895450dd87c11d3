"""What was sent: accepted, refused, sent again, never forgotten, never doubled."""

from uuid import uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.errors import ClientClosed, DeltaRejected, NotPermitted, RTUError
from rtu_magics.protocol import effects as fx
from rtu_magics.protocol.requests import CAUSE_TIMEOUT

from .world import CHANNEL, Shell, add, event, inconsistent, replace


@pytest.fixture
def shell():
    return Shell().subscribe()


def answer(pending, cls, **data):
    return cls(transaction_id=pending.transaction_id, channel=CHANNEL, data=data)


def yes(pending):
    return answer(pending, m.NewDeltaReply, success=True)


class TestAccepted:
    @pytest.mark.parametrize("order", ["ack event", "event ack", "event", "ack ack event event"])
    def test_the_event_settles_it_whenever_the_ack_comes(self, shell, order):
        pending = shell.edit(replace("x"))
        completed = shell.server.accept(replace("x").model_copy(update={"id": pending.owner}))
        for what in order.split():
            shell.receive(yes(pending) if what == "ack" else event(completed))
        assert shell.results == {pending.owner: completed}
        assert len(shell.replica.requests) == 0

    def test_an_ack_alone_settles_nothing(self, shell):
        pending = shell.edit(replace("x"))
        shell.receive(yes(pending))
        assert shell.results == {}

    def test_it_settles_in_its_place_of_the_chain(self, shell):
        mine = replace("mine")
        pending = shell.edit(mine)
        theirs = shell.server.accept(replace("theirs"))
        completed = shell.server.accept(mine)
        shell.receive(yes(pending), event(completed))
        assert shell.results == {}
        shell.receive(event(theirs))
        assert shell.results == {mine.id: completed}

    def test_a_duplicate_while_a_hook_waits_settles_nothing_early(self, shell):
        mine = replace("mine")
        shell.edit(mine)
        completed = shell.server.accept(mine)
        shell.held.add(mine.id)
        shell.receive(event(completed), event(completed))
        assert shell.results == {}
        shell.let_go()
        assert shell.results == {mine.id: completed}


REFUSALS = {
    "with a message": ([(m.NewDeltaReply, {"success": False, "message": "locked"})], "locked"),
    "with a cause": (
        [(m.NewDeltaReply, {"success": False}), (m.DeltaRejectedResponse, {"cause": "no cell"})],
        "no cell",
    ),
    "cause first": (
        [(m.DeltaRejectedResponse, {"cause": "no cell"}), (m.NewDeltaReply, {"success": False})],
        "no cell",
    ),
    "invalid data": ([(m.InvalidDataResponse, {"message": "odd"})], "invalid: odd"),
    "invalid event": ([(m.InvalidEventResponse, {"message": "odd"})], "invalid: odd"),
    "not permitted": ([(m.PermissionDeniedResponse, {"message": "viewers read"})], "viewers read"),
}


class TestRefused:
    @pytest.mark.parametrize("case", REFUSALS)
    def test_it_fails_with_what_the_server_says(self, shell, case):
        messages, said = REFUSALS[case]
        pending = shell.edit(replace("x"))
        shell.receive(*(answer(pending, cls, **data) for cls, data in messages))
        error = shell.results[pending.owner]
        assert isinstance(error, DeltaRejected)
        assert said in str(error)
        assert isinstance(error, NotPermitted) == (case == "not permitted")
        assert len(shell.replica.requests) == 0

    def test_a_bare_no_waits_for_the_cause_and_not_for_ever(self, shell):
        pending = shell.edit(replace("x"))
        shell.receive(answer(pending, m.NewDeltaReply, success=False))
        assert shell.log[-1] == fx.Wake(CAUSE_TIMEOUT)
        shell.pass_time(1.0)
        shell.receive(answer(pending, m.NewDeltaReply, success=False))  # waits no longer for it
        assert shell.results == {}
        shell.pass_time(CAUSE_TIMEOUT - 1.0)
        assert "gave no cause" in str(shell.results[pending.owner])

    def test_two_bare_noes_each_have_their_time(self, shell):
        first = shell.edit(replace("x"))
        shell.receive(answer(first, m.NewDeltaReply, success=False))
        shell.pass_time(2.0)
        second = shell.edit(replace("y"))
        shell.receive(answer(second, m.NewDeltaReply, success=False))
        shell.pass_time(CAUSE_TIMEOUT - 2.0)
        assert set(shell.results) == {first.owner}
        assert shell.of(fx.Wake)[-1] == fx.Wake(CAUSE_TIMEOUT + 2.0)
        shell.pass_time(2.0)
        assert set(shell.results) == {first.owner, second.owner}

    def test_answers_to_others_change_nothing(self, shell):
        shell.edit(replace("x"))
        data = {"message": "no"}
        shell.receive(
            m.PermissionDeniedResponse(transaction_id=uuid4(), channel=CHANNEL, data=data)
        )
        assert shell.results == {}

    def test_a_refusal_in_the_middle_of_a_reload_counts(self, shell):
        pending = shell.edit(replace("x"))
        shell.receive(inconsistent())
        shell.receive(answer(pending, m.DeltaRejectedResponse, cause="late"))
        assert "late" in str(shell.results[pending.owner])
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))
        assert len(shell.sent) == 1

    def test_the_same_delta_twice_at_a_time(self, shell):
        delta = replace("x")
        shell.edit(delta)
        with pytest.raises(ValueError, match="in flight already"):
            shell.edit(delta)


class TestAcrossConnections:
    def test_what_was_accepted_is_found_in_the_catch_up_and_not_sent_again(self, shell):
        mine = replace("x")
        pending = shell.edit(mine)
        shell.lose()
        completed = shell.server.accept(mine)
        shell.subscribe()
        assert shell.results == {mine.id: completed}
        assert shell.sent == [pending]

    def test_what_was_not_is_sent_again_with_the_same_ids(self, shell):
        pending = shell.edit(replace("x"))
        shell.lose()
        shell.subscribe()
        assert shell.sent == [pending, pending]
        assert pending.sends == 2

    def test_what_is_made_while_away_goes_out_once_in_order(self, shell):
        first = shell.edit(replace("1"))
        shell.lose()
        second = shell.edit(replace("2"))
        shell.connect()
        third = shell.edit(replace("3"))
        assert shell.sent == [first]
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.sent == [first, first, second, third]
        assert [p.sends for p in (first, second, third)] == [2, 1, 1]

    def test_it_goes_out_before_anybody_hears_that_the_notebook_is_there(self, shell):
        shell.edit(replace("x"))
        shell.lose()
        shell.subscribe()
        kinds = shell.kinds()
        assert len(kinds) - kinds[::-1].index(fx.Submit) < len(kinds) - kinds[::-1].index(fx.Live)

    def test_the_answer_to_a_retry_of_what_is_squashed_settles_it(self, shell):
        mine = replace("x")
        completed = shell.server.accept(mine)
        shell.receive(event(completed))
        shell.edit(mine)  # somebody sends it a second time
        shell.receive(event(completed))
        assert shell.results == {mine.id: completed}
        assert shell.in_step

    def test_what_the_loaded_version_holds_is_settled_by_the_answer_to_the_retry(self, shell):
        mine = add("kept")
        shell.edit(mine)
        completed = shell.server.accept(mine)
        shell.receive(inconsistent())
        shell.server.save()
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))
        assert len(shell.sent) == 2
        shell.receive(event(completed))
        assert shell.results == {mine.id: completed}
        assert shell.replica.builder.cell_ids.count("kept") == 1

    def test_what_the_loaded_version_does_not_hold_is_squashed(self, shell):
        mine = add("new")
        shell.edit(mine)
        shell.receive(inconsistent())
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))
        completed = shell.server.accept(mine)
        shell.receive(event(completed))
        assert shell.results == {mine.id: completed}
        assert shell.in_step

    def test_what_was_first_sent_after_the_reload_predates_nothing(self, shell):
        shell.receive(inconsistent())
        mine = replace("x")
        pending = shell.edit(mine)
        shell.reload()
        assert not pending.predates_reload


class TestTheEnd:
    def test_everything_in_flight_ends_with_the_error(self, shell):
        pendings = [shell.edit(replace(str(i))) for i in range(3)]
        shell.lose()
        error = ClientClosed("closed")
        shell.run(shell.replica.close(error))
        assert shell.results == {pending.owner: error for pending in pendings}
        assert len(shell.replica.requests) == 0

    def test_twice_is_once(self, shell):
        shell.edit(replace("x"))
        shell.run(shell.replica.close(ClientClosed("closed")))
        shell.run(shell.replica.close(ClientClosed("again")))
        assert str(shell.replica.error) == "closed"

    def test_the_first_reason_to_give_up_counts(self, shell):
        for text in ("first", "second"):
            shell.run(shell.replica.give_up(RTUError(text)))
        (end,) = shell.of(fx.GiveUp)
        assert str(end.error) == "first"

    def test_nothing_is_squashed_any_more(self, shell):
        shell.run(shell.replica.close(ClientClosed("closed")))
        shell.receive(event(shell.server.accept(replace("x"))))
        assert shell.source() == "1"
