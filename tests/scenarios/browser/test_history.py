"""The past of a notebook, played in JupyterLab."""

from __future__ import annotations

import pytest

from .lab import write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(240)]


def test_the_past_is_played_in_the_front_end(open_page, lab, join):
    write_notebook(lab.root / "past.ipynb", "x = 1", {"cell_type": "markdown", "source": "# Old"})
    session = join("past.ipynb")
    text = "x = 1"
    for letter in "234":
        text += letter
        session.edit("cell-1", text)
    added = session.add("print(x)")
    session.delete("cell-2")
    session.move(added.id, first=True)
    write_notebook(
        lab.root / "past-mine.ipynb",
        "%load_ext rtu_magics\n%rtu_connect past.ipynb --new --no-widget",
        "%rtu_replay",
        "import time\ntime.sleep(3600)",  # sliding asks nobody
    )
    page = open_page()
    page.open("past-mine.ipynb")
    page.run_all()
    shown = page.page
    slider = shown.get_by_label("Step in the notebook's past")
    slider.wait_for()
    cells = shown.locator(".rtu-history .rtu-cell")
    assert slider.get_attribute("max") == "6"
    assert slider.input_value() == "6"
    assert cells.evaluate_all("all => all.map(one => one.dataset.cellId)") == [added.id, "cell-1"]
    page.shot("history-light", ".rtu-history")

    def go(step):
        slider.fill(str(step))
        return shown.locator(".rtu-past-words").inner_text()

    assert "deleted" in go(5)
    assert "edited cell 1" in go(2)
    source = shown.locator('.rtu-history .rtu-cell[data-cell-id="cell-1"] code')
    assert source.inner_text() == "x = 123"
    assert shown.locator('.rtu-history .rtu-cell[data-cell-id="cell-2"]').count() == 1
    assert "the beginning" in go(0)
    assert source.inner_text() == "x = 1"
    slider.press("ArrowRight")
    shown.get_by_text("1 of 6").wait_for()
    assert source.inner_text() == "x = 12"

    go(0)
    shown.get_by_label("Speed").select_option("20")
    shown.get_by_role("button", name="Play").click()
    shown.get_by_text("6 of 6").wait_for()
    assert source.inner_text() == "x = 1234"
    shown.get_by_role("button", name="Play").wait_for()
    page.theme("dark")
    page.shot("history-dark", ".rtu-history")
