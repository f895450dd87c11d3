"""What kernels take of their machine, told to those who follow the notebooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil

from ..process.periodic import Periodic

if TYPE_CHECKING:
    from ..room import Room

__all__ = ["Usage", "UsageMeter", "measure"]

logger = logging.getLogger(__name__)

EVERY = 5.0  # seconds


@dataclass(slots=True)
class Usage:
    """The processes of one kernel between two looks.

    Attributes
    ----------
    pid
        Of the kernel's first process.
    processes
        It and its children as far as they are known, by process id.
    """

    pid: int
    processes: dict[int, psutil.Process] = field(default_factory=dict)


def measure(usage: Usage) -> dict[str, int] | None:
    """Return what a kernel takes, None when it is gone.

    The first look at a process says nothing about its time, so the first answer is low.

    Returns
    -------
    dict
        ``cpu_usage_percent`` of all the machine's processors and ``memory_usage_percent`` of its
        memory, as whole numbers from 0 to 100; also ``kernel_cpu_percent`` (of one processor),
        ``kernel_memory_bytes``, ``kernel_processes`` and ``memory_total_bytes``.
    """
    try:
        first = usage.processes.setdefault(usage.pid, psutil.Process(usage.pid))
        tree = {first.pid: first}
        for child in first.children(recursive=True):
            tree[child.pid] = usage.processes.get(child.pid, child)
    except psutil.Error:
        return None
    usage.processes = tree
    time_share, memory = 0.0, 0
    for process in tree.values():
        try:
            time_share += process.cpu_percent(None)
            memory += process.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    total = psutil.virtual_memory().total
    return {
        "cpu_usage_percent": min(100, round(time_share / (psutil.cpu_count() or 1))),
        "memory_usage_percent": min(100, round(100 * memory / total)),
        "kernel_cpu_percent": round(time_share),
        "kernel_memory_bytes": memory,
        "kernel_processes": len(tree),
        "memory_total_bytes": total,
    }


class UsageMeter:
    """Measures the kernels of a server's open notebooks that somebody follows.

    Kernels on other machines are left out: nothing here knows what they take.

    Parameters
    ----------
    rooms
        The notebooks that are open, by file id.
    """

    def __init__(self, rooms: Mapping[UUID, Room]) -> None:
        self._rooms = rooms
        self._known: dict[UUID, Usage] = {}
        self._measuring = Periodic(self._measure, EVERY, name="rtu-usage", tell=_log)

    def start(self) -> None:
        """Start measuring."""
        self._measuring.start()

    async def close(self) -> None:
        """Stop."""
        await self._measuring.close()

    async def _measure(self) -> None:
        rooms = self._rooms
        for file_id in self._known.keys() - rooms.keys():
            del self._known[file_id]
        for room in list(rooms.values()):
            pid = _pid_of(room.kernel.manager) if room.subscribers else None
            if pid is None:
                self._known.pop(room.file_id, None)
                continue
            usage = self._known.get(room.file_id)
            if usage is None or usage.pid != pid:
                usage = self._known[room.file_id] = Usage(pid)
            # Reading the process table takes a while on a large machine.
            found = await asyncio.to_thread(measure, usage)
            if found is not None:
                room.send("usage_metrics_event", found)


def _pid_of(manager: Any) -> int | None:
    """Return the process id of a kernel on this machine, None of any other."""
    pid = getattr(getattr(manager, "provisioner", None), "pid", None)
    return pid if isinstance(pid, int) and pid > 0 else None


def _log(exc: Exception) -> None:
    logger.error("cannot measure what the kernels take", exc_info=exc)
