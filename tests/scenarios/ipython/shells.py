"""Driving the in-process shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell


@dataclass
class Ran:
    """What one cell did."""

    out: str
    err: str
    error: BaseException | None

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err

    @property
    def line(self) -> str:
        """The one line that a failed cell shows of it; IPython prints usage errors to stderr."""
        text = self.err if isinstance(self.error, UsageError) else self.out
        return text.strip("\n").rpartition("\n")[2]


class Shell:
    """Runs cells and captures what they show."""

    def __init__(self, ip: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.ip = ip
        self.capsys = capsys

    def run(self, cell: str) -> Ran:
        """Run a cell, whatever happens."""
        self.capsys.readouterr()
        result: Any = self.ip.run_cell(cell, store_history=True)
        captured = self.capsys.readouterr()
        return Ran(captured.out, captured.err, result.error_before_exec or result.error_in_exec)

    def ok(self, cell: str) -> str:
        """Run a cell that must succeed; returns what it printed."""
        ran = self.run(cell)
        assert ran.error is None, ran.text
        return ran.text

    def line(self, cell: str) -> str:
        """Run a cell that must fail; returns the one line that it shows of it."""
        ran = self.run(cell)
        assert ran.error is not None, f"no error; it printed {ran.text!r}"
        assert "rtu_magics/" not in ran.text, "frames of ours"
        return ran.line
