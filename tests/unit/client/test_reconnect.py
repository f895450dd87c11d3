"""Lost connections: nothing is lost, nothing doubled, nobody hangs."""

import asyncio

import pytest

from rtu_magics.errors import AuthenticationFailed
from rtu_magics.models import (
    CellExecute,
    FileSubscribeRequest,
    NewDeltaEvent,
    NewDeltaRequest,
    PingRequest,
)

from .deltas import add, replace


def sent(world, kind=NewDeltaRequest):
    return [r for r in world.server.requests if isinstance(r, kind)]


async def test_it_comes_back_and_catches_up_from_its_last_delta(world, until):
    states = []
    client = await world.ready()
    client.register_connection_callback(lambda *what: states.append(what))
    await client.replace_cell_content("a", "mine")
    head = client.builder.last_applied_delta_id
    session = client.rtu_session_id
    world.network.refuse = 2
    world.network.drop()
    await until(lambda: client.connection_state == "reconnecting")
    assert client.rtu_session_id is None
    world.server.accept(replace(client.file_id, "b", "missed"))
    await client.wait_ready(3)
    assert client.builder.cell("b").source == "missed"
    assert sent(world, FileSubscribeRequest)[-1].data.from_delta_id == head
    assert client.rtu_session_id not in (None, session)
    assert states[0] == ("reconnecting", "the connection was lost")
    assert ("reconnecting", "nothing listens at ws://server.test/rtu: is the server running?") in (
        states
    )
    assert states[-1] == ("live", "")
    assert client.manager.reconnections == 1


async def test_a_copy_of_an_empty_chain_comes_back_by_version(world):
    client = await world.ready()
    world.network.drop()
    await asyncio.sleep(0.01)
    await client.wait_ready(3)
    first, second = sent(world, FileSubscribeRequest)
    assert first.data.from_version_id == second.data.from_version_id == client.file_version_id


async def test_an_edit_that_was_accepted_before_the_loss_is_found_in_what_was_missed(world):
    client = await world.ready()
    world.server.lose_replies = 1
    cell = await client.add_cell("kept")
    assert [c.source for c in world.server.builder.cells].count("kept") == 1
    assert client.cell_ids.count(cell.id) == 1
    assert len(sent(world)) == 1  # never sent again


async def test_an_edit_that_did_not_arrive_is_sent_again_with_the_same_id(world):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    waiting = asyncio.create_task(client.add_cell("again"))
    await asyncio.sleep(0.02)
    world.server.ignore = set()
    world.network.drop()
    cell = await asyncio.wait_for(waiting, 3)
    first, second = sent(world)
    assert first.data.delta.id == second.data.delta.id
    assert first.transaction_id == second.transaction_id
    assert world.server.builder.cell(cell.id).source == "again"


async def test_edits_made_while_away_go_out_in_order(world, until):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    before = [asyncio.create_task(client.add_cell(f"before {i}")) for i in range(3)]
    await asyncio.sleep(0.02)
    world.network.refuse = 3
    world.network.drop()
    await until(lambda: client.connection_state == "reconnecting")
    after = [asyncio.create_task(client.add_cell(f"after {i}", after_id="a")) for i in range(3)]
    await asyncio.sleep(0)
    world.server.ignore = set()
    del world.server.requests[:]
    await asyncio.wait_for(asyncio.gather(*before, *after), 3)
    order = [r.data.delta.properties.cell.source for r in sent(world)]
    assert order == [f"before {i}" for i in range(3)] + [f"after {i}" for i in range(3)]
    assert len(world.server.chain) == 6


async def test_a_rejection_whose_answer_was_lost_comes_at_the_second_attempt(world):
    from rtu_magics.errors import DeltaRejected

    client = await world.ready()
    drops = [1]

    async def drop_once(connection, request):
        if isinstance(request, NewDeltaRequest) and drops:
            drops.pop()
            connection.drop()

    world.server.on_request = drop_once
    with pytest.raises(DeltaRejected):
        await asyncio.wait_for(client.new_delta_request(replace(client.file_id, "x", "")), 3)


async def test_other_requests_wait_for_the_next_connection(world, until):
    client = await world.ready()
    world.network.refuse = 2
    world.network.drop()
    await until(lambda: client.connection_state == "reconnecting")
    client.send(PingRequest())
    await until(lambda: sent(world, PingRequest))


async def test_connections_that_end_all_the_time(world, until):
    """A stream of edits while the connection breaks again and again."""
    client = await world.ready()
    stop = asyncio.Event()

    async def saboteur():
        while not stop.is_set():
            await asyncio.sleep(0.004)
            world.network.drop(lose_pending=True)

    breaking = asyncio.create_task(saboteur())
    edits = [client.new_delta_request(add(client.file_id, f"c{i}")) for i in range(40)]
    tasks = [asyncio.create_task(edit) for edit in edits]
    await asyncio.sleep(0.1)
    stop.set()
    await breaking
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    ids = [delta.properties.id for delta in world.server.chain]
    assert sorted(ids) == sorted(f"c{i}" for i in range(40))
    await until(lambda: client.manager.reconnections >= 1)
    await client.wait_ready(3)
    assert client.cell_ids == world.server.builder.cell_ids


async def test_messages_of_an_old_connection_are_discarded(world, until, monkeypatch):
    """A slow handler must not carry the old connection's events into the new one."""
    monkeypatch.setattr("rtu_magics.client.manager._SETTLE_TIMEOUT", 0.01)
    client = await world.ready()
    gate = asyncio.Event()
    original = client.pre_apply_delta

    async def slow(delta):
        await gate.wait()
        await original(delta)

    client.pre_apply_delta = slow
    await world.server.edit(replace(client.file_id, "a", "slow"))
    await asyncio.sleep(0.01)
    for i in range(3):
        await world.server.push(
            NewDeltaEvent(
                channel=world.server.channel, data=replace(client.file_id, "a", f"stale {i}")
            )
        )
    world.network.drop()
    await asyncio.sleep(0.05)
    gate.set()
    await client.wait_ready(3)
    await client.replace_cell_content("b", "fresh")
    assert client.builder.cell("a").source == "slow"
    assert len(client.unapplied_deltas) == 0


async def test_an_execution_in_flight_comes_back(world, until):
    client = await world.ready()
    await world.server.set_kernel("idle")
    await until(lambda: client.kernel_state == "idle")
    queued = await client.queue_execution("a")
    (execution,) = [d for d in world.server.chain if isinstance(d, CellExecute)]
    world.network.refuse = 1
    world.network.drop()
    await until(lambda: client.connection_state == "reconnecting")
    await world.server.set_states(a=("finished_with_no_error", execution.id))
    done, pending = await asyncio.wait(queued, timeout=3)
    assert not pending
    assert next(iter(done)).result().id == "a"


async def test_an_execution_whose_answer_was_lost_comes_back(world, until):
    client = await world.ready()
    await world.server.set_kernel("idle")
    await until(lambda: client.kernel_state == "idle")
    world.server.lose_replies = 1
    queued = await client.queue_execution("a")
    assert len([d for d in world.server.chain if isinstance(d, CellExecute)]) == 1
    await world.server.set_states(a=("finished_with_error", world.server.head))
    _, pending = await asyncio.wait(queued, timeout=3)
    assert not pending


async def test_kernel_and_cell_states_are_right_after_a_reconnect(world, until):
    client = await world.ready()
    await world.server.set_kernel("busy")
    await world.server.set_states(a="executing")
    await until(lambda: client.cell_states == {"a": "executing"})
    world.network.refuse = 1
    world.network.drop()
    await until(lambda: client.connection_state == "reconnecting")
    world.server.kernel = None
    await world.server.set_states(b="finished_with_error")
    await client.wait_ready(3)
    assert client.kernel_state == "not_started"
    assert client.cell_states == {"b": "finished_with_error"}


async def test_a_token_that_is_no_longer_accepted_ends_it(world, until):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    waiting = asyncio.create_task(client.add_cell("x"))
    await asyncio.sleep(0.01)
    world.server.token = "another"
    world.network.drop()
    with pytest.raises(AuthenticationFailed):
        await asyncio.wait_for(waiting, 3)
    await until(lambda: client.connection_state == "closed")
    with pytest.raises(AuthenticationFailed):
        await client.wait_ready()
    attempts = world.network.attempts
    await asyncio.sleep(0.05)
    assert world.network.attempts == attempts


async def test_connection_callbacks_can_be_taken_back_and_may_raise(world, until):
    client = await world.ready()
    seen = []

    def bad(state, detail):
        raise RuntimeError("mine")

    client.register_connection_callback(bad)
    deregister = client.register_connection_callback(lambda *what: seen.append(what))

    async def also_a_coroutine(state, detail):
        seen.append("async")

    client.register_connection_callback(also_a_coroutine)
    world.network.drop()
    await until(lambda: "async" in seen)
    deregister()
    count = len([s for s in seen if s != "async"])
    await client.wait_ready(3)
    assert len([s for s in seen if s != "async"]) == count
