"""How long one person waits for an answer while another asks for the dearest that is permitted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ...helpers.server import RunningServer
from ...helpers.worst_inputs import stalls
from ..harness import Bench, Row, at_most
from ..live import our_server

SHOWN = 5


def rows(bench: Bench) -> Iterator[Row]:
    with our_server() as server:
        found = asyncio.run(_all(server))
    found.sort(key=lambda item: -item[1])
    for key, longest in found[:SHOWN]:
        yield Row(f"ping during {key}", "–", None, longest, at_most(1_000), unit="ms")


async def _all(server: RunningServer) -> list[tuple[str, float]]:
    return [item async for item in stalls(server)]
