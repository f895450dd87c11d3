from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.protocol import Backoff


def test_delays_double_up_to_the_cap():
    backoff = Backoff(first=1, cap=5)
    assert [backoff.failed(1) for _ in range(5)] == [1, 2, 4, 5, 5]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=2000))
def test_every_delay_is_positive_and_at_most_the_cap(chances):
    backoff = Backoff(first=0.1, cap=10)
    for chance in chances:
        assert 0 < backoff.failed(chance) <= 10


def test_a_server_that_accepts_and_closes_at_once_is_a_failure():
    backoff = Backoff(first=1, cap=100, stable=5)
    delays = [backoff.lost(authenticated=False, lasted=0.01, chance=1) for _ in range(4)]
    assert delays == [1, 2, 4, 8]


def test_so_is_one_that_closes_right_after_authentication():
    backoff = Backoff(first=1, cap=100, stable=5)
    delays = [backoff.lost(authenticated=True, lasted=0.5, chance=1) for _ in range(3)]
    assert delays == [1, 2, 4]


def test_a_connection_that_held_is_a_success():
    backoff = Backoff(first=1, cap=100, stable=5)
    for _ in range(6):
        backoff.failed(1)
    assert backoff.lost(authenticated=True, lasted=6, chance=1) == 1


def test_a_long_open_connection_without_authentication_is_none():
    backoff = Backoff(first=1, cap=100, stable=5)
    backoff.failed(1)
    assert backoff.lost(authenticated=False, lasted=1000, chance=1) == 2


def test_jitter_takes_up_to_half():
    assert Backoff(first=1).failed(0) == 0.5
