from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..ipython.kernels import Kernel
from ..server.conftest import server, shared_server, write_notebook

__all__ = ["server", "shared_server", "write_notebook"]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the driving kernel works."""
    found = tmp_path / "work"
    found.mkdir()
    return found


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Its environment."""
    found = dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython"))
    found.pop("RTU_TOKEN", None)
    return found


@pytest.fixture
def kernel(work: Path, env: dict[str, str]) -> Iterator[Kernel]:
    """A kernel with the magics."""
    kernel = Kernel(work, env)
    try:
        kernel.ok("%load_ext rtu_magics")
        yield kernel
        kernel.ok("%unload_ext rtu_magics")
    finally:
        kernel.close()
