"""Thousands of requests that nobody should send: each is answered, none hurts the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect

from rtu_magics.models import REQUEST_CLASSES, kernel_channel

from ...helpers.rtu import follow, get, open_notebook, post
from ...helpers.server import RunningServer, child_pids, running_server
from ..roles.scene import Scene
from ..roles.table import keys_of_server
from ..roles.test_matrix import _PROPERTIES, _data
from .bodies import CONTENT_TYPES, Bodies

pytestmark = [
    pytest.mark.server,
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="open files are read off /proc"),
]

SEED = 20261124
PER_ROUTE = 34
FRAMES = 2400
WORKERS = 6
DATABASE = "rtu.db"
READERS = min(32, (os.cpu_count() or 1) + 4)  # threads of asyncio's own, in which they read

KEYS = sorted(keys_of_server())
ROUTES = [key.split() for key in KEYS if not key.startswith(("EVENT", "DELTA"))]
DELTAS = [key.split()[1:] for key in KEYS if key.startswith("DELTA")]
EVENTS = sorted(REQUEST_CLASSES)
ANSWERS = (
    "inconsistent_state_event",
    "invalid_event",
    "invalid_data",
    "permission_denied",
    "variable_explorer_event",
)


@pytest.fixture
def server(tmp_path):
    with running_server(tmp_path) as found:
        yield found


async def test_no_request_hurts(server: RunningServer) -> None:
    scene = await Scene.make(server)
    await scene.launch()
    await scene.run()
    await scene.upload(complete=True)
    safe_id = await open_notebook(server, "safe.ipynb", create=True)

    sent = await bad_rest(scene, Bodies(SEED), PER_ROUTE // 4)
    sent += await bad_frames(scene, Bodies(SEED), FRAMES // 4)
    before = await settled(server)
    await scene.launch()
    sent += await bad_rest(scene, Bodies(SEED + 1), PER_ROUTE)
    sent += await bad_frames(scene, Bodies(SEED + 1), FRAMES)
    assert sent >= 5000, sent
    # Nothing stays behind but what was made: some spaces, projects and runs.
    for _ in range(150):  # what is closed takes its time to go
        after = await settled(server)
        grown = after.files - before.files
        # Readers' connections are closed, but SQLite keeps their descriptors for the next ones as
        # long as the process has a lock there: as many as there ever were at once.
        readers = grown.pop(DATABASE, 0)
        if grown.total() <= 10:
            break
        await asyncio.sleep(0.2)
    print(f"LINE open files: {before.files.total()}, then {dict(grown)} and {readers} readers more")
    assert server.process.poll() is None
    assert readers <= READERS
    assert grown.total() <= 10, grown
    assert after.memory <= before.memory + 80 * 1024 * 1024, (before, after)
    async with follow(server, safe_id) as client:
        await client.add("c", "1 + 1")
        await post(server, "/v1/sessions", {"file_id": safe_id})
        await client.execute("c")
        assert (await client.finished("c"))["state"] == "finished_with_no_error"
    async with follow(server, scene.file_id) as client:
        await client.add("still", "works")
    log = server.log.read_text()
    # Kernels write there, too, and one that is interrupted while it starts has its own say.
    for sign in ("[E 2", "Task exception", "see its log", "/rtu_magics/server/"):
        assert sign not in log, log[max(0, log.index(sign) - 500) :][:4000]


@dataclass
class Held:
    """What a server has in hand: open files by what they are, and bytes of memory."""

    files: Counter[str]
    memory: int


async def settled(server: RunningServer) -> Held:
    """Return what the server holds without kernels, once the closed connections have left it.

    A kernel costs a dozen files, and which of them run is up to what was asked last.
    """
    await end_kernels(server)
    process, port = psutil.Process(server.pid), urlsplit(server.url).port
    while True:
        connections = process.net_connections("tcp")
        # Those that were closed leave the list when the server has noticed.
        clients = sum(one.laddr.port == port and one.status != "LISTEN" for one in connections)
        if not clients:
            break
        await asyncio.sleep(0.05)
    files: Counter[str] = Counter()
    for descriptor in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            files[re.sub(r"\W*\d+\W*$", "", descriptor.readlink().name)] += 1
    return Held(files, process.memory_info().rss)


async def end_kernels(server: RunningServer) -> None:
    """End every kernel, also one that is about to be started again."""
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, timeout=60, trust_env=False
    ) as http:
        while True:
            for kind in ("sessions", "kernels"):
                for one in (await http.get(f"/api/{kind}")).json():
                    await http.delete(f"/api/{kind}/{one['id']}")
            if not child_pids(server.pid):
                return
            await asyncio.sleep(0.1)


# REST


async def bad_rest(scene: Scene, bodies: Bodies, per_route: int) -> int:
    requests = [one for route in ROUTES for one in _requests(scene, bodies, *route, per_route)]
    bodies.random.shuffle(requests)
    queue = iter(requests)
    wrong: list[str] = []

    async def work() -> None:
        async with Http(scene.server) as http:
            for method, url, headers, body in queue:
                status, text = await http.request(method, url, headers, body)
                problem = _problem(status, text)
                if problem:
                    wrong.append(f"{method} {url[:200]} {headers} {body[:200]!r}: {problem}")

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    assert not wrong, "\n".join(wrong[:20])
    return len(requests)


class Http:
    """One connection; a bare one, since a client of comfort takes longer than the server."""

    def __init__(self, server: RunningServer) -> None:
        self._address = urlsplit(server.url)

    async def __aenter__(self) -> Http:
        self._streams = await self._open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._address.hostname, self._address.port)

    async def _close(self) -> None:
        self._streams[1].close()
        await self._streams[1].wait_closed()

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer; 599 when none comes."""
        target = url.removeprefix(f"{self._address.scheme}://{self._address.netloc}")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._address.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        try:
            return await asyncio.wait_for(self._exchange("\r\n".join(lines).encode() + body), 30)
        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError) as exc:
            await self._close()
            self._streams = await self._open()
            return 599, repr(exc).encode()

    async def _exchange(self, content: bytes) -> tuple[int, bytes]:
        reader, writer = self._streams
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split()[1])
        length = re.search(rb"\ncontent-length: (\d+)", head)
        text = await reader.readexactly(int(length[1])) if length else b""
        if b"connection: close" in head:
            await self._close()
            self._streams = await self._open()
        return status, text


