"""Out of step: the notebook is loaded anew, or whoever waits is told."""

import asyncio

import pytest

from rtu_magics.client import RTUClient
from rtu_magics.errors import InconsistentState, SquashError
from rtu_magics.models import (
    FileSubscribeRequest,
    FileUnsubscribeRequest,
    InconsistentStateEvent,
    NewDeltaEvent,
    NewDeltaRequest,
    Notebook,
)

from .deltas import add, patch, replace


def inconsistent(world):
    return InconsistentStateEvent(channel=world.server.channel, data={"message": "restored"})


async def test_content_replaced_behind_the_chain(world, until):
    states = []
    client = await world.ready(reload=True)
    client.register_connection_callback(lambda *what: states.append(what))
    old = client.builder
    await client.replace_cell_content("a", "before")
    # A version is restored: a new epoch begins.
    world.server.seed = Notebook(cells=[{"cell_type": "code", "id": "z", "source": "restored"}])
    world.server.builder = type(world.server.builder)(world.server.seed)
    world.server.chain.clear()
    world.server.save_version()
    await world.server.push(inconsistent(world))
    await until(lambda: client.builder is not old and client.is_live)
    assert client.cell_ids == ["z"]
    assert client.file_version_id == world.server.version_id
    assert states[0] == (
        "reconnecting",
        "the server says: restored; loading the notebook anew",
    )
    assert states[-1] == ("live", "")
    # It is whole again: edits go both ways.
    await client.add_cell("new", after_id="z")
    await world.server.edit(replace(client.file_id, "z", "theirs"))
    await until(lambda: client.builder.cell("z").source == "theirs")


async def test_instead_of_a_subscribe_reply(world):
    world.server.inconsistent = 2
    client = await world.ready(reload=True)
    assert client.is_live
    kinds = [type(r) for r in world.server.requests]
    assert kinds.count(FileSubscribeRequest) == 3
    assert kinds.count(FileUnsubscribeRequest) == 2


async def test_three_times_in_a_row_is_enough(world):
    world.server.inconsistent = 1_000
    client = world.client(reload=True)
    await client.initialize()
    with pytest.raises(InconsistentState, match="did not help: connect again"):
        await client.wait_ready(3)
    assert world.server.inconsistent == 1_000 - 4


async def test_the_queue_is_emptied(world, until):
    client = await world.ready(reload=True)
    world.server.subscribers[0].lose = 1
    await world.server.edit(replace(client.file_id, "a", "lost"))
    await world.server.edit(replace(client.file_id, "a", "waits"))
    await until(lambda: len(client.unapplied_deltas) == 1)
    await world.server.push(inconsistent(world))
    await until(lambda: client.is_live and client.builder.cell("a").source == "waits")
    assert len(client.unapplied_deltas) == 0


async def test_edits_in_flight_survive_it_and_are_not_doubled(world, until):
    client = await world.ready(reload=True)
    world.server.mute_events = 1  # accepted, but its event never comes
    kept = asyncio.create_task(client.new_delta_request(add(client.file_id, "kept")))
    await until(lambda: len(world.server.chain) == 1)
    await world.server.edit(replace(client.file_id, "a", "later"))
    world.server.save_version()  # the version holds the edit, so no catch-up will bring it
    await world.server.push(inconsistent(world))
    delta = await asyncio.wait_for(kept, 3)
    assert delta.properties.id == "kept"
    assert client.cell_ids.count("kept") == 1
    assert client.builder.cell("a").source == "later"
    assert [d.id for d in world.server.chain].count(delta.id) == 1
    await client.replace_cell_content("kept", "goes on")


async def poison(world, delta=None):
    """A delta that the server sends although it cannot be applied."""
    bad = delta or patch(world.server.file_id, "no such cell", "@@ -1 +1 @@\n-x\n+y\n")
    bad = bad.model_copy(update={"parent_delta_id": world.server.head})
    await world.server.push(NewDeltaEvent(channel=world.server.channel, data=bad))
    return bad


async def test_a_delta_that_cannot_be_squashed_makes_it_load_the_notebook_anew(world, until):
    failed = []

    class Client(RTUClient):
        async def failed_to_squash_delta(self, delta, exc):
            failed.append((delta.id, exc))

    client = await world.ready(reload=True, cls=Client)
    old = client.builder
    bad = await poison(world)
    await until(lambda: client.builder is not old and client.is_live)
    ((delta_id, exc),) = failed
    assert delta_id == bad.id
    assert isinstance(exc, SquashError)
    await client.replace_cell_content("a", "goes on")


async def test_its_sender_is_told(world):
    client = await world.ready(reload=True)
    original = client.builder.apply_delta

    def broken(delta):
        if delta.resource_id == "a":
            raise SquashError("this copy is broken")
        original(delta)

    client.builder.apply_delta = broken
    with pytest.raises(InconsistentState, match=r"this copy is broken.*loaded anew"):
        await client.replace_cell_content("a", "accepted there")
    await client.wait_ready(3)
    assert client.builder.cell("a").source == "accepted there"


