from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rtu_magics

from ..widgets.mirror_page import browser
from .lab import Lab, Page, running_lab


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def lab(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def open_page(lab: Lab, chromium: Any) -> Iterator[Callable[[], Page]]:
    """Make a page of its own, with nothing in it yet."""
    contexts = []

    def make() -> Page:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 1000}))
        shown = contexts[-1].new_page()
        shown.set_default_timeout(30_000)
        return Page(shown, lab)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def join(lab: Lab) -> Iterator[Callable[[str], Any]]:
    """Join a notebook of the server as a second client."""
    with contextlib.ExitStack() as stack:

        def connect(path: str) -> Any:
            session = rtu_magics.connect(f"{lab.url}lab/tree/{path}", token="any")
            return stack.enter_context(session)

        yield connect
