"""Servers that the rows about live notebooks need, ours and the bare one."""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel

from rtu_magics.client import APIClient, RTUClient
from rtu_magics.models import CellContentsReplace

from ..helpers.server import RunningServer, running_server
from .workloads import notebook


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


class Processor:
    """The processor time of this process and of a server, whatever else the machine does.

    Parameters
    ----------
    pid
        The server's.
    """

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self.used = 0.0

    def _now(self) -> float:
        times = self._server.cpu_times()
        return time.process_time() + float(times.user + times.system)

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Add what a block costs both to `used`, in seconds."""
        before = self._now()
        yield
        self.used += self._now() - before


@contextlib.contextmanager
def local_kernel() -> Iterator[Callable[[str], None]]:
    """Run a kernel without any server; yield what executes code in it and takes the outputs."""
    manager, client = start_new_kernel(kernel_name="python3")
    shown: list[Any] = []

    def execute(code: str) -> None:
        shown.clear()
        client.execute_interactive(code, output_hook=shown.append, timeout=60)
        assert any(message["msg_type"] not in ("status", "execute_input") for message in shown)

    try:
        yield execute
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def remote_magics() -> Iterator[tuple[Callable[..., None], Processor]]:
    """Connect an in-process shell to an embedded server; yield what runs a magic, and its cost."""
    shell = InteractiveShell.instance()
    with tempfile.TemporaryDirectory(prefix="rtu-bench-") as root:

        def magic(line: str, cell: str | None = None) -> None:
            name, _, rest = line.partition(" ")
            with contextlib.redirect_stdout(io.StringIO()) as shown:
                if cell is None:
                    shell.run_line_magic(name, rest)
                else:
                    shell.run_cell_magic(name, rest, cell)
            assert shown.getvalue() or not name.startswith("rtu_exec"), f"{line} showed nothing"

        path = Path(root) / "n.ipynb"
        path.write_text(json.dumps(notebook(0)), "utf-8")
        magic("load_ext rtu_magics")
        magic(f"rtu_connect {path}")
        server = json.loads((Path(root) / ".rtu_magics" / "server.json").read_text("utf-8"))
        try:
            yield magic, Processor(server["pid"])
        finally:
            magic("rtu_disconnect --all")


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
