"""The README's examples, typed word for word."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.kernel, pytest.mark.server]

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_the_example_works_as_it_stands(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    magics, methods = blocks[0], blocks[1]
    assert "%rtu_connect lesson.ipynb" in magics
    assert "rtu_magics.connect(" in methods
    cells = [nbformat.v4.new_code_cell(text) for text in [*magics.strip().split("\n\n"), methods]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources).execute()
    shown = ["".join(str(output) for output in cell.outputs) for cell in notebook.cells]
    assert "45" in shown[1]
    assert "edited cell 1" in shown[2]
    assert "4950" in shown[3]
    assert "42" in shown[-1]
