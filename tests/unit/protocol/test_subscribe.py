"""Subscribing: from where, what the reply brings, and in which order anything may come."""

from itertools import permutations
from uuid import uuid4

import pytest

from rtu_magics import models as m
from rtu_magics.errors import ConnectFailed, ConnectionLost, PermissionDenied, SubscribeTimeout
from rtu_magics.protocol import effects as fx

from .world import (
    CHANNEL,
    FILE,
    KERNELS,
    Server,
    Shell,
    event,
    kernel_status,
    replace,
    reply,
    state,
)


class TestFromWhere:
    def test_a_new_copy_asks_from_its_version(self):
        shell = Shell().connect()
        assert shell.log[:-1] == [fx.Subscribe(), fx.Gate(open=False), fx.Timeout(on=True)]
        assert shell.subscription.data.from_version_id == shell.server.version

    def test_one_that_has_deltas_asks_from_the_last(self):
        shell = Shell().subscribe()
        shell.receive(event(shell.server.accept(replace("x"))))
        shell.lose()
        shell.connect()
        assert shell.subscription.data.from_delta_id == shell.server.head

    def test_one_of_an_empty_chain_asks_from_its_version(self):
        shell = Shell().subscribe()
        assert shell.replica.builder.last_applied_delta_id == m.NIL_UUID
        shell.lose()
        shell.connect()
        assert shell.subscription.data.from_version_id == shell.server.version


class TestTheReply:
    def test_its_deltas_are_squashed_before_the_gate_opens(self):
        shell = Shell()
        shell.server.accept(replace("x"))
        shell.connect()
        answer = shell.server.answer(shell.subscription)
        del shell.log[:]
        shell.receive(answer)
        assert shell.log == [
            fx.CatchUp(),
            fx.Gate(open=True),
            fx.Replay(),
            fx.Follow(),
            fx.Timeout(on=False),
            fx.Say("live"),
            fx.Live(answer),
        ]
        assert shell.in_step
        assert shell.source() == "x"

    def test_without_deltas_its_latest_is_the_head(self):
        shell = Shell().connect()
        latest = uuid4()
        shell.receive(reply(shell.subscription, latest=latest))
        assert shell.replica.builder.last_applied_delta_id == latest

    def test_with_deltas_the_last_of_them_is(self):
        shell = Shell()
        last = shell.server.accept(replace("x"))
        shell.connect()
        shell.receive(reply(shell.subscription, [last], latest=uuid4()))
        assert shell.replica.builder.last_applied_delta_id == last.id

    def test_it_brings_kernel_cells_people_and_role(self):
        shell = Shell().connect()
        here, gone = (
            {"user_id": uuid4(), "file_id": FILE, "subscribed": there, "last_event_at": m.utcnow()}
            for there in (True, False)
        )
        shell.receive(
            reply(
                shell.subscription,
                states=[state("a", "queued")],
                kernel=kernel_status("busy"),
                user_subscriptions=[here, gone],
                role="viewer",
            )
        )
        known = shell.replica.state
        assert known.kernel_state == "busy"
        assert known.cell_states == {"a": "queued"}
        assert set(known.people) == {here["user_id"]}
        assert known.role == "viewer"

    def test_of_an_earlier_request_it_is_stale(self):
        shell = Shell().connect()
        earlier = shell.server.answer(shell.subscription)
        shell.lose()
        shell.connect()
        shell.receive(earlier)
        assert not shell.replica.is_live
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.replica.is_live

    def test_a_second_one_changes_nothing(self):
        shell = Shell().subscribe()
        count = len(shell.log)
        shell.receive(shell.server.answer(shell.subscription))
        assert shell.log[count:] == []

    def test_a_second_one_during_the_catch_up_changes_nothing(self):
        shell = Shell()
        shell.held.add(shell.server.accept(replace("x")).id)
        shell.connect()
        answer = shell.server.answer(shell.subscription)
        shell.receive(answer, answer)
        shell.let_go()
        assert shell.in_step
        assert len(shell.of(fx.Live)) == 1

    def test_a_no_ends_it(self):
        shell = Shell().connect()
        shell.receive(reply(shell.subscription, success=False))
        (end,) = shell.of(fx.GiveUp)
        assert isinstance(end.error, PermissionDenied)

    def test_the_connection_is_lost_during_the_catch_up(self):
        shell = Shell()
        first, _ = (shell.server.accept(replace(text)) for text in "xy")
        shell.held.add(first.id)
        shell.subscribe()
        shell.lose()
        shell.let_go()
        assert not shell.replica.is_live
        assert not shell.of(fx.Live)
        shell.subscribe()
        assert shell.in_step

    def test_states_of_a_subscription_are_not_those_of_another_channel(self):
        shell = Shell().connect()
        answer = shell.server.answer(shell.subscription).model_copy(update={"channel": "files/x"})
        shell.receive(answer)
        assert not shell.replica.is_live


