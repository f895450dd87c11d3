"""Kernels behind a gateway: another Jupyter Server, which wants a token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ...helpers.fork_server import ForkedProcess, run_module
from ...helpers.processes import running
from ...helpers.rtu import NotebookClient, call, follow, get, open_notebook, post
from ...helpers.server import RunningServer, child_pids, free_port
from .test_execution import launch

pytestmark = [pytest.mark.server, pytest.mark.kernel]

STREAMS = """import sys, time
print('a', flush=True)
time.sleep(0.3)
print('b', file=sys.stderr)
6 * 7"""
GONE = "the kernel is gone from its gateway, which may have ended it for idleness"
LOOP = "import time\nprint('begun', flush=True)\nfor _ in range(600): time.sleep(0.1)"
PID = "import os\nprint(os.getpid(), flush=True)\n" + LOOP


@contextmanager
def jupyter_server(root: Path, *options: str) -> Iterator[ForkedProcess]:
    """Run a plain Jupyter Server."""
    command = ["--no-browser", "--allow-root"]
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(root / ".runtime")}
    with (root / "jupyter.log").open("a") as log:
        command += [f"--ServerApp.root_dir={root}", *options]
        process = run_module("jupyter_server", *command, env=environment, log=log)
    with running(process):
        yield process


def answer(root: Path, path: str, url: str, token: str) -> httpx.Response:
    """Wait until a server answers."""
    for _ in range(600):
        try:
            return httpx.get(url + path, headers={"Authorization": f"token {token}"}, timeout=60)
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((root / "jupyter.log").read_text())


def written(root: Path) -> dict[str, str]:
    """Wait for the file in which a server says where it is."""
    path = root / ".rtu_magics" / "server.json"
    for _ in range(600):
        if path.exists():
            return json.loads(path.read_text())
        time.sleep(0.05)
    raise AssertionError((root / "jupyter.log").read_text())


class Wire(threading.Thread):
    """What connects a server to its gateway, and can be cut."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._to = port
        self._open: set[asyncio.StreamWriter] = set()
        self._listening = threading.Event()
        self.port = 0
        self.cuts = 0
        self.down = False

    def __enter__(self) -> Wire:
        self.start()
        assert self._listening.wait(60)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(10)

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._end.wait()
        server.close()
        self._cut()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        self._open.add(writer)
        there, to = await asyncio.open_connection("127.0.0.1", self._to)
        self._open.add(to)
        await asyncio.gather(self._pump(reader, to), self._pump(there, writer))
        self._open -= {writer, to}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    def _cut(self) -> None:
        self.cuts += len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()

    def cut(self) -> None:
        """End all connections, and let none come before `mend`."""
        self.down = True
        self._loop.call_soon_threadsafe(self._cut)

    def mend(self) -> None:
        self.down = False


