"""From a websocket message to its class: the inbound hook of both clients."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from rtu_magics.client import RTUManager

from ..harness import Bench, Row, faster, timed
from ..workloads import messages


def rows(bench: Bench) -> Iterator[Row]:
    content = messages()
    repeat = bench.repeat(15)
    hook = RTUManager("ws://127.0.0.1:1").inbound_message_hook
    ours = {
        name: timed(lambda raw=raw: hook(raw), repeat=repeat, number=500)
        for name, raw in content.items()
    }
    peer = bench.peer("parse", messages=content, repeat=repeat)
    deltas = [name for name in content if name.startswith(("nb_", "cell_"))]
    yield Row(
        "parse one event (median over the kinds of delta)",
        "peer",
        statistics.median(peer[name] for name in deltas) if peer else None,
        statistics.median(ours[name] for name in deltas),
        faster(2),
    )
    for name in content:
        yield Row(f"parse: {name}", "peer", peer and peer[name], ours[name])
