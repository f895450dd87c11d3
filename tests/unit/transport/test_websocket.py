import asyncio
import contextlib
import http
import socket

import pytest
from websockets.asyncio.server import serve

from rtu_magics.errors import ConnectFailed, ConnectionLost
from rtu_magics.transport import websocket

from ...helpers.server import free_port


@contextlib.asynccontextmanager
async def websocket_server(handler, **options):
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/rtu"


@contextlib.asynccontextmanager
async def raw_server(answer):
    """A server that is no websocket server."""

    async def handle(reader, writer):
        await reader.read(10)
        writer.write(answer)
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def echo(ws):
    async for message in ws:
        await ws.send(message)


def say_session(connection, request, response):
    response.headers["rtu_session_id"] = "42"


async def test_messages_and_headers():
    async with websocket_server(echo, process_response=say_session) as url:
        connection = await websocket.connect(url)
        assert connection.headers["rtu_session_id"] == "42"
        assert connection.headers["RTU_Session_ID"] == "42"
        await connection.send('{"a": "ü"}')
        assert await connection.recv() == '{"a": "ü"}'.encode()
        await connection.close()
        with pytest.raises(ConnectionLost):
            await connection.recv()
        with pytest.raises(ConnectionLost):
            await connection.send("x")


async def test_what_goes_out_is_text():
    kinds = []

    async def note(ws):
        async for message in ws:
            kinds.append(type(message))
            await ws.send("ok")

    async with websocket_server(note) as url:
        connection = await websocket.connect(url)
        await connection.send("x")
        await connection.recv()
        await connection.close()
    assert kinds == [str]


async def test_large_messages_come_through():
    async def large(ws):
        await ws.send("x" * (6 * 1024 * 1024))

    async with websocket_server(large) as url:
        connection = await websocket.connect(url)
        assert len(await connection.recv()) == 6 * 1024 * 1024
        await connection.close()


async def test_the_reason_of_a_close_is_told():
    async def close(ws):
        await ws.close(1008, "go away")

    async with websocket_server(close) as url:
        connection = await websocket.connect(url)
        with pytest.raises(ConnectionLost, match="closed the connection \\(1008, go away\\)"):
            await connection.recv()


async def test_a_broken_connection_is_told():
    async def abort(ws):
        ws.transport.abort()

    async with websocket_server(abort) as url:
        connection = await websocket.connect(url)
        with pytest.raises(ConnectionLost, match="broke off"):
            await connection.recv()


async def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with websocket_server(echo) as url:
        connection = await websocket.connect(url)
        await connection.close()


async def failure(url, **options):
    with pytest.raises(ConnectFailed) as caught:
        await websocket.connect(url, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


async def test_nothing_listens():
    port = free_port()
    text = await failure(f"ws://127.0.0.1:{port}/v1/rtu?token=secret")
    assert text == (
        f"nothing listens at ws://127.0.0.1:{port}/v1/rtu: "
        "is the server running, and is the port right?"
    )


async def test_nothing_listens_at_any_address_of_the_host():
    port = free_port()
    assert "nothing listens" in await failure(f"ws://localhost:{port}/v1/rtu")


async def test_an_unknown_host(monkeypatch):
    async def getaddrinfo(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setenv("no_proxy", "*")
    text = await failure("ws://nowhere.invalid/v1/rtu")
    assert text == "the host of ws://nowhere.invalid/v1/rtu is unknown: check the address"


@pytest.mark.parametrize("url", ["http://x", "nonsense", "ws://", "ws://x:port/"])
async def test_no_websocket_address(url):
    assert "is not a websocket address" in await failure(url)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (http.HTTPStatus.FORBIDDEN, "refuses the connection (HTTP 403): check the token"),
        (http.HTTPStatus.NOT_FOUND, "no RTU server at"),
        (http.HTTPStatus.BAD_GATEWAY, "has a problem (HTTP 502): try again later"),
        (http.HTTPStatus.OK, "answers HTTP 200 and opens no websocket"),
    ],
)
async def test_http_answers(status, said):
    def refuse(connection, request):
        return connection.respond(status, "no\n")

    async with websocket_server(echo, process_request=refuse) as url:
        assert said in await failure(url)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"\x00\xff" * 50])
async def test_not_http_at_all(answer):
    async with raw_server(answer) as where:
        assert "does not answer as a websocket server" in await failure(f"ws://{where}/v1/rtu")


async def test_not_tls():
    async with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as where:
        text = await failure(f"wss://{where}/v1/rtu")
    assert text.startswith(f"no secure connection to wss://{where}/v1/rtu (")
    assert text.endswith("check http or https")


async def test_a_server_that_never_answers():
    writers = []

    async def handle(reader, writer):
        writers.append(writer)
        await reader.read()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text = await failure(f"ws://127.0.0.1:{port}/", open_timeout=0.1)
        assert text.startswith("no answer from")
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
