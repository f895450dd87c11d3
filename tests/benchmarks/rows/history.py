"""What a long history costs: joining after it, and the database that holds it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from rtu_magics.client import APIClient
from rtu_magics.models import CellContentsReplace, File, Notebook

from ..harness import Bench, Row, within
from ..live import our_server
from ..workloads import notebook, source

CELLS, SHORT, LONG = 200, 20, 20_000
AT_ONCE = 500
SETTLED = 6.0  # seconds until the server has saved, thinned and given back what it wants to


def rows(bench: Bench) -> Iterator[Row]:
    with our_server() as server:
        found = asyncio.run(_measure(server, bench.repeat(15)))
    short, long, sizes = found
    yield Row(
        "join after 20,000 deltas",
        "after 20 deltas",
        short,
        long,
        within(1.3),
        unit="ms",
    )
    half, whole = sizes
    yield Row(
        "database after 40,000 deltas",
        "after 20,000 deltas",
        half,
        whole,
        within(1.3),
        unit="MB",
        note="rises by no more than the digests of what has left the chain",
    )


async def _measure(server, repeat: int) -> tuple[float, float, tuple[float, float]]:
    async with APIClient(server.token, server.api_url) as api:
        info = await api.info()
        files = []
        for name in ("short", "long"):
            seed = Notebook.model_validate(notebook(CELLS))
            files.append(await api.create_notebook(info.project_id, f"{name}.ipynb", seed))
        short, long = files
        await _edit(api, short, SHORT)
        await _edit(api, long, LONG)
        await asyncio.sleep(SETTLED)
        half = _size(server.root)
        samples: dict[str, list[float]] = {"short": [], "long": []}
        for number in range(2 * repeat + 2):  # one after the other: what else goes on hits both
            which, file = ("short", short) if number % 2 else ("long", long)
            start = time.perf_counter()
            client = await api.connect_realtime(file)
            if number >= 2:
                samples[which].append((time.perf_counter() - start) * 1000)
            assert len(client.cell_ids) == CELLS
            await client.shutdown()
        await _edit(api, long, LONG)
        await asyncio.sleep(SETTLED)
        whole = _size(server.root)
    medians = [statistics.median(samples[which]) for which in ("short", "long")]
    return medians[0], medians[1], (half, whole)


async def _edit(api: APIClient, file: File, count: int) -> None:
    client = await api.connect_realtime(file)
    for start in range(0, count, AT_ONCE):
        deltas = [
            CellContentsReplace(
                file_id=file.id,
                resource_id=f"c{number % CELLS}",
                properties={"source": source(number)},
            )
            for number in range(start, min(start + AT_ONCE, count))
        ]
        await asyncio.gather(*(client.new_delta_request(delta) for delta in deltas))
    await client.shutdown()


def _size(root: Path) -> float:
    """Return the size of the database with its log, in megabytes."""
    return sum(path.stat().st_size for path in (root / ".rtu_magics").glob("rtu.db*")) / 1e6
