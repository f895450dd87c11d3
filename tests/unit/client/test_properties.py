"""Equations that hold whatever arrives in whatever order."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import CodeCell, NewDeltaEvent, NewDeltaRequest

from .conftest import World
from .deltas import add, delete, replace


def edits(file_id, choices):
    """Turn numbers into deltas that can be applied one after the other."""
    cells, made = ["a", "b"], []
    for number, (kind, where) in enumerate(choices):
        cell_id = cells[where % len(cells)] if cells else None
        if kind == 0 or cell_id is None:
            made.append(add(file_id, f"c{number}", source=f"cell {number}", after_id=cell_id))
            cells.append(f"c{number}")
        elif kind == 1:
            made.append(delete(file_id, cell_id))
            cells.remove(cell_id)
        else:
            made.append(replace(file_id, cell_id, f"edit {number}"))
    return made


def make_world():
    return World(CodeCell(id="a", source="1 + 1"), CodeCell(id="b", source="b = 2"))


choices = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), min_size=1, max_size=15)


@given(choices, st.randoms(use_true_random=False), st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_of_arrival_gives_the_same_notebook(what, random, data):
    async def run():
        world = make_world()
        client = world.client()
        chain = [world.server.accept(delta) for delta in edits(client.file_id, what)]
        # The subscription has set the head.
        client.builder.last_applied_delta_id = chain[0].parent_delta_id
        repeated = data.draw(st.lists(st.sampled_from(chain), max_size=5))
        arrivals = [*chain, *repeated]
        random.shuffle(arrivals)
        for delta in arrivals:
            await client.queue_or_apply_delta(delta.model_copy())
        assert client.builder.dumps() == world.server.builder.dumps()
        assert client.builder.last_applied_delta_id == world.server.head
        assert len(client.unapplied_deltas) == 0
        await world.aclose()

    asyncio.run(run())


@given(choices, choices, st.integers(1, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_reconnecting_any_number_of_times_is_reconnecting_once(before, missed, times):
    async def run():
        world = make_world()
        client = await world.ready()
        everything = edits(client.file_id, before + missed)
        for delta in everything[: len(before)]:
            await world.server.edit(delta)
        for _ in range(times):
            world.network.drop()
            await asyncio.sleep(0)
            if everything[len(before) :]:
                for delta in everything[len(before) :]:
                    world.server.accept(delta)
                del everything[len(before) :]
            while client.is_live:
                await asyncio.sleep(0.001)
            await client.wait_ready(5)
        assert client.builder.dumps() == world.server.builder.dumps()
        await world.aclose()

    asyncio.run(run())


@given(
    st.lists(st.sampled_from(["send", "drop", "drop hard", "double", "tick"]), max_size=25),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_network_does_every_edit_arrives_exactly_once(script):
    async def run():
        world = make_world()
        one, other = await world.ready(), await world.ready()
        tasks = []
        for step, what in enumerate(script):
            if what == "send":
                client = (one, other)[step % 2]
                delta = add(client.file_id, f"c{step}")
                tasks.append(asyncio.create_task(client.new_delta_request(delta)))
            elif what == "tick":
                await asyncio.sleep(0.002)
            elif what == "double":
                for connection in world.server.subscribers:
                    connection.duplicate += 1
            else:
                world.network.drop(lose_pending=what == "drop hard")
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        for client in (one, other):
            await client.wait_ready(5)
            await client.replace_cell_content("a", str(id(client)))
        while one.builder.last_applied_delta_id != other.builder.last_applied_delta_id:
            await asyncio.sleep(0.001)
        sent = [f"c{step}" for step, what in enumerate(script) if what == "send"]
        assert sorted(world.server.builder.cell_ids) == sorted(["a", "b", *sent])
        assert one.builder.dumps() == other.builder.dumps() == world.server.builder.dumps()
        # The server saw each delta under one id, however often it was sent.
        requests = [r for r in world.server.requests if isinstance(r, NewDeltaRequest)]
        assert len({r.data.delta.id for r in requests}) == len(sent) + 2
        await world.aclose()

    asyncio.run(run())


async def test_ten_thousand_in_reverse_order(world):
    client = world.client()
    chain = [world.server.accept(replace(client.file_id, "a", str(i))) for i in range(10_000)]
    client.builder.last_applied_delta_id = chain[0].parent_delta_id
    for delta in reversed(chain):
        await client.queue_or_apply_delta(delta)
    assert client.builder.cell("a").source == "9999"
    assert len(client.unapplied_deltas) == 0


def test_what_a_builder_makes_of_the_chain_is_what_the_client_has():
    """The client adds nothing of its own to squashing."""

    async def run():
        world = make_world()
        client = await world.ready()
        for i in range(20):
            await client.add_cell(str(i), after_id="a")
        plain = NotebookBuilder(world.server.seed)
        for delta in world.server.chain:
            event = NewDeltaEvent(channel=world.server.channel, data=delta)
            plain.apply_delta(NewDeltaEvent.model_validate_json(event.model_dump_json()).data)
        assert plain.dumps() == client.builder.dumps()
        await world.aclose()

    asyncio.run(run())
