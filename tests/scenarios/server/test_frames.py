"""Requests come in whatever pieces the network makes of them, and are handled in order."""

from __future__ import annotations

import asyncio
import json
import os
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from ...helpers.rtu import current_notebook, open_notebook

pytestmark = pytest.mark.server

TEXT, CONTINUATION, PING, PONG, CLOSE = 0x1, 0x0, 0x9, 0xA, 0x8


def frame(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    """Return a masked frame (RFC 6455, 5.2)."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size <= 0xFFFF:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    return bytes([(0x80 if final else 0) | opcode]) + length + mask + masked


class Wire:
    """A websocket whose bytes the test makes itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, server) -> Wire:
        parts = urlsplit(server.rtu_url)
        wire = cls(*await asyncio.open_connection(parts.hostname, parts.port))
        wire.writer.write(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b" 101 " in await wire.reader.readuntil(b"\r\n\r\n")
        return wire

    async def read(self) -> tuple[int, bytes]:
        opcode = (await self.reader.readexactly(1))[0] & 0x0F
        size = (await self.reader.readexactly(1))[0]
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return opcode, await self.reader.readexactly(size)

    async def answers(self, count: int) -> list[dict]:
        """Return the next messages, control frames left out."""
        found: list[dict] = []
        while len(found) < count:
            opcode, data = await asyncio.wait_for(self.read(), 10)
            if opcode == TEXT:
                found.append(json.loads(data))
        return found

    async def to_the_end(self) -> None:
        """Read until the connection ends, and raise then."""
        while True:
            await self.read()

    async def log_in(self, server) -> None:
        self.writer.write(
            request("system", "authenticate_request", token=server.token, rtu_client_type="t")
        )
        (reply,) = await self.answers(1)
        assert reply["data"]["success"]


def message(channel: str, event: str, **data) -> bytes:
    content = {"transaction_id": str(uuid4()), "channel": channel, "event": event, "data": data}
    return json.dumps(content).encode()


def request(channel: str, event: str, **data) -> bytes:
    return frame(TEXT, message(channel, event, **data))


@pytest.fixture
async def wire(shared_server):
    found = await Wire.open(shared_server)
    await found.log_in(shared_server)
    yield found
    found.writer.close()


@pytest.fixture
async def file_id(shared_server, write_notebook):
    name = f"n{uuid4().hex[:8]}.ipynb"
    write_notebook(shared_server.root / name, "x = 1")
    return await open_notebook(shared_server, name)


def replace(file_id: str, source: str) -> bytes:
    delta = {
        "id": str(uuid4()),
        "file_id": file_id,
        "delta_type": "cell_contents",
        "delta_action": "replace",
        "resource_id": "c1",
        "properties": {"source": source},
    }
    return message(f"files/{file_id}", "new_delta_request", delta=delta)


async def subscribe(wire: Wire, file_id: str, *, and_more: bytes = b"") -> None:
    data = {"from_version_id": None, "from_delta_id": str(uuid4())}
    # An unknown point: the answer is an error, but the notebook is open from then on.
    wire.writer.write(request(f"files/{file_id}", "subscribe_request", **data) + and_more)
    (reply,) = await wire.answers(1)
    assert reply["event"] == "inconsistent_state_event"


async def sources(wire: Wire, count: int) -> list[str]:
    """Return the sources that the next edits' events bring, each acknowledged before."""
    found = []
    for _ in range(count):
        reply, event = await wire.answers(2)
        assert (reply["event"], event["event"]) == ("new_delta_reply", "new_delta_event")
        assert reply["transaction_id"] == event["transaction_id"]
        found.append(event["data"]["properties"]["source"])
    return found


async def test_many_requests_in_one_segment_keep_their_order(wire, file_id, shared_server):
    await subscribe(wire, file_id)
    texts = [f"{number}" for number in range(60)]
    wire.writer.write(b"".join(frame(TEXT, replace(file_id, text)) for text in texts))
    assert await sources(wire, len(texts)) == texts
    notebook = await current_notebook(shared_server, file_id)
    assert notebook["cells"][0]["source"] == texts[-1]


async def test_what_has_to_wait_comes_before_what_has_not(wire, file_id):
    # The first request opens the notebook, which takes its time; the edits behind it wait for it.
    behind = b"".join(frame(TEXT, replace(file_id, text)) for text in "ab")
    await subscribe(wire, file_id, and_more=behind)
    assert await sources(wire, 2) == ["a", "b"]


async def test_requests_byte_by_byte(wire, file_id):
    await subscribe(wire, file_id)
    for byte in frame(TEXT, replace(file_id, "slow")):
        wire.writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await sources(wire, 1) == ["slow"]


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7, 40])
async def test_a_request_and_part_of_the_next(wire, file_id, cut):
    await subscribe(wire, file_id)
    first, second = (frame(TEXT, replace(file_id, text)) for text in ("first", "second"))
    wire.writer.write(first + second[:cut])
    assert await sources(wire, 1) == ["first"]
    wire.writer.write(second[cut:] + frame(TEXT, replace(file_id, "third")))
    assert await sources(wire, 2) == ["second", "third"]


