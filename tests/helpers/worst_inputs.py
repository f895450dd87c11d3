"""Every request, kind of delta and route with the dearest input that the server permits.

`WORST` has an entry for each; what stands there is done while somebody else pings the server.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from ..scenarios.roles.scene import Scene
from .pings import Pings, pinged
from .rtu import Message, NotebookClient, call, follow, get, post
from .server import RunningServer

CELLS = 1_000
CHANGES = 4_000  # with the cells, as many as one read of the log answers with
VERSIONS = 100
AT_ONCE = 48  # reads of one person; the server does two of them at a time
_EVENT = 880_000  # characters; with what stands around them just below what one event may hold
_DEEPEST = 95
_FRAME = 4_000_000  # bytes, of a request that is no change
_VALUES = 99_000  # in one message
_UPLOAD = 100 * 1024 * 1024
_LONG = 900_000
_WHOLE_LOG = f"?limit={CELLS + CHANGES}"

_random = random.Random(5)
LONG_TEXT = "".join(_random.choice("abcdefghij") for _ in range(400_000))


@dataclass
class Place:
    """A notebook of many cells, changes and versions, and somebody who follows it."""

    scene: Scene
    client: NotebookClient

    async def delta(self, kind: str, properties: Any, cell_id: str | None = None) -> Message:
        """Submit a change and return its answer."""
        delta = self.client.delta(*kind.split(), properties, cell_id)
        data = {"delta": delta, "output_collection_id_to_copy": None}
        return await self.ask(self.client.files, "new_delta_request", data)

    async def ask(self, channel: str, event: str, data: Any = None) -> Message:
        """Return the answer to a request; there is one to all but a few, which a ping ends."""
        sent = await self.client.send(channel, event, data)
        ping = await self.client.send("system", "ping_request", {})
        found: Message = {"event": "", "data": None}
        while True:
            message = await self.client.next(60)
            if message["transaction_id"] == sent and not found["event"]:
                found = message
            if message["transaction_id"] == ping:
                return found


Item = Callable[[Place], Awaitable[None]]


def _taken(answer: Message) -> None:
    assert answer["event"] == "new_delta_reply", answer
    assert answer["data"]["success"] is True, answer


def _delta(kind: str, *inputs: tuple[str | None, Any]) -> Item:
    async def do(place: Place) -> None:
        for cell_id, properties in inputs:
            _taken(await place.delta(kind, properties, cell_id))

    return do


def _patch(old: Callable[[str], str]) -> str:
    """Return a patch with a hunk for every 101st place of the long text."""
    hunks = []
    for at in range(0, len(LONG_TEXT) - 60, 101):  # below what one patch may hold
        piece = old(LONG_TEXT[at : at + 24])
        span = f"{at + 1},24"
        hunks.append(
            f"@@ -{span} +{span} @@\n {piece[:8]}\n-{piece[8:16]}\n+ABCDEFGH\n {piece[16:]}\n"
        )
    return "".join(hunks)


def not_quite_there() -> str:
    """Return a patch of 866 kB for the long text whose every hunk is a little off."""
    return _patch(lambda text: f"{text[:9]}ZZZZ{text[13:]}")


async def _patches(place: Place) -> None:
    _taken(await place.delta("cell_contents update", {"patch": _patch(lambda text: text)}, "text"))
    # None of its hunks fits any more: each is searched for, until the server has had enough.
    answer = await place.delta(
        "cell_contents update",
        {"patch": not_quite_there()},
        "text",
    )
    assert answer["data"]["success"] is False


def _deep(leaf: Any = 1) -> Any:
    for number in range(_DEEPEST):
        leaf = {"a": leaf} if number % 2 else [leaf]
    return leaf


_WIDE = {f"key{number}": [number, {"x": None}] for number in range(2_400)}
_BROAD = {f"key{number}": "\x01" * 100 for number in range(1_200)}  # six characters each in JSON


def _metadata(where: str, cell_id: str | None) -> Item:
    return _delta(
        where,
        *(
            (cell_id, {"path": ["worst", str(number)], "value": value, "prior_value": None})
            for number, value in enumerate((_WIDE, _BROAD, _deep()))
        ),
    )


def _cell(cell_id: str, source: str, metadata: Any = None) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": cell_id, "source": source, "metadata": metadata or {}}
    return {"id": cell_id, "cell": cell, "after_id": None}


def _event(prefix: str, event: str, data: Callable[[Place], Any] = lambda place: {}) -> Item:
    async def do(place: Place) -> None:
        channel = {
            "system": "system",
            "files": place.client.files,
            "kernels": place.client.kernels,
        }[prefix]
        answer = await place.ask(channel, event, data(place))
        assert answer["event"] not in ("permission_denied", "invalid_data"), answer

    return do


async def _subscribe_from_first(place: Place) -> None:
    """Ask for everything that ever happened, several at once as after a break of the network."""

    async def one() -> None:
        async with follow(place.scene.server, place.scene.file_id) as client:
            await client.subscribe(from_version_id=place.scene.ids["versions"])

    await asyncio.gather(*(one() for _ in range(4)))
    await _http(place, "GET", "/v1/files/{}/log", 2, query=_WHOLE_LOG)


def _scratch(place: Place) -> dict[str, Any]:
    return {"execution_id": str(uuid4()), "source": "#" + "x" * _LONG, "forget": True}


async def _http(
    place: Place, method: str, path: str, often: int = 1, content: Any = None, query: str = ""
) -> list[httpx.Response]:
    """Ask for a route, some times at once; all answers are good."""
    scene = place.scene
    await scene.prepare(method, path)
    url = f"{scene.url(path)}{query}"
    body = json.dumps(scene.body(method, path)).encode() if content is None else content
    if method in ("GET", "DELETE"):
        body = None
    headers = {**scene.server.headers}
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(
        headers=headers, timeout=120, trust_env=False, verify=False, limits=limits
    ) as http:
        asked = (http.request(method, url, content=body) for _ in range(often))
        answers = await asyncio.gather(*asked)
    for answer in answers:
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text[:200])
    return answers


def _route(
    key: str, often: int = 1, query: str = "", **content: Callable[[Place], dict[str, Any]]
) -> Item:
    """Return what asks for a route; what `body` answers goes over what a valid body holds."""
    method, _, path = key.partition(" ")

    async def do(place: Place) -> None:
        sent = None
        if "body" in content:
            sent = json.dumps(
                {**(place.scene.body(method, path) or {}), **content["body"](place)}
            ).encode()
        await _http(place, method, path, often, sent, query)

    return do


async def _far_token(place: Place) -> None:
    """Give the token of another server to one whose notebooks live here."""
    server = place.scene.server
    async with httpx.AsyncClient(headers=server.headers, timeout=120, trust_env=False) as http:
        answer = await http.put(f"{server.api_url}/v1/afar", json={"token": "t" * 10_000})
    assert answer.status_code == 404, answer.text[:200]


async def _upload(place: Place) -> None:
    await _http(place, "PUT", "/v1/uploads/{}", content=b"x" * _UPLOAD)


async def _complete_upload(place: Place) -> None:
    """Upload a notebook of about the size that one may have."""
    scene = place.scene
    cell = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x" * 900}],
        "source": "x" * 900,
    }
    cells = [{**cell, "id": f"u{number}"} for number in range(10 * CELLS)]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    content = json.dumps(notebook).encode()
    body = {
        "project_id": scene.ids["projects"],
        "path": f"{uuid4().hex}.ipynb",
        "type": "notebook",
    }
    file = await post(scene.server, "/v1/files", body)
    info = file["presigned_upload_url_info"]
    async with httpx.AsyncClient(
        headers=scene.server.headers, timeout=120, trust_env=False, verify=False
    ) as http:
        put = await http.put(info["parts"][0]["upload_url"], content=content)
        parts = [{"etag": put.headers["ETag"], "part_number": 1}]
        done = {"upload_id": info["upload_id"], "key": info["key"], "parts": parts}
        url = f"{scene.server.api_url}/v1/files/{file['id']}/complete-upload"
        answer = await http.post(url, json=done)
    assert answer.status_code == 204, answer.text


async def _variables(place: Place) -> None:
    await place.scene.launch()
    await _http(place, "GET", "/v1/files/{}/variables", AT_ONCE)


def _long_name(ending: str = "") -> str:
    return f"{uuid4().hex}{'n' * (190 - 32 - len(ending))}{ending}"


def _long_path(place: Place) -> str:
    folder = place.scene.path.split("/")[0]
    return f"{folder}/{_long_name('.ipynb')}"


_READS = [
    *("/info", "/users/me", "/spaces/{}", "/spaces/{}/projects", "/projects/{}"),
    *("/projects/{}/files", "/files/{}/versions", "/v1/files/{}/versions", "/rtu/f/{}"),
    *(f"/{kind}/{{}}/shareable-users" for kind in ("files", "projects", "spaces")),
    *(f"/v1/files/{{}}{rest}" for rest in ("", "/content", "/invites", "/people", "/runs")),
    *(f"/v1/files/{{}}{rest}" for rest in ("/save", "/session")),
    *("/v1/files", "/v1/kernelspecs", "/v1/datasources/by_notebook/{}"),
    *("/v1/versions/{}/content", "/outputs/collection/{}", "/outputs/{}/content"),
]
_PLAIN = [
    *("POST /v1/files/{}/save", "POST /v1/files/{}/versions/{}/restore"),
    *("POST /v1/sessions", "POST /v1/sessions/{}/interrupt", "POST /v1/sessions/{}/restart"),
    *(f"PATCH /{kind}/{{}}" for kind in ("files", "projects", "spaces")),
    *(f"PUT /{kind}/{{}}/users" for kind in ("files", "projects", "spaces")),
    "PATCH /v1/files/{}/invites/{}",
]
_LAST = [
    *(f"DELETE /{kind}/{{}}/users/{{}}" for kind in ("files", "projects", "spaces")),
    *("DELETE /v1/leases/{}", "DELETE /v1/files/{}/invites/{}"),
    *("DELETE /sessions/{}", "DELETE /v1/sessions/{}"),
    *("DELETE /v1/files/{}", "DELETE /projects/{}", "DELETE /spaces/{}"),
]

WORST: dict[str, Item] = {
    # Before there are changes of a megabyte: many reads of those would take minutes.
    "GET /v1/files/{}/log": _route("GET /v1/files/{}/log", AT_ONCE, _WHOLE_LOG),
    # The notebook has no kernel yet.
    "DELTA cell_execute execute_all": _delta("cell_execute execute_all", (None, None)),
    "DELTA cell_execute execute_before": _delta("cell_execute execute_before", ("c999", None)),
    "DELTA cell_execute execute_after": _delta("cell_execute execute_after", ("c0", None)),
    "DELTA cell_execute execute": _delta("cell_execute execute", ("c0", None)),
    "DELTA nb_cells add": _delta(
        "nb_cells add",
        (None, _cell("long", "x" * _EVENT)),
        (None, _cell("wide", "", _WIDE)),
        (None, _cell("deep", "", {"a": _deep()})),
        (None, _cell("text", LONG_TEXT)),
    ),
    "DELTA cell_contents update": _patches,
    "DELTA cell_contents replace": _delta(
        "cell_contents replace",
        ("long", {"source": "y" * _EVENT}),
        ("long", {"source": "\x01" * (_EVENT // 6)}),
        ("long", {"source": "\n" * (_EVENT // 2)}),
    ),
    "DELTA cell_metadata update": _metadata("cell_metadata update", "c1"),
    "DELTA cell_metadata replace": _delta(
        "cell_metadata replace", ("c2", {"type": "code", "language": "x" * _EVENT})
    ),
    "DELTA nb_metadata update": _metadata("nb_metadata update", None),
    "DELTA cell_output_collection replace": _delta(
        "cell_output_collection replace", ("c3", {"output_collection_id": str(uuid4())})
    ),
    "DELTA nb_cells move": _delta(
        "nb_cells move",
        ("long", {"id": "long", "after_id": "c999"}),
        ("long", {"id": "long", "after_id": None}),
    ),
    "DELTA nb_cells delete": _delta("nb_cells delete", ("long", {"id": "long"})),
    "EVENT system authenticate_request": _event(
        "system",
        "authenticate_request",
        lambda place: {"token": place.scene.server.token, "rtu_client_type": "x" * _LONG},
    ),
    "EVENT system ping_request": _event("system", "ping_request", lambda _: {"x": "x" * _FRAME}),
    "EVENT system whoami_request": _event(
        "system", "whoami_request", lambda _: {"x": "x" * _FRAME}
    ),
    "EVENT files subscribe_request": _subscribe_from_first,
    "EVENT files update_user_cell_selection_request": _event(
        "files", "update_user_cell_selection_request", lambda _: {"id": "c999"}
    ),
    "EVENT files transform_view_to_code_request": _event(
        "files", "transform_view_to_code_request", lambda _: {"x": _WIDE}
    ),
    "EVENT files attach_request": _event(
        "files", "attach_request", lambda _: {"execution_id": str(uuid4())}
    ),
    "EVENT files input_reply_request": _event(
        "files",
        "input_reply_request",
        lambda _: {"request_id": str(uuid4()), "value": "x" * _LONG},
    ),
    "EVENT files scratch_request": _event("files", "scratch_request", _scratch),
    "EVENT kernels subscribe_request": _event(
        "kernels", "subscribe_request", lambda place: {"file_id": place.scene.file_id}
    ),
    "EVENT kernels variable_explorer_update_request": _event(
        "kernels", "variable_explorer_update_request", lambda _: {"x": "x" * _FRAME}
    ),
    "EVENT kernels integrated_ai_request": _event(
        "kernels", "integrated_ai_request", lambda _: {"x": "x" * _FRAME}
    ),
    "EVENT kernels integrated_ai_result": _event(
        "kernels", "integrated_ai_result", lambda _: {"x": "x" * _FRAME}
    ),
    **{f"GET {path}": _route(f"GET {path}", AT_ONCE) for path in _READS},
    "PUT /v1/uploads/{}": _upload,
    "POST /v1/files/{}/complete-upload": _complete_upload,
    **{
        f"POST {path}/versions": _route(
            f"POST {path}/versions", 4, body=lambda _: {"name": "n" * 200}
        )
        for path in ("/files/{}", "/v1/files/{}")
    },
    **{
        f"POST /{kind}": _route(
            f"POST /{kind}", body=lambda _: {"name": "n" * 200, "description": "d" * 10_000}
        )
        for kind in ("spaces", "projects")
    },
    "POST /v1/files": _route("POST /v1/files", body=lambda _: {"path": _long_name(".ipynb")}),
    "POST /v1/files/open": _route(
        "POST /v1/files/open", body=lambda place: {"path": _long_path(place), "create": True}
    ),
    "POST /v1/files/{}/invites": _route(
        "POST /v1/files/{}/invites", body=lambda _: {"name": "n" * 100}
    ),
    "PUT /v1/afar": _far_token,
    "POST /v1/leases": _route("POST /v1/leases", body=lambda _: {"name": "n" * 200}),
    "POST /v1/files/{}/clear-outputs": _route(
        "POST /v1/files/{}/clear-outputs", body=lambda _: {"cell_ids": ["c5"] * _VALUES}
    ),
    "POST /v1/files/{}/rename": _route(
        "POST /v1/files/{}/rename", body=lambda place: {"path": _long_path(place)}
    ),
    **{key: _route(key) for key in _PLAIN},
    "GET /v1/files/{}/variables": _variables,
    "EVENT files unsubscribe_request": _event("files", "unsubscribe_request"),
    **{key: _route(key) for key in _LAST},
}


@asynccontextmanager
async def the_place(server: RunningServer) -> AsyncIterator[Place]:
    """Make the notebook, one cell and one change after the other, as people do."""
    scene = await Scene.make(server)
    await scene.run()
    await call(server, "DELETE", f"/v1/sessions/{scene.ids.pop('sessions')}")
    for _ in range(VERSIONS):
        await post(server, f"/v1/files/{scene.file_id}/versions", {"name": "n" * 200})
    scene.ids["versions"] = (await get(server, f"/v1/files/{scene.file_id}/versions"))[-1]["id"]
    async with follow(server, scene.file_id) as client:
        for number in range(CELLS):
            properties = _cell(f"c{number}", f"x = {number}\n" * 20)
            properties["after_id"] = f"c{number - 1}" if number else None
            await client.submit(client.delta("nb_cells", "add", properties))
        for number in range(CHANGES):
            properties = {"source": f"x = {number}\n" * 20}
            cell_id = f"c{number % CELLS}"
            await client.submit(client.delta("cell_contents", "replace", properties, cell_id))
        place = Place(scene, client)
        await place.ask("system", "ping_request", {})
        yield place


async def stalls(server: RunningServer) -> AsyncIterator[tuple[str, float]]:
    """Yield every item with the longest ping in ms while it was done."""
    async with the_place(server) as place:
        with pinged(server) as pings:
            for key, item in WORST.items():
                yield key, await _longest(pings, item, place)


async def _longest(pings: Pings, item: Item, place: Place) -> float:
    await asyncio.to_thread(pings.longest)
    await item(place)
    await asyncio.sleep(0.1)  # what it set going comes after its answer
    return await asyncio.to_thread(pings.longest)
