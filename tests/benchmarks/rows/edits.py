"""An edit's way to the server and back: acknowledged after its commit, and seen by its sender."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from uuid import uuid4

from websockets.asyncio.client import connect

from rtu_magics.client import RTUClient
from rtu_magics.models import NewDeltaRequest, Notebook

from ..harness import Bench, Row, at_most, undisturbed, within
from ..live import Processor, an_edit, bare_server, each, live_client, our_server, percentile
from ..workloads import notebook

CELLS = 20


def rows(bench: Bench) -> Iterator[Row]:
    with our_server() as server, bare_server() as url:
        processor = Processor(server.pid)
        echo, ours = asyncio.run(_round_trips(server, url, bench.repeat(12), processor))
        yield Row(
            "edit, acknowledged and seen, p50",
            "websockets echo",
            statistics.median(echo),
            statistics.median(ours),
            within(2.5),
        )
        peer = _peer(bench, server, 1, bench.repeat(400))
        yield Row(
            "… against the peer's",
            "peer, same server",
            peer and peer * 1000,
            statistics.median(ours),
        )
        spent = processor.used / len(ours) * 1e6
        yield Row("… processor time of client and server", "–", None, spent)
        yield Row("… p99", "websockets echo", percentile(echo, 99), percentile(ours, 99))
        in_flight = asyncio.run(_in_flight(server, bench.repeat(7)))
        for count, each_takes in in_flight.items():
            yield Row(
                f"{count:,} edits in flight, each",
                "peer, same server",
                _peer(bench, server, count, 3),
                each_takes,
                at_most(0.5) if count == 500 else None,
                unit="ms",
            )
        yield Row(
            "1,000 in flight, each", "ours, 100", in_flight[100], in_flight[1000], within(1.3), "ms"
        )


def _peer(bench: Bench, server, count: int, repeat: int) -> float | None:
    """Return what an edit takes the peer on our server, in ms, with `count` in flight at once."""
    found = bench.peer(
        "in_flight",
        api_url=server.api_url,
        token=server.token,
        project=server.project_id,
        notebook=notebook(CELLS),
        count=count,
        repeat=repeat,
    )
    return found and found["ms"]


async def _round_trips(
    server, url: str, blocks: int, processor: Processor
) -> tuple[list[float], list[float]]:
    """Take turns, so that both see the same machine."""
    async with live_client(server, Notebook.model_validate(notebook(CELLS))) as client:
        delta = an_edit(client, "x" * 40)
        text = NewDeltaRequest(channel=client.file_channel, data={"delta": delta}).model_dump_json()
        async with connect(url, compression=None, proxy=None) as socket:

            async def echo(number: int) -> None:
                await socket.send(text)
                await socket.recv()

            async def edit(number: int) -> None:
                await client.new_delta_request(an_edit(client, f"{number:40}"))

            echoes: list[float] = []
            edits: list[float] = []
            await each(edit, 50)
            await each(echo, 50)
            with undisturbed():
                for _ in range(blocks):
                    echoes += await each(echo, 100)
                    with processor.measured():
                        edits += await each(edit, 100)
    return echoes, edits


async def _in_flight(server, repeat: int) -> dict[int, float]:
    """Return ms per edit, by how many are in flight at once."""
    samples: dict[int, list[float]] = {100: [], 500: [], 1000: []}
    async with live_client(server, Notebook.model_validate(notebook(CELLS))) as client:
        for _ in range(repeat):
            for count, found in samples.items():
                found.append(await _all_at_once(client, count))
    return {count: statistics.median(found) for count, found in samples.items()}


async def _all_at_once(client: RTUClient, count: int) -> float:
    deltas = [an_edit(client, str(uuid4())) for _ in range(count)]
    with undisturbed():
        start = time.perf_counter()
        await asyncio.gather(*(client.new_delta_request(delta) for delta in deltas))
        return (time.perf_counter() - start) / count * 1000
