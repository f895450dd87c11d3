"""Token buckets: pure, the time is passed in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.limits.budget import Budget, Budgets
from rtu_magics.server.limits.settings import Limits, WrongLimit


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        ([(0, 1), (0, 1), (0, 1)], [0, 0, 0.5]),
        ([(0, 2), (0.5, 1), (0.5, 1)], [0, 0, 0.5]),
        ([(0, 2), (100, 2), (100, 1)], [0, 0, 0.5]),  # never more than the burst
        ([(0, 3)], [math.inf]),
        ([(5, 2), (4, 1), (5.5, 1)], [0, 0.5, 0]),  # a clock that went back gives nothing
    ],
)
def test_a_bucket(takes: list[tuple[float, float]], expected: list[float]) -> None:
    budget = Budget(rate=2, burst=2)
    assert [budget.take(now, tokens) for now, tokens in takes] == pytest.approx(expected)


def test_a_rate_of_nothing_is_what_it_says() -> None:
    budget = Budget(rate=0, burst=1)
    assert [budget.take(0), budget.take(1e9)] == [0, math.inf]


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=60),
)
def test_never_more_than_burst_and_rate_allow_and_the_wait_is_true(
    rate: float, burst: int, takes: list[tuple[float, int]]
) -> None:
    budget, now, taken = Budget(rate, burst), 0.0, 0
    for pause, tokens in takes:
        now += pause
        wait = budget.take(now, tokens)
        if wait == 0:
            taken += tokens
        elif not math.isinf(wait):
            assert (
                Budget(rate, burst, budget.tokens, budget.at).take(now + wait * 1.001, tokens) == 0
            )
        else:
            assert tokens > burst
        assert taken <= burst + rate * now + 1e-6


def test_one_person_does_not_spend_anothers() -> None:
    budgets = Budgets("changes", 10, 2, "edits_per_second")
    assert [budgets.take("a", 0) for _ in range(2)] == [None, None]
    spent = budgets.take("a", 0)
    assert budgets.take("b", 0) is None
    assert str(spent) == (
        "too many changes: at most 10 a second from one person; try again in 0.1 s, or ask whoever "
        "runs the server to raise edits_per_second"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("edits=1", "no limit is called"),
        ("edits_burst", "NAME=NUMBER"),
        ("edits_burst=-1", "from 0"),
    ],
)
def test_a_limit_that_cannot_be_set(text: str, words: str) -> None:
    with pytest.raises(WrongLimit, match=words):
        Limits.read(text)


def test_limits_as_text() -> None:
    found = Limits.read(" edits_burst=5 ,runs_per_second=0.5,")
    assert (found.edits_burst, found.runs_per_second) == (5, 0.5)
    assert found.runs_burst == Limits().runs_burst
