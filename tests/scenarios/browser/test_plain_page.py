"""A page of plain JupyterLab that saves what it still has while others edit over RTU."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .lab import Lab, Page, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]


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


def save(page: Page) -> None:
    """Save as its user does, and wait until that is done: nobody is asked anything."""
    page.page.evaluate(
        """() => {
          window.saved = window.jupyterapp.shell.currentWidget.context.save()
            .then(() => "done", (error) => `${error}`);
        }"""
    )
    page.page.wait_for_function(
        """async () => document.querySelector(".jp-Dialog")
             || await Promise.race([window.saved, new Promise((ok) => setTimeout(ok, 100))])"""
    )
    assert page.page.locator(".jp-Dialog").count() == 0
    assert page.page.evaluate("() => window.saved") == "done"


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
    name = f"{request.node.originalname.removeprefix('test_')}.ipynb"
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


def test_saves_over_what_others_did(edited: tuple[Page, Any, Path]) -> None:
    page, session, path = edited
    theirs = "a = 'acknowledged'\nprint(a)"
    save(page)
    assert in_page(page) == ["a = 1", "b = 'typed in the page'"]
    wanted = [theirs, "b = 'typed in the page'", "c = 'new'"]
    assert sources(path) == wanted
    eventually(lambda: in_room(session) == wanted)
    assert "acknowledged" in path.read_text()
    for turn in range(3):
        session.edit("cell-1", f"{theirs}\n# {turn}")
        session.run("cell-1")
        type_into(page, 1, f"b = 'typed again, {turn}'")
        save(page)
    wanted = [f"{theirs}\n# 2", "b = 'typed again, 2'", "c = 'new'"]
    assert sources(path) == wanted
    eventually(lambda: in_room(session) == wanted)
    assert "acknowledged" in str(session.outputs("cell-1"))
    page.select(1)
    page.command("notebook:run-cell")
    page.wait_for_count(1)
    session.delete("cell-1")
    save(page)
    assert sources(path) == wanted[1:]
    eventually(lambda: in_room(session) == wanted[1:])
    assert session.outputs("cell-2") is not None
    page.shot("plain-page-after-saves")
    (notice,) = session.take_notices()
    assert "page saved saves_over_what_others_did.ipynb" in notice
    page.command("docmanager:reload")
    eventually(lambda: page.page.locator(".jp-Dialog").count() == 1 or in_page(page) == wanted[1:])
    if page.page.locator(".jp-Dialog").count():
        page.page.locator(".jp-Dialog button", has_text="Reload").click()
    eventually(lambda: in_page(page) == wanted[1:])
    page.shot("plain-page-reloaded")
    type_into(page, 1, "c = 'from the page'")
    save(page)
    eventually(lambda: in_room(session) == [wanted[1], "c = 'from the page'"])


def test_another_program_wrote_the_file(edited: tuple[Page, Any, Path]) -> None:
    """Then the page asks as ever, and whatever its user says, nothing is lost."""
    page, session, path = edited
    wanted = ["a = 'acknowledged'\nprint(a)", "b = 'typed in the page'", "c = 'new'", "pulled"]
    book = nbformat.read(path, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell("pulled", id="pulled"))
    nbformat.write(book, path)
    eventually(lambda: in_room(session)[-1] == "pulled")
    save_and_answer(page, "Overwrite")
    eventually(lambda: sources(path) == in_room(session) == wanted)
    type_into(page, 1, "b = 'once more'")
    save(page)
    wanted[1] = "b = 'once more'"
    eventually(lambda: sources(path) == in_room(session) == wanted)


def test_what_the_page_trusts(
    lab: Lab, open_page: Callable[[], Page], join: Callable[[str], Any]
) -> None:
    """What its own user ran stays trusted, also once others have edited."""
    show = "from IPython.display import HTML\nHTML('<b>bold</b>')"
    path = write_notebook(lab.root / "trusts.ipynb", show, "b = 2")
    session = join("trusts.ipynb")
    page = open_page()
    page.open("trusts.ipynb")
    assert session.call(session.api.info()).pages == "plain"
    page.select(0)
    page.command("notebook:run-cell")
    page.wait_for_count(0)
    save(page)

    def is_trusted() -> bool:
        url = f"{lab.url}api/contents/trusts.ipynb?type=notebook&content=1"
        with urllib.request.urlopen(url, timeout=90) as response:
            cells = json.load(response)["content"]["cells"]
        return bool(cells[0]["outputs"] and cells[0]["metadata"]["trusted"])

    assert is_trusted()
    session.edit("cell-2", "b = 'edited'")
    eventually(lambda: "edited" in path.read_text())
    assert is_trusted()
