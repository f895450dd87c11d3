"""Kernel and cell states, and the futures of executions."""

import asyncio

import pytest

from rtu_magics.errors import (
    CellNotFound,
    ClientClosed,
    DeltaRejected,
    KernelDied,
    KernelNotStarted,
)
from rtu_magics.models import (
    BulkCellStateUpdateResponse,
    CellExecute,
    CellExecuteAfter,
    CellExecuteAll,
    CellExecuteBefore,
    CellState,
    CodeCell,
    MarkdownCell,
    NewDeltaRequest,
    PermissionDeniedResponse,
    kernel_channel,
)

from .deltas import delete, execute, replace

OK, BAD = "finished_with_no_error", "finished_with_error"


@pytest.fixture
async def running(make_world, until):
    """A world of five cells with an idle kernel, and a client."""
    world = make_world(
        CodeCell(id="a", source="1"),
        MarkdownCell(id="text", source="# Title"),
        CodeCell(id="blank", source="  \n"),
        CodeCell(id="b", source="2"),
        CodeCell(id="c", source="3"),
    )
    world.server.kernel = None
    client = await world.ready()
    await world.server.set_kernel("idle")
    await until(lambda: client.kernel_state == "idle")
    return world, client


@pytest.mark.parametrize(
    ("what", "cells", "kind"),
    [
        ({"cell_id": "a"}, ["a"], CellExecute),
        ({"cell_id": "text"}, [], CellExecute),
        ({"cell_id": "blank"}, [], CellExecute),
        ({"before_id": "b"}, ["a", "b"], CellExecuteBefore),
        ({"after_id": "b"}, ["b", "c"], CellExecuteAfter),
        ({"run_all": True}, ["a", "b", "c"], CellExecuteAll),
    ],
)
async def test_what_gets_a_future(running, what, cells, kind):
    world, client = running
    queued = await client.queue_execution(**what)
    assert sorted(queued.values()) == cells
    assert type(world.server.chain[-1]) is kind


async def test_a_finished_state_resolves_with_the_cell_as_it_now_is(running):
    world, client = running
    queued = await client.queue_execution("a")
    ((future, cell_id),) = queued.items()
    assert cell_id == "a"
    run = world.server.head
    await world.server.set_states(a=("queued", run))
    await world.server.set_states(a=("executing", run))
    await world.server.edit(replace(client.file_id, "a", "edited meanwhile"))
    await asyncio.sleep(0.02)
    assert not future.done()
    await world.server.set_states(a=(BAD, run))
    cell = await asyncio.wait_for(future, 2)
    assert cell.source == "edited meanwhile"
    assert client.cell_states == {"a": BAD}
    assert client.cell_state_details["a"].execution_id == run


async def test_asyncio_wait_takes_the_result(running):
    world, client = running
    queued = await client.queue_execution(run_all=True)
    run = world.server.head
    await world.server.set_states(a=(OK, run), b=(OK, run), c=(BAD, run))
    done, pending = await asyncio.wait(queued, timeout=2)
    assert len(done) == 3
    assert not pending


async def test_a_stale_finished_state_resolves_nothing(running):
    """From a server that sends no execution ids."""
    world, client = running
    queued = await client.queue_execution("a")
    (future,) = queued
    await world.server.set_states(a=OK)  # of an earlier run
    await asyncio.sleep(0.02)
    assert not future.done()
    await world.server.set_states(a="queued")
    await world.server.set_states(a=OK)
    await asyncio.wait_for(future, 2)


async def test_running_a_cell_twice_gives_two_futures(running):
    world, client = running
    (first,) = await client.queue_execution("a")
    run = world.server.head
    (second,) = await client.queue_execution("a")
    later = world.server.head
    await world.server.set_states(a=(OK, run))
    await asyncio.wait_for(first, 2)
    assert not second.done()
    await world.server.set_states(a=("executing", later))
    await world.server.set_states(a=(OK, later))
    await asyncio.wait_for(second, 2)


async def test_somebody_elses_run_does_not_resolve_ours(running):
    world, client = running
    await world.server.edit(execute(client.file_id, "a"))
    theirs = world.server.head
    (future,) = await client.queue_execution("a")
    ours = world.server.head
    await world.server.set_states(a=("executing", theirs))
    await world.server.set_states(a=(OK, theirs))
    await asyncio.sleep(0.02)
    assert not future.done()
    await world.server.set_states(a=(OK, ours))
    await asyncio.wait_for(future, 2)


async def test_a_state_that_comes_at_once_is_not_missed(running, until):
    """The states follow the delta before the caller runs again."""
    world, client = running

    async def finish_at_once(connection, request):
        if isinstance(request, NewDeltaRequest):
            run = request.data.delta.id
            asyncio.get_running_loop().call_soon(
                lambda: asyncio.ensure_future(world.server.set_states(a=(OK, run)))
            )

    world.server.on_request = finish_at_once
    (future,) = await client.queue_execution("a")
    await asyncio.wait_for(future, 2)


