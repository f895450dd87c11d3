"""The demo, run as a reader runs it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.server, pytest.mark.kernel]


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "IPYTHONDIR": str(cwd / "ipython")}
    return subprocess.run(
        [sys.executable, "-c", "from rtu_magics.cli import main; raise SystemExit(main())", *args],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_demo_shows_states_and_outputs_and_leaves_a_notebook(tmp_path: Path) -> None:
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("kernel: busy", "cell 2: executing", "step 3", "edited by a colleague"):
        assert shown in done.stdout
    assert "Every output was right" in done.stdout
    notebook = nbformat.read(tmp_path / "rtu_demo" / "demo.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [output.get("text") for output in notebook.cells[2].outputs][:1] == [
        "step 1\nstep 2\nstep 3\n"
    ]


def test_demo_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = run("demo", "--directory", "taken", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("rtu-magics: cannot use ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_output_is_noticed() -> None:
    from rtu_magics.cli.demo import _in_order

    assert _in_order("step 1 step 2", ("step 1", "step 2")) is None
    assert _in_order("step 2 step 1", ("step 1", "step 2")) == "step 2"
