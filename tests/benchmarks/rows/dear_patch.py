"""A text patch none of whose hunks fits: its answer, and what asking for it costs the others."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator

from ...helpers.pings import pinged
from ...helpers.rtu import follow, open_notebook
from ...helpers.server import RunningServer
from ...helpers.worst_inputs import LONG_TEXT, not_quite_there
from ..harness import Bench, Row, at_most, within
from ..live import Processor, our_server, percentile
from ..workloads import notebook


def rows(bench: Bench) -> Iterator[Row]:
    with our_server() as server:
        processor = Processor(server.pid)
        seconds = 4 if bench.quick else 10
        answers, quiet, meanwhile = asyncio.run(_asked_for(server, seconds, processor))
    size = f"{len(not_quite_there()) / 1000:.0f} kB"
    yield Row(
        f"refusing a patch of {size}", "–", None, statistics.median(answers), at_most(100), "ms"
    )
    spent = processor.used / len(answers) * 1000
    yield Row("… processor time of client and server", "–", None, spent, unit="ms")
    yield Row(
        "others' pings while it is repeated, p99",
        "a quiet server's",
        percentile(quiet, 99),
        percentile(meanwhile, 99),
        within(2),
        "ms",
    )


async def _asked_for(
    server: RunningServer, seconds: float, processor: Processor
) -> tuple[list[float], list[float], list[float]]:
    """Return what answers took, and others' pings before and meanwhile, in ms."""
    content = notebook(1)
    content["cells"][0]["source"] = LONG_TEXT
    (server.root / "long.ipynb").write_text(json.dumps(content))
    file_id = await open_notebook(server, "long.ipynb")
    patch, answers = {"patch": not_quite_there()}, []
    async with follow(server, file_id) as client:
        with pinged(server) as pings:
            await asyncio.sleep(seconds)
            quiet = await asyncio.to_thread(pings.all)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                start = time.perf_counter()
                with processor.measured():
                    await client.rejected("cell_contents", "update", patch, "c0")
                answers.append((time.perf_counter() - start) * 1000)
            meanwhile = await asyncio.to_thread(pings.all)
    return answers, quiet, meanwhile
