"""A front end that answers a kernel's questions."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence

from ..ipython.kernels import CellRun, RunningKernel

Answer = str | Callable[[], None]


def run_answering(
    kernel: RunningKernel, code: str, answers: Sequence[Answer], timeout: float = 40
) -> tuple[CellRun, list[tuple[str, bool]]]:
    """Run a cell and answer what it asks; returns also the questions: prompt, whether secret.

    An answer may be something to do instead of answering.
    """
    asked: list[tuple[str, bool]] = []
    left = list(answers)

    def on_turn(_: CellRun) -> None:
        try:
            content = kernel.client.get_stdin_msg(timeout=0)["content"]
        except queue.Empty:
            return
        asked.append((content["prompt"], content["password"]))
        answer = left.pop(0)
        if callable(answer):
            answer()
        else:
            kernel.client.input(answer)

    run = kernel.finish(kernel.start(code, allow_stdin=True), timeout, on_turn)
    assert not left, f"{len(left)} answers were not asked for"
    return run, asked


def later(kernel: RunningKernel, until: str, seconds: float = 15) -> list[tuple[str, str]]:
    """What cells put out that are done already, up to a text: parent's id and text of each."""
    found: list[tuple[str, str]] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            message = kernel.client.get_iopub_msg(timeout=0.1)
        except queue.Empty:
            continue
        content = message["content"]
        text = content.get("text") or content.get("data", {}).get("text/plain", "")
        if text:
            found.append((message["parent_header"].get("msg_id", ""), str(text)))
        if until in text:
            return found
    raise AssertionError(f"{until!r} never came; there was {found}")
