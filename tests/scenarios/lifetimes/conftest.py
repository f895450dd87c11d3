"""Real Jupyter kernels that drive an embedded server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ..ipython.kernels import Kernel

StartKernel = Callable[[], Kernel]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """The directory of the notebook; whatever still runs below it in the end is killed."""
    directory = tmp_path / "lesson"
    directory.mkdir()
    yield directory
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(directory) in process.cwd():
                process.kill()


@pytest.fixture
def start_kernel(work: Path, tmp_path: Path) -> Iterator[StartKernel]:
    """Start a kernel with the magics loaded."""
    kernels: list[Kernel] = []

    def start() -> Kernel:
        env = dict(os.environ, IPYTHONDIR=str(tmp_path / "ipython"))
        env.pop("RTU_TOKEN", None)
        kernel = Kernel(work, env)
        kernels.append(kernel)
        kernel.ok("%load_ext rtu_magics")
        return kernel

    yield start
    for kernel in kernels:
        if kernel.manager.has_kernel:
            kernel.close()
        else:  # it was shut down by the test
            kernel.client.stop_channels()


@pytest.fixture
def kernel(start_kernel: StartKernel) -> Kernel:
    """The driving kernel."""
    return start_kernel()
