"""Runs cells through the third-party client that put something out after their end.

Runs in an environment of its own, like ``peer_script.py``: ``python late_script.py API_URL TOKEN
PROJECT_ID``. Prints one JSON line with what it saw.
"""

import asyncio
import json
import sys
import uuid

from origami.clients.api import APIClient
from origami.models.notebook import CodeCell, Notebook
from origami.models.rtu.channels.files import AppendOutputEvent, UpdateOutputCollectionEvent

GATED = """import asyncio, os
from IPython.display import clear_output, display
async def work():
    while not os.path.exists("GATE"): await asyncio.sleep(0.02)
    DO
task = asyncio.get_running_loop().create_task(work())
print("early")"""


def gated(gate, do):
    return GATED.replace("GATE", gate).replace("DO", do)


async def wait(awaitable, seconds=60):
    return await asyncio.wait_for(awaitable, seconds)


async def until(true):
    while not true():
        await asyncio.sleep(0.02)


async def main(api_url, token, project_id):
    api = APIClient(authorization_token=token, api_base_url=api_url)
    cells = [
        CodeCell(id="text", source=gated("gate", "print('late'); display('late display')")),
        CodeCell(id="clears", source=gated("gate", "clear_output(); print('instead')")),
        CodeCell(id="opens", source="open('gate', 'w').close()"),
        CodeCell(id="after", source="print('after')"),
    ]
    file = await api.create_notebook(uuid.UUID(project_id), "late.ipynb", Notebook(cells=cells))
    one = await wait(api.connect_realtime(file))
    appended, cleared = [], []

    async def append(message):
        content = message.data.content
        appended.append([str(message.data.parent_collection_id), content.raw if content else ""])

    async def clear(message):
        cleared.append(message.event)

    one.register_rtu_event_callback(AppendOutputEvent, append)
    one.register_rtu_event_callback(UpdateOutputCollectionEvent, clear)
    session = await api.launch_kernel(file.id)
    await wait(one.wait_for_kernel_idle())
    for cell_id in ("text", "clears", "opens"):
        await asyncio.wait(await wait(one.queue_execution(cell_id=cell_id)), timeout=60)
    await wait(until(lambda: any("late display" in text for _, text in appended)))
    await wait(until(lambda: any("instead" in text for _, text in appended)))
    done = await wait(one.queue_execution(cell_id="after"))
    await asyncio.wait(done, timeout=60)

    outputs, collections = {}, {}
    for cell in one.builder.nb.cells:
        if cell.id in ("text", "clears", "after"):
            collection_id = str(cell.output_collection_id)
            collections[cell.id] = collection_id
            collection = await api.get_output_collection(uuid.UUID(collection_id))
            outputs[cell.id] = [output.content.raw for output in collection.outputs]
    mine = [text for parent, text in appended if parent == collections["text"]]
    states = dict(one.cell_states)
    await api.shutdown_kernel(session.id)
    await one.shutdown(now=True)
    print(json.dumps({"outputs": outputs, "mine": mine, "cleared": cleared, "states": states}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
