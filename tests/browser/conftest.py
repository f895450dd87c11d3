from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rtu_magics

from ..widgets.mirror_page import browser
from .lab import Lab, Page, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def page(lab: Lab, chromium: Any) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    shown = context.new_page()
    shown.set_default_timeout(30_000)
    try:
        yield Page(shown, lab)
    finally:
        context.close()


@pytest.fixture
def join(lab: Lab) -> Iterator[Callable[[str], Any]]:
    """Join a notebook of the server as a second client."""
    with contextlib.ExitStack() as stack:

        def connect(path: str) -> Any:
            session = rtu_magics.connect(f"{lab.url}lab/tree/{path}", token="any")
            return stack.enter_context(session)

        yield connect
