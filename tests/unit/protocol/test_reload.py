"""Out of step: at any moment, again and again, and given up."""

import pytest

from rtu_magics import models as m
from rtu_magics.errors import ClientClosed, InconsistentState
from rtu_magics.protocol import effects as fx
from rtu_magics.protocol.reload import RELOAD_PAUSE

from .world import Shell, add, event, inconsistent, replace, reply

RESTORED = m.Notebook(cells=[m.CodeCell(id="z", source="restored")])


@pytest.fixture
def shell():
    return Shell().subscribe()


def restored(shell):
    shell.server.restore(RESTORED)
    shell.reload()
    shell.receive(shell.server.answer(shell.subscription))


def before_the_reply(shell):
    shell.connect()
    shell.receive(inconsistent(shell.subscription.transaction_id))


def before_the_reply_with_deltas_ahead(shell):
    shell.connect()
    shell.receive(event(shell.server.accept(replace("ahead"))), inconsistent())


def during_the_catch_up(shell):
    first, _ = (shell.server.accept(replace(text)) for text in "xy")
    shell.held.add(first.id)
    shell.subscribe()
    shell.receive(inconsistent())
    shell.let_go()
    assert not shell.of(fx.Live)


def while_live(shell):
    shell.subscribe()
    shell.receive(inconsistent())


def with_an_edit_in_flight(shell):
    shell.subscribe()
    shell.edit(add("mine"))
    shell.receive(inconsistent())


def while_deltas_wait(shell):
    shell.subscribe()
    _, second = (shell.server.accept(replace(text)) for text in "xy")
    shell.receive(event(second), inconsistent())


def while_a_hook_waits(shell):
    shell.subscribe()
    delta = shell.server.accept(replace("x"))
    shell.held.add(delta.id)
    shell.receive(event(delta), inconsistent())
    shell.let_go()


def while_asking_for_a_missing_delta(shell):
    shell.subscribe()
    _, second = (shell.server.accept(replace(text)) for text in "xy")
    shell.receive(event(second))
    shell.pass_time(5.0)
    shell.receive(inconsistent())


def after_a_reconnect(shell):
    shell.subscribe()
    shell.lose()
    shell.connect()
    shell.receive(inconsistent(shell.subscription.transaction_id))


