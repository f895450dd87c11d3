"""What a test needs beyond Python: it is skipped without, and fails where ``CI`` is set."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

from .peer import peer_python

__all__ = ["missing", "needed", "third_party_client"]

INSTALL = {
    "nginx": "apt install nginx",
    "openssl": "apt install openssl",
    "chromium": "apt install chromium",
    "node": "apt install nodejs npm",
    "npm": "apt install nodejs npm",
    "bash": "apt install bash",
}


def missing(what: str, install: str) -> NoReturn:
    """Skip the test for want of something; where ``CI`` is set, fail it.

    Parameters
    ----------
    what
        What is not there.
    install
        How to get it.
    """
    reason = f"needs {what}: {install}"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"{reason} (with CI set, nothing is left out)")
    pytest.skip(reason)


def needed(*programs: str) -> str:
    """Return where a program lies, the first of these that there is."""
    for program in programs:
        path = shutil.which(program)
        if path is not None:
            return path
    missing(programs[0], INSTALL.get(programs[0], f"install {programs[0]}"))


def third_party_client() -> str:
    """Return the interpreter of the third-party client's environment, made if it is not there."""
    try:
        return peer_python()
    except (OSError, subprocess.SubprocessError) as exc:
        text = (exc.stderr or "") if isinstance(exc, subprocess.CalledProcessError) else str(exc)
        why = text.strip().rpartition("\n")[2][:200]
        missing(
            "the third-party client noteable-origami",
            f"pip could not install it ({why}); RTU_PEER_PYTHON names an interpreter that has it",
        )
