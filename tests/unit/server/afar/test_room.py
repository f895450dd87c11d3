"""A live document on another server, joined without one: what is saved, and how it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")

from pycrdt import (
    Array,
    Doc,
    Map,
    Text,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)

from rtu_magics.document import normalise_notebook
from rtu_magics.server.afar.remote import Unreachable
from rtu_magics.server.afar.room import RemoteRoom
from rtu_magics.server.bridge.cells import as_in_file
from rtu_magics.server.bridge.document import LiveDocument
from rtu_magics.server.bridge.live_room import NotSaved
from rtu_magics.server.bridge.numbers import encoded

URL = "http://lab.example:8888"


def raw(text: str) -> bytes:
    return b"\x02" + encoded(len(text)) + text.encode()


class Socket:
    """One client's connection to a room."""

    def __init__(self, there: There) -> None:
        self.there = there
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.close_code: int | None = None
        self.close_reason: str | None = None

    async def read_message(self) -> bytes | None:
        return await self.queue.get()

    def write_message(self, message: bytes, binary: bool) -> asyncio.Future[None]:
        self.there.take(self, message)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def close(self) -> None:
        self.queue.put_nowait(None)


class There:
    """The other server, with one room; `how` is what it does when it is asked to save."""

    def __init__(self, how: str = "saves") -> None:
        self.url, self.how, self.session = URL, how, "s1"
        self.writable, self.content, self.file_id = True, {}, "f1"
        self.sockets: list[Socket] = []
        self.doc: Any = Doc()
        cell = {"id": "c1", "cell_type": "code", "source": Text("x"), "metadata": Map()}
        self.doc["cells"] = Array([Map({**cell, "outputs": Array(), "execution_count": None})])
        self.doc["meta"] = Map({"nbformat": 4, "nbformat_minor": 5, "metadata": Map()})
        self.state = self.doc.get("state", type=Map)

    async def file(self, path: str, *, content: bool = False) -> dict[str, Any]:
        if self.content is None:
            raise Unreachable("HTTP 404", 404)
        return {"type": "notebook", "writable": self.writable, "content": self.content}

    async def document(self, path: str) -> tuple[str, str]:
        return self.file_id, self.session

    async def connect(self, file_id: str, session_id: str) -> Socket:
        socket = Socket(self)
        self.sockets.append(socket)
        socket.queue.put_nowait(create_sync_message(self.doc))
        return socket

    def take(self, socket: Socket, message: bytes) -> None:
        if message[0] == 0:
            reply = handle_sync_message(message[1:], self.doc)
            if reply is not None:
                socket.queue.put_nowait(reply)
        elif message[0] == 2:
            if self.how == "conflict":
                socket.queue.put_nowait(raw('{"type": "conflict"}'))
                return
            if self.how in ("saves", "saves in silence"):
                self.content = LiveDocument(self.doc).notebook()
            if self.how == "saves":
                self.change(lambda: self.state.__setitem__("hash", "abc"))
            status = f'"status": "success", "responseTo": {message[6]}'
            socket.queue.put_nowait(raw(f'{{"type": "save", {status}}}'))

    def change(self, work: Callable[[], object]) -> None:
        before = self.doc.get_state()
        with self.doc.transaction():
            work()
        update = create_update_message(self.doc.get_update(before))
        for socket in self.sockets:
            socket.queue.put_nowait(update)

    def sources(self) -> list[str]:
        return [str(cell["source"]) for cell in self.doc["cells"]]


class Hears:
    def __init__(self) -> None:
        self.saves: list[Any] = []
        self.taken = 0

    def saved(self, content: Any, disk_hash: str) -> None:
        self.saves.append(content)

    def taking(self, take: Callable[[], None]) -> None:
        self.taken += 1
        take()


class Here:
    """Somebody in that room."""

    def __init__(self, there: There, copy: Path, before: Here | None = None) -> None:
        self.ended: list[str] = []
        self.moved: list[str] = []
        place = lambda: ("a.ipynb", copy)  # noqa: E731
        last = None if before is None else before.room
        self.room = RemoteRoom(there, place, self.ended.append, self.moved.append, last)  # type: ignore[arg-type]
        self.hears = Hears()

    async def join(self) -> Here:
        await self.room.open()
        self.room.join(self.hears)  # type: ignore[arg-type]
        self.live = LiveDocument(self.room.ydoc)
        return self


async def until(check: Callable[[], object]) -> None:
    async def look() -> None:
        while not check():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), 20)


