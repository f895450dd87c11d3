"""Callbacks: for whom, in which order, and harming nobody."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from rtu_magics.client import DeltaCallback, RTUClient
from rtu_magics.models import (
    BaseRTUResponse,
    BulkCellStateUpdateResponse,
    CellContentsReplace,
    CellExecuteAll,
    CellExecuteDelta,
    FileDeltaBase,
    KernelStatusUpdateResponse,
    NBCellsAdd,
    NewDeltaEvent,
    NewDeltaReply,
    PingRequest,
)

from .deltas import add, replace


async def test_by_event_class_and_its_ancestors(world, until):
    client = await world.ready()
    everything, exact = [], AsyncMock()
    client.register_rtu_event_callback(BaseRTUResponse, everything.append)
    deregister = client.register_rtu_event_callback(NewDeltaReply, exact)
    await client.add_cell("x")
    await until(lambda: exact.await_count == 1)
    assert {type(m) for m in everything} == {NewDeltaReply, NewDeltaEvent}
    deregister()
    deregister()
    await client.add_cell("y")
    assert exact.await_count == 1


async def test_by_transaction(world, until):
    client = await world.ready()
    mine, other = AsyncMock(), AsyncMock()
    ping = PingRequest()
    deregister = client.register_transaction_id_callback(ping.transaction_id, mine)
    client.register_transaction_id_callback(PingRequest().transaction_id, other)
    client.send(ping)
    await until(lambda: mine.await_count == 1)
    assert other.await_count == 0
    deregister()
    client.send(ping)
    await client.add_cell("x")
    assert mine.await_count == 1


async def test_by_predicate(world, until):
    client = await world.ready()
    seen = []

    def wanted(topic, message):
        assert topic == ""
        return message.event == "new_delta_reply"

    def bad(topic, message):
        raise RuntimeError("mine")

    deregister = client.manager.register_callback(seen.append, on_predicate=wanted)
    client.manager.register_callback(seen.append, on_predicate=bad)
    await client.add_cell("x")
    await until(lambda: seen)
    assert [type(m) for m in seen] == [NewDeltaReply]
    deregister()
    await client.add_cell("y")
    assert len(seen) == 1


async def test_delta_callbacks_by_class_in_the_order_of_the_chain(world, until):
    client = await world.ready()
    seen = []

    async def slow_at_first(delta):
        await asyncio.sleep(0.02 if not seen else 0)
        seen.append((delta.id, client.builder.last_applied_delta_id is not None))

    handle = client.register_delta_callback(CellContentsReplace, slow_at_first)
    assert handle in client.delta_callbacks
    assert isinstance(handle, DeltaCallback)
    deltas = [await world.server.edit(replace(client.file_id, "a", str(i))) for i in range(5)]
    await world.server.edit(add(client.file_id, "c"))
    await until(lambda: len(seen) == 5)
    assert seen == [(delta.id, True) for delta in deltas]
    client.delta_callbacks.remove(handle)
    assert handle not in client.delta_callbacks
    with pytest.raises(ValueError, match="not registered"):
        client.delta_callbacks.remove(handle)
    await client.replace_cell_content("a", "x")
    assert len(seen) == 5


async def test_a_base_class_hears_of_all_its_subclasses(world, until):
    client = await world.ready()
    every, executions = AsyncMock(), AsyncMock()
    client.register_delta_callback(FileDeltaBase, every)
    client.register_delta_callback(CellExecuteDelta, executions)
    await world.server.edit(CellExecuteAll(file_id=client.file_id))
    await world.server.edit(add(client.file_id, "c"))
    await until(lambda: every.await_count == 2)
    assert executions.await_count == 1


async def test_callbacks_of_one_delta_run_side_by_side(world, until):
    client = await world.ready()
    meeting = asyncio.Event()
    arrived = []

    async def one(delta):
        arrived.append("one")
        await asyncio.wait_for(meeting.wait(), 2)

    async def other(delta):
        arrived.append("other")
        meeting.set()

    client.register_delta_callback(NBCellsAdd, one)
    client.register_delta_callback(NBCellsAdd, other)
    await client.add_cell("x")
    await until(lambda: sorted(arrived) == ["one", "other"])


@pytest.mark.parametrize("is_async", [True, False])
async def test_one_that_raises_is_logged_and_stops_nothing(world, until, caplog, is_async):
    client = await world.ready()
    seen = []
    if is_async:

        async def bad(what):
            raise RuntimeError("mine")
    else:

        def bad(what):
            raise RuntimeError("mine")

    client.register_delta_callback(NBCellsAdd, bad)
    client.register_delta_callback(NBCellsAdd, seen.append)
    client.register_rtu_event_callback(NewDeltaEvent, bad)
    await client.add_cell("x")
    await client.add_cell("y")
    await until(lambda: len(seen) == 2)
    await until(lambda: caplog.text.count("RuntimeError: mine") == 4)


async def test_a_raising_hook_stops_nothing(world, caplog):
    class Client(RTUClient):
        async def on_auth(self, msg):
            raise RuntimeError("auth")

        async def on_file_subscribe(self, msg):
            raise RuntimeError("subscribe")

        async def pre_apply_delta(self, delta):
            raise RuntimeError("pre")

        async def context_hook(self):
            raise RuntimeError("context")

        async def on_kernel_status_update(self, msg):
            raise RuntimeError("kernel")

    Client.context_hook = RTUClient.context_hook
    client = await world.ready(cls=Client)
    await world.server.set_kernel("idle")
    await client.add_cell("x")
    for word in ("auth", "subscribe", "pre", "kernel"):
        assert f"RuntimeError: {word}" in caplog.text


async def test_the_context_hook_binds_for_every_worker(world, until):
    import contextvars

    bound = contextvars.ContextVar("bound", default="")
    seen = []

    class Client(RTUClient):
        async def context_hook(self):
            bound.set("yes")

    async def note(msg):
        seen.append(bound.get())

    client = world.client(cls=Client)
    client.register_rtu_event_callback(NewDeltaEvent, note)
    await client.initialize()
    await client.wait_ready(3)
    await client.add_cell("x")
    await until(lambda: seen)
    assert seen == ["yes"]


class TestNoDeadlock:
    """A callback may wait for what only the reader can bring."""

    async def test_in_a_delta_callback(self, world, until):
        client = await world.ready()

        async def answer(delta):
            if delta.properties.id == "theirs":
                await client.add_cell("my answer", after_id="theirs")

        client.register_delta_callback(NBCellsAdd, answer)
        await world.server.edit(add(client.file_id, "theirs"))
        await until(lambda: len(world.server.chain) == 2)
        await until(lambda: len(client.cell_ids) == 4)

    async def test_in_an_event_callback(self, world, until):
        client = await world.ready()
        cells = []

        async def answer(msg):
            cells.append(await client.add_cell("my answer"))

        client.register_rtu_event_callback(KernelStatusUpdateResponse, answer)
        await world.server.set_kernel("idle")
        await until(lambda: cells)

    async def test_in_an_overridden_hook(self, world, until):
        class Client(RTUClient):
            async def on_kernel_status_update(self, msg):
                await super().on_kernel_status_update(msg)
                self.mine = await self.add_cell("my answer")
                self.other = await self.add_cell("another")

        client = await world.ready(cls=Client)
        await world.server.set_kernel("idle")
        await until(lambda: hasattr(client, "other"))
        await client.add_cell("still alive")

    async def test_a_hook_that_waits_for_a_kernel(self, world, until):
        class Client(RTUClient):
            async def on_bulk_cell_state_update(self, msg):
                await super().on_bulk_cell_state_update(msg)
                await self.wait_for_kernel_idle(2)
                self.done = True

        client = await world.ready(cls=Client)
        await world.server.set_states(a="queued")
        await world.server.set_kernel("idle")
        await until(lambda: getattr(client, "done", False))

    async def test_shutting_down_in_a_callback(self, world, until):
        client = await world.ready()

        async def leave(msg):
            await client.shutdown()

        client.register_rtu_event_callback(BulkCellStateUpdateResponse, leave)
        await world.server.set_states(a="queued")
        await until(lambda: client.connection_state == "closed")

    async def test_shutting_down_in_a_hook(self, world, until):
        class Client(RTUClient):
            async def on_bulk_cell_state_update(self, msg):
                await self.shutdown(now=True)

        client = await world.ready(cls=Client)
        await world.server.set_states(a="queued")
        await until(lambda: client.connection_state == "closed")


async def test_a_slow_callback_does_not_hold_the_others_up(world, until):
    client = await world.ready()
    gate = asyncio.Event()
    seen = []

    async def slow(delta):
        await gate.wait()

    async def quick(delta):
        seen.append(delta)

    client.register_delta_callback(NBCellsAdd, slow)
    client.register_delta_callback(NBCellsAdd, quick)
    for _ in range(3):
        await client.add_cell("x")
    await until(lambda: len(seen) == 3)
    gate.set()


async def test_apply_delta_called_by_the_application_returns_after_the_callbacks(world):
    client = world.client()
    seen = []

    async def slow(delta):
        await asyncio.sleep(0.01)
        seen.append(delta.id)

    client.register_delta_callback(NBCellsAdd, slow)
    delta = world.server.accept(add(client.file_id, "c"))
    await client.apply_delta(delta)
    assert seen == [delta.id]
    assert client.builder.last_applied_delta_id == delta.id


async def test_an_orderly_shutdown_lets_callbacks_end(world):
    client = await world.ready()
    ended = []

    async def slow(delta):
        await asyncio.sleep(0.05)
        ended.append(delta.id)

    client.register_delta_callback(NBCellsAdd, slow)
    await client.add_cell("x")
    await client.shutdown()
    assert len(ended) == 1


async def test_a_hasty_one_does_not(world):
    client = await world.ready()
    ended = []

    async def slow(delta):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    client.register_delta_callback(NBCellsAdd, slow)
    await client.add_cell("x")
    await asyncio.sleep(0)
    await client.shutdown(now=True)
    assert ended == ["cancelled"]


async def test_a_lambda_around_a_coroutine_function(world, until):
    client = await world.ready()
    seen = []

    async def note(delta):
        await asyncio.sleep(0)
        seen.append(delta)

    client.register_delta_callback(NBCellsAdd, lambda delta: note(delta))  # noqa: PLW0108
    await client.add_cell("x")
    await client.add_cell("y")
    await until(lambda: len(seen) == 2)


async def test_the_collection_of_delta_callbacks(world):
    client = world.client()
    handles = [client.register_delta_callback(NBCellsAdd, print) for _ in range(3)]
    assert list(client.delta_callbacks) == handles
    assert len(client.delta_callbacks) == 3
    assert "x" not in client.delta_callbacks
    one = DeltaCallback(NBCellsAdd, print)
    client.delta_callbacks.append(one)
    assert one in client.delta_callbacks
