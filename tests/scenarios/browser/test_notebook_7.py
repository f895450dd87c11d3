"""The widgets in Notebook 7, in a real browser."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(240)]


def test_status_and_mirror(open_page, join):
    page = open_page()
    page.open_mirror(
        "seven",
        {"cell_type": "markdown", "source": "# Seven\n\n- one\n- two"},
        "for i in range(3):\n    print(i, flush=True)",
        "6 * 7",
        app="notebooks",
    )
    session = join("seven.ipynb")
    session.run("cell-2")
    page.wait_for_state("cell-2", "done")
    page.page.get_by_label("Run cell 3", exact=True).click()
    page.wait_for_state("cell-3", "done")
    session.edit("cell-3", "6 * 7  # seen")
    page.wait_for_text("cell-3", "# seen")
    page.shot("notebook-7-light")
    page.theme("dark")
    page.shot("notebook-7-dark")
