"""What a notebook keeps of its widgets when a program runs and saves it."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.kernel, pytest.mark.server]

STATE = "application/vnd.jupyter.widget-state+json"


def saved(tmp_path: Path, *cells: str) -> tuple[int, int]:
    """Run cells as nbconvert does; the bytes of the widgets' state, and of everything."""
    tmp_path.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    state = notebook.metadata.get("widgets", {}).get(STATE, {})
    return len(json.dumps(state)), len(nbformat.writes(notebook))


def test_neither_views_nor_history_add_much(tmp_path: Path) -> None:
    begin = ("%load_ext rtu_magics\n%rtu_connect d.ipynb --new", "from rtu_magics.session import *")
    add = "for n in range({}): sessions.get().add(f'# {{n}} ' + 'x' * 500)"
    one, whole = saved(tmp_path / "one", *begin, add.format(2), "%rtu_mirror")
    assert one < 350_000, "the renderer, packed, and a little more"
    assert whole < 400_000
    more, _ = saved(
        tmp_path / "many", *begin, add.format(300), *["%rtu_mirror"] * 3, *["%rtu_replay"] * 3
    )
    assert more - one < 5 * 25_000
