"""A real Jupyter kernel, driven through ``jupyter_client`` as a front end does."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager


@dataclass
class CellRun:
    """What the front end received for one cell: ``(seconds, type, content)`` each."""

    messages: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything that it wrote to its streams."""
        return "".join(c["text"] for _, kind, c in self.messages if kind == "stream")

    @property
    def status(self) -> str:
        """``ok`` or ``error``."""
        return str(self.reply["status"])

    @property
    def error_line(self) -> str:
        """The one line that a failed cell shows last: of its traceback, or a usage error."""
        for _, kind, content in reversed(self.messages):
            if kind == "error":
                assert len(content["traceback"]) == 1, content["traceback"]
                return str(content["traceback"][0])
        return self.text.strip().rpartition("\n")[2]

    @property
    def remote_traceback(self) -> str:
        """The traceback of a remote cell, which comes before what failed here."""
        return "\n".join(
            "\n".join(content["traceback"])
            for _, kind, content in self.messages
            if kind == "error" and content["ename"] != "RemoteCellError"
        )

    def bundles(self, mimetype: str) -> list[Any]:
        """The data of a mimetype in everything that it displayed."""
        kinds = ("display_data", "execute_result", "update_display_data")
        return [
            content["data"][mimetype]
            for _, kind, content in self.messages
            if kind in kinds and mimetype in content["data"]
        ]

    def when(self, text: str) -> float:
        """When a text arrived on a stream, in seconds of the monotonic clock."""
        return next(t for t, kind, c in self.messages if kind == "stream" and text in c["text"])


class RunningKernel:
    """A kernel that somebody else started, by its connection file."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.client.start_channels()
        for last in (False, False, True):
            try:
                self.client.wait_for_ready(timeout=60)
                break
            except RuntimeError:  # on a busy machine a heartbeat may take longer than allowed
                if last:
                    raise

    @classmethod
    def attach(cls, connection_file: Path) -> RunningKernel:
        """Connect to a kernel."""
        client = BlockingKernelClient(connection_file=str(connection_file))
        client.load_connection_file()
        return cls(client)

    def start(self, code: str, *, allow_stdin: bool = False) -> str:
        """Send a cell; returns its message id."""
        return str(self.client.execute(code, allow_stdin=allow_stdin))

    def finish(
        self,
        msg_id: str,
        timeout: float = 60,
        on_turn: Callable[[CellRun], None] = lambda run: None,
    ) -> CellRun:
        """Receive everything of a cell until it is done; `on_turn` is called again and again."""
        run = CellRun()
        deadline = time.monotonic() + timeout
        idle = False
        while not (idle and run.reply):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {timeout} s; it said {run.text!r}")
            on_turn(run)
            try:
                message = self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                self._take_reply(msg_id, run)
                continue
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status":
                idle = content["execution_state"] == "idle"
            elif kind != "execute_input":
                run.messages.append((time.monotonic(), kind, content))
            self._take_reply(msg_id, run)
        return run

    def _take_reply(self, msg_id: str, run: CellRun) -> None:
        if run.reply:
            return
        try:
            message = self.client.get_shell_msg(timeout=0)
        except queue.Empty:
            return
        if message["parent_header"].get("msg_id") == msg_id:
            run.reply = message["content"]

    def run(self, code: str, timeout: float = 60) -> CellRun:
        """Run a cell, whatever happens."""
        return self.finish(self.start(code), timeout)

    def ok(self, code: str, timeout: float = 60) -> CellRun:
        """Run a cell that must succeed."""
        run = self.run(code, timeout)
        assert run.status == "ok", (run.text, run.reply)
        return run

    def complete(self, code: str, at: int | None = None) -> list[str]:
        """What the Tab key offers."""
        reply = self.client.complete(code, at, reply=True, timeout=20)
        return list(reply["content"]["matches"])

    def close(self) -> None:
        """Leave the kernel."""
        self.client.stop_channels()


class Kernel(RunningKernel):
    """A kernel of our own, in a directory of its own."""

    def __init__(self, cwd: Path, env: dict[str, str]) -> None:
        for last in (False, False, True):
            self.manager = KernelManager(kernel_name="python3")
            self.manager.start_kernel(cwd=str(cwd), env=env)
            try:
                super().__init__(self.manager.blocking_client())
                break
            except RuntimeError:
                # Jupyter chooses a kernel's ports before the kernel listens there: at times
                # somebody else has one of them by then, and the kernel ends.
                self.client.stop_channels()
                self.manager.shutdown_kernel(now=True)
                self.manager.cleanup_resources()
                if last:
                    raise

    def interrupt(self) -> None:
        """What the stop button does."""
        self.manager.interrupt_kernel()

    def close(self) -> None:
        """End the kernel."""
        super().close()
        self.manager.shutdown_kernel(now=False)
        self.manager.cleanup_resources()
