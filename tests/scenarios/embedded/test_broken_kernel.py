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
            r"the kernel died \(exit code 1\); see that the command of its kernelspec runs there "
            r"\(jupyter kernelspec list\), or start another one: "
            r"%rtu_kernel start --name NAME"
        )
        with pytest.raises(KernelDied, match=f"^{told}$"):
            session.kernel_start("broken")
        cell = session.add("print(6 * 7)")
        session.kernel_start("python3")
        session.run(cell.id)
        assert [output.content.raw for output in session.outputs(cell.id)] == ["42\n"]


@pytest.mark.parametrize("attempts", [2, 3])
def test_it_is_tried_again_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    """A kernel that works at the third attempt works; each attempt here takes its time."""
    spec = tmp_path / "jupyter" / "kernels" / "lazy"
    spec.mkdir(parents=True)
    script = tmp_path / "lazy.py"
    script.write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        f"noted = Path({str(tmp_path / 'noted')!r})\n"
        "number = len(noted.read_text()) if noted.exists() else 0\n"
        "noted.write_text('x' * (number + 1))\n"
        f"if number < {attempts}:\n    time.sleep(2)\n    sys.exit(7)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ipykernel_launcher', *sys.argv[1:]])\n"
    )
    argv = [sys.executable, str(script), "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "lazy", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    with rtu_magics.connect(str(tmp_path / "n.ipynb"), say=lambda _: None, new=True) as session:
        if attempts < 3:
            session.kernel_start("lazy")
            cell = session.add("print(6 * 7)")
            session.run(cell.id)
            assert [output.content.raw for output in session.outputs(cell.id)] == ["42\n"]
        else:
            with pytest.raises(KernelDied, match=r"the kernel died \(exit code 7\); see that"):
                session.kernel_start("lazy")
            assert len((tmp_path / "noted").read_text()) == 3
