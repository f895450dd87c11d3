from uuid import uuid4

import pytest

from rtu_magics.protocol import InFlight


def test_found_by_both_ids_until_it_is_settled():
    flight = InFlight()
    transaction, delta = uuid4(), uuid4()
    pending = flight.add(transaction, delta, "me")
    assert flight.by_transaction(transaction) is pending
    assert flight.by_delta(delta) is pending
    assert len(flight) == 1
    assert flight.settle(delta) is pending
    assert flight.settle(delta) is None
    assert flight.by_transaction(transaction) is None
    assert flight.by_delta(delta) is None


def test_what_is_left_keeps_its_order():
    flight = InFlight()
    ids = [(uuid4(), uuid4()) for _ in range(5)]
    for i, (transaction, delta) in enumerate(ids):
        flight.add(transaction, delta, i)
    flight.settle(ids[2][1])
    assert [pending.owner for pending in flight] == [0, 1, 3, 4]


def test_settling_while_iterating_is_fine():
    flight = InFlight()
    for i in range(3):
        flight.add(uuid4(), uuid4(), i)
    for pending in flight:
        flight.settle(pending.delta_id)
    assert len(flight) == 0


def test_one_delta_is_in_flight_once():
    flight = InFlight()
    delta = uuid4()
    flight.add(uuid4(), delta, None)
    with pytest.raises(ValueError, match="in flight already"):
        flight.add(uuid4(), delta, None)


def test_a_reload_marks_only_what_had_been_sent():
    flight = InFlight()
    sent = flight.add(uuid4(), uuid4(), None)
    sent.sends = 1
    unsent = flight.add(uuid4(), uuid4(), None)
    flight.reloaded()
    assert sent.predates_reload
    assert not unsent.predates_reload
