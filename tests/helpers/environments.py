"""Environments of their own for what cannot share ours: made once, kept, used by all processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_of(name: str, pins: list[str]) -> str:
    """Return the interpreter of an environment with these packages.

    ``RTU_<NAME>_PYTHON`` names one that is there already.

    Raises
    ------
    OSError, subprocess.SubprocessError
        The environment cannot be made.
    """
    # Benchmarks run with other versions of the package, which may not have it.
    from rtu_magics.embedded.directory_lock import locked

    given = os.environ.get(f"RTU_{name.upper()}_PYTHON")
    if given:
        return given
    digest = hashlib.sha256("\n".join(pins).encode()).hexdigest()[:12]
    folder = f".venv-{name}-{sys.version_info.major}.{sys.version_info.minor}-{digest}"
    home = ROOT / folder
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = home / "ready"
    # Tests in several processes want it at the same time; one makes it, the others wait.
    with home.with_name(f"{folder}.lock").open("a+b") as lock, locked(lock):
        if not ready.exists():
            uv = shutil.which("uv")  # where it is there, for it takes a tenth of the time
            venv.create(home, with_pip=not uv, clear=True)
            if uv:
                command = [uv, "pip", "install", "--python", str(python)]
            else:
                command = [str(python), "-m", "pip", "install"]
            subprocess.run(
                [*command, "--quiet", *pins],
                check=True,
                timeout=900,
                capture_output=True,
                text=True,
                cwd=ROOT,
            )
            ready.touch()
    return str(python)
