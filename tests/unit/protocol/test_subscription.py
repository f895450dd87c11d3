from uuid import uuid4

import pytest

from rtu_magics.models import NIL_UUID
from rtu_magics.protocol import Subscription, SubscriptionState


def test_a_new_copy_follows_from_its_version():
    version = uuid4()
    for head in (None, NIL_UUID):
        start = Subscription.starting_point(version, head)
        assert (start.from_version_id, start.from_delta_id) == (version, None)


def test_a_copy_with_a_head_follows_from_that():
    head = uuid4()
    start = Subscription.starting_point(uuid4(), head)
    assert (start.from_version_id, start.from_delta_id) == (None, head)


def test_without_either_there_is_nothing_to_follow():
    with pytest.raises(ValueError, match="no version"):
        Subscription.starting_point(None, NIL_UUID)


def test_the_three_states():
    subscription = Subscription()
    assert subscription.state is SubscriptionState.IDLE
    request = uuid4()
    subscription.requested(request)
    assert subscription.state is SubscriptionState.REQUESTED
    assert subscription.awaits(request)
    subscription.accepted(now=1)
    assert subscription.state is SubscriptionState.LIVE
    assert not subscription.awaits(request)
    subscription.ended()
    assert subscription.state is SubscriptionState.IDLE


def test_an_answer_to_an_earlier_request_is_stale():
    subscription = Subscription()
    old, new = uuid4(), uuid4()
    subscription.requested(old)
    subscription.requested(new)
    assert not subscription.awaits(old)
    assert subscription.awaits(new)
    subscription.ended()
    assert not subscription.awaits(new)


def test_too_many_reloads_in_a_row_are_refused():
    subscription = Subscription(max_reloads=3)
    assert [subscription.may_reload(now=0) for _ in range(4)] == [True, True, True, False]


def test_a_subscription_that_held_for_a_while_resets_the_count():
    subscription = Subscription(max_reloads=2, settled_after=10)
    for now in (0, 100, 200, 300):
        subscription.accepted(now)
        assert subscription.may_reload(now + 50)


def test_one_that_held_only_briefly_does_not():
    subscription = Subscription(max_reloads=2, settled_after=10)
    allowed = []
    for now in (0, 100, 200):
        subscription.accepted(now)
        allowed.append(subscription.may_reload(now + 1))
    assert allowed == [True, True, False]


def test_reloads_that_the_server_asks_for_do_not_count():
    subscription = Subscription(max_reloads=2, settled_after=10)
    for now in range(5):
        subscription.requested(uuid4())
        subscription.accepted(now)
        assert subscription.live_for(now + 0.5) == 0.5
        assert subscription.may_reload(now + 0.5, told=True)
        subscription.ended()
        assert subscription.live_for(now + 0.5) == 0
    assert subscription.may_reload(now=6)
    assert not subscription.may_reload(now=6)
