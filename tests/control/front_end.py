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
    msg_id = str(kernel.client.execute(code, allow_stdin=True))
    run, asked, left = CellRun(), [], list(answers)
    idle, deadline = False, time.monotonic() + timeout
    while not (idle and run.reply):
        assert time.monotonic() < deadline, f"not done; it said {run.text!r}"
        try:
            content = kernel.client.get_stdin_msg(timeout=0)["content"]
            asked.append((content["prompt"], content["password"]))
            answer = left.pop(0)
            if callable(answer):
                answer()
            else:
                kernel.client.input(answer)
        except queue.Empty:
            pass
        try:
            message = kernel.client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            kernel._take_reply(msg_id, run)
            continue
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            idle = content["execution_state"] == "idle"
        elif kind != "execute_input":
            run.messages.append((time.monotonic(), kind, content))
        kernel._take_reply(msg_id, run)
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
