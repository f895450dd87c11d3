"""Kernels that wait for one another, against a graph that is walked the slow way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.execution.waits import circle

_kernels = st.sampled_from("abcdef")


@given(st.lists(st.tuples(_kernels, _kernels), max_size=15), _kernels, st.lists(_kernels))
def test_a_circle_is_a_way_from_the_target_to_who_waits(waits, target, waiting):
    reached = {target}
    for _ in "abcdef":
        reached |= {other for one, other in waits if one in reached}
    assert circle(target, waiting, waits) == bool(reached & {*waiting})


def test_of_its_own_run_a_kernel_would_wait_for_itself():
    assert circle("a", ["a"], [])
    assert not circle("a", [], [("a", "b"), ("b", "a")])
