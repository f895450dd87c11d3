"""Reading what a kernel says, also where it says more than anybody could take at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session

from rtu_magics.server.kernel import messages
from rtu_magics.server.kernel.messages import getter, receive

COUNT = 50


@pytest.fixture
async def kernel() -> Any:
    """What a kernel says on a socket, and the channel on which it is read."""
    context, session = zmq.asyncio.Context(), Session(key=b"secret")
    says, hears = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    says.bind("inproc://kernel")
    hears.connect("inproc://kernel")
    channel = AsyncZMQSocketChannel(hears, session, asyncio.get_running_loop())

    async def say(number: int) -> None:
        message = session.msg("stream", {"name": "stdout", "text": f"{number}"})
        await says.send_multipart(session.serialize(message))

    yield SimpleNamespace(say=say, get=getter(channel, channel.get_msg))
    context.destroy(linger=0)


async def _others_turns(kernel: Any) -> list[int]:
    """Return how many turns of the loop had passed when each message was handed out."""
    for number in range(COUNT):
        await kernel.say(number)
    turns, seen = 0, list[int]()

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    for number in range(COUNT):
        message = await receive(kernel.get)
        assert message is not None
        assert message["content"]["text"] == f"{number}"
        seen.append(turns)
    other.cancel()
    return seen


async def test_others_go_on_while_much_has_arrived(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_SLICE", 0.0)
    seen = await _others_turns(kernel)
    assert len({*seen}) == COUNT


async def test_what_has_arrived_is_handed_out_without_a_turn_for_each(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_SLICE", 3600.0)
    seen = await _others_turns(kernel)
    assert len({*seen}) <= 3
