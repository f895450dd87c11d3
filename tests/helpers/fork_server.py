"""Starts server processes by forking one that has their imports behind it.

Most of what it costs to start a server is to import Jupyter Server and the store's library, which
is the same each time and dear where hundreds of tests start one. The servers are processes of
their own all the same, with their own session, environment and streams; tests of the start itself
ask for a fresh interpreter.

This module is both sides: run as a program it is the process that is forked, and it speaks over a
socket that it gets as its standard input, one JSON object a line with an answer each.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

__all__ = ["ForkedProcess", "run_module"]

_ROOT = Path(__file__).parents[2]
_WAIT = 0.01  # seconds between two looks whether a process has ended


class ForkedProcess:
    """A process that was forked elsewhere; as far as tests need it, a `subprocess.Popen`."""

    def __init__(self, ask: Callable[..., Any], pid: int, stdout: IO[str] | None) -> None:
        self._ask, self.pid, self.stdout = ask, pid, stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, None while it runs; a negative one is a signal's number."""
        if self.returncode is None:
            self.returncode = self._ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code.

        Raises
        ------
        subprocess.TimeoutExpired
            It has not ended in time.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                assert timeout is not None
                raise subprocess.TimeoutExpired(f"server {self.pid}", timeout)
            time.sleep(_WAIT)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning."""
        self.send_signal(signal.SIGKILL)


class _ForkServer:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=theirs.fileno(), cwd=_ROOT
            )
        self._socket, self._lines = ours, ours.makefile("rb")
        atexit.register(self.close)

    def start(
        self,
        module: str,
        arguments: list[str],
        *,
        env: dict[str, str],
        cwd: str,
        stdout: int,
        stderr: int,
        first: str = "",
    ) -> int:
        job = {"module": module, "argv": arguments, "env": env, "cwd": cwd, "first": first}
        pid = self.ask(job, [stdout, stderr])
        assert isinstance(pid, int)
        return pid

    def ask(self, message: dict[str, Any], files: list[int] | None = None) -> Any:
        with self._lock:
            data = json.dumps(message).encode() + b"\n"
            # A line may be longer than what a socket takes at once.
            sent = socket.send_fds(self._socket, [data], files or [])
            self._socket.sendall(data[sent:])
            line = self._lines.readline()
        if not line:
            raise ChildProcessError("the process from which servers are forked has ended")
        return json.loads(line)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self._process.wait()


_running: list[_ForkServer] = []


def run_module(
    module: str,
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    log: IO[Any],
    pipe: bool = False,
    first: Callable[[], None] | None = None,
) -> ForkedProcess:
    """Run a module in a process of its own, as ``python -m`` does.

    Parameters
    ----------
    module, arguments
        What is run.
    env, cwd
        Its environment, and its directory.
    log
        Where it writes what it has to say.
    pipe
        Whether its standard output is for the caller instead.
    first
        A function of a module, called in the process before anything else.
    """
    if not _running:
        _running.append(_ForkServer())
    server = _running[0]
    reads, writes = os.pipe() if pipe else (-1, log.fileno())
    try:
        pid = server.start(
            module,
            list(arguments),
            env=dict(env),
            cwd=str(cwd or Path.cwd()),
            stdout=writes,
            stderr=log.fileno(),
            first=f"{first.__module__}:{first.__qualname__}" if first else "",
        )
    finally:
        if pipe:
            os.close(writes)
    return ForkedProcess(server.ask, pid, os.fdopen(reads) if pipe else None)


# The process that is forked


def _import() -> None:
    """Import what a server does; nothing of it may read its environment."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as launch does

    import rtu_magics.server.app
    import rtu_magics.server.http
    import rtu_magics.server.process.own_app  # noqa: F401

    assert "rtu_magics.server.process.launch" not in sys.modules  # it reads its environment


def _next_job(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Answer what is asked for; returns in the process that has something to do, and only there."""
    waiting = b""
    files: list[int] = []
    while True:
        while b"\n" not in waiting:
            data, more, _, _ = socket.recv_fds(channel, 65536, 2)
            if not data:
                os._exit(0)
            waiting += data
            files += more
        line, _, waiting = waiting.partition(b"\n")
        message = json.loads(line)
        if "ended" in message:
            pid, status = os.waitpid(message["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return message, files
            for file in files:
                os.close(file)
            files = []
        channel.sendall(json.dumps(answer).encode() + b"\n")


def _main() -> None:
    _import()
    channel = socket.socket(fileno=os.dup(0))
    job, (stdout, stderr) = _next_job(channel)
    channel.close()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    if job["first"]:
        module, _, name = job["first"].partition(":")
        getattr(import_module(module), name)()
    sys.argv = [job["module"], *job["argv"]]
    runpy.run_module(job["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
