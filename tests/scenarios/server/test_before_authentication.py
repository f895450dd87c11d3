"""Connections that have not said who they are: few, small, and not for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ...helpers.rtu import RawClient, follow, get, open_notebook, raw_client
from ...helpers.server import RunningServer, running_server

pytestmark = pytest.mark.server

HEAD = (
    '{"transaction_id":"6f9d1f0e-0000-4000-8000-000000000000","channel":"system",'
    '"event":"authenticate_request","data":'
)
NOISE = {
    "brackets": "[" * 14_000_000,
    "brackets in a message": HEAD + "[" * 7_000_000 + "]" * 7_000_000 + "}",
    "empty lists": HEAD + "[" + "[]," * 4_000_000 + "[]]}",
    "text": json.dumps("x" * 14_000_000),
}


@pytest.fixture
def hurried(tmp_path, monkeypatch):
    monkeypatch.setenv(
        "RTU_LIMITS",
        "authenticate_within=2, unauthenticated_per_address=5, request_within=2, body_within=2",
    )
    with running_server(tmp_path) as server:
        yield server


@pytest.mark.parametrize("noise", NOISE)
async def test_a_large_message_is_not_even_taken(shared_server, noise):
    before = cpu(shared_server)
    async with raw_client(shared_server) as client:

        async def say() -> None:
            await client.websocket.send(NOISE[noise])
            await client.next()

        with pytest.raises(ConnectionClosed):  # also while it is still being sent
            await say()
    async with raw_client(shared_server) as client:
        assert (await client.authenticate(shared_server.token))["data"]["success"]
    assert cpu(shared_server) - before < 2  # seconds of the processor's, not of anybody's clock


def cpu(server: RunningServer) -> float:
    import psutil

    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


@pytest.mark.parametrize("noise", ["empty lists", "many numbers", "many objects", "long"])
async def test_afterwards_it_is_refused_without_being_read(shared_server, write_notebook, noise):
    write_notebook(shared_server.root / f"{len(noise)}.ipynb", "1")
    file_id = await open_notebook(shared_server, f"{len(noise)}.ipynb")
    many = {
        "empty lists": "[" + "[]," * 900_000 + "[]]",
        "many numbers": "[" + "1," * 1_500_000 + "1]",
        "many objects": '[{"a":' * 300_000 + "1" + "}]" * 300_000,
        "long": '"' + "x" * 14_000_000 + '"',
    }[noise]
    async with follow(shared_server, file_id) as client:
        delta = client.delta("nb_metadata", "update", {"path": ["x"], "value": 0})
        text = json.dumps(
            {
                "transaction_id": "6f9d1f0e-0000-4000-8000-000000000000",
                "channel": client.files,
                "event": "new_delta_request",
                "data": {"delta": delta},
            }
        ).replace('"value": 0', f'"value": {many}')
        before = cpu(shared_server)
        await client.websocket.send(text)
        assert (await client.wait_for("new_delta_reply"))["data"]["success"] is False
        cause = (await client.wait_for("delta_rejected"))["data"]["cause"]
        assert "split it" in cause
        assert cpu(shared_server) - before < 2
        await client.change("cell_contents", "replace", {"source": "2"}, "c1")


async def test_brackets_in_text_are_text(shared_server, write_notebook):
    write_notebook(shared_server.root / "text.ipynb", "1")
    file_id = await open_notebook(shared_server, "text.ipynb")
    async with follow(shared_server, file_id) as client:
        for source in ("[]," * 200_000, '{"a": "\\\\"},' * 40_000):
            await client.change("cell_contents", "replace", {"source": source}, "c1")


async def test_who_does_not_say_who_they_are_is_let_go(hurried):
    async with raw_client(hurried) as silent, raw_client(hurried) as wrong:
        reply = await wrong.authenticate("not a token")
        assert reply["data"]["success"] is False
        for client in (silent, wrong):
            with pytest.raises(ConnectionClosed) as closed:
                await client.next(30)
            assert closed.value.rcvd.code == 1008
            assert "authenticated" in closed.value.rcvd.reason
    async with raw_client(hurried) as client:
        assert (await client.authenticate(hurried.token))["data"]["success"]
        await asyncio.sleep(3)  # longer than it takes to be let go
        assert (await client.request("system", "ping_request"))["event"] == "ping_response"


async def test_only_so_many_wait_at_once_and_those_who_are_known_do_not_count(hurried):
    async with contextlib.AsyncExitStack() as stack:
        known = await stack.enter_async_context(raw_client(hurried))
        assert (await known.authenticate(hurried.token))["data"]["success"]
        for _ in range(5):
            await stack.enter_async_context(raw_client(hurried))
        with pytest.raises(InvalidStatus) as refused:
            async with connect(hurried.rtu_url, proxy=None):
                pass
        assert refused.value.response.status_code == 429
        assert b"unauthenticated_per_address" in refused.value.response.body
        assert (await known.request("system", "ping_request"))["event"] == "ping_response"

    async def again() -> RawClient:
        while True:
            with contextlib.suppress(InvalidStatus):
                return await stack.enter_async_context(raw_client(hurried))
            await asyncio.sleep(0.1)

    async with contextlib.AsyncExitStack() as stack:  # they have gone, so there is room
        client = await asyncio.wait_for(again(), 30)
        assert (await client.authenticate(hurried.token))["data"]["success"]


HALVES = {
    "nothing": b"",
    "half a head": b"GET /rtu/api/users/me HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /rtu/api/spaces HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    "half a frame": b"GET /rtu/api/v1/rtu HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    + struct.pack("!BBH", 0x81, 0x80 | 126, 5000),
}


@pytest.mark.parametrize("half", HALVES)
def test_a_request_that_comes_to_no_end_is_dropped(hurried, half):
    url = httpx.URL(hurried.url)
    with socket.create_connection((url.host, url.port), timeout=30) as sock:
        sock.sendall(HALVES[half])
        while sock.recv(65536):
            pass  # whatever it says, it ends


def test_a_limit_that_there_is_not(tmp_path, monkeypatch):
    from .test_launch import refused

    monkeypatch.setenv("RTU_LIMITS", "edits=3")
    assert "no limit is called edits; there are" in refused(tmp_path)


async def test_the_third_partys_first_requests_are_answered(shared_server):
    """It may ask before it has authenticated; it is told so and stays connected."""
    async with raw_client(shared_server) as client:
        for _ in range(20):
            reply = await client.request("system", "whoami_request")
            assert reply["event"] == "permission_denied"
        assert (await client.authenticate(shared_server.token))["data"]["success"]
        assert await get(shared_server, "/users/me")