@dataclass
class Pair:
    """A server and the gateway that runs its kernels."""

    server: RunningServer
    gateway: ForkedProcess
    gateway_url: str
    secret: str
    wire: Wire

    def kernels(self) -> list[int]:
        return child_pids(self.gateway.pid)

    async def nobody_listens(self) -> None:
        """Wait until the gateway knows that nobody is connected to its kernels."""
        headers = {"Authorization": f"token {self.secret}"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as gateway:
            while True:
                kernels = (await gateway.get(f"{self.gateway_url}api/kernels")).json()
                if all(kernel["connections"] == 0 for kernel in kernels):
                    return
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    there, here = tmp_path_factory.mktemp("gateway"), tmp_path_factory.mktemp("root")
    secret, token, port = secrets.token_hex(8), secrets.token_hex(8), free_port()
    with ExitStack() as stack:
        gateway = stack.enter_context(
            jupyter_server(
                there,
                f"--port={port}",
                f"--IdentityProvider.token={secret}",
                "--ZMQChannelsWebsocketConnection.limit_rate=False",
            )
        )
        gateway_url = f"http://127.0.0.1:{port}/"
        assert answer(there, "api/kernels", gateway_url, secret).json() == []
        wire = stack.enter_context(Wire(port))
        process = stack.enter_context(
            jupyter_server(
                here,
                "--port=0",
                f"--IdentityProvider.token={token}",
                "--ServerApp.jpserver_extensions={'rtu_magics.server': True}",
                f"--gateway-url=http://127.0.0.1:{wire.port}",
                f"--GatewayClient.auth_token={secret}",
            )
        )
        url = written(here)["url"]
        assert answer(here, "rtu/api/info", url, token).status_code == 200
        yield Pair(
            RunningServer(
                url=url,
                api_url=f"{url}rtu/api",
                rtu_url=f"{url}rtu/api/v1/rtu".replace("http", "ws", 1),
                token=token,
                space_id="",
                project_id="",
                pid=process.pid,
                root=here,
                log=here / "jupyter.log",
                process=process,  # type: ignore[arg-type]
            ),
            gateway,
            gateway_url,
            secret,
            wire,
        )


async def printed(client: NotebookClient, text: str) -> str:
    """Wait for a stream output that has a text in it and return all of it."""
    message = await client.wait_for(
        "append_output_event", lambda m: text in m["data"]["content"]["raw"]
    )
    return message["data"]["content"]["raw"]


async def state_of_kernel(client: NotebookClient, state: str) -> dict[str, object]:
    message = await client.wait_for(
        "kernel_status_update_event",
        lambda m: m["data"]["kernel"]["execution_state"] == state,
    )
    return message["data"]


async def test_from_start_to_stop(pair, write_notebook):
    server = pair.server
    write_notebook(
        server.root / "n.ipynb",
        STREAMS,
        "1 / 0",
        LOOP,
        "x = 1",
        "x",
    )
    file_id = await open_notebook(server, "n.ipynb")
    async with follow(server, file_id) as client:
        session = (await launch(server, client))["id"]
        assert pair.kernels(), "it runs behind the gateway"
        assert child_pids(server.pid) == []

        await client.execute("c1")
        assert await printed(client, "a") == "a\n"
        assert (await client.finished("c1"))["state"] == "finished_with_no_error"
        shown = [
            m["data"]["content"]["raw"] for m in client.log if m["event"] == "append_output_event"
        ]
        assert shown == ["a\n", "b\n", "42"]

        await client.execute("c2")
        assert (await client.finished("c2"))["cause"] == "ZeroDivisionError: division by zero"

        await client.execute("c3")
        await printed(client, "begun")
        assert (await call(server, "POST", f"/v1/sessions/{session}/interrupt")).status_code == 204
        ended = await client.finished("c3", 10)
        assert ended["cause"].startswith("KeyboardInterrupt")

        await client.execute("c4")
        assert (await client.finished("c4"))["state"] == "finished_with_no_error"
        await post(server, f"/v1/sessions/{session}/restart")
        await state_of_kernel(client, "restarting")
        await state_of_kernel(client, "idle")
        await client.execute("c5")
        assert (await client.finished("c5"))["cause"].startswith("NameError"), "its memory is gone"

        assert (await call(server, "DELETE", f"/v1/sessions/{session}")).status_code < 300
        await state_of_kernel(client, "shutdown")
        assert await get(server, f"/v1/files/{file_id}/session") is None
    assert pair.kernels() == []


async def test_a_death_is_told_and_the_next_run_works(pair, write_notebook):
    server = pair.server
    write_notebook(server.root / "dies.ipynb", PID, "'alive'")
    file_id = await open_notebook(server, "dies.ipynb")
    async with follow(server, file_id) as client:
        await launch(server, client)
        await client.execute("c1")
        said = await printed(client, "\n")
        os.kill(int(said.split()[0]), signal.SIGKILL)
        status = await state_of_kernel(client, "restarting")
        assert "the kernel died behind its gateway" in str(status["reason"])
        done = [
            state
            for message in client.log
            if message["event"] == "bulk_cell_state_update_event"
            for state in message["data"]["cell_states"]
        ]
        if done[-1]["state"] == "executing":
            done.append(await client.finished("c1"))
        assert "the kernel died behind its gateway" in done[-1]["cause"]
        await client.execute("c2")
        assert (await client.finished("c2"))["state"] == "finished_with_no_error"


GATED = """import pathlib, time
print(0, flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.01)
for i in range(1, 20):
    print(i, flush=True)
    time.sleep(0.01)
pathlib.Path({went!r}).touch()
'end'"""


async def test_nothing_is_lost_when_the_connection_breaks(pair, write_notebook, tmp_path):
    """What the kernel says while nobody is connected to it comes when somebody is again.

    What is on the wire at that moment is another matter: Jupyter's websockets acknowledge nothing.
    """
    server, go, went = pair.server, tmp_path / "go", tmp_path / "went"
    write_notebook(server.root / "cut.ipynb", GATED.format(go=str(go), went=str(went)))
    file_id = await open_notebook(server, "cut.ipynb")
    async with follow(server, file_id) as client:
        await launch(server, client)
        await client.execute("c1")
        await printed(client, "0")
        pair.wire.cut()
        await asyncio.wait_for(pair.nobody_listens(), 20)
        go.touch()
        while not went.exists():
            await asyncio.sleep(0.01)
        pair.wire.mend()
        assert (await client.finished("c1"))["state"] == "finished_with_no_error"
        outputs = [m["data"] for m in client.log if m["event"] == "append_output_event"]
        shown = "".join(output["content"]["raw"] for output in outputs)
        assert shown == "".join(f"{i}\n" for i in range(20)) + "'end'"
        assert pair.wire.cuts > 0


async def test_a_kernel_that_its_gateway_ended_is_told_to_who_was_there_and_who_comes(
    pair, write_notebook
):
    """Its culler for example, which does no more than is done here."""
    server = pair.server
    write_notebook(server.root / "idle.ipynb", "x = 1", "'alive'")
    file_id = await open_notebook(server, "idle.ipynb")
    async with follow(server, file_id) as client:
        await launch(server, client)
        kernel_id = (await get(server, f"/v1/files/{file_id}/session"))["kernel_id"]
        headers = {"Authorization": f"token {pair.secret}"}
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as gateway:
            ended = await gateway.delete(f"{pair.gateway_url}api/kernels/{kernel_id}")
        assert ended.status_code == 204
        status = await state_of_kernel(client, "culled")
        assert status["reason"] == GONE
    async with follow(server, file_id) as later:
        reply = await later.subscribe(from_version_id=later.version_id)
        assert reply["data"]["kernel_session"] is None
        assert reply["data"]["kernel_culled"]["reason"] == GONE
        await launch(server, later)
        await later.execute("c2")
        assert (await later.finished("c2"))["state"] == "finished_with_no_error"
        reply = await later.subscribe(from_version_id=later.version_id)
        assert reply["data"]["kernel_culled"] is None


LATE = """import asyncio, os
from IPython.display import display
async def work():
    while not os.path.exists({gate!r}): await asyncio.sleep(0.02)
    print("late")
    handle.update("late too")
    print("late in the end", flush=True)
    await asyncio.sleep(1)  # Jupyter drops what comes just when somebody connects again
    open({gate!r} + ".done", "w").close()
task = asyncio.get_running_loop().create_task(work())
handle = display("shown", display_id=True)
print("early")"""


@pytest.mark.parametrize("how", ["connected", "while nobody listens"])
async def test_what_comes_after_the_end_of_a_cell(pair, write_notebook, tmp_path, how):
    server, gate = pair.server, tmp_path / "gate"
    name = f"late {how}.ipynb"
    path = write_notebook(server.root / name, LATE.format(gate=str(gate)), "'other'")
    file_id = await open_notebook(server, name)
    async with follow(server, file_id) as client:
        session = (await launch(server, client))["id"]
        run_id = await client.execute("c1")
        assert (await client.finished("c1"))["state"] == "finished_with_no_error"
        await client.execute("c2")
        await client.finished("c2")
        if how == "connected":
            gate.touch()
        else:
            pair.wire.cut()
            await asyncio.wait_for(pair.nobody_listens(), 20)
            gate.touch()
            while not (tmp_path / "gate.done").exists():
                await asyncio.sleep(0.01)
            pair.wire.mend()
        await printed(client, "late in the end")
        collection = next(
            m["data"]["properties"]["output_collection_id"]
            for m in client.log
            if m["event"] == "new_delta_event"
            and m["data"]["resource_id"] == "c1"
            and m["data"]["delta_type"] == "cell_output_collection"
        )
        found = await get(server, f"/outputs/collection/{collection}")
        assert found["execution_id"] == run_id
        raw = [output["content"]["raw"] for output in found["outputs"]]
        assert raw == ["'late too'", "early\nlate\nlate in the end\n"]
        while "late in the end" not in path.read_text():
            await asyncio.sleep(0.05)
        await client.execute("c2")
        assert (await client.finished("c2"))["state"] == "finished_with_no_error"
        assert (await call(server, "DELETE", f"/v1/sessions/{session}")).status_code < 300
