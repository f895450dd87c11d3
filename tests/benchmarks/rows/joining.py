"""Joining a big notebook: from the call to a copy that is caught up."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator

import httpx

from rtu_magics.client import APIClient
from rtu_magics.models import Notebook

from ..harness import Bench, Row, at_most
from ..live import our_server
from ..workloads import notebook, source

CELLS, SIZE = 1_000, 5_000_000
JUPYTERLAB_MS = 368  # a JupyterLab collaboration's join of such a notebook, on 2 cores


def rows(bench: Bench) -> Iterator[Row]:
    content = notebook(CELLS)
    filler = "# " + "x" * 70 + "\n"
    for number, cell in enumerate(content["cells"]):
        cell["source"] = source(number) + filler * (SIZE // CELLS // len(filler))
    with our_server() as server:
        download, join, again = asyncio.run(_join(server, content, bench.repeat(9)))
    yield Row(
        "join of 1,000 cells, 5 MB",
        "plain download",
        download,
        join,
        at_most(JUPYTERLAB_MS / 2),
        unit="ms",
        note=f"JupyterLab's collaboration took {JUPYTERLAB_MS} ms elsewhere",
    )
    yield Row("… with 900 deltas after its version", "plain download", download, again, unit="ms")


async def _join(server, content, repeat: int) -> tuple[float, float, float]:
    async with APIClient(server.token, server.api_url) as api:
        info = await api.info()
        seed = Notebook.model_validate(content)
        file = await api.create_notebook(info.project_id, "big.ipynb", seed)

        async def once() -> float:
            start = time.perf_counter()
            client = await api.connect_realtime(file)
            taken = (time.perf_counter() - start) * 1000
            assert len(client.cell_ids) == CELLS
            await client.shutdown()
            return taken

        async def plain() -> float:
            url = (await api.get_file(file.id)).presigned_download_url
            async with httpx.AsyncClient(trust_env=False) as http:
                start = time.perf_counter()
                answer = await http.get(url)
                taken = (time.perf_counter() - start) * 1000
            assert len(answer.content) > SIZE * 0.95
            return taken

        downloads = [await plain() for _ in range(repeat)]
        joins = [await once() for _ in range(repeat)]
        client = await api.connect_realtime(file)
        for _ in range(900):
            await client.replace_cell_content("c5", "y" * 40)
        await client.shutdown()
        again = [await once() for _ in range(repeat)]
    return statistics.median(downloads), statistics.median(joins), statistics.median(again)