@pytest.mark.parametrize("how", ["saves", "saves in silence"])
async def test_what_is_saved_is_kept_here(tmp_path: Path, how: str) -> None:
    there = There(how)
    here = await Here(there, tmp_path / "a.ipynb").join()
    here.live.set_source(0, "x = 'ours'")
    await here.room.save(lambda: True)
    assert there.sources() == ["x = 'ours'"]
    kept = normalise_notebook((tmp_path / "a.ipynb").read_bytes())
    assert [cell.source for cell in kept.cells] == ["x = 'ours'"]
    assert as_in_file(here.hears.saves[-1]) == kept
    here.room.leave()


@pytest.mark.parametrize(
    ("how", "writable", "there_is_one", "words"),
    [
        ("fails", False, True, "a.ipynb is read-only at"),
        ("fails", True, False, "a.ipynb is not at http://lab.example:8888 any more"),
        ("conflict", True, True, "is not connected"),
    ],
)
async def test_what_is_not_saved_is_said(
    tmp_path: Path, how: str, writable: bool, there_is_one: bool, words: str
) -> None:
    there = There(how)
    here = await Here(there, tmp_path / "a.ipynb").join()
    there.writable = writable
    there.content = LiveDocument(there.doc).notebook() if there_is_one else None  # type: ignore[assignment]
    here.live.set_source(0, "x = 'ours'")
    with pytest.raises(NotSaved, match=words):
        await here.room.save(lambda: True)
    assert not (tmp_path / "a.ipynb").exists()
    assert not here.hears.saves
    here.room.leave()


async def test_a_document_that_goes_on_is_gone_on_with(tmp_path: Path) -> None:
    there = There()
    first = await Here(there, tmp_path / "a.ipynb").join()
    await first.room.save(lambda: True)
    there.sockets.pop().close()
    await until(lambda: first.ended)
    first.room.leave()
    first.live.set_source(0, "x  # ours")
    there.change(lambda: there.doc["cells"][0]["source"].insert(0, "theirs "))
    again = await Here(there, tmp_path / "a.ipynb", first).join()
    assert again.room.ydoc is first.room.ydoc
    assert again.room.base is not None
    assert again.room.base.cells[0].source == "x  # ours", "as it was when the two parted"
    assert there.sources() == [str(again.live.raw(0)["source"])] == ["theirs x  # ours"]
    again.room.leave()


@pytest.mark.parametrize("what", ["another process", "made anew"])
async def test_a_document_that_was_made_anew_is_taken_afresh(tmp_path: Path, what: str) -> None:
    there = There()
    first = await Here(there, tmp_path / "a.ipynb").join()
    first.live.set_source(0, "x = 'ours'")
    await first.room.save(lambda: True)
    there.sockets.pop().close()
    await until(lambda: first.ended)
    first.room.leave()
    other = There()
    other.session = "s2" if what == "another process" else "s1"
    again = await Here(other, tmp_path / "a.ipynb", first).join()
    assert again.room.ydoc is not first.room.ydoc
    assert again.room.base is None
    assert other.sources() == ["x"], "nothing of the old copy goes there"
    again.room.leave()


async def test_another_file_of_that_name_is_not_joined(tmp_path: Path) -> None:
    there = There()
    here = Here(there, tmp_path / "a.ipynb")
    with pytest.raises(Unreachable, match=r"another notebook is at a\.ipynb"):
        await here.room.open("f0")
    assert not there.sockets


async def test_it_tells_when_the_notebook_is_renamed(tmp_path: Path) -> None:
    there = There()
    here = await Here(there, tmp_path / "a.ipynb").join()
    there.change(lambda: there.state.__setitem__("path", "d/b.ipynb"))
    await until(lambda: here.moved)
    assert here.moved == ["d/b.ipynb"]
    here.room.leave()


async def test_what_the_server_itself_writes_is_announced(tmp_path: Path) -> None:
    """It may be another program's file; who it is tells the hash that it writes."""
    there = There()
    here = await Here(there, tmp_path / "a.ipynb").join()
    there.change(lambda: there.doc["cells"][0]["source"].insert(0, "page "))
    await until(lambda: here.live.raw(0)["source"] == "page x")
    assert not here.hears.taken
    await here.room.save(lambda: True)
    there.change(lambda: there.doc["cells"][0]["source"].insert(0, "outside "))
    await until(lambda: here.live.raw(0)["source"] == "outside page x")
    assert here.hears.taken == 1
    here.room.leave()
