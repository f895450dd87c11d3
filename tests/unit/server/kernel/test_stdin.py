"""A kernel's first question, on a machine that is slow to let its connection come about."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import zmq
import zmq.asyncio
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session

from rtu_magics.server.kernel.channels import KernelLink

pytestmark = pytest.mark.timeout(120)
KEY = b"key"
HOST = "tcp://127.0.0.1"


class Kernel:
    """Answers what it is asked at once, and asks right when it is to run something.

    Its socket for questions lies behind a gate: whoever connects there waits until it opens.
    """

    def __init__(self) -> None:
        self.session = Session(key=KEY)
        self.gate = asyncio.Event()
        self.answers: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        context = zmq.asyncio.Context.instance()
        self.shell, self.iopub, self.stdin = map(context.socket, (zmq.ROUTER, zmq.XPUB, zmq.ROUTER))
        self.ports = {
            name: socket.bind_to_random_port(HOST)
            for name, socket in (
                ("shell_port", self.shell),
                ("iopub_port", self.iopub),
                ("stdin_port", self.stdin),
            )
        }
        self.behind = self.ports["stdin_port"]
        self.tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._serve())]

    async def put_gate(self) -> None:
        """Let people knock at the gate."""
        self.door = await asyncio.start_server(self._let_in, "127.0.0.1", 0)
        self.ports["stdin_port"] = self.door.sockets[0].getsockname()[1]

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        await self.gate.wait()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        self.writers.append(inner_writer)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def _serve(self) -> None:
        while True:
            ident, parts = self.session.feed_identities(await self.shell.recv_multipart())
            request = self.session.deserialize(parts)
            self._publish("status", {"execution_state": "busy"}, request)
            if request["msg_type"] == "kernel_info_request":
                await self._send(self.shell, "kernel_info_reply", {"status": "ok"}, request, ident)
            else:
                await self._send(self.stdin, "input_request", {"prompt": "?"}, request, ident)
                _, parts = self.session.feed_identities(await self.stdin.recv_multipart())
                self.answers.append(self.session.deserialize(parts)["content"]["value"])
                await self._send(self.shell, "execute_reply", {"status": "ok"}, request, ident)
            self._publish("status", {"execution_state": "idle"}, request)

    async def _send(self, socket: Any, kind: str, content: Any, parent: Any, ident: Any) -> None:
        message = self.session.msg(kind, content, parent)
        await socket.send_multipart(self.session.serialize(message, ident))

    def _publish(self, kind: str, content: Any, parent: Any) -> None:
        self.session.send(self.iopub, kind, content, parent, ident=kind.encode())

    async def close(self) -> None:
        if hasattr(self, "door"):
            self.door.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        for socket in (self.shell, self.iopub, self.stdin):
            socket.close(linger=0)


@pytest_asyncio.fixture
async def kernel() -> AsyncIterator[Kernel]:
    found = Kernel()
    yield found
    await found.close()


class Linked:
    """A link to it, with what it was told."""

    def __init__(self, kernel: Kernel) -> None:
        manager = AsyncKernelManager(ip="127.0.0.1", hb_port=1, control_port=1, **kernel.ports)
        manager.session.key = KEY
        self.ready = asyncio.Event()

        def nothing(*_: Any) -> None:
            pass

        self.link = KernelLink(
            manager,
            on_status=nothing,
            on_ready=self.ready.set,
            on_dead=nothing,
            on_unanswerable=nothing,
            on_started_again=nothing,
        )
        self.link.start()


async def ask_once(linked: Linked, kernel: Kernel) -> None:
    asked: list[str] = []

    def ask(prompt: str, password: bool) -> None:
        asked.append(prompt)
        linked.link.answer("yes")

    run = linked.link.start_run("input('?')", lambda message: None, ask)
    reply = await asyncio.wait_for(run.reply(), 60)
    assert (reply.status, asked, kernel.answers) == ("ok", ["?"], ["yes"])


async def test_a_kernel_that_could_not_ask_yet_gets_nothing_to_run(kernel: Kernel) -> None:
    await kernel.put_gate()
    linked = Linked(kernel)
    try:
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await asyncio.wait_for(linked.ready.wait(), 1.5)
        kernel.gate.set()
        await asyncio.wait_for(linked.ready.wait(), 60)
        await ask_once(linked, kernel)
    finally:
        await linked.link.close()


async def test_one_that_can_is_ready(kernel: Kernel) -> None:
    linked = Linked(kernel)
    try:
        await asyncio.wait_for(linked.ready.wait(), 60)
        await ask_once(linked, kernel)
    finally:
        await linked.link.close()


async def test_one_that_never_asks_is_not_waited_for(kernel: Kernel) -> None:
    kernel.stdin.unbind(f"{HOST}:{kernel.behind}")
    linked = Linked(kernel)
    try:
        await asyncio.wait_for(linked.ready.wait(), 60)
    finally:
        await linked.link.close()