@pytest.mark.parametrize("known", range(4))
@pytest.mark.parametrize("order", list(permutations(["reply", 0, 1, 2])), ids=str)
def test_reply_and_events_in_any_order(order, known):
    """The reply holds the first `known` of three deltas; each comes as an event as well."""
    shell = Shell(Server()).connect()
    chain = [shell.server.accept(replace(text)) for text in "xyz"]
    for what in order:
        if what == "reply":
            latest = chain[known - 1].id if known else m.NIL_UUID
            shell.receive(reply(shell.subscription, chain[:known], latest))
        else:
            shell.receive(event(chain[what]))
    assert shell.in_step
    assert shell.source() == "z"
    assert len(shell.replica.order.chain) == 0


class TestPermission:
    @pytest.mark.parametrize("live", [False, True])
    def test_a_refusal_of_the_subscription_ends_it(self, live):
        shell = Shell()
        if live:
            shell.subscribe()
            shell.lose()
        shell.connect()
        shell.receive(
            m.PermissionDeniedResponse(
                transaction_id=shell.subscription.transaction_id,
                channel=CHANNEL,
                data={"message": "not yours"},
            )
        )
        (end,) = shell.of(fx.GiveUp)
        assert str(end.error) == "not yours"

    def test_a_refusal_of_something_else_does_not(self):
        shell = Shell().connect()
        shell.receive(m.PermissionDeniedResponse(channel=CHANNEL, data={"message": "no"}))
        assert not shell.of(fx.GiveUp)

    def test_another_role_is_kept_and_none_ends_it(self):
        shell = Shell().subscribe()
        for role in ("viewer", None):
            data = {"role": role, "message": "not shared any more"}
            shell.receive(m.RoleChangedEvent(channel=CHANNEL, data=data))
            assert shell.replica.state.role == role
        (end,) = shell.of(fx.GiveUp)
        assert str(end.error) == "not shared any more"
        assert shell.replica.halted


class TestWhatPeopleAreTold:
    def test_no_answer(self):
        shell = Shell().connect()
        (effect,) = shell.replica.unanswered(7)
        assert isinstance(effect.error, SubscribeTimeout)
        assert "within 7 s" in str(effect.error)

    def test_a_loss_before_the_notebook_was_there_is_an_error_told_once(self):
        shell = Shell().connect()
        shell.lose()
        (told,) = shell.of(fx.NotReady)
        assert isinstance(told.error, ConnectionLost)
        shell.connect()
        shell.run(shell.replica.unanswered(1))
        shell.lose()
        assert len(shell.of(fx.NotReady)) == 2

    def test_a_later_loss_is_a_state(self):
        shell = Shell().subscribe()
        shell.lose()
        assert not shell.of(fx.NotReady)
        assert shell.log[-1] == fx.Say("reconnecting", "the connection was lost")
        assert shell.replica.unanswered(1) == ()

    @pytest.mark.parametrize("live", [False, True])
    def test_an_attempt_that_fails(self, live):
        shell = Shell()
        if live:
            shell.subscribe()
            shell.lose()
        error = ConnectFailed("refused")
        said = fx.Say("reconnecting" if live else "connecting", "refused")
        told = () if live else (fx.NotReady(error),)
        assert shell.replica.contact.attempt_failed(error) == (said, *told)

    def test_after_the_end_nothing_is_said(self):
        shell = Shell().subscribe()
        shell.run(shell.replica.give_up(PermissionDenied("no")))
        del shell.log[:]
        shell.lose()
        assert shell.log == [fx.Gate(open=False), fx.Timeout(on=False)]


class TestPeopleAndFile:
    def test_people_come_and_go(self):
        shell = Shell().subscribe()
        ada, bob = uuid4(), uuid4()
        for user, there in ((ada, True), (bob, True), (bob, False)):
            data = {
                "user_id": user,
                "file_id": FILE,
                "subscribed": there,
                "last_event_at": m.utcnow(),
            }
            shell.receive(m.UpdateUserFileSubscriptionEvent(channel=CHANNEL, data=data))
        assert set(shell.replica.state.people) == {ada}
        for user in (ada, bob):
            shell.receive(
                m.RemoveUserFileSubscriptionEvent(channel=CHANNEL, data={"user_id": user})
            )
        assert shell.replica.state.people == {}

    def test_a_kernel_reply_counts_if_it_is_a_yes(self):
        shell = Shell().subscribe()
        for success, expected in ((False, "not_started"), (True, "idle")):
            data = {"success": success, "kernel_session": kernel_status("idle")}
            shell.receive(m.KernelSubscribeReply(channel=KERNELS, data=data))
            assert shell.replica.state.kernel_state == expected
