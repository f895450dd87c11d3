"""IPython as people type into it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

pexpect = pytest.importorskip("pexpect")

PROMPT = re.compile(r"In \[\d+\]: ")


class Terminal:
    """IPython in a pseudo-terminal.

    ``kind`` is what it can do: a dumb one cannot be drawn over.
    """

    def __init__(self, cwd: Path, home: Path, kind: str = "dumb") -> None:
        env = dict(os.environ, IPYTHONDIR=str(home), TERM=kind)
        env.pop("RTU_TOKEN", None)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--simple-prompt", "--colors=NoColor", "--no-banner"],
            cwd=str(cwd),
            env=env,
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 400),
        )
        self.child.setecho(False)
        self.child.expect(PROMPT)

    def send(self, cell: str) -> None:
        """Type a cell; a multi-line one through ``%cpaste``-free simple means."""
        if "\n" in cell:
            cell = f"get_ipython().run_cell({cell!r});"
        self.child.sendline(cell)

    def run(self, cell: str, timeout: float = 60) -> str:
        """Run a cell; returns what it printed."""
        self.send(cell)
        return self.finish(timeout)

    def finish(self, timeout: float = 60) -> str:
        """Wait for the next prompt; returns what came before it."""
        self.child.expect(PROMPT, timeout=timeout)
        return str(self.child.before).replace("\r\n", "\n")

    def close(self) -> None:
        """Leave."""
        self.child.sendline("exit")
        self.child.expect(pexpect.EOF)
        self.child.close()
