"""The chain's order: any arrival, duplicates, gaps, hooks that wait, what cannot be squashed."""

from itertools import permutations
from uuid import uuid4

import pytest

from rtu_magics.errors import InconsistentState
from rtu_magics.protocol import effects as fx

from .world import Shell, add, event, inconsistent, replace, reply


@pytest.fixture
def shell():
    return Shell().subscribe()


def accept(shell, *sources):
    return [shell.server.accept(replace(source)) for source in sources]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_events_in_any_order_and_twice_are_the_chains_order(shell, order):
    chain = accept(shell, *"wxyz")
    for i in order:
        shell.receive(event(chain[i]), event(chain[i]))
    assert shell.in_step
    assert shell.source() == "z"
    assert len(shell.replica.order.chain) == 0


def test_the_next_delta_needs_no_effect_of_its_own(shell):
    (delta,) = accept(shell, "x")
    assert shell.replica.receive(event(delta), 0.0) is fx.OFFER
    assert shell.replica.queue(delta, 0.0) is fx.REPLAY


class TestAGap:
    def test_is_asked_about_in_time(self, shell):
        _, second = accept(shell, "lost", "x")
        shell.receive(event(second))
        assert shell.log[-2:] == [fx.Queued(second), fx.Wake(5.0)]
        shell.pass_time(4.0)
        assert shell.log[-1] == fx.Wake(5.0)
        shell.pass_time(1.0)
        assert fx.Resubscribe() in shell.log
        said = "a change of the notebook is missing: asking for it again"
        assert fx.Say("reconnecting", said) in shell.log
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.in_step

    def test_that_closes_is_none(self, shell):
        first, second = accept(shell, "x", "y")
        shell.receive(event(second))
        shell.pass_time(4.9)
        shell.receive(event(first))
        shell.pass_time(1.0)
        assert fx.Resubscribe() not in shell.log
        assert shell.in_step

    def test_begins_anew_when_something_moved(self, shell):
        first, _, third, _, fifth = accept(shell, *"vwxyz")
        shell.receive(event(third))
        shell.pass_time(4.0)
        shell.receive(event(fifth), event(first))
        shell.pass_time(1.0)
        assert fx.Resubscribe() not in shell.log
        shell.pass_time(5.0)
        assert fx.Resubscribe() in shell.log

    def test_that_asking_does_not_close_makes_it_load_the_notebook_anew(self, shell):
        first, _ = accept(shell, "x", "y")
        shell.receive(event(first))
        for _ in range(2):
            stray = replace("stray").model_copy(update={"parent_delta_id": uuid4()})
            shell.receive(event(stray))
            shell.pass_time(5.0)
            if shell.replica.halted:
                break
            shell.receive(reply(shell.subscription, [], first.id))
        (reload,) = shell.of(fx.Reload)
        assert reload.at == shell.now

    def test_left_by_what_came_before_the_reply_is_watched(self):
        shell = Shell().connect()
        first, _, third = accept(shell, *"xyz")
        shell.receive(event(third))
        shell.receive(reply(shell.subscription, [first], first.id))
        assert shell.replica.is_live
        assert fx.Wake(5.0) in shell.log
        shell.pass_time(5.0)
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.in_step

    def test_is_none_while_a_hook_waits(self, shell):
        first, second = accept(shell, "x", "y")
        shell.held.add(first.id)
        shell.receive(event(first), event(second))
        shell.pass_time(6.0)
        assert fx.Resubscribe() not in shell.log
        shell.let_go()
        assert shell.in_step

    def test_seen_on_a_lost_connection_waits_for_the_next(self, shell):
        _, second = accept(shell, "lost", "x")
        shell.receive(event(second))
        shell.lose()
        shell.pass_time(6.0)
        assert fx.Resubscribe() not in shell.log
        shell.subscribe()
        assert shell.in_step

    def test_a_fork_is_asked_about_at_once(self, shell):
        parent = uuid4()
        for source in ("one", "other"):
            shell.receive(event(replace(source).model_copy(update={"parent_delta_id": parent})))
        assert fx.Resubscribe() in shell.log
        shell.receive(shell.server.answer(shell.subscription))
        assert len(shell.replica.order.chain) == 0
        (delta,) = accept(shell, "x")
        shell.receive(event(delta), event(delta))  # a duplicate is no fork
        assert shell.kinds().count(fx.Resubscribe) == 1
        assert shell.in_step


