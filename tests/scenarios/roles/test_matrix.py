"""Every route and every event, asked by everybody; the answers stand in ``matrix.txt``."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import NotebookClient, follow, raw_client
from ...helpers.server import RunningServer
from .scene import Scene
from .table import ASKERS, Row, keys_of_server, read_table

pytestmark = pytest.mark.server

TABLE = read_table()
KNOWN = keys_of_server()
THERE = [row for row in TABLE.values() if row.key in KNOWN]
ROUTES = [row for row in THERE if row.kind not in ("EVENT", "DELTA")]
EVENTS = [row for row in THERE if row.kind in ("EVENT", "DELTA")]


@pytest.fixture(scope="module")
def with_kernel() -> dict[str, Scene]:
    """Hold the one scene whose kernel runs: kernels take their time to start."""
    return {}


def test_the_table_is_complete() -> None:
    assert KNOWN - {*TABLE} == set(), "routes or events without a row"
    assert {*TABLE} - KNOWN == set(), "rows without a route or event"


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.key)
async def test_route(row: Row, server: RunningServer, with_kernel: dict[str, Scene]) -> None:
    if "/sessions" in row.what or "/outputs/" in row.what:
        scene = with_kernel.setdefault("scene", None) or await Scene.make(server)
        with_kernel["scene"] = scene
    else:
        scene = await Scene.make(server)
    found: dict[str, str] = {}
    for asker in ASKERS:
        await scene.prepare(row.kind, row.what)
        token = scene.tokens[asker]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(trust_env=False, timeout=30, verify=False) as http:
            body = scene.body(row.kind, row.what)
            url = scene.url(row.what)
            answer = await http.request(row.kind, url, json=body, headers=headers)
        found[asker] = str(answer.status_code)
        if answer.status_code >= 400:
            message = answer.json()["message"]
            assert message
            assert "\n" not in message
        if row.kind == "DELETE" and answer.is_success:
            used = scene.ids.pop("sessions", None)
            scene = scene if used else await Scene.make(server)
    assert found == row.answers


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.key)
async def test_event(row: Row, server: RunningServer) -> None:
    scene = await Scene.make(server)
    async with follow(server, scene.file_id) as owner:
        for cell_id in ("one", "two"):
            await owner.add(cell_id, "")
    found: dict[str, str] = {}
    for number, asker in enumerate(ASKERS):
        if row.what == "nb_cells delete" and found.get(ASKERS[number - 1]) == "ok":
            async with follow(server, scene.file_id) as owner:
                await owner.add(f"again{number}", "")
            cell_id = f"again{number}"
        else:
            cell_id = "one"
        found[asker] = await _ask(scene, row, asker, cell_id)
    assert found == row.answers


async def _ask(scene: Scene, row: Row, asker: str, cell_id: str) -> str:
    async with raw_client(scene.server) as raw:
        client = NotebookClient(raw.websocket)
        client.file_id = scene.file_id
        token = scene.tokens[asker]
        if row.what == "system authenticate_request":
            reply = await client.authenticate(token or "")
            return _in_short(reply)
        if token is not None:
            assert (await client.authenticate(token))["data"]["success"]
            if not row.what.endswith(" subscribe_request"):
                await client.subscribe(from_version_id=scene.ids["versions"])
        if row.kind == "DELTA":
            kind, action = row.what.split()
            properties = _PROPERTIES.get((kind, action), {})
            properties = properties(cell_id) if callable(properties) else properties or None
            delta = client.delta(kind, action, properties, cell_id)
            data = {"delta": delta, "output_collection_id_to_copy": None}
            return _in_short(await client.request(client.files, "new_delta_request", data))
        prefix, event = row.what.split()
        channel = {
            "system": "system",
            "files": client.files,
            "kernels": client.kernels,
        }[prefix]
        return _in_short(await client.request(channel, event, _data(scene, row.what)))


def _data(scene: Scene, what: str) -> Any:
    return {
        "files subscribe_request": {
            "from_version_id": scene.ids["versions"],
            "from_delta_id": None,
        },
        "files update_user_cell_selection_request": {"id": "one"},
        "files attach_request": {"execution_id": str(uuid4())},
        "files input_reply_request": {"request_id": str(uuid4()), "value": "x"},
        "files scratch_request": {"execution_id": str(uuid4()), "source": "1"},
        "kernels subscribe_request": {"file_id": scene.file_id},
    }.get(what, {})


_PROPERTIES: dict[tuple[str, str], Any] = {
    ("nb_cells", "add"): lambda cell_id: {
        "id": f"new{uuid4().hex[:8]}",
        "cell": {"cell_type": "code", "source": "", "metadata": {}},
        "after_id": None,
    },
    ("nb_cells", "delete"): lambda cell_id: {"id": cell_id},
    ("nb_cells", "move"): {"id": "one", "after_id": "two"},
    ("cell_contents", "update"): {"patch": make_patch("", "")},
    ("cell_contents", "replace"): {"source": "x = 1"},
    ("cell_metadata", "update"): {"path": ["tags"], "value": ["x"], "prior_value": None},
    ("cell_metadata", "replace"): {"type": "code", "language": "python"},
    ("nb_metadata", "update"): {"path": ["title"], "value": "x", "prior_value": None},
    ("cell_output_collection", "replace"): {"output_collection_id": str(uuid4())},
}


def _in_short(message: dict[str, Any]) -> str:
    data = message["data"]
    if message["event"] == "permission_denied":
        assert data["message"]
        return "denied"
    if message["event"] in ("invalid_data", "invalid_event", "inconsistent_state_event"):
        return f"{message['event']}: {data['message']}"
    return "false" if isinstance(data, dict) and data.get("success") is False else "ok"