def _problem(status: int, text: bytes) -> str:
    if status >= 500:
        return f"{status} {text[:300]!r}"
    if status < 400:
        return ""
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return f"{status} without a reason: {text[:300]!r}"
    if not message or "\n" in message or len(message) > 600:
        return f"{status} with {message[:700]!r}"
    return ""


def _requests(
    scene: Scene, bodies: Bodies, method: str, pattern: str, count: int
) -> list[tuple[str, str, dict[str, str], bytes]]:
    found = []
    for _ in range(count):
        chance = bodies.random.random()
        # What is there is left there: everything else could not be asked for any more.
        harmless = method != "DELETE" and "complete" not in pattern
        if harmless and chance < 0.6:
            url = scene.url(pattern)
        else:
            path = pattern
            while "{}" in path:
                known = bodies.random.choice([str(uuid4()), bodies.segment()])
                path = path.replace("{}", known, 1)
            base = scene.server.url.rstrip("/") if path.startswith("/rtu/") else None
            url = (base or scene.server.api_url) + path
        if "?" not in url:
            url += bodies.query()
        headers = {"Content-Type": bodies.random.choice(CONTENT_TYPES)}
        if bodies.random.random() < 0.95:
            headers.update(scene.server.headers)
        else:
            headers["Authorization"] = bodies.random.choice(
                ["", "Bearer", "Basic eDp5", "Bearer a.b.c", "token " + "x" * 5000]
            )
        body = bodies.body(scene.body(method, pattern))
        found.append((method, url, headers, body if method != "GET" else b""))
    return found


