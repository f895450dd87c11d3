"""What a session shows of its parts."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.session.attributes import Attributes
from rtu_magics.session.held import Held, Seen


class Whole:
    number = Held[int]("part.inner.count", "How many.")
    text = Seen[str]("part.text", "What it says.")

    def __init__(self) -> None:
        self.part = SimpleNamespace(inner=SimpleNamespace(count=1), text="a")


def test_held_is_read_and_set_where_it_lies() -> None:
    whole = Whole()
    assert whole.number == 1
    whole.number = 2
    assert whole.part.inner.count == 2
    whole.part.inner.count = 3
    assert whole.number == 3


def test_seen_is_only_read() -> None:
    whole = Whole()
    assert whole.text == "a"
    with pytest.raises(AttributeError, match="text cannot be set"):
        whole.text = "b"
    assert whole.part.text == "a"


def test_what_a_part_lacks_is_no_attribute() -> None:
    whole = Whole()
    del whole.part.text
    assert not hasattr(whole, "text")


def test_monkeypatch_puts_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole()
    with monkeypatch.context() as patch:
        patch.setattr(whole, "number", 7)
        assert whole.part.inner.count == 7
    assert whole.part.inner.count == 1


def test_help_knows_each_attribute_of_a_session() -> None:
    shown: dict[str, Any] = {
        name: found for name, found in vars(Attributes).items() if isinstance(found, Seen)
    }
    assert len(shown) > 30
    for name, found in shown.items():
        text = inspect.getdoc(found)
        assert text, name
        assert text != inspect.getdoc(Seen), name