async def test_without_a_way_to_reload_everybody_is_told(world, until):
    client = await world.ready()
    world.server.ignore = {NewDeltaRequest}
    waiting = asyncio.create_task(client.add_cell("x"))
    await asyncio.sleep(0.01)
    await poison(world)
    with pytest.raises(InconsistentState, match="connect again"):
        await asyncio.wait_for(waiting, 3)
    with pytest.raises(InconsistentState):
        await client.add_cell("y")
    with pytest.raises(InconsistentState):
        await client.wait_ready()
    await until(lambda: client.connection_state == "closed")


async def test_nothing_more_is_applied_once_out_of_step(world, until):
    gate = asyncio.Event()

    async def hook():
        await gate.wait()
        return world.server.copy_of_version()

    client = await world.ready(reload=hook)
    bad = await poison(world)
    later = replace(client.file_id, "a", "on top of what is not there")
    later.parent_delta_id = bad.id
    await world.server.push(NewDeltaEvent(channel=world.server.channel, data=later))
    await until(lambda: client.connection_state == "reconnecting")
    await asyncio.sleep(0.02)
    assert client.builder.cell("a").source == "1 + 1"
    assert client.builder.last_applied_delta_id != bad.id
    assert not client.deltas_to_apply_event.is_set()
    gate.set()
    await client.wait_ready(3)
    assert client.builder.cell("a").source == "1 + 1"


async def test_a_reload_that_fails_is_tried_again(world, until, monkeypatch):
    monkeypatch.setattr("rtu_magics.protocol.reload.RELOAD_PAUSE", 0.01)
    calls = []

    async def hook():
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no network")
        return world.server.copy_of_version()

    client = await world.ready(reload=hook)
    await world.server.push(inconsistent(world))
    await until(lambda: len(calls) == 3 and client.is_live)


async def test_one_that_always_fails_ends_it(world, monkeypatch):
    monkeypatch.setattr("rtu_magics.protocol.reload.RELOAD_PAUSE", 0.01)

    async def hook():
        raise OSError("no network")

    client = await world.ready(reload=hook)
    await world.server.push(inconsistent(world))
    await asyncio.sleep(0.2)
    with pytest.raises(InconsistentState, match="loading it anew failed: no network"):
        await client.wait_ready(3)


async def test_a_connection_lost_while_reloading(world, until):
    entered, gate = asyncio.Event(), asyncio.Event()

    async def hook():
        entered.set()
        await gate.wait()
        return world.server.copy_of_version()

    client = await world.ready(reload=hook)
    old = client.builder
    await client.replace_cell_content("a", "x")
    await world.server.push(inconsistent(world))
    await asyncio.wait_for(entered.wait(), 3)
    world.network.drop()
    await until(lambda: len(world.network.connections) == 2)
    await asyncio.sleep(0.02)
    gate.set()
    await client.wait_ready(3)
    assert client.builder is not old
    assert client.builder.cell("a").source == "x"


async def test_a_gap_that_closes_is_waited_for(world, until):
    client = await world.ready(gap_timeout=0.05)
    subscriber = world.server.subscribers[0]
    subscriber.hold()
    for i in range(3):
        await world.server.edit(replace(client.file_id, "a", str(i)))
    subscriber.release(order=lambda held: [*held[1:], held[0]])
    await until(lambda: client.builder.cell("a").source == "2")
    await asyncio.sleep(0.1)
    assert len([r for r in world.server.requests if isinstance(r, FileSubscribeRequest)]) == 1


async def test_a_gap_that_never_closes_is_asked_about(world, until):
    states = []
    client = await world.ready(gap_timeout=0.05)
    client.register_connection_callback(lambda *what: states.append(what))
    await client.replace_cell_content("b", "here")
    world.server.subscribers[0].lose = 1
    await world.server.edit(replace(client.file_id, "a", "lost"))
    await world.server.edit(replace(client.file_id, "a", "after"))
    await until(lambda: client.builder.cell("a").source == "after")
    assert states == [
        ("reconnecting", "a change of the notebook is missing: asking for it again"),
        ("live", ""),
    ]
    assert world.network.attempts == 1
    assert len(client.unapplied_deltas) == 0


async def test_a_gap_that_stays_makes_it_load_the_notebook_anew(world, until):
    client = await world.ready(gap_timeout=0.03, reload=True)
    old = client.builder
    await client.replace_cell_content("b", "here")
    stray = replace(client.file_id, "a", "stray")

    async def stray_again():
        for parent in (client.file_id, world.server.version_id):
            stray.parent_delta_id = parent
            await world.server.push(NewDeltaEvent(channel=world.server.channel, data=stray))
            count = len(world.server.requests)
            await until(lambda n=count: len(world.server.requests) > n and client.is_live)

    await stray_again()
    await until(lambda: client.builder is not old)
    assert client.builder.cell("b").source == "here"


async def test_a_forked_chain_is_asked_about_at_once(world, until):
    client = await world.ready(gap_timeout=30)
    await client.replace_cell_content("b", "here")
    for source in ("one", "other"):
        fork = replace(client.file_id, "a", source)
        fork.parent_delta_id = client.file_id
        await world.server.push(NewDeltaEvent(channel=world.server.channel, data=fork))
    await until(
        lambda: sum(isinstance(r, FileSubscribeRequest) for r in world.server.requests) == 2
    )
    await client.wait_ready(3)
    assert len(client.unapplied_deltas) == 0
