"""A page of plain JupyterLab that saves what it still has while others edit over RTU."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .lab import Lab, Page, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]

MOST_RECENT = 11.0  # seconds; what was read a moment before is merged, not taken for an older state


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def in_room(session: Any) -> list[str]:
    return [session.cell(view.id).source for view in session.cells()]


def in_page(page: Page) -> list[str]:
    return page.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
                 .map((cell) => cell.model.sharedModel.getSource())"""
    )


def type_into(page: Page, index: int, text: str) -> None:
    page.page.evaluate(
        """([index, text]) => window.jupyterapp.shell.currentWidget.content.widgets[index]
                                .model.sharedModel.setSource(text)""",
        [index, text],
    )


def save_and_answer(page: Page, answer: str) -> None:
    """Save as its user does, and press a button of what the page then asks."""
    page.command("docmanager:save")
    page.page.locator(".jp-Dialog button", has_text=answer).click()
    page.page.wait_for_selector(".jp-Dialog", state="detached")


def eventually(check: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def edited(
    lab: Lab, open_page: Callable[[], Page], join: Callable[[str], Any], request: Any
) -> tuple[Page, Any, Path]:
    """A page that typed, over which others edited, added and ran."""
    name = f"plain-{request.node.callspec.id}.ipynb"
    path = write_notebook(lab.root / name, "a = 1", "b = 2")
    page = open_page()
    page.open(name)
    session = join(name)
    session.edit("cell-1", "a = 'acknowledged'\nprint(a)")
    session.add("c = 'new'")
    session.run("cell-1")
    eventually(
        lambda: "'acknowledged'" in path.read_text() and '"acknowledged\\n"' in path.read_text()
    )
    type_into(page, 1, "b = 'typed in the page'")
    return page, session, path


@pytest.mark.parametrize("pause", [0.0, MOST_RECENT], ids=["at once", "later"])
def test_overwrite(edited: tuple[Page, Any, Path], pause: float) -> None:
    page, session, path = edited
    page.page.wait_for_timeout(pause * 1000)
    save_and_answer(page, "Overwrite")
    eventually(lambda: in_room(session)[1] == "b = 'typed in the page'")
    if not pause:  # two edits at once: both stay
        eventually(lambda: "a = 'acknowledged'" in sources(path)[0] and len(sources(path)) == 3)
        return
    eventually(lambda: sources(path) == ["a = 1", "b = 'typed in the page'"])
    names = [version.name for version in session.versions()]
    before = f"Before another program saved {path.name}"
    assert before in names
    assert f"{path.name} as another program saved it" in names
    session.restore(before)
    assert in_room(session) == ["a = 'acknowledged'\nprint(a)", "b = 2", "c = 'new'"]
    assert "acknowledged" in str(session.outputs("cell-1"))


@pytest.mark.parametrize("pause", [0.0], ids=["revert"])
def test_revert(edited: tuple[Page, Any, Path], pause: float) -> None:
    page, session, path = edited
    wanted = ["a = 'acknowledged'\nprint(a)", "b = 2", "c = 'new'"]
    save_and_answer(page, "Revert")
    eventually(lambda: in_page(page) == wanted)
    assert sources(path) == in_room(session) == wanted
    type_into(page, 1, "b = 'once more'")
    page.command("docmanager:save")
    eventually(lambda: in_room(session)[1] == "b = 'once more'")
    assert in_room(session) == [wanted[0], "b = 'once more'", wanted[2]]
