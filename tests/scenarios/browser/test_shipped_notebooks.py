"""The shipped notebooks in a real JupyterLab, run from the first cell to the last at one go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .lab import write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(400)]

FOLDER = Path(__file__).parents[3] / "notebooks"


@pytest.mark.parametrize("name", ["02_live_widgets", "03_teaching_demo"])
def test_run_all(open_page, lab, name):
    shutil.copy(FOLDER / f"{name}.ipynb", lab.root / f"{name}.ipynb")
    page = open_page()
    page.open(f"{name}.ipynb")
    page.command("notebook:run-all-cells")
    page.page.wait_for_function(
        """() => {
          const cells = window.jupyterapp.shell.currentWidget.content.widgets
            .filter((cell) => cell.model.type === "code");
          const failed = cells.some((cell) => cell.model.outputs.toJSON().some(
            (o) => o.output_type === "error") &&
            !(cell.model.getMetadata("tags") ?? []).includes("raises-exception"));
          const done = cells.every((cell) => cell.model.executionCount &&
            cell.model.executionState !== "running");
          return failed || done;
        }""",
        timeout=240_000,
    )
    cells = page.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
          .filter((cell) => cell.model.type === "code")
          .map((cell) => [cell.model.sharedModel.source, cell.model.outputs.toJSON(),
                          cell.model.getMetadata("tags") ?? []])"""
    )
    for source, outputs, tags in cells:
        errors = [o for o in outputs if o["output_type"] == "error"]
        assert not errors or "raises-exception" in tags, (source, errors)
    # After Run All the views are live, and go on with what others do.
    page.page.wait_for_selector('.rtu-mirror[data-connection="live"] .rtu-cell')
    page.page.locator(".rtu-mirror").first.scroll_into_view_if_needed()
    page.shot(f"run_all_{name}")


def test_all_views_share_one_renderer(open_page, lab):
    adding = (
        "from rtu_magics.session import sessions\nfor n in range(20): sessions.get().add(f'# {n}')"
    )
    write_notebook(
        lab.root / "views.ipynb",
        "%load_ext rtu_magics\n%rtu_connect many.ipynb --new --no-widget",
        adding,
        "%rtu_mirror",
        "%rtu_mirror 1",
        "%rtu_replay",
    )
    page = open_page()
    page.open("views.ipynb")
    page.command("notebook:run-all-cells")
    page.page.wait_for_function(
        """() => document.querySelectorAll(".rtu-mirror[data-connection=live] .rtu-cell").length > 3
                 && document.querySelectorAll(".rtu-history").length === 1""",
        timeout=120_000,
    )
    assert page.page.evaluate("() => window.__rtu_magics_renderers.size") == 1
