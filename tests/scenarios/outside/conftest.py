"""A notebook that two clients follow while other programs change its file."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import nbformat
import pytest

from rtu_magics.client import APIClient, RTUClient

from ...helpers.server import RunningServer, running_server


class Scene:
    """The file, the server and the clients."""

    def __init__(self, server: RunningServer, path: Path, api: APIClient) -> None:
        self.server = server
        self.path = path
        self.api = api
        self.clients: list[RTUClient] = []
        self.file_id = UUID(int=0)
        self._log_from = server.log.stat().st_size

    async def connect(self, clients: int = 2) -> None:
        file = await self.api.open_file(self.path.relative_to(self.server.root).as_posix())
        self.file_id = file.id
        for _ in range(clients):
            self.clients.append(await self.api.connect_realtime(file))

    def on_disk(self, path: Path | None = None) -> list[str]:
        """The sources in the file."""
        cells = json.loads((path or self.path).read_text())["cells"]
        return ["".join(cell["source"]) for cell in cells]

    def shown(self) -> list[list[str]]:
        """The sources that each client has."""
        return [[cell.source for cell in client.builder.cells] for client in self.clients]

    def ids(self) -> list[str]:
        return list(self.clients[0].cell_ids)

    async def agree(self, check: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        """Wait until all clients and the file show the same, and it is right."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            states: Any = None
            try:
                states = [*self.shown(), self.on_disk()]
                if all(state == states[0] for state in states) and check(states[0]):
                    return list(states[0])
            except (OSError, ValueError):
                pass  # being written
            assert loop.time() < end, (states, self.lines())
            await asyncio.sleep(0.05)

    async def line(self, text: str, seconds: float = 60) -> str:
        """Wait for a line in the server's log, which has to be there once."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not (found := [line for line in self.lines() if text in line]):
            assert loop.time() < end, self.lines()
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.2)  # one more look at the file
        found = [line for line in self.lines() if text in line]
        assert len(found) == 1, found
        return found[0]

    def lines(self) -> list[str]:
        """What the server logged about this notebook."""
        with self.server.log.open() as log:
            log.seek(self._log_from)
            lines = log.read().splitlines()
        assert not [line for line in lines if "Traceback" in line], lines
        return lines

    def edit(self, change: Callable[[Any], object], how: str = "rename") -> None:
        """Change the file as another program does: read, edit, write."""
        notebook = nbformat.read(self.path, as_version=4)
        change(notebook)
        if how == "in place":
            nbformat.write(notebook, self.path)
        else:
            temporary = self.path.with_suffix(".saving")
            nbformat.write(notebook, temporary)
            os.replace(temporary, self.path)

    async def versions(self) -> dict[str, Any]:
        """The named versions with their content."""
        found = {}
        for version in await self.api.get_file_versions(self.file_id):
            if version.name:
                response = await self.api.rest.request("GET", version.content_presigned_url)
                found[version.name] = json.loads(response.content)
        return found


@pytest.fixture(scope="package")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


@pytest.fixture
async def scene(shared_server: RunningServer) -> AsyncIterator[Scene]:
    """Two clients on a notebook of three cells: ``a = 1``, ``b = 2``, ``c = 3``."""
    path = shared_server.root / f"n{uuid4().hex[:8]}.ipynb"
    cells = [
        nbformat.v4.new_code_cell(f"{name} = {value}\n# of {path.stem}", id=name)
        for value, name in enumerate("abc", 1)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"title": "T"}), path)
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        found = Scene(shared_server, path, api)
        await found.connect()
        yield found
        for client in found.clients:
            await client.shutdown()
