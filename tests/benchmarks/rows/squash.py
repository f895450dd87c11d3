"""Squashing a chain of which 70 % are small text patches, at several sizes of the notebook."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import FileDeltaAdapter, Notebook

from ..harness import Bench, Row, faster, undisturbed, within
from ..workloads import edits, notebook

DELTAS = 500
TARGETS = {1_000: faster(10), 10_000: faster(80)}


def rows(bench: Bench) -> Iterator[Row]:
    ours = {}
    for cells in (10, 100, 1_000, 10_000):
        content = notebook(cells)
        chain = edits(content, DELTAS)
        ours[cells], ids = squash(content, chain, bench.repeat(15))
        peer = bench.peer("squash", notebook=content, chain=chain, repeat=bench.repeat(3))
        assert peer is None or peer["ids"] == ids, "both sides come to the same cells"
        yield Row(
            f"squash, {cells:,} cells", "peer", peer and peer["us"], ours[cells], TARGETS.get(cells)
        )
        if cells == 10_000:
            chain = edits(content, DELTAS, burst=1)
            scattered, _ = squash(content, chain, bench.repeat(15))
            peer = bench.peer("squash", notebook=content, chain=chain, repeat=bench.repeat(3))
            yield Row(
                "squash, 10,000 cells, each edit in another cell",
                "peer",
                peer and peer["us"],
                scattered,
                note="memory the processor has not seen lately",
            )
    yield Row("squash, 10,000 cells", "ours at 10 cells", ours[10], ours[10_000], within(1.3))


def squash(
    content: dict[str, Any], chain: list[dict[str, Any]], repeat: int
) -> tuple[float, list[str]]:
    # Each delta is parsed just before it is squashed, as in life; only squashing is timed.
    parse, clock = FileDeltaAdapter.validate_python, time.perf_counter
    seed = Notebook.model_validate(content)
    samples = []
    for _ in range(repeat):
        builder = NotebookBuilder(seed)
        with undisturbed():
            taken = 0.0
            for content_of_delta in chain:
                delta = parse(content_of_delta)
                start = clock()
                builder.apply_delta(delta)
                taken += clock() - start
            samples.append(taken / len(chain))
    return statistics.median(samples) * 1e6, builder.cell_ids
