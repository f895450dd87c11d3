"""Giving a file another name on disk, without taking anybody else's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["move"]


def move(source: Path, target: Path) -> None:
    """Move a file without replacing another one.

    Raises
    ------
    FileExistsError
        The target exists.
    OSError
        It cannot be moved.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Taking the name first leaves nobody a moment to take it.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(source, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise
