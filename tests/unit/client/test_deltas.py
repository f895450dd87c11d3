"""Deltas on their way: accepted, refused, squashed, out of order."""

import asyncio
import time

import pytest

from rtu_magics.client import DeltaRequestCallbackManager, RTUClient
from rtu_magics.errors import ClientClosed, DeltaRejected, RTUError
from rtu_magics.models import (
    NIL_UUID,
    CellMetadataUpdate,
    InvalidDataResponse,
    NewDeltaEvent,
    NewDeltaReply,
    NewDeltaRequest,
    PermissionDeniedResponse,
)

from .deltas import add, replace


async def test_the_result_is_the_delta_as_the_server_completed_it(world):
    client = await world.ready()
    delta = replace(client.file_id, "a", "new")
    result = await client.new_delta_request(delta)
    assert result.id == delta.id
    assert result.parent_delta_id == NIL_UUID
    assert result.created_by_id == world.server.user.id
    assert client.builder.cell("a").source == "new"
    assert client.builder.last_applied_delta_id == delta.id
    assert len(client.in_flight) == 0
    assert len(client.delta_callbacks) == 0


async def test_somebody_elses_delta_arrives(world, until):
    client = await world.ready()
    await world.server.edit(add(client.file_id, "c", "theirs", after_id="b"))
    await until(lambda: client.cell_ids == ["a", "b", "c"])


async def test_a_rejection_brings_its_cause(world):
    client = await world.ready()
    with pytest.raises(DeltaRejected, match="is not in the notebook") as caught:
        await client.new_delta_request(replace(client.file_id, "nope", "x"))
    assert caught.value.cause == str(caught.value)
    assert len(client.in_flight) == 0
    assert len(client.delta_callbacks) == 0


async def test_a_bare_no_does_not_hang(world, monkeypatch):
    monkeypatch.setattr("rtu_magics.protocol.requests.CAUSE_TIMEOUT", 0.05)
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}

    async def bare_no(connection, request):
        if isinstance(request, NewDeltaRequest):
            await world.server.answer(connection, request, NewDeltaReply, data={"success": False})

    world.server.on_request = bare_no
    with pytest.raises(DeltaRejected, match="gave no cause"):
        await client.new_delta_request(replace(client.file_id, "a", "x"))


@pytest.mark.parametrize(
    ("cls", "data", "message"),
    [
        (InvalidDataResponse, {"message": "no such field"}, "invalid: no such field"),
        (PermissionDeniedResponse, {"message": "viewers read"}, "viewers read"),
        (NewDeltaReply, {"success": False, "message": "full"}, "full"),
    ],
)
async def test_other_refusals(world, cls, data, message):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}

    async def refuse(connection, request):
        if isinstance(request, NewDeltaRequest):
            await world.server.answer(connection, request, cls, data=data)

    world.server.on_request = refuse
    with pytest.raises(DeltaRejected, match=message):
        await client.new_delta_request(replace(client.file_id, "a", "x"))
    assert client.is_live


async def test_an_invalid_delta_as_the_server_calls_it(world):
    client = await world.ready()
    world.server.ignore = set()
    delta = CellMetadataUpdate(
        file_id=client.file_id, resource_id="a", properties={"path": ["x"], "value": 1}
    )
    delta.delta_type = "nonsense"
    with pytest.raises(RTUError):
        await client.new_delta_request(delta)
    assert client.is_live


async def test_what_cannot_be_written_as_json_fails_its_sender_only(world):
    client = await world.ready()
    delta = CellMetadataUpdate(
        file_id=client.file_id, resource_id="a", properties={"path": ["x"], "value": object()}
    )
    with pytest.raises(RTUError, match="cannot be written as JSON"):
        await client.new_delta_request(delta)
    await client.new_delta_request(replace(client.file_id, "a", "still works"))


async def test_many_in_flight_at_once(world):
    client = await world.ready()
    deltas = [replace(client.file_id, "a", str(i)) for i in range(300)]
    results = await asyncio.gather(*(client.new_delta_request(d) for d in deltas))
    assert [r.id for r in results] == [d.id for d in deltas]
    assert [d.id for d in world.server.chain] == [d.id for d in deltas]
    assert client.builder.cell("a").source == "299"
    assert len(client.delta_callbacks) == 0


async def test_deltas_in_reverse_order_are_put_in_order(world, until):
    client = await world.ready()
    await until(lambda: world.server.subscribers)
    (subscriber,) = world.server.subscribers
    subscriber.hold()
    for i in range(2_000):
        await world.server.edit(replace(client.file_id, "a", str(i)))
    started = time.process_time()  # of our own: others may keep the processor busy
    subscriber.release(order=lambda held: held[::-1])
    await until(lambda: client.builder.cell("a").source == "1999")
    assert time.process_time() - started < 2
    assert len(client.unapplied_deltas) == 0


