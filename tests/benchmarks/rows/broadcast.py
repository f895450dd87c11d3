"""One edit to 1,000 clients, against `websockets.broadcast` of a message of the same length."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import connect

from rtu_magics.models import Notebook

from ..harness import Bench, Row, within
from ..live import an_edit, bare_server, live_client, our_server
from ..workloads import notebook

CLIENTS = 1_000
MARK = '"cell_contents"'


def rows(bench: Bench) -> Iterator[Row]:
    with many_files(), our_server() as server, bare_server() as bare:
        bare_times, our_times = asyncio.run(_broadcasts(server, bare, bench.repeat(30)))
    name = f"edit seen by {CLIENTS:,} clients"
    floor = "websockets.broadcast"
    yield Row(name, floor, bare_times.wall, our_times.wall, within(1.3), unit="ms")
    yield Row("… the server's processor time", floor, bare_times.cpu, our_times.cpu, unit="ms")


class Times:
    """Medians and means in ms."""

    def __init__(self, wall: list[float], cpu: float) -> None:
        self.wall = statistics.median(wall) * 1000
        self.cpu = cpu / len(wall) * 1000


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Allow as many open files as the system lets us, for child processes too."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _broadcasts(server: Any, bare: str, repeat: int) -> tuple[Times, Times]:
    async with (
        live_client(server, Notebook.model_validate(notebook(20))) as client,
        connect(bare, proxy=None, compression=None) as socket,
    ):
        hello = [
            _request("system", "authenticate_request", token=server.token, rtu_client_type="b"),
            _request(
                client.file_channel,
                "subscribe_request",
                from_version_id=str(client.file_version_id),
                from_delta_id=None,
            ),
        ]
        # About as long as the event that carries our edit.
        text = "!" + json.dumps({"type": "cell_contents", "rest": "x" * 560}).replace(": ", ":")
        with (
            receivers(server.rtu_url, hello, '"subscribe_reply"') as (our_lines, _),
            receivers(bare, [], "") as (bare_lines, _),
        ):

            async def edit() -> None:
                await client.new_delta_request(an_edit(client, "x" * 40))

            async def send() -> None:
                await socket.send(text)

            ours: list[float] = []
            floor: list[float] = []
            cpu = [0.0, 0.0]
            processes = [psutil.Process(server.pid), _process_at(bare)]
            for number in range(repeat + 3):
                for side, (call, lines, found) in enumerate(
                    ((edit, our_lines, ours), (send, bare_lines, floor))
                ):
                    before = _cpu(processes[side])
                    took = await _until_all_have_it(call, lines)
                    if number >= 3:
                        found.append(took)
                        cpu[side] += _cpu(processes[side]) - before
                    await asyncio.sleep(0.03)
    return Times(floor, cpu[1]), Times(ours, cpu[0])


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _process_at(url: str) -> psutil.Process:
    port = int(url.rpartition(":")[2])
    for process in psutil.Process().children():
        for one in process.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
                return process
    raise LookupError(url)


def _request(channel: str, event: str, **data: Any) -> str:
    transaction_id = "6f9d1f0e-0000-4000-8000-000000000000"
    return json.dumps(
        {"transaction_id": transaction_id, "channel": channel, "event": event, "data": data}
    )


@contextlib.contextmanager
def receivers(url: str, hello: list[str], ready: str) -> Iterator[tuple[Any, Any]]:
    script = Path(__file__).parents[1] / "receivers.py"
    with subprocess.Popen(
        [sys.executable, str(script), url, str(CLIENTS), ready, MARK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write("".join(json.dumps(text) + "\n" for text in hello) + "\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == "ready"
            yield process.stdout, process
        finally:
            process.terminate()


async def _until_all_have_it(call: Callable[[], Awaitable[None]], lines: Any) -> float:
    start = time.monotonic()
    await call()
    return float(await asyncio.to_thread(lines.readline)) - start
