"""Every notebook that we ship runs from its first cell to its last, in a real kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[3] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 100_000


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.kernel
@pytest.mark.server
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_runs_to_the_end(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    nbformat.validate(notebook)
    for shipped, now in zip(nbformat.read(path, as_version=4).cells, notebook.cells, strict=True):
        for text in shipped.metadata.get("shows", []):
            outputs = "".join(
                output.get("text", "") + str(output.get("data", "")) + output.get("evalue", "")
                for output in now.outputs
            )
            assert text in outputs, f"{now.source!r} no longer shows {text!r}: {outputs}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_is_shipped_small_and_valid(path: Path) -> None:
    assert path.stat().st_size < MAX_BYTES
    nbformat.validate(nbformat.read(path, as_version=4))
