"""`%rtu_exec` of ``1+1`` through the whole way, against a client on the same machine's kernel."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from ..harness import Bench, Row, undisturbed, within
from ..live import local_kernel, remote_magics, time_each


def rows(bench: Bench) -> Iterator[Row]:
    with local_kernel() as execute, remote_magics() as (magic, processor):
        magic("rtu_exec", "1+1")

        def local() -> None:
            execute("1+1")

        def remote() -> None:
            magic("rtu_exec -1")

        for call in (local, remote):
            time_each(call, 10)
        ours: list[float] = []
        floor: list[float] = []
        with undisturbed():
            for _ in range(bench.repeat(9)):  # in turns, so that both see the same machine
                floor += time_each(local, 20)
                with processor.measured():
                    ours += time_each(remote, 20)
    yield Row(
        "%rtu_exec of 1+1",
        "execute_interactive",
        statistics.median(floor) / 1000,
        statistics.median(ours) / 1000,
        within(1.2),
        unit="ms",
    )
    spent = processor.used / len(ours) * 1000
    yield Row("… processor time of client and server", "–", None, spent, unit="ms")