MOMENTS = [
    before_the_reply,
    before_the_reply_with_deltas_ahead,
    during_the_catch_up,
    while_live,
    with_an_edit_in_flight,
    while_deltas_wait,
    while_a_hook_waits,
    while_asking_for_a_missing_delta,
    after_a_reconnect,
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
class TestAtAnyMoment:
    def test_the_notebook_is_loaded_anew_and_followed(self, moment):
        shell = Shell()
        moment(shell)
        assert shell.replica.halted
        assert not shell.replica.is_live
        assert len(shell.of(fx.Reload)) == 1
        restored(shell)
        assert shell.in_step
        assert shell.replica.builder.cell_ids == ["z"]
        assert len(shell.replica.order.chain) == 0

    def test_twice_is_once(self, moment):
        shell = Shell()
        moment(shell)
        shell.receive(inconsistent(), event(shell.server.accept(replace("late"))))
        assert len(shell.of(fx.Reload)) == 1
        restored(shell)
        assert shell.in_step

    def test_a_connection_lost_meanwhile(self, moment):
        shell = Shell()
        moment(shell)
        shell.lose()
        count = len(shell.of(fx.Send))
        shell.connect()
        assert len(shell.of(fx.Send)) == count  # the reload subscribes
        restored(shell)
        assert shell.in_step

    def test_a_connection_that_stays_away(self, moment):
        shell = Shell()
        moment(shell)
        shell.lose()
        shell.server.restore(RESTORED)
        shell.reload()
        shell.subscribe()
        assert shell.in_step

    def test_without_a_way_to_load_it(self, moment):
        shell = Shell(reload=False)
        moment(shell)
        (end,) = shell.of(fx.GiveUp)
        assert isinstance(end.error, InconsistentState)
        assert str(end.error).endswith("connect again to load the notebook anew")
        assert not shell.of(fx.Reload)

    def test_closed_while_it_is_loaded(self, moment):
        shell = Shell()
        moment(shell)
        error = ClientClosed("closed")
        shell.run(shell.replica.close(error))
        assert set(shell.results.values()) <= {error}
        count = len(shell.log)
        shell.reload()
        shell.reload_fails()
        assert shell.log[count:] == []

    def test_what_is_in_flight_is_sent_again_to_the_new_copy(self, moment):
        shell = Shell()
        moment(shell)
        shell.edit(replace("mine", "z"))
        restored(shell)
        pending = shell.sent[-1]
        assert pending.owner not in shell.results
        shell.receive(
            event(
                shell.server.accept(replace("mine", "z").model_copy(update={"id": pending.owner}))
            )
        )
        assert shell.results[pending.owner].id == pending.owner
        assert shell.in_step


class TestHowOften:
    def test_not_heard_without_a_subscription(self):
        shell = Shell()
        shell.receive(inconsistent())
        assert shell.log == []

    def test_three_subscriptions_refused_in_a_row_are_enough(self):
        shell = Shell().connect()
        for _ in range(3):
            shell.receive(inconsistent(shell.subscription.transaction_id))
            assert not shell.of(fx.GiveUp)
            shell.reload()
        shell.receive(inconsistent(shell.subscription.transaction_id))
        (end,) = shell.of(fx.GiveUp)
        assert "did not help: connect again" in str(end.error)

    def test_people_may_restore_to_and_fro(self, shell):
        for _ in range(10):
            shell.now += 2.0
            shell.receive(inconsistent())
            assert shell.of(fx.Reload)[-1].at == shell.now
            restored(shell)
        assert shell.in_step

    def test_a_server_that_says_so_at_once_is_heard_after_a_pause(self, shell):
        shell.now += 0.5
        shell.receive(inconsistent())
        (reload,) = shell.of(fx.Reload)
        assert reload.at == shell.now + RELOAD_PAUSE

    def test_being_live_for_a_while_forgets_earlier_reloads(self):
        shell = Shell()
        for _ in range(5):
            shell.connect()
            for _ in range(3):
                shell.receive(inconsistent(shell.subscription.transaction_id))
                shell.reload()
            shell.receive(shell.server.answer(shell.subscription))
            shell.now += 20.0
            shell.lose()
        assert not shell.of(fx.GiveUp)


class TestOneThatFails:
    def test_is_tried_again_with_longer_pauses_and_then_given_up(self, shell):
        shell.now += 2.0
        shell.receive(inconsistent())
        for _ in range(2):
            shell.reload_fails()
        assert [effect.at - shell.now for effect in shell.of(fx.Reload)] == [0.0, 0.5, 1.0]
        assert not shell.of(fx.GiveUp)
        shell.reload_fails("no network")
        (end,) = shell.of(fx.GiveUp)
        assert str(end.error).endswith("loading it anew failed: no network")

    def test_and_then_succeeds(self, shell):
        shell.receive(inconsistent())
        shell.reload_fails()
        restored(shell)
        assert shell.in_step

    def test_the_pauses_begin_anew_with_the_next_reload(self, shell):
        for _ in range(2):
            shell.now += 20.0
            shell.receive(inconsistent())
            shell.reload_fails()
            assert shell.of(fx.Reload)[-1].at == shell.now + RELOAD_PAUSE
            restored(shell)

    def test_what_is_in_flight_ends_when_it_is_given_up(self, shell):
        pending = shell.edit(replace("x"))
        shell.receive(inconsistent())
        for _ in range(3):
            shell.reload_fails()
        (end,) = shell.of(fx.GiveUp)
        shell.run(shell.replica.close(end.error))
        assert shell.results == {pending.owner: end.error}


def test_a_reply_that_comes_while_it_is_loaded_is_stale():
    shell = Shell().connect()
    earlier = reply(shell.subscription)
    shell.receive(inconsistent(), earlier)
    assert shell.replica.halted
    assert not shell.replica.is_live
