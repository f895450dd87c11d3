"""Leases: programs that need this server, so that it can end once none is left.

A program takes a lease and names its process. Its end is noticed by looking for the process, not
by a pipe, because a forked child keeps a pipe open after its parent has died.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

__all__ = ["Leases", "process_runs"]

# From the death of the last holder to the end of the server, its kernels shut down, 5 s may pass.
_POLL_EVERY = 0.5
_LINGER = 2.0  # after the last lease
_RETURN = 20.0  # after one whose holder said that it comes back
_PATIENCE = 30.0  # for the first one
_HOLD = 24 * 3600.0  # after the last lease, while something goes on


@dataclass(frozen=True, slots=True)
class _Lease:
    pid: int
    name: str
    started: float | None


class Leases:
    """The leases of one server.

    Parameters
    ----------
    on_last_gone
        Called once, when the server is needed no more.

    Attributes
    ----------
    hold
        Asked whether something goes on for which the server has to stay all the same, for a day at
        most.
    """

    def __init__(self, on_last_gone: Callable[[], None]) -> None:
        self._on_last_gone = on_last_gone
        self.hold: Callable[[], bool] = lambda: False
        self._leases: dict[UUID, _Lease] = {}
        self._patience = _PATIENCE
        self._empty_since = self._needed_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start looking after the holders."""
        self._task = asyncio.create_task(self._watch(), name="rtu-leases")

    def stop(self) -> None:
        """Stop looking after the holders."""
        if self._task is not None:
            self._task.cancel()

    def add(self, pid: int, name: str) -> UUID:
        """Add a lease.

        Raises
        ------
        ValueError
            There is no such process.
        """
        if not process_runs(pid):
            raise ValueError(f"there is no process {pid} on this machine")
        lease_id = uuid4()
        self._leases[lease_id] = _Lease(pid, name, _started(pid))
        self._patience = _LINGER  # even when it is given back before anybody looks
        return lease_id

    def remove(self, lease_id: UUID, returning: bool = False) -> bool:
        """Give a lease back; whether it was one.

        Parameters
        ----------
        lease_id
            The lease.
        returning
            Whether its holder comes back, as a kernel does that is restarted.
        """
        if self._leases.pop(lease_id, None) is None:
            return False
        self._empty_since = time.monotonic()
        if returning:
            self._patience = _RETURN
        return True

    async def _watch(self) -> None:
        self._empty_since = self._needed_at = time.monotonic()
        while True:
            await asyncio.sleep(_POLL_EVERY if self._leases else _POLL_EVERY / 2)
            for lease_id, lease in list(self._leases.items()):
                if not process_runs(lease.pid) or _started(lease.pid) != lease.started:
                    del self._leases[lease_id]
            now = time.monotonic()
            if self._leases:
                self._empty_since = self._needed_at = now
            elif self.hold() and now - self._needed_at < _HOLD:
                self._empty_since = now
            elif time.monotonic() - self._empty_since > self._patience:
                self._on_last_gone()
                return


def process_runs(pid: int) -> bool:
    """Return whether a process exists and has not ended (a zombie has)."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _runs_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return pid < 2**31
    fields = _stat_fields(pid)
    return fields is None or fields[0] != "Z"


def _stat_fields(pid: int) -> list[str] | None:
    """Return the fields after the name in ``/proc/PID/stat``, None where there is no such file."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _started(pid: int) -> float | None:
    """Return when a process began, in clock ticks since boot, so that a reused pid is noticed."""
    fields = _stat_fields(pid)
    return float(fields[19]) if fields is not None and len(fields) > 19 else None


def _runs_on_windows(pid: int) -> bool:
    import ctypes

    windll = getattr(ctypes, "windll")  # noqa: B009  exists on Windows only
    synchronise, timeout = 0x00100000, 0x102
    handle = windll.kernel32.OpenProcess(synchronise, False, pid)
    if not handle:
        return False
    try:
        return bool(windll.kernel32.WaitForSingleObject(handle, 0) == timeout)
    finally:
        windll.kernel32.CloseHandle(handle)
