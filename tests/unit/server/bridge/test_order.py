"""From one order of cells to another."""

from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.bridge.order import rearrange

IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(IDS, IDS, st.sets(st.sampled_from("abcdefgh")), st.sets(st.sampled_from("abcdefgh")))
def test_the_steps_lead_there(
    have: list[str], want: list[str], anew: set[str], moving: set[str]
) -> None:
    anew &= set(have) & set(want)
    steps = rearrange(have, want, anew, moving)
    now = list(have)
    for one in steps.gone:
        now.remove(one)
    for one, after, is_new in steps.placed:
        assert (one in now) is not is_new
        if not is_new:
            now.remove(one)
        now.insert(0 if after is None else now.index(after) + 1, one)
    assert now == want
    assert anew <= set(steps.gone)


def test_one_move_is_one_step() -> None:
    assert rearrange(list("abcdef"), list("bcdefa")).placed == [("a", "f", False)]
    assert rearrange(list("ab"), list("ba"), moving={"a"}).placed == [("a", "b", False)]
    assert rearrange(list("ab"), list("ba"), moving={"b"}).placed == [("b", None, False)]
    assert rearrange(list("abc"), list("abc")).placed == []
