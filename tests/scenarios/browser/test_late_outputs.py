"""Late outputs, Output widgets and help in a real JupyterLab: where a person sees them."""

from __future__ import annotations

import json

import pytest

from .lab import write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(240)]

CELLS = (
    "%load_ext rtu_magics\n%rtu_connect late.ipynb --no-widget",
    """%%rtu_exec
import asyncio, os
from IPython.display import display
async def work():
    while not os.path.exists("gate"): await asyncio.sleep(0.05)
    display("late display")
    print("late text")
task = asyncio.get_running_loop().create_task(work())
print("in time")""",
    """%%rtu_exec
import ipywidgets
print("important", flush=True)
out = ipywidgets.Output()
display(out)
with out:
    print("captured")""",
    "print('a local cell')",
    "%%rtu_exec\nsorted?",
)


def below(page, index: int) -> str:
    return page.page.evaluate(
        """(index) => {
          const panel = window.jupyterapp.shell.currentWidget;
          return panel.content.widgets[index].outputArea.node.innerText;
        }""",
        index,
    )


def wait_for(page, index: int, text: str) -> None:
    page.page.wait_for_function(
        """([index, text]) => window.jupyterapp.shell.currentWidget.content.widgets[index]
                   .outputArea.node.innerText.includes(text)""",
        arg=[index, text],
    )


def test_where_they_appear(open_page, lab):
    page = open_page()
    write_notebook(lab.root / "late.ipynb", "pass")
    write_notebook(lab.root / "mine.ipynb", *CELLS)
    page.open("mine.ipynb")
    page.run_all()
    page.wait_for_count(len(CELLS) - 1)
    wait_for(page, 4, "Signature")  # JupyterLab shows a page below its cell
    wait_for(page, 2, "captured")
    assert "important" in below(page, 2)
    assert "late" not in below(page, 1)
    (lab.root / "gate").touch()
    wait_for(page, 1, "late text")
    assert below(page, 1).split()[-5:] == ["time", "'late", "display'", "late", "text"]
    for index in (2, 3, 4):
        assert "late" not in below(page, index)
    page.shot("late-outputs")
    page.save()
    saved = json.loads((lab.root / "mine.ipynb").read_text())
    assert "late text" in json.dumps(saved["cells"][1]["outputs"])
