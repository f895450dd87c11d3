"""The line that says how far a run of several cells is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

__all__ = ["ProgressLine"]


class ProgressLine:
    """One line, shown when a run takes longer than a moment, and kept up to date in its place.

    In a terminal, where nothing that was printed changes any more, each cell gets a line.

    Parameters
    ----------
    shell
        The IPython shell.
    delay
        Seconds before it is shown at all.
    clock
        Returns seconds.
    """

    def __init__(
        self, shell: Any, delay: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shell = shell
        self._delay = delay
        self._clock = clock
        self._began = clock()
        self._display_id = f"rtu-progress-{uuid4().hex}"
        self._in_place = hasattr(shell, "kernel")
        self._shown: str | None = None
        self._text = ""
        self.total = 0
        self.started = 0

    def cell_started(self) -> None:
        """Count a cell that began."""
        self.started += 1
        self._text = f"running cell {self.started} of {max(self.total, self.started)} …"
        self.tick()

    def tick(self) -> None:
        """Show what there is to show, if it is time."""
        if self.total < 2 or not self._text or self._text == self._shown:
            return
        if self._shown is not None or self._clock() - self._began >= self._delay:
            self._show()

    def close(self) -> None:
        """Say what became of the run, if anything was said before."""
        if self._shown is not None:
            seconds = self._clock() - self._began
            self._text = f"ran {self.started} of {self.total} cells in {seconds:.1f} s"
            self._show()

    def _show(self) -> None:
        if self._in_place:
            self._shell.display_pub.publish(
                {"text/plain": self._text},
                transient={"display_id": self._display_id},
                update=self._shown is not None,
            )
        else:
            print(self._text, flush=True)
        self._shown = self._text
