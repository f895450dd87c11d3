"""The wire to a real kernel, where Jupyter's own client loses what the kernel says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jupyter_client.manager import AsyncKernelManager

from rtu_magics.server.kernel.channels import KernelLink

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def manager(tmp_path: Path) -> AsyncIterator[AsyncKernelManager]:
    found = AsyncKernelManager(kernel_name="python3")
    await found.start_kernel(cwd=str(tmp_path))
    yield found
    await found.shutdown_kernel(now=True)


@pytest_asyncio.fixture
async def link(manager: AsyncKernelManager) -> AsyncIterator[KernelLink]:
    ready = asyncio.Event()

    def nothing(*_: Any) -> None:
        pass

    found = KernelLink(
        manager,
        on_status=nothing,
        on_ready=ready.set,
        on_dead=nothing,
        on_unanswerable=nothing,
        on_started_again=nothing,
    )
    found.start()
    await asyncio.wait_for(ready.wait(), 120)
    yield found
    await found.close()


async def replies(link: KernelLink) -> None:
    """Check that a cell's reply comes: what it asks of its front end stands nowhere else."""
    payloads: list[Any] = []
    run = link.start_run("get_ipython().set_next_input('x')", nothing_of)
    run.on_payload = payloads.append
    reply = await asyncio.wait_for(run.reply(), 60)
    assert (reply.status, reply.reason) == ("ok", None)
    assert payloads


def nothing_of(message: Any) -> None:
    """Take an output."""


async def test_a_reply_that_comes_right_before_something_is_sent(link: KernelLink) -> None:
    for _ in range(3):
        run = link.start_run("1 + 1", nothing_of)
        await asyncio.sleep(0.01)
        # The server is busy with something else: the reply has come, and nobody has looked.
        time.sleep(1.0)
        assert await link.evaluate("6 * 7", 60) == "42"
        assert (await asyncio.wait_for(run.reply(), 60)).status == "ok"
        await replies(link)


async def test_a_question_that_comes_right_before_an_answer_to_another(link: KernelLink) -> None:
    asked: list[str] = []

    def ask(prompt: str, password: bool) -> None:
        asked.append(prompt)
        link.answer(str(len(asked)))
        time.sleep(0.5)  # busy: the next question comes meanwhile
        link.answer("9")  # a person pressed Enter twice

    printed: list[Any] = []
    run = link.start_run("print(input('a? '), input('b? '), input('c? '))", printed.append, ask)
    assert (await asyncio.wait_for(run.reply(), 60)).status == "ok"
    assert asked[0] == "a? "


async def test_another_client_in_the_same_process(
    manager: AsyncKernelManager, link: KernelLink
) -> None:
    await replies(link)
    other = manager.client()  # as other extensions of a server make one
    other.start_channels()
    try:
        await other.wait_for_ready(timeout=120)
        await replies(link)
        assert await link.evaluate("6 * 7", 60) == "42"
        reply = await other.execute_interactive("1 + 1", timeout=60)
        assert reply["content"]["status"] == "ok"
        await replies(link)
    finally:
        other.stop_channels()
    await replies(link)
