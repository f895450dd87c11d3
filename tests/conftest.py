"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_ours: list[Path] = []


def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels of all tests a home without a history.

    Several that start at once on one history complain of each other in their cells' outputs.
    """
    if hasattr(config, "workerinput"):
        return  # the workers have it from the process that started them
    home = Path(tempfile.mkdtemp(prefix="rtu-ipython-"))
    _ours.append(home)
    profile = home / "profile_default"
    profile.mkdir()
    for name in ("ipython_config.py", "ipython_kernel_config.py"):
        (profile / name).write_text("c.HistoryManager.enabled = False\n")
    os.environ["IPYTHONDIR"] = str(home)


def pytest_unconfigure() -> None:
    """Take the home away again."""
    for home in _ours:
        shutil.rmtree(home, ignore_errors=True)