async def test_a_deleted_cell_fails_its_future(running):
    world, client = running
    queued = await client.queue_execution(run_all=True)
    await world.server.edit(delete(client.file_id, "b"))
    (future,) = [f for f, cell_id in queued.items() if cell_id == "b"]
    with pytest.raises(CellNotFound, match="deleted before its run ended"):
        await asyncio.wait_for(future, 2)
    assert sum(f.done() for f in queued) == 1


async def test_a_refused_execution_leaves_nothing_behind(running):
    world, client = running
    world.server.ignore = {NewDeltaRequest}

    async def refuse(connection, request):
        if isinstance(request, NewDeltaRequest):
            await world.server.answer(
                connection, request, PermissionDeniedResponse, data={"message": "viewers read"}
            )

    world.server.on_request = refuse
    with pytest.raises(DeltaRejected, match="viewers read"):
        await client.queue_execution("a")
    assert len(client.follower.replica.state.waits) == 0


async def test_a_cancelled_future_is_forgotten(running):
    _, client = running
    (future,) = await client.queue_execution("a")
    future.cancel()
    await asyncio.sleep(0)
    assert len(client.follower.replica.state.waits) == 0


async def test_the_execution_id_can_be_chosen(running):
    world, client = running
    chosen = client.file_id
    await client.queue_execution("a", execution_id=chosen)
    assert world.server.head == chosen


async def test_nothing_to_run(running):
    _, client = running
    with pytest.raises(ValueError, match="name what to run"):
        await client.queue_execution()


async def test_an_unknown_cell(running):
    _, client = running
    with pytest.raises(CellNotFound):
        await client.queue_execution("nope")


@pytest.mark.parametrize("state", ["shutdown", "culled", "failed", "shutting down"])
async def test_without_a_kernel(world, until, state):
    client = await world.ready()
    with pytest.raises(RuntimeError, match="'not_started': start one"):
        await client.queue_execution("a")
    await world.server.set_kernel(state)
    await until(lambda: client.kernel_state == state)
    with pytest.raises(KernelNotStarted, match=f"is '{state}': start one"):
        await client.queue_execution("a")


async def test_shutdown_ends_executions(running):
    _, client = running
    (future,) = await client.queue_execution("a")
    await client.shutdown(now=True)
    with pytest.raises(ClientClosed):
        await future


async def test_waiting_for_an_idle_kernel(world, until):
    client = await world.ready()
    waiting = asyncio.create_task(client.wait_for_kernel_idle())
    for state in ("requested", "starting"):
        await world.server.set_kernel(state)
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await world.server.set_kernel("idle")
    await asyncio.wait_for(waiting, 2)
    await client.wait_for_kernel_idle()  # at once


async def test_a_kernel_that_fails_ends_the_wait(world):
    client = await world.ready()
    waiting = asyncio.create_task(client.wait_for_kernel_idle())
    await asyncio.sleep(0)
    await world.server.set_kernel("failed", reason="no such interpreter")
    with pytest.raises(KernelDied, match="no such interpreter"):
        await asyncio.wait_for(waiting, 2)


async def test_waiting_for_an_idle_kernel_takes_a_timeout(world):
    client = await world.ready()
    with pytest.raises(TimeoutError, match="'not_started', not idle, after"):
        await client.wait_for_kernel_idle(0.02)
    waiting = asyncio.create_task(client.wait_for_kernel_idle())
    await asyncio.sleep(0)
    await client.shutdown()
    with pytest.raises(ClientClosed):
        await waiting


async def test_states_from_the_subscribe_reply(make_world):
    world = make_world()
    world.server.cell_states = [CellState(cell_id="a", state=OK)]
    await world.server.set_kernel("busy")
    client = await world.ready()
    assert client.kernel_state == "busy"
    assert client.kernel_status.kernel.name == "python3"
    assert client.cell_states == {"a": OK}


async def test_bulk_updates_replace_the_whole_table(world, until):
    client = await world.ready()
    await world.server.set_states(a=OK, b="executing")
    await until(lambda: len(client.cell_states) == 2)
    before = client.cell_states
    await world.server.set_states(b=OK)
    await until(lambda: client.cell_states == {"b": OK})
    assert before == {"a": OK, "b": "executing"}  # swapped, never emptied


async def test_events_of_another_notebook_are_ignored(world, until):
    client = await world.ready()
    other = kernel_channel(world.server.version_id)
    states = {"cell_states": [CellState(cell_id="a", state=OK)]}
    await world.server.push(BulkCellStateUpdateResponse(channel=other, data=states))
    await client.replace_cell_content("a", "x")
    assert client.cell_states == {}