async def test_fragments_with_a_ping_between_them(wire, file_id):
    await subscribe(wire, file_id)
    text = replace(file_id, "in pieces")
    wire.writer.write(
        frame(TEXT, replace(file_id, "before"))
        + frame(TEXT, text[:50], final=False)
        + frame(PING, b"?")
        + frame(CONTINUATION, text[50:90], final=False)
    )
    assert await sources(wire, 1) == ["before"]
    wire.writer.write(frame(CONTINUATION, text[90:]) + frame(TEXT, replace(file_id, "after")))
    assert await sources(wire, 2) == ["in pieces", "after"]


@pytest.mark.parametrize("size", [0, 60_000, 70_000, 400_000])
async def test_sizes(wire, file_id, size):
    await subscribe(wire, file_id)
    text = "ä" * (size // 2)
    wire.writer.write(
        frame(TEXT, replace(file_id, text)) + frame(TEXT, replace(file_id, "and a small one"))
    )
    assert await sources(wire, 2) == [text, "and a small one"]


@pytest.mark.parametrize("length", [124, 125, 126, 127, 128, 0xFFFF, 0x10000])
async def test_lengths_at_the_edges_of_the_header_forms(wire, length):
    start = message("system", "ping_request")
    text = start + b" " * (length - len(start))
    wire.writer.write(frame(TEXT, text) * 2)
    assert [one["event"] for one in await wire.answers(2)] == ["ping_response"] * 2


async def test_pings_and_closing_are_answered(wire):
    wire.writer.write(request("system", "ping_request") + frame(PING, b"abc"))
    assert (await wire.answers(1))[0]["event"] == "ping_response"
    assert await asyncio.wait_for(wire.read(), 10) == (PONG, b"abc")
    wire.writer.write(request("system", "ping_request") + frame(CLOSE, (1000).to_bytes(2, "big")))
    assert (await wire.answers(1))[0]["event"] == "ping_response"
    opcode, data = await asyncio.wait_for(wire.read(), 10)
    assert (opcode, int.from_bytes(data[:2], "big")) == (CLOSE, 1000)
    assert await asyncio.wait_for(wire.reader.read(), 10) == b""


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"\xff\xfe"),
        frame(CONTINUATION, b"x"),
        frame(PING, b"x", final=False),
        bytes([0xC1, 0x80, 1, 2, 3, 4]),
    ],
    ids=["no UTF-8", "nothing to continue", "a ping in pieces", "a reserved bit"],
)
async def test_broken_frames_end_the_connection(wire, bad):
    wire.writer.write(request("system", "ping_request") + bad)
    assert (await wire.answers(1))[0]["event"] == "ping_response"
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asyncio.wait_for(wire.to_the_end(), 10)


async def test_a_connection_that_breaks_off_is_noticed(wire, file_id, shared_server):
    await subscribe(wire, file_id)
    wire.writer.write(frame(TEXT, replace(file_id, "last words")) + b"\x81")
    await wire.writer.drain()
    wire.writer.transport.abort()
    other = await Wire.open(shared_server)
    try:
        await other.log_in(shared_server)
        other.writer.write(request("system", "ping_request"))
        assert (await other.answers(1))[0]["event"] == "ping_response"
    finally:
        other.writer.close()
