"""A kernel that is installed, and whose command does not work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.errors import KernelDied

pytestmark = [pytest.mark.server, pytest.mark.kernel]


def test_the_reason_is_told_and_another_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "broken"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [sys.executable, "-c", "import nothing_of_that_name"],
                "display_name": "broken",
                "language": "python",
            }
        )
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = tmp_path / "n.ipynb"
    with rtu_magics.connect(str(notebook), say=lambda _: None, new=True) as session:
        told = (
            r"the remote kernel broken did not start: "
            r"(the kernel died \(exit code 1\)|the kernel keeps dying); see that the command of "
            r"its kernelspec runs there \(jupyter kernelspec list\), or start another one: "
            r"%rtu_kernel start --name NAME"
        )
        with pytest.raises(KernelDied, match=f"^{told}$"):
            session.kernel_start("broken")
        cell = session.add("print(6 * 7)")
        session.kernel_start("python3")
        session.run(cell.id)
        assert [output.content.raw for output in session.outputs(cell.id)] == ["42\n"]
