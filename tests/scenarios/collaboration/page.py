"""A page of JupyterLab with live collaboration, without the browser: one client of one document.

Runs in the environment of jupyter-collaboration. Commands come as lines on stdin, each is answered
by a line of JSON: ``type CELL TEXT`` (appended), ``insert CELL PLACE TEXT``, ``add PLACE ID``,
``delete CELL``, ``move CELL PLACE``, ``undo``, ``redo``, ``cursor CELL PLACE``, ``run CELL TEXT``,
``begin CELL``, ``fail CELL NAME``, ``clear CELL``, ``offline``, ``online``, ``sources``,
``notebook``, ``people``, ``save``, ``leave``. CELL and PLACE count from 0.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from typing import Any

from jupyter_ydoc import YNotebook
from pycrdt import (
    Assoc,
    Awareness,
    Doc,
    Map,
    Text,
    UndoManager,
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    read_message,
)
from websockets.asyncio.client import connect


def session(url: str, token: str, path: str) -> dict[str, str]:
    request = urllib.request.Request(
        f"{url}api/collaboration/session/{path}",
        method="PUT",
        data=json.dumps({"format": "json", "type": "notebook"}).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=90) as response:
        return json.load(response)


class Page:
    """What a person does in it; each thing is one transaction that can be undone."""

    def __init__(self, name: str) -> None:
        self.doc = Doc()
        self.awareness = Awareness(self.doc)
        self.awareness.set_local_state(
            {"user": {"username": name, "name": name, "display_name": name}}
        )
        self.notebook = YNotebook(self.doc)
        self.cells = self.notebook.ycells
        self.undo = UndoManager(scopes=[self.cells], capture_timeout_millis=0)
        self.undo.include_origin("page")
        self.online, self.runs = True, 0
        self.people: dict[int, dict[str, Any]] = {}

    def do(self, command: str, rest: str) -> object:
        if command == "sources":
            return [str(cell["source"]) for cell in self.cells]
        if command == "notebook":
            found = self.notebook.get(deduplicate=False)
            states = [cell.get("execution_state") for cell in self.cells]
            return {**found, "states": states}
        if command == "cursor":
            self._point(*map(int, rest.split()))
            return []
        if command == "people":
            return [state for state in self.awareness.states.values() if state]
        if command in ("undo", "redo"):
            getattr(self.undo, command)()
        elif command != "nothing":
            with self.doc.transaction(origin="page"):
                getattr(self, f"_{command}")(*rest.split(" ", {"insert": 2}.get(command, 1)))
        return [str(cell["source"]) for cell in self.cells]

    def _point(self, index: int, place: int) -> None:
        """Put the cursor before a character, as JupyterLab says where it is."""
        head = self.cells[index]["source"].sticky_index(place, Assoc.AFTER).to_json()
        head |= {"type": None, "tname": None}
        cursor = {"anchor": head, "head": head, "primary": True, "empty": True}
        self.awareness.set_local_state_field("cursors", [cursor])

    def _type(self, index: str, text: str) -> None:
        source = self.cells[int(index)]["source"]
        source += text

    def _insert(self, index: str, at: str, text: str) -> None:
        source = self.cells[int(index)]["source"]
        source.insert(len(str(source)[: int(at)].encode()), text)

    def _add(self, index: str, cell_id: str) -> None:
        cell = {"id": cell_id, "cell_type": "code", "source": "", "metadata": {"trusted": True}}
        self.cells.insert(int(index), self.notebook.create_ycell({**cell, "outputs": []}))

    def _delete(self, index: str) -> None:
        del self.cells[int(index)]

    def _move(self, index: str, to: str) -> None:
        cell = self.cells[int(index)].to_py()
        del self.cells[int(index)]
        self.cells.insert(int(to), self.notebook.create_ycell(cell))

    def _attach(self, index: str, name: str) -> None:
        self.cells[int(index)]["attachments"] = {name: {"image/png": "iVBORw0KGgo="}}

    def _run(self, index: str, text: str) -> None:
        """As a page does whose kernel prints a text."""
        cell = self.cells[int(index)]
        cell["execution_state"], cell["execution_count"] = "running", None
        cell["outputs"].clear()
        self.runs += 1
        cell["execution_count"] = self.runs
        output = {"output_type": "stream", "name": "stdout", "text": Text(text)}
        cell["outputs"].append(Map(output))
        cell["execution_state"] = "idle"

    def _begin(self, index: str) -> None:
        cell = self.cells[int(index)]
        cell["execution_state"], cell["execution_count"] = "running", None
        cell["outputs"].clear()

    def _fail(self, index: str, name: str) -> None:
        """End what was begun with an error."""
        cell = self.cells[int(index)]
        cell["execution_count"] = 2
        error = {"output_type": "error", "ename": name, "evalue": "no", "traceback": []}
        cell["outputs"].append(Map(error))
        cell["execution_state"] = "idle"

    def _clear(self, index: str) -> None:
        cell = self.cells[int(index)]
        cell["outputs"].clear()
        cell["execution_count"] = None


async def main(url: str, token: str, path: str, name: str = "ann") -> None:
    found = await asyncio.to_thread(session, url, token, path)
    room = f"json:notebook:{found['fileId']}?sessionId={found['sessionId']}"
    address = f"ws{url.removeprefix('http')}api/collaboration/room/{room}"
    headers = {"Authorization": f"token {token}"}
    page = Page(name)
    doc = page.doc
    synced = asyncio.Event()
    async with connect(address, additional_headers=headers, proxy=None, max_size=None) as socket:
        held: list[bytes] = []  # what came while it was offline

        async def take(message: bytes) -> None:
            if message[0] == YMessageType.AWARENESS:
                page.awareness.apply_awareness_update(read_message(message[1:]), "remote")
                return
            if message[0] != YMessageType.SYNC:
                return
            reply = handle_sync_message(message[1:], doc)
            if reply is not None:
                await socket.send(reply)
            if message[1] == YSyncMessageType.SYNC_STEP2:
                synced.set()

        async def receive() -> None:
            async for message in socket:
                if page.online:
                    await take(message)
                else:
                    held.append(message)

        async def here() -> None:
            while True:
                state = page.awareness.encode_awareness_update([page.awareness.client_id])
                await socket.send(create_awareness_message(state))
                await asyncio.sleep(1)  # a browser: 15; who comes later learns of us then
                page.awareness.set_local_state(page.awareness.get_local_state())

        await socket.send(create_sync_message(doc))
        tasks = [asyncio.create_task(receive()), asyncio.create_task(here())]
        await asyncio.wait_for(synced.wait(), 60)
        sending: set[asyncio.Task[None]] = set()

        def changed(event) -> None:
            if not page.online:
                return
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
            if command == "save":
                await socket.send(bytes([2, 4]) + b"save" + bytes([1]))
                print(json.dumps([]), flush=True)
                continue
            if command == "offline":
                page.online = False
                command = "nothing"
            elif command == "online":
                page.online = True
                for message in held:
                    await take(message)
                held.clear()
                # What was done meanwhile, and whatever else the other side lacks.
                await socket.send(create_update_message(doc.get_update()))
                await socket.send(create_sync_message(doc))
                command = "nothing"
            print(json.dumps(page.do(command, rest)), flush=True)
        await asyncio.gather(*sending)
        doc.unobserve(subscription)
        for task in tasks:
            task.cancel()


asyncio.run(main(*sys.argv[1:]))
