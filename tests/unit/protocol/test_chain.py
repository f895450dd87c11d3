from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.models import NIL_UUID
from rtu_magics.protocol import DeltaChain

from .chains import execute_chain, replace


def make_chain(n):
    return execute_chain(n, lambda i: replace("a", str(i)))


def drain(chain, head):
    taken = []
    while (delta := chain.pop(head)) is not None:
        taken.append(delta)
        head = delta.id
    return taken


def test_the_next_delta_comes_out_and_the_one_after_a_gap_waits():
    first, second, third = make_chain(3)
    chain = DeltaChain()
    assert chain.add(third, now=0)
    assert chain.pop(NIL_UUID) is None
    assert chain.add(first, now=0)
    assert drain(chain, NIL_UUID) == [first]
    assert chain.add(second, now=0)
    assert drain(chain, first.id) == [second, third]
    assert len(chain) == 0


@given(st.permutations(range(12)), st.data())
def test_any_order_with_any_duplicates_gives_the_chain(order, data):
    deltas = make_chain(12)
    repeats = data.draw(st.lists(st.sampled_from(range(12)), max_size=12))
    chain, head, taken = DeltaChain(), NIL_UUID, []
    for i in [*order, *repeats]:
        chain.add(deltas[i].model_copy(), now=0)
        got = drain(chain, head)
        taken += got
        head = got[-1].id if got else head
    assert [d.id for d in taken] == [d.id for d in deltas]
    assert len(chain) == 0
    assert chain.gap(now=100) is None


def test_ten_thousand_in_reverse_order():
    deltas = make_chain(10_000)
    chain = DeltaChain()
    for delta in reversed(deltas):
        chain.add(delta, now=0)
    assert drain(chain, NIL_UUID) == deltas


def test_duplicates_are_dropped_while_they_wait_and_after_they_were_taken():
    first, second = make_chain(2)
    chain = DeltaChain()
    assert chain.add(second, now=0)
    assert not chain.add(second.model_copy(), now=0)
    assert chain.add(first, now=0)
    drain(chain, NIL_UUID)
    assert not chain.add(first, now=0)
    assert not chain.add(second, now=0)
    assert len(chain) == 0


def test_what_was_applied_elsewhere_can_be_remembered():
    (first,) = make_chain(1)
    chain = DeltaChain()
    chain.remember(first.id)
    assert chain.knows(first.id)
    assert not chain.add(first, now=0)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("rtu_magics.protocol.chain._REMEMBERED", 10)
    chain = DeltaChain()
    ids = [uuid4() for _ in range(25)]
    for delta_id in ids:
        chain.remember(delta_id)
    assert [chain.knows(i) for i in ids] == [False] * 15 + [True] * 10


def test_without_a_head_the_first_arrival_without_a_waiting_parent_comes_next():
    _, second, third = make_chain(3)
    chain = DeltaChain()
    chain.add(third, now=0)
    chain.add(second, now=0)
    assert chain.pop(None) is second
    assert chain.pop(second.id) is third
    assert chain.pop(None) is None


def test_a_null_parent_is_the_start_of_the_chain():
    (first,) = make_chain(1)
    first.parent_delta_id = None
    chain = DeltaChain()
    chain.add(first, now=0)
    assert chain.pop(NIL_UUID) is first


def test_a_gap_is_as_old_as_the_wait_since_the_last_progress():
    first, second, third, fourth = make_chain(4)
    chain = DeltaChain()
    assert chain.gap(now=0) is None
    chain.add(fourth, now=10)
    assert chain.gap(now=12) == 2
    chain.add(second, now=14)
    assert chain.gap(now=15) == 5
    chain.add(first, now=20)
    drain(chain, NIL_UUID)  # the fourth goes on waiting, for the third
    assert chain.gap(now=21) == 0
    assert chain.gap(now=24) == 3
    chain.add(third, now=25)
    drain(chain, second.id)
    assert chain.gap(now=100) is None


def test_two_children_of_one_parent_are_a_gap_that_never_closes():
    first, second = make_chain(2)
    twin = second.model_copy(update={"id": uuid4()})
    chain = DeltaChain()
    assert chain.add(second, now=0)
    assert not chain.add(twin, now=0)
    assert chain.forked
    assert chain.gap(now=0) == float("inf")
    chain.clear()
    assert not chain.forked
    assert chain.add(first, now=0)


def test_clear_drops_what_waits_and_forgets_only_when_told():
    first, second = make_chain(2)
    chain = DeltaChain()
    chain.add(first, now=0)
    drain(chain, NIL_UUID)
    chain.add(second, now=0)
    chain.clear()
    assert len(chain) == 0
    assert chain.knows(first.id)
    assert not chain.knows(second.id)
    chain.clear(forget=True)
    assert not chain.knows(first.id)


def test_it_shows_what_waits():
    deltas = make_chain(3)
    chain = DeltaChain()
    for delta in reversed(deltas):
        chain.add(delta, now=0)
    assert list(chain) == deltas[::-1]
    assert chain[0] is deltas[2]
    assert chain[:2] == deltas[:0:-1]
    assert deltas[1] in chain
    assert repr(chain) == "<DeltaChain: 3 waiting>"
    with pytest.raises(IndexError):
        chain[3]
