"""A page of JupyterLab with live collaboration, without the browser: one client of one document.

Runs in the environment of jupyter-collaboration. Commands come as lines on stdin, each is answered
by a line of JSON: ``type CELL TEXT`` (appended), ``sources``, ``leave``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request

from jupyter_ydoc import YNotebook
from pycrdt import (
    Doc,
    YMessageType,
    YSyncMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from websockets.asyncio.client import connect


def session(url: str, token: str, path: str) -> dict[str, str]:
    request = urllib.request.Request(
        f"{url}api/collaboration/session/{path}",
        method="PUT",
        data=json.dumps({"format": "json", "type": "notebook"}).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


async def main(url: str, token: str, path: str) -> None:
    found = await asyncio.to_thread(session, url, token, path)
    room = f"json:notebook:{found['fileId']}?sessionId={found['sessionId']}"
    address = f"ws{url.removeprefix('http')}api/collaboration/room/{room}"
    headers = {"Authorization": f"token {token}"}
    doc = Doc()
    notebook = YNotebook(doc)
    synced = asyncio.Event()
    async with connect(address, additional_headers=headers, proxy=None, max_size=None) as socket:

        async def receive() -> None:
            async for message in socket:
                if message[0] != YMessageType.SYNC:
                    continue
                reply = handle_sync_message(message[1:], doc)
                if reply is not None:
                    await socket.send(reply)
                if message[1] == YSyncMessageType.SYNC_STEP2:
                    synced.set()

        await socket.send(create_sync_message(doc))
        receiver = asyncio.create_task(receive())
        await asyncio.wait_for(synced.wait(), 20)
        sending: set[asyncio.Task[None]] = set()

        def changed(event) -> None:
            update = create_update_message(event.update)
            task = asyncio.get_running_loop().create_task(socket.send(update))
            sending.add(task)
            task.add_done_callback(sending.discard)

        subscription = doc.observe(changed)
        print(json.dumps("here"), flush=True)
        while True:
            line = (await asyncio.to_thread(sys.stdin.readline)).rstrip("\n")
            command, _, rest = line.partition(" ")
            if command in ("leave", ""):
                break
            if command == "type":
                index, _, text = rest.partition(" ")
                source = notebook.ycells[int(index)]["source"]
                source += text
            sources = [str(cell["source"]) for cell in notebook.ycells]
            print(json.dumps(sources), flush=True)
        await asyncio.gather(*sending)
        doc.unobserve(subscription)
        receiver.cancel()


asyncio.run(main(*sys.argv[1:]))
