"""Ending the processes that a test has started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["end", "running"]

PATIENCE = 60.0  # seconds to end politely


def end(process: subprocess.Popen[Any], patience: float = PATIENCE) -> None:
    """End a process: politely, and by force if that is not enough.

    Parameters
    ----------
    process
        The process; one that has ended already stays as it is.
    patience
        How long it may take to end politely, in seconds.
    """
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)


@contextmanager
def running(process: subprocess.Popen[Any]) -> Iterator[Any]:
    """Yield a process and end it afterwards."""
    try:
        yield process
    finally:
        end(process)
