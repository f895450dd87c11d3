"""What the third-party client takes for the same work. Runs in its environment, not in ours.

``python peer_side.py TASK`` takes the task's arguments as JSON on stdin and writes its result as
JSON to stdout.
Times are medians in µs.
"""

import asyncio
import gc
import json
import logging
import statistics
import sys
import time
from uuid import UUID


def timed(call, repeat=9, number=1):
    call()
    samples = []
    gc.collect()
    gc.disable()
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            call()
        samples.append((time.perf_counter() - start) / number)
    gc.enable()
    return statistics.median(samples) * 1e6


def parse(messages, repeat):
    from origami.clients.rtu import RTUManager

    manager = RTUManager("ws://127.0.0.1:1")

    def read(raw):
        # The hook awaits nothing: driven by hand it costs no event loop.
        try:
            manager.inbound_message_hook(raw).send(None)
        except StopIteration as stop:
            return stop.value

    expected = {type(read(raw)).__name__ for raw in messages.values()}
    assert "BaseRTUResponse" not in expected, "a message was not understood"
    return {name: timed(lambda raw=raw: read(raw), repeat, 500) for name, raw in messages.items()}


def _adapter():
    from origami.models.deltas.discriminators import FileDelta
    from pydantic import TypeAdapter

    return TypeAdapter(FileDelta).validate_python


def squash(notebook, chain, repeat):
    from origami.models.notebook import Notebook
    from origami.notebook.builder import NotebookBuilder

    # Each delta is parsed just before it is squashed, as in life; only squashing is timed.
    parse, clock = _adapter(), time.perf_counter
    samples = []
    for _ in range(repeat):
        builder = NotebookBuilder(Notebook.model_validate(notebook))
        gc.collect()
        gc.disable()
        taken = 0.0
        for content in chain:
            delta = parse(content)
            start = clock()
            builder.apply_delta(delta)
            taken += clock() - start
        samples.append(taken / len(chain))
        gc.enable()
    return {"us": statistics.median(samples) * 1e6, "ids": builder.cell_ids}


def replay(notebook, chain, repeat):
    from origami.clients.rtu import RTUClient
    from origami.models.notebook import Notebook
    from origami.notebook.builder import NotebookBuilder

    class NoServer:
        api_base_url = "http://127.0.0.1:1"

    async def once():
        parse = _adapter()
        deltas = [parse(delta) for delta in chain]
        client = RTUClient(NoServer(), UUID(int=7))
        client.builder = NotebookBuilder(Notebook.model_validate(notebook))
        client.builder.last_applied_delta_id = deltas[0].parent_delta_id
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        for delta in reversed(deltas):
            await client.queue_or_apply_delta(delta)
        taken = time.perf_counter() - start
        gc.enable()
        # Somewhere down its recursion it can also swallow the error and go on without the rest.
        done = client.builder.last_applied_delta_id == deltas[-1].id
        return taken if done else None

    logging.disable()
    try:
        samples = [asyncio.run(once()) for _ in range(repeat)]
    except RecursionError:
        samples = [None]
    return {"us": None if None in samples else statistics.median(samples) * 1e6}


def in_flight(api_url, token, project, notebook, count, repeat):
    from uuid import uuid4

    from origami.clients.api import APIClient
    from origami.models.deltas.delta_types.cell_contents import (
        CellContentsReplace,
        CellContentsReplaceProperties,
    )
    from origami.models.notebook import Notebook

    async def run():
        api = APIClient(authorization_token=token, api_base_url=api_url)
        name = f"{uuid4()}.ipynb"
        file = await api.create_notebook(UUID(project), name, Notebook.model_validate(notebook))
        client = await asyncio.wait_for(api.connect_realtime(file), 30)
        samples = []
        for _ in range(repeat):
            deltas = [
                CellContentsReplace(
                    file_id=file.id,
                    resource_id=client.cell_ids[0],
                    properties=CellContentsReplaceProperties(source=str(uuid4())),
                )
                for _ in range(count)
            ]
            start = time.perf_counter()
            await asyncio.wait_for(
                asyncio.gather(*(client.new_delta_request(delta) for delta in deltas)), 120
            )
            samples.append((time.perf_counter() - start) / count)
        await client.shutdown(now=True)
        return samples

    return {"ms": statistics.median(asyncio.run(run())) * 1000}


def main():
    tasks = {"parse": parse, "squash": squash, "replay": replay, "in_flight": in_flight}
    task = tasks[sys.argv[1]]
    json.dump(task(**json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
