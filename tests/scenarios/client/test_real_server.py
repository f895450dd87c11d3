"""The client against the real server."""

import asyncio
import json
import os
import signal

import pytest

from rtu_magics.client import APIClient
from rtu_magics.errors import AuthenticationFailed, DeltaRejected, FileUnknown, KernelUnknown
from rtu_magics.models import AppendOutputEvent, MarkdownCell, Notebook

from ...helpers.server import running_server, start_server

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


@pytest.fixture
async def api(server):
    async with APIClient(server.token, server.api_url) as found:
        yield found


@pytest.fixture
async def live(api, request):
    """A fresh notebook and a live copy of it."""
    file = await api.open_file(f"{request.node.name[:40]}.ipynb", create=True)
    client = await api.connect_realtime(file)
    yield file, client
    await client.shutdown()


async def test_the_server_says_what_it_is(api, server):
    info = await api.info()
    assert str(info.space_id) == server.space_id
    assert info.pid == server.pid
    assert (await api.user_info()).handle
    assert [str(p.id) for p in await api.list_space_projects(info.space_id)] == [server.project_id]


async def test_upload_and_download(api):
    info = await api.info()
    notebook = Notebook(cells=[MarkdownCell(id="t", source="# Hi")])
    file = await api.create_notebook(info.project_id, "nested/up.ipynb", notebook)
    assert json.loads(await api.get_file_content(file.id))["cells"][0]["source"] == "# Hi"
    assert "nested/up.ipynb" in [f.path for f in await api.list_notebooks()]
    assert [v.number for v in await api.get_file_versions(file.id)] == [0]


async def test_unknown_things(api):
    with pytest.raises(FileUnknown):
        await api.open_file("not there.ipynb")
    with pytest.raises(FileUnknown):
        await api.get_file((await api.info()).space_id)
    file = await api.open_file("k.ipynb", create=True)
    with pytest.raises(KernelUnknown, match="python3"):
        await api.launch_kernel(file.id, "no-such-kernel")
    assert await api.get_session(file.id) is None


async def test_a_wrong_token(server, api):
    file = await api.open_file("t.ipynb", create=True)
    async with APIClient("wrong", server.api_url) as other:
        with pytest.raises(AuthenticationFailed):
            await other.get_file(file.id)
        # The socket asks too, not only the REST calls before it.
        other.load_notebook = api.load_notebook
        with pytest.raises(AuthenticationFailed):
            await other.connect_realtime(file)


async def test_edits_reach_the_other_client_and_the_disk(api, live, server):
    file, client = live
    assert client.user_id is not None
    assert client.rtu_session_id
    other = await api.connect_realtime(file)
    cells = [await client.add_cell(f"x = {i}") for i in range(3)]
    await client.change_cell_type(cells[0].id, "markdown")
    await client.move_cell(cells[2].id)
    await client.delete_cell(cells[1].id)
    while other.builder.last_applied_delta_id != client.builder.last_applied_delta_id:
        await asyncio.sleep(0.005)
    assert other.builder.dumps() == client.builder.dumps()
    await api.save_file(file.id)
    disk = json.loads((server.root / file.path).read_text())
    assert [cell["id"] for cell in disk["cells"]] == client.cell_ids
    with pytest.raises(DeltaRejected):
        await client.add_cell(cell=MarkdownCell(id=cells[1].id))  # a spent id
    await other.shutdown()


async def test_many_at_once(live):
    _, client = live
    cell = await client.add_cell("0")
    await asyncio.gather(*(client.replace_cell_content(cell.id, f"{i}") for i in range(300)))
    assert client.builder.cell(cell.id).source == "299"


@pytest.mark.kernel
async def test_run_and_read_outputs(api, live):
    file, client = live
    outputs = []
    client.register_rtu_event_callback(AppendOutputEvent, lambda msg: outputs.append(msg.data))
    good = await client.add_cell("print('hello')\n2 + 2")
    bad = await client.add_cell("1 / 0")
    await api.launch_kernel(file.id)
    await client.wait_for_kernel_idle(30)
    queued = await client.queue_execution(run_all=True)
    assert sorted(queued.values()) == sorted([good.id, bad.id])
    _, pending = await asyncio.wait(queued, timeout=30)
    assert not pending
    assert client.cell_states[good.id] == "finished_with_no_error"
    assert client.cell_states[bad.id] == "finished_with_error"
    cells = {cell_id: future.result() for future, cell_id in queued.items()}
    collection = await api.get_output_collection(cells[good.id].output_collection_id)
    assert [o.content.raw for o in collection.outputs] == ["hello\n", "4"]
    assert [o.type for o in outputs] == ["stream", "execute_result", "error"]
    # Once more: futures of their own, each resolved by its own run.
    (again,) = await client.queue_execution(good.id)
    assert (await asyncio.wait_for(again, 30)).id == good.id
    session = await api.get_session(file.id)
    await api.shutdown_kernel(session.session_id)


@pytest.mark.kernel
async def test_a_running_cell_can_be_interrupted(api, live):
    file, client = live
    cell = await client.add_cell("import time\ntime.sleep(60)")
    session = await api.launch_kernel(file.id)
    await client.wait_for_kernel_idle(30)
    (future,) = await client.queue_execution(cell.id)
    while client.cell_states.get(cell.id) != "executing":
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    await api.interrupt_kernel(session.id)
    await asyncio.wait_for(future, 10)
    assert client.cell_states[cell.id] == "finished_with_error"
    await api.shutdown_kernel(session.id)


async def test_kill_minus_nine_under_a_stream_of_edits(tmp_path):
    """Acknowledged edits survive, those in flight come back, none is doubled."""
    server = start_server(tmp_path)
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    try:
        async with APIClient(server.token, server.api_url) as api:
            file = await api.open_file("k.ipynb", create=True)
            client = await api.connect_realtime(file)
            tasks = []
            for i in range(80):
                tasks.append(asyncio.create_task(client.add_cell(f"{i}")))
                if i == 40:
                    os.kill(server.pid, signal.SIGKILL)
                    server.kill()
                await asyncio.sleep(0.002)
            acknowledged = {t.result().source for t in tasks if t.done()}
            server = start_server(tmp_path, token=server.token, port=port)
            cells = await asyncio.wait_for(asyncio.gather(*tasks), 30)
            sources = [cell.source for cell in client.builder.cells]
            assert sorted(map(int, sources)) == list(range(80))
            assert acknowledged <= set(sources)
            assert len({cell.id for cell in cells}) == 80
            assert client.manager.reconnections >= 1
            other = await api.connect_realtime(file)
            assert other.cell_ids == client.cell_ids
            await other.shutdown()
            await client.shutdown()
    finally:
        server.stop()
