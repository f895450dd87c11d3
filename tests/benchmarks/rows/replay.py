"""A chain that arrives in reverse order: everything waits until the last one comes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from rtu_magics.client import RTUClient
from rtu_magics.document import NotebookBuilder
from rtu_magics.models import FileDeltaAdapter, Notebook

from ..harness import Bench, Row, faster, undisturbed, within
from ..workloads import edits, notebook

CELLS = 100


def rows(bench: Bench) -> Iterator[Row]:
    content = notebook(CELLS)
    chain = edits(content, 10_000)
    ours = {}
    for count in (100, 900, 2_000, 10_000):
        part = chain[:count]
        ours[count] = replay(content, part, bench.repeat(9))
        # Beyond a thousand the peer recurses too deeply; a second size shows that it is no chance.
        peer = None
        if count <= 2_000:
            peer = bench.peer("replay", notebook=content, chain=part, repeat=3)
        beyond = peer is not None and peer["us"] is None
        yield Row(
            f"replay of {count:,} deltas in reverse order",
            "peer",
            peer and peer["us"] and peer["us"] / 1000,
            ours[count] / 1000,
            faster(100) if count == 900 else None,
            unit="ms",
            note="the peer ends in a RecursionError" if beyond else "",
        )
    yield Row(
        "replay per delta, 10,000 deltas",
        "ours at 900",
        ours[900] / 900,
        ours[10_000] / 10_000,
        within(2),
    )


def replay(content: dict[str, Any], chain: list[dict[str, Any]], repeat: int) -> float:
    seed = Notebook.model_validate(content)
    deltas = [FileDeltaAdapter.validate_python(delta) for delta in chain]

    async def once() -> float:
        builder = NotebookBuilder(seed)
        builder.last_applied_delta_id = deltas[0].parent_delta_id
        client = RTUClient("ws://127.0.0.1:1", "", UUID(int=7), UUID(int=8), builder)
        with undisturbed():
            start = time.perf_counter()
            for delta in reversed(deltas):
                await client.queue_or_apply_delta(delta)
            taken = time.perf_counter() - start
        assert builder.last_applied_delta_id == deltas[-1].id
        await client.shutdown(now=True)
        return taken

    return statistics.median(asyncio.run(once()) for _ in range(repeat)) * 1e6