async def test_duplicated_events_are_applied_once(world):
    client = await world.ready()
    seen = []
    client.register_delta_callback(object, seen.append)  # nothing is of that class
    from rtu_magics.models import NBCellsAdd

    client.register_delta_callback(NBCellsAdd, seen.append)
    world.server.subscribers[0].duplicate = 10
    await client.add_cell("x", after_id="a")
    await client.add_cell("y", after_id="a")
    assert len(client.cell_ids) == 4
    assert len(seen) == 2
    assert len(client.unapplied_deltas) == 0


async def test_what_waits_can_be_seen_and_is_told(world, until):
    queued = []

    class Client(RTUClient):
        async def post_queue_delta(self, delta):
            queued.append(delta.id)

    client = await world.ready(cls=Client)
    world.server.subscribers[0].lose = 1
    await world.server.edit(replace(client.file_id, "a", "lost"))
    second = await world.server.edit(replace(client.file_id, "a", "waits"))
    await until(lambda: len(client.unapplied_deltas) == 1)
    assert client.unapplied_deltas[0].id == second.id
    assert queued == [second.id]


async def test_deltas_before_the_gate_opens_wait_for_it(world):
    """Used by itself, without a connection."""
    client = world.client()
    first = world.server.accept(replace(client.file_id, "a", "one"))
    second = world.server.accept(replace(client.file_id, "a", "two"))
    # No head yet: whatever comes first is applied.
    await client.queue_or_apply_delta(first)
    assert client.builder.cell("a").source == "one"
    await client.queue_or_apply_delta(second)
    assert client.builder.cell("a").source == "two"


async def test_queue_and_replay_by_hand(world):
    client = world.client()
    deltas = [world.server.accept(replace(client.file_id, "a", str(i))) for i in range(4)]
    await client.queue_or_apply_delta(deltas[0])
    await client.queue_or_apply_delta(deltas[3])
    await client.queue_or_apply_delta(deltas[2])
    assert [d.id for d in client.unapplied_deltas] == [deltas[3].id, deltas[2].id]
    await client.queue_or_apply_delta(deltas[1])
    assert client.builder.cell("a").source == "3"
    assert len(client.unapplied_deltas) == 0
    await client.replay_unapplied_deltas()


async def test_events_before_the_subscribe_reply_are_queued(world, until):
    """A service may send events ahead of its reply."""
    ahead = world.server.accept(replace(world.server.file_id, "a", "ahead"))

    async def send_ahead(connection, request):
        if request.event == "subscribe_request":
            world.server.chain.remove(ahead)  # not part of the catch-up
            await world.server.say(
                connection, NewDeltaEvent(channel=world.server.channel, data=ahead)
            )

    world.server.on_request = send_ahead
    client = await world.ready()
    await until(lambda: client.builder.cell("a").source == "ahead")


async def test_shutdown_ends_what_is_in_flight(world):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    waiting = asyncio.create_task(client.add_cell("x"))
    await asyncio.sleep(0.01)
    await client.shutdown()
    with pytest.raises(ClientClosed, match="connect again"):
        await waiting


async def test_a_timeout_leaves_nothing_behind(world):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    with pytest.raises(TimeoutError, match="may still be applied"):
        await client.new_delta_request(replace(client.file_id, "a", "x"), timeout=0.02)
    assert len(client.in_flight) == 0
    assert len(client.delta_callbacks) == 0


async def test_so_does_a_cancelled_caller(world):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    task = asyncio.create_task(client.add_cell("x"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(client.in_flight) == 0
    assert len(client.delta_callbacks) == 0


async def test_the_same_delta_twice_at_once_is_an_error(world):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    delta = replace(client.file_id, "a", "x")
    DeltaRequestCallbackManager(client, delta)
    with pytest.raises(ValueError, match="in flight already"):
        DeltaRequestCallbackManager(client, delta)


async def test_sending_a_delta_again_after_it_was_accepted_changes_nothing(world):
    client = await world.ready()
    delta = add(client.file_id, "c")
    await client.new_delta_request(delta)
    again = await client.new_delta_request(delta, timeout=1)
    assert again.parent_delta_id == NIL_UUID
    assert client.cell_ids.count("c") == 1


async def test_the_callback_manager_by_itself(world):
    client = await world.ready()
    request = DeltaRequestCallbackManager(client, replace(client.file_id, "a", "x"))
    assert request.client is client
    assert request.delta_cb_ref in client.delta_callbacks
    assert (await request.result).id == request.delta.id
    assert request.delta_cb_ref not in client.delta_callbacks
    other = DeltaRequestCallbackManager(client, replace(client.file_id, "a", "y"))
    other.rtu_cb_ref()
    other.deregister_callbacks()
    assert len(client.delta_callbacks) == 0
    await other.delta_cb(request.delta)  # not its own
    assert not other.result.done()
    await other.rtu_cb(
        PermissionDeniedResponse(channel=client.file_channel, data={"message": "no"})
    )
    with pytest.raises(DeltaRejected):
        await other.result
