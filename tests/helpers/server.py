"""Real server processes for tests."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from .fork_server import ForkedProcess, run_module

START_TIMEOUT = 120.0


@dataclass
class RunningServer:
    """A server process and where to reach it."""

    url: str
    api_url: str
    rtu_url: str
    token: str
    space_id: str
    project_id: str
    pid: int
    root: Path
    log: Path
    process: subprocess.Popen[str] | ForkedProcess

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self, timeout: float = 60.0) -> int:
        """End it as an administrator would; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        _close(self.process)
        return self.process.returncode

    def kill(self) -> None:
        """End it without warning; kernels that it leaves behind are ended too."""
        children = child_pids(self.pid)
        self.process.kill()
        self.process.wait(10)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _close(self.process)


def _close(process: subprocess.Popen[str] | ForkedProcess) -> None:
    if process.stdout is not None:
        process.stdout.close()


# The system hands out those above to whoever asks for any, kernels and connections among them: one
# of these may be gone before the server listens for which it was meant.
_PORTS = range(18_000, 30_000)


def free_port() -> int:
    """Return a port of this machine that nothing listens on, nor will by chance."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port is free")


def child_pids(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def start_server(
    root: Path,
    *arguments: str,
    token: str | None = None,
    port: int = 0,
    module: str = "rtu_magics.server",
    preexec_fn: Callable[[], None] | None = None,
    fresh: bool = False,
) -> RunningServer:
    """Start ``python -m rtu_magics.server`` and wait until it accepts connections.

    Parameters
    ----------
    root
        The directory that it serves; its log is there, too.
    arguments
        More of the command line.
    token, port
        Random ones by default.
    module
        What is run, if it isn't the server itself.
    preexec_fn
        A function of a module, called in the process before that.
    fresh
        Whether the interpreter has to be a new one, too: the start itself is what is tested.
    """
    token = token or secrets.token_hex(16)
    log = root / f"server-{secrets.token_hex(4)}.log"
    line = ["--root-dir", str(root), "--port", str(port), *arguments]
    env = {**os.environ, "RTU_SERVER_TOKEN": token}
    process: Any
    with log.open("w") as stderr:
        if fresh or sys.platform == "win32":
            process = subprocess.Popen(
                [sys.executable, "-m", module, *line],
                env=env,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
                preexec_fn=preexec_fn,  # noqa: PLW1509  what it calls is made for it
            )
        else:
            process = run_module(module, *line, env=env, log=stderr, pipe=True, first=preexec_fn)
    said = _first_line(process)
    if not said:
        process.kill()
        process.wait()
        _close(process)
        raise AssertionError(f"the server did not start:\n{log.read_text()}")
    info = json.loads(said)
    assert info["token"] == token
    return RunningServer(
        url=info["url"],
        api_url=info["api_url"],
        rtu_url=info["rtu_url"],
        token=token,
        space_id=info["space_id"],
        project_id=info["project_id"],
        pid=info["pid"],
        root=root,
        log=log,
        process=process,
    )


def _first_line(process: subprocess.Popen[str] | ForkedProcess) -> str:
    lines: Queue[str] = Queue()
    stdout = process.stdout
    assert stdout is not None
    reader = threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True)
    reader.start()
    try:
        return lines.get(timeout=START_TIMEOUT)
    except Empty:
        return ""


@contextlib.contextmanager
def running_server(root: Path, *arguments: str) -> Iterator[RunningServer]:
    """Run a server for the length of a block."""
    server = start_server(root, *arguments)
    try:
        yield server
    finally:
        server.stop()
