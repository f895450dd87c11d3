"""A room of jupyter-collaboration in our own process: as much of one as a bridge needs.

The document is the real one, ``jupyter_ydoc.YNotebook``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")

from jupyter_ydoc import YNotebook
from pycrdt import Awareness, Doc, Map, Text

from rtu_magics.server.bridge.bridge import Bridge
from rtu_magics.server.bridge.shown import ExecutionStates
from rtu_magics.server.bridge.yroom import YRoom
from rtu_magics.server.room import Room

from ..replicas.world import World


class LiveRoom:
    """The room of a notebook on disk, which is loaded into it."""

    ready = True

    def __init__(self, path: Path) -> None:
        self.path, self.ydoc = path, Doc()
        self.awareness = Awareness(self.ydoc)
        self.clients: set[Any] = set()
        self._document = YNotebook(self.ydoc)
        self._document.set(json.loads(path.read_text()))
        self._file = SimpleNamespace(maybe_save_content=self._write)

    async def _write(self, model: dict[str, Any]) -> dict[str, str]:
        content = json.dumps(model["content"]).encode()
        self.path.write_bytes(content)
        return {"hash": hashlib.sha256(content).hexdigest()}

    def _save_to_disc(self) -> asyncio.Task[Any]:
        model = {"content": self._document.get()}
        return asyncio.ensure_future(self._file.maybe_save_content(model))

    # What a page does

    @property
    def sources(self) -> list[str]:
        return [str(cell["source"]) for cell in self._document.ycells]

    def type(self, index: int, text: str) -> None:
        with self.ydoc.transaction(origin="page"):
            source = self._document.ycells[index]["source"]
            source += text

    def add(self, index: int, cell_id: str, source: str) -> None:
        cell = {"id": cell_id, "cell_type": "raw", "source": Text(source), "metadata": Map({})}
        with self.ydoc.transaction(origin="page"):
            self._document.ycells.insert(index, Map(cell))

    def attach(self, index: int, attachments: Any) -> None:
        with self.ydoc.transaction(origin="page"):
            self._document.ycells[index]["attachments"] = attachments

    async def replace(self, content: Any) -> None:
        """Become what another program wrote."""
        await self._document.aset(content)


@asynccontextmanager
async def bridged(world: World) -> AsyncIterator[tuple[Room, LiveRoom, Bridge[YRoom]]]:
    """Put the notebook of a world on a live document."""
    room = await world.room()
    live, broken = LiveRoom(world.root / "n.ipynb"), list[str]()
    bridge = Bridge(
        room,
        room.disk.live,
        YRoom(live),
        world.service.collections,
        runs=ExecutionStates.of(room.executor),
        people=room.presence.connected,
        broken=broken.append,
    )
    await bridge.attach()
    try:
        yield room, live, bridge
        assert not broken
    finally:
        await bridge.detach()