# The socket


async def bad_frames(scene: Scene, bodies: Bodies, count: int) -> int:
    file = await get(scene.server, f"/v1/files/{scene.file_id}")
    scene.ids["versions"] = file["current_version_id"]
    share = count // WORKERS + 1
    await asyncio.gather(*(_talk(scene, bodies, share) for _ in range(WORKERS)))
    return share * WORKERS


async def _talk(scene: Scene, bodies: Bodies, count: int) -> None:
    async with connect(scene.server.rtu_url, max_size=None, proxy=None) as websocket:
        login = {"token": scene.server.token, "rtu_client_type": "fuzz"}
        await _ask(websocket, _envelope("system", "authenticate_request", login))
        for _ in range(count):
            await _ask(websocket, bodies.frame(_valid(scene, bodies)))


async def _ask(websocket: Any, frame: Any) -> None:
    """Send a message; something has to answer it before the ping that follows is answered."""
    if isinstance(frame, dict):
        frame = json.dumps(frame)
    ping = _envelope("system", "ping_request", {})
    await websocket.send(frame)
    await websocket.send(json.dumps(ping))
    expected = _transaction_of(frame)
    answered = pinged = False
    while not (answered and pinged):
        try:
            raw = await asyncio.wait_for(websocket.recv(), 10)
        except (asyncio.TimeoutError, TimeoutError):
            raise AssertionError(f"no answer to {frame[:2000]!r}") from None
        message = json.loads(raw)
        data = message["data"]
        assert "see its log" not in str(data), (frame[:2000], data)
        if message["transaction_id"] == ping["transaction_id"]:
            pinged = True
        elif expected is None:
            answered |= message["event"] in ANSWERS or message["event"].endswith(
                ("reply", "response")
            )
        else:
            answered |= message["transaction_id"] == expected


def _transaction_of(frame: str | bytes) -> str | None:
    """Return the transaction id that answers have to carry, None if it cannot be read."""
    try:
        found = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    transaction_id = found.get("transaction_id") if isinstance(found, dict) else None
    try:
        return str(UUID(transaction_id)) if isinstance(transaction_id, str) else None
    except ValueError:
        return None


def _envelope(channel: str, event: str, data: Any) -> dict[str, Any]:
    return {"transaction_id": str(uuid4()), "channel": channel, "event": event, "data": data}


def _valid(scene: Scene, bodies: Bodies) -> dict[str, Any]:
    prefix, event = bodies.random.choice(EVENTS)
    channels = {
        "system": "system",
        "files": f"files/{scene.file_id}",
        "kernels": kernel_channel(UUID(scene.file_id)),
    }
    channel = channels[prefix]
    if bodies.random.random() < 0.1:
        channel = f"{prefix}/{bodies.text()[:300]}"
    if event == "new_delta_request":
        data: Any = {"delta": _delta(scene, bodies), "output_collection_id_to_copy": None}
    elif event == "authenticate_request":
        data = {"token": scene.server.token, "rtu_client_type": "fuzz"}
    else:
        data = _data(scene, f"{prefix} {event}")
    return _envelope(channel, event, data)


def _delta(scene: Scene, bodies: Bodies) -> dict[str, Any]:
    kind, action = bodies.random.choice(DELTAS)
    properties = _PROPERTIES.get((kind, action))
    return {
        "id": str(uuid4()),
        "file_id": scene.file_id,
        "delta_type": kind,
        "delta_action": action,
        "resource_id": bodies.random.choice(["shown", "__NULL_RESOURCE__", "no such cell"]),
        "parent_delta_id": None,
        "properties": properties("shown") if callable(properties) else properties,
        "created_at": None,
        "created_by_id": None,
    }
