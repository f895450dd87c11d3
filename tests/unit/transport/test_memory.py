import asyncio

import pytest

from rtu_magics.errors import ConnectFailed, ConnectionLost
from rtu_magics.transport.memory import MemoryConnection, MemoryNetwork


async def test_messages_arrive_in_order_both_ways():
    one, other = MemoryConnection.pair({"rtu_session_id": "x"})
    await one.send("a")
    await one.send("b")
    await other.send("c")
    assert [await other.recv(), await other.recv(), await one.recv()] == ["a", "b", "c"]
    assert one.headers["rtu_session_id"] == "x"


async def test_recv_waits_for_a_message():
    one, other = MemoryConnection.pair()
    waiting = asyncio.create_task(other.recv())
    await asyncio.sleep(0)
    await one.send("late")
    assert await waiting == "late"


async def test_an_orderly_end_loses_nothing():
    one, other = MemoryConnection.pair()
    await one.send("last words")
    await one.close()
    assert await other.recv() == "last words"
    with pytest.raises(ConnectionLost):
        await other.recv()
    with pytest.raises(ConnectionLost):
        await other.send("too late")
    assert not other.is_open


async def test_a_drop_wakes_whoever_waits():
    one, other = MemoryConnection.pair()
    waiting = asyncio.create_task(other.recv())
    await asyncio.sleep(0)
    one.drop("cable cut")
    with pytest.raises(ConnectionLost, match="cable cut"):
        await waiting


async def test_a_drop_can_lose_what_is_on_its_way():
    one, other = MemoryConnection.pair()
    await one.send("lost")
    one.drop(lose_pending=True)
    with pytest.raises(ConnectionLost):
        await other.recv()


async def test_messages_can_be_lost_doubled_and_delayed():
    one, other = MemoryConnection.pair()
    one.lose = 1
    one.duplicate = 1
    for text in ("lost", "doubled", "plain"):
        await one.send(text)
    one.hold()
    await one.send("x")
    await one.send("y")
    assert [await other.recv() for _ in range(3)] == ["doubled", "doubled", "plain"]
    one.release(order=lambda held: held[::-1])
    assert [await other.recv(), await other.recv()] == ["y", "x"]


async def test_the_network_serves_refuses_and_closes_at_once():
    async def echo(connection):
        while True:
            await connection.send(await connection.recv())

    async with MemoryNetwork(echo) as network:
        network.refuse = 1
        with pytest.raises(ConnectFailed, match="nothing listens"):
            await network.connect("ws://x")
        network.close_at_once = 1
        closed = await network.connect("ws://x")
        with pytest.raises(ConnectionLost):
            await closed.recv()
        connection = await network.connect("ws://x")
        await connection.send("hello")
        assert await connection.recv() == "hello"
        network.drop()
        with pytest.raises(ConnectionLost):
            await connection.recv()
        assert network.attempts == 3
