"""What a person is told of kernels that are not ipykernel: the magics over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..ipython.kernels import Kernel
from .conftest import INSTALLED

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A Python kernel here, connected to a Scheme kernel there."""
    spec = INSTALLED / "share" / "jupyter" / "kernels" / "scheme" / "kernel.json"
    if not spec.exists():
        missing = "no kernel scheme: run .ci/kernels"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    home: Path = tmp_path_factory.mktemp("home")
    env = dict(
        os.environ,
        IPYTHONDIR=str(home / "ipython"),
        JUPYTER_PATH=str(INSTALLED / "share" / "jupyter"),
    )
    env.pop("RTU_TOKEN", None)
    work = tmp_path_factory.mktemp("work")
    (work / "lisp.ipynb").write_text(
        '{"cells": [], "metadata": {"language_info": {"name": "scheme"}},'
        ' "nbformat": 4, "nbformat_minor": 5}'
    )
    found = Kernel(work, env)
    try:
        found.ok("%load_ext rtu_magics")
        found.ok("%rtu_connect lisp.ipynb")
        yield found
        found.ok("%unload_ext rtu_magics")
    finally:
        found.close()


def test_a_notebook_that_names_only_its_language(kernel: Kernel) -> None:
    said = kernel.ok("%rtu_kernel start").text
    assert "the notebook names no kernel: scheme speaks scheme as it does" in said
    assert "kernel scheme ready" in said
    assert "runs already" in kernel.ok("%rtu_kernel start --name Scheme").text


def test_an_error_that_speaks_of_a_kernel(kernel: Kernel) -> None:
    line = kernel.run('%%rtu_exec\n(error "kernel" "died")').error_line
    assert line.startswith("RemoteCellError: cell 1 (")
    assert line.endswith("failed: RunTimeError: Error in 'kernel': died")


def test_going_on_after_it(kernel: Kernel) -> None:
    kernel.ok("%%rtu_add\n(display (* 6 7))")
    run = kernel.run("%rtu_exec --all --keep-going")
    assert "42" in run.text
    assert run.error_line.startswith("RemoteCellError: 1 of 2 cells failed: cell 1 (")