class TestHooksThatWait:
    def test_what_comes_meanwhile_follows(self, shell):
        first, second = accept(shell, "x", "y")
        shell.held.add(first.id)
        shell.receive(event(first), event(second))
        assert shell.source() == "1"
        shell.let_go()
        assert shell.in_step

    def test_a_catch_up_meanwhile_follows(self, shell):
        """The connection is lost and made anew while a hook holds a delta."""
        first, _, _ = accept(shell, *"xyz")
        shell.held.add(first.id)
        shell.receive(event(first))
        shell.lose()
        shell.connect()
        assert shell.subscription.data.from_version_id == shell.server.version
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.source() == "1"
        assert not shell.replica.is_live
        shell.let_go()
        assert shell.in_step
        assert shell.source() == "z"

    def test_a_delta_in_hand_comes_again(self, shell):
        (delta,) = accept(shell, "x")
        shell.held.add(delta.id)
        shell.receive(event(delta), event(delta))
        shell.let_go()
        assert shell.in_step
        assert len(shell.replica.order.chain) == 0

    def test_an_empty_catch_up_does_not_overtake_the_delta_in_hand(self, shell):
        (delta,) = accept(shell, "x")
        shell.held.add(delta.id)
        shell.receive(event(delta))
        shell.lose()
        shell.connect()
        shell.receive(reply(shell.subscription, [], delta.id))
        assert not shell.replica.is_live
        shell.let_go()
        assert shell.in_step

    def test_a_catch_up_is_not_through_while_a_delta_is_in_hand(self, shell):
        (delta,) = accept(shell, "x")
        shell.held.add(delta.id)
        shell.receive(event(delta))
        shell.lose()
        shell.connect()
        shell.receive(reply(shell.subscription, [], delta.id))
        assert shell.replica.caught_up(shell.now) == ()

    def test_out_of_step_meanwhile_nothing_follows(self, shell):
        first, second = accept(shell, "x", "y")
        shell.held.add(first.id)
        shell.receive(event(first), event(second), inconsistent())
        shell.let_go()
        assert shell.source() == "x"

    def test_the_notebook_is_loaded_anew_meanwhile(self, shell):
        (delta,) = accept(shell, "x")
        shell.held.add(delta.id)
        shell.receive(event(delta))
        shell.run(shell.replica._lose_step("test", shell.now))
        shell.reload()
        shell.let_go()  # of the old copy: it is not squashed into the new one
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.in_step


class TestWhatCannotBeSquashed:
    def poison(self, shell):
        return shell.server.builder and replace("x", "no such cell").model_copy(
            update={"parent_delta_id": shell.server.head}
        )

    def test_it_is_told_before_the_notebook_is_loaded_anew(self, shell):
        bad = self.poison(shell)
        shell.receive(event(bad))
        kinds = shell.kinds()
        assert kinds.index(fx.SquashFailed) < kinds.index(fx.Reload)
        assert shell.of(fx.SquashFailed)[0].delta == bad
        assert shell.replica.builder.last_applied_delta_id != bad.id
        shell.reload()
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.in_step

    def test_its_sender_is_told_between(self, shell):
        bad = self.poison(shell)
        shell.edit(bad)
        shell.receive(event(bad))
        error = shell.results[bad.id]
        assert isinstance(error, InconsistentState)
        assert "the server took the change" in str(error)
        kinds = shell.kinds()
        assert kinds.index(fx.SquashFailed) < kinds.index(fx.Fail) < kinds.index(fx.Reload)

    def test_nothing_is_squashed_after_it(self, shell):
        bad = self.poison(shell)
        later = add("later").model_copy(update={"parent_delta_id": bad.id})
        shell.receive(event(later), event(bad))
        assert shell.replica.next_delta() is None
        assert "later" not in shell.replica.builder

    def test_in_a_catch_up_it_ends_the_catch_up(self):
        shell = Shell().connect()
        good = shell.server.accept(replace("x"))
        shell.receive(reply(shell.subscription, [self.poison(shell), good], good.id))
        assert shell.replica.halted
        assert not shell.replica.is_live
        assert shell.source() == "1"

    def test_without_a_connection_only_the_caller_hears_of_it(self):
        shell = Shell()
        shell.replica.running = False
        effects = shell.replica.squash(self.poison(shell), 0.0)
        assert [type(effect) for effect in effects] == [fx.SquashFailed]
