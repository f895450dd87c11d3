"""Servers that the rows about live notebooks need, ours and the bare one."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.models import CellContentsReplace

from ..helpers.server import RunningServer, running_server


@contextlib.contextmanager
def our_server() -> Iterator[RunningServer]:
    """Run our server on a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="rtu-bench-") as root:
        with running_server(Path(root)) as server:
            yield server


@contextlib.contextmanager
def bare_server() -> Iterator[str]:
    """Run the bare websockets server; yield its URL."""
    script = Path(__file__).with_name("echo_server.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def live_client(server: RunningServer, notebook: Any) -> AsyncIterator[RTUClient]:
    """Upload a notebook and follow it."""
    async with APIClient(server.token, server.api_url) as api:
        info = await api.info()
        name = f"{time.monotonic_ns()}.ipynb"
        file = await api.create_notebook(info.project_id, name, notebook)
        client = await api.connect_realtime(file)
        try:
            yield client
        finally:
            await client.shutdown()


def an_edit(client: RTUClient, text: str) -> CellContentsReplace:
    return CellContentsReplace(
        file_id=client.file_id, resource_id=client.cell_ids[0], properties={"source": text}
    )


async def each(call: Callable[[int], Awaitable[Any]], count: int) -> list[float]:
    """Return what each of several calls takes, one after the other, in µs."""
    clock, samples = time.perf_counter, []
    for number in range(count):
        start = clock()
        await call(number)
        samples.append((clock() - start) * 1e6)
    return samples


def time_each(call: Callable[[], Any], count: int) -> list[float]:
    """Return what each of several plain calls takes, in µs."""
    clock, samples = time.perf_counter, []
    for _ in range(count):
        start = clock()
        call()
        samples.append((clock() - start) * 1e6)
    return samples


def percentile(samples: list[float], part: int) -> float:
    return statistics.quantiles(samples, n=100)[part - 1]
