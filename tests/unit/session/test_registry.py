"""Sessions by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.errors import SessionError
from rtu_magics.session.registry import Registry


def named(name: str) -> Any:
    return SimpleNamespace(name=name, path=f"{name}.ipynb")


def test_newest_is_the_default() -> None:
    registry = Registry()
    one, two = named("one"), named("two")
    registry.add(one)
    registry.add(two)
    assert registry.get() is two
    assert registry.get("one") is one
    registry.add(one)
    assert registry.get() is one
    registry.remove(one)
    assert registry.get() is two
    assert [s.name for s in registry] == ["two"]


def test_errors_name_the_next_step() -> None:
    registry = Registry()
    with pytest.raises(SessionError) as info:
        registry.get()
    assert str(info.value) == "no session is open; %rtu_connect opens one"
    registry.add(named("one"))
    with pytest.raises(SessionError) as info:
        registry.get("two")
    assert str(info.value) == "no session is called 'two'; open are: one"
    with pytest.raises(SessionError) as info:
        registry.check_free("one")
    assert str(info.value) == (
        "session 'one' is already open (on one.ipynb); choose another name or close it with "
        "%rtu_disconnect -s one"
    )


def test_free_names() -> None:
    registry = Registry()
    assert registry.free_name("a") == "a"
    registry.add(named("a"))
    registry.add(named("a-2"))
    assert registry.free_name("a") == "a-3"
