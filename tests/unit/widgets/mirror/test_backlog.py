"""What is not sent yet: in order, and merged where it is about the same."""

from __future__ import annotations

from rtu_magics.widgets.mirror.backlog import Pending
from rtu_magics.widgets.mirror.ops import Fixed


def test_what_is_put_is_taken_once_in_order() -> None:
    pending = Pending()
    assert not pending
    pending.put(Fixed(["del", "a"]))
    pending.put(Fixed(["st", "b"]), "st", "b")
    pending.put(lambda: None)
    assert pending
    assert pending.take() == [["del", "a"], ["st", "b"]]
    assert not pending
    assert ("st", "b") not in pending
    assert pending.take() == []


def test_the_same_key_takes_the_earlier_place() -> None:
    pending = Pending()
    pending.put(Fixed([1]), "st", "a")
    pending.put(Fixed([2]))
    pending.put(Fixed([3]), "st", "a")
    assert pending.take() == [[3], [2]]


def test_what_was_put_can_take_in_more() -> None:
    pending = Pending()
    pending.put(Fixed([1]), "txt", "a", "o")
    pending.get("txt", "a", "o").op.append(2)
    assert pending.get("txt", "a", "other") is None
    assert pending.take() == [[1, 2]]


def test_nothing_goes_into_what_is_sealed() -> None:
    pending = Pending()
    pending.put(Fixed([1]), "st", "a")
    pending.put(Fixed([2]), "st", "b")
    pending.seal("a")
    pending.put(Fixed([3]), "st", "a")
    pending.put(Fixed([4]), "st", "b")
    assert pending.take() == [[1], [4], [3]]


def test_single_outputs_are_dropped_and_nothing_else() -> None:
    pending = Pending()
    for kind in ("out", "txt", "new"):
        pending.put(Fixed([kind]), kind, "a", "o")
    pending.put(Fixed(["outs"]), "outs", "a")
    pending.put(Fixed(["out", "b"]), "out", "b", "o")
    pending.drop_outputs("a")
    assert ("txt", "a", "o") not in pending
    assert pending.take() == [["outs"], ["out", "b"]]
