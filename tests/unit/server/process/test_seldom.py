"""Errors that come again and again: how often they are told."""

from __future__ import annotations

import errno
import itertools
import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from rtu_magics.server.process.seldom import Seldom


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_error_every_second_for_a_day() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    told = []
    for second in range(86_400):
        clock.now = float(second)
        if seldom.due("n.ipynb", OSError(errno.EIO, "Input/output error")):
            told.append(second)
    assert told[:4] == [0, 60, 180, 420]
    assert len(told) < 40
    assert max(b - a for a, b in itertools.pairwise(told)) <= 3600


def test_a_shortage_is_one_for_all_rooms() -> None:
    seldom = Seldom(Clock())
    full = OSError(errno.EMFILE, "Too many open files")
    assert [seldom.due(f"{n}.ipynb", full) for n in range(3)] == [True, False, False]
    assert seldom.due("0.ipynb", ValueError("x"))


def test_a_statements_values_make_no_other_error() -> None:
    seldom = Seldom(Clock())
    cause = sqlite3.OperationalError("unable to open database file")
    told = [seldom.due("n", OperationalError("INSERT", {"value": n}, cause)) for n in range(3)]
    assert told == [True, False, False]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", ""])), max_size=40))
def test_the_first_of_a_kind_is_always_told(events: list[tuple[str, str]]) -> None:
    """Empty text stands for a time that went well."""
    seldom = Seldom(Clock())
    last: dict[str, str] = {}
    for what, text in events:
        if text:
            assert seldom.due(what, ValueError(text)) == (last.get(what) != text)
            last[what] = text
        else:
            seldom.over(what)
            last.pop(what, None)
