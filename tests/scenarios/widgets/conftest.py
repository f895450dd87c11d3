"""The mirror in a real browser, on a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .mirror_page import MirrorPage, browser, served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running, served() as address:
        yield running, address


@pytest.fixture
def mirror(chromium: Any) -> Iterator[MirrorPage]:
    page = MirrorPage(*chromium)
    yield page
    assert page.errors == []
    page.close()
