"""What a connection leaves on the machine, recorded so that its end can be checked."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["WITHIN", "Traces", "descriptors", "recorded", "server_pid"]

WITHIN = 60.0  # seconds in which nothing of a connection may be left, on a busy machine, too


def server_pid(work: Path) -> int:
    """Return the process of the embedded server of a directory."""
    return int(json.loads((work / ".rtu_magics" / "server.json").read_text())["pid"])


def descriptors(pid: int) -> set[str]:
    """Return what a process has open, each with its number; anonymous ones are all different."""
    return {
        f"{entry.name} {entry.readlink()}"
        for entry in Path(f"/proc/{pid}/fd").iterdir()
        if entry.is_symlink()
    }


@dataclass
class Traces:
    """Processes, each with the moment of its start, and ports that they listen on."""

    processes: list[psutil.Process]
    ports: set[int] = field(default_factory=set)

    def left(self) -> list[str]:
        """Return what is still there, in words."""
        found = []
        for process in self.processes:
            try:
                # `is_running` compares the moment of the start: the number may be another's now.
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"process {process.pid} ({' '.join(process.cmdline())[:80]})")
            except psutil.NoSuchProcess:
                continue
        listening = {
            connection.laddr.port
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        found += [f"port {port}" for port in sorted(self.ports & listening)]
        return found

    def gone_within(self, seconds: float = WITHIN) -> float:
        """Wait until nothing is left; returns the seconds that it took, fails when too many."""
        began = time.monotonic()
        while left := self.left():
            took = time.monotonic() - began
            assert took < seconds, f"left after {took:.1f} s: {', '.join(left)}"
            time.sleep(0.05)
        return time.monotonic() - began


def recorded(work: Path, kernels: int = 1) -> Traces:
    """Record the embedded server of a directory with all that it started.

    Parameters
    ----------
    work
        The directory.
    kernels
        How many remote kernels it has to have, at least.
    """
    server = psutil.Process(server_pid(work))
    traces = Traces([server, *server.children(recursive=True)])
    assert len(traces.processes) > kernels, "the remote kernel is not below the server"
    for process in traces.processes:
        traces.ports |= {
            connection.laddr.port
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
    assert len(traces.ports) > 4 * kernels  # the server's and five of each kernel
    return traces
