"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

_ours: list[Path] = []


# How long an example takes says something of the machine, not of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
    # Kernels, settings and signatures of whoever runs the tests are theirs.
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        folder = home / name.lower()
        folder.mkdir()
        os.environ[name] = str(folder)
    os.environ.pop("JUPYTER_PATH", None)
    os.environ.pop("JUPYTER_CONFIG_PATH", None)


# What waits most, for kernels to be idle or pages to load.
_FIRST = ("lifetimes", "collaboration", "browser", "cli", "deployment", "outside")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits, and end with what computes: then no worker is left to wait alone."""

    def rank(item: pytest.Item) -> int:
        folders = item.path.parts
        if "scenarios" not in folders:
            return 2
        return 0 if any(name in folders for name in _FIRST) else 1

    items.sort(key=rank)


def pytest_unconfigure() -> None:
    """Take the home away again."""
    for home in _ours:
        shutil.rmtree(home, ignore_errors=True)
