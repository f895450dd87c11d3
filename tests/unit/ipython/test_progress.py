"""The line about a run of several cells, without a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rtu_magics.ipython.show.progress import ProgressLine


class Front:
    """A kernel's shell and its clock."""

    def __init__(self) -> None:
        self.kernel = self.display_pub = self
        self.shown: list[tuple[str, bool]] = []
        self.now = 0.0

    def publish(self, data: dict[str, str], *, transient: Any, update: bool) -> None:
        assert transient["display_id"].startswith("rtu-progress-")
        self.shown.append((data["text/plain"], update))


def test_in_place_after_the_delay() -> None:
    front = Front()
    line = ProgressLine(front, 3, lambda: front.now)
    line.total = 3
    line.cell_started()
    front.now = 2.9
    line.tick()
    assert front.shown == []
    front.now = 3.0
    line.tick()
    line.tick()
    line.cell_started()
    line.cell_started()
    front.now = 4.25
    line.close()
    assert front.shown == [
        ("running cell 1 of 3 …", False),
        ("running cell 2 of 3 …", True),
        ("running cell 3 of 3 …", True),
        ("ran 3 of 3 cells in 4.2 s", True),
    ]


def test_nothing_for_one_cell_or_a_quick_run() -> None:
    front = Front()
    for total in (1, 3):
        line = ProgressLine(front, 3, lambda: front.now)
        line.total = total
        line.cell_started()
        line.tick()
        if total == 1:
            front.now += 10
            line.tick()
        line.close()
    assert front.shown == []


def test_lines_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(SimpleNamespace(), 0, lambda: 0.0)
    line.total = 2
    line.cell_started()
    line.cell_started()
    line.close()
    assert capsys.readouterr().out.splitlines() == [
        "running cell 1 of 2 …",
        "running cell 2 of 2 …",
        "ran 2 of 2 cells in 0.0 s",
    ]
