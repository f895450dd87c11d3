"""Drives the third-party client, unchanged, against a server.

Runs in an environment of its own that knows nothing of this package: ``python peer_script.py
API_URL TOKEN PROJECT_ID``. Prints one JSON line with what it saw; any failure is an exit code.
"""

import asyncio
import json
import sys
import uuid

from diff_match_patch import diff_match_patch
from origami.clients.api import APIClient
from origami.models.notebook import CodeCell, MarkdownCell, Notebook


def patch(old, new):
    library = diff_match_patch()
    return library.patch_toText(library.patch_make(old, new))


async def wait(awaitable, seconds=30):
    return await asyncio.wait_for(awaitable, seconds)


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


async def resources(api, project_id):
    """Users, spaces, projects, files, versions, sharing."""
    user = await api.user_info()
    space = await api.create_space("A space", "for the test")
    assert (await api.get_space(space.id)).name == "A space"
    project = await api.create_project(space.id, "A project")
    assert [p.id for p in await api.list_space_projects(space.id)] == [project.id]
    assert (await api.get_project(project.id)).space_id == space.id
    plain = await api.create_file(project.id, "data/table.csv", b"a,b\n1,2\n")
    assert await api.get_file_content(plain.id) == b"a,b\n1,2\n"
    nested = await api.create_notebook(
        project.id, "nested/deep.ipynb", Notebook(cells=[CodeCell(id="n", source="1")])
    )
    found = await api.list_project_files(project.id)
    assert {str(f.path) for f in found} == {"data/table.csv", "nested/deep.ipynb"}, found
    versions = await api.get_file_versions(nested.id)
    assert [v.number for v in versions] == [0]
    assert await api.share_file(nested.id, user.handle, "viewer") == 1
    assert await api.unshare_file(nested.id, user.handle) == 1
    await api.change_project_visibility(project.id, "private")
    assert (await api.delete_file(plain.id)).deleted_at is not None
    assert (await api.delete_project(project.id)).deleted_at is not None
    await api.delete_space(space.id)


async def edit(api, file):
    """Two clients on one notebook: add, patch, replace, change type, delete."""
    one = await wait(api.connect_realtime(file))
    two = await wait(api.connect_realtime(file))
    assert one.builder.nb.cells[0].source == "x = 20\nx + 1"

    added = await wait(one.add_cell(source="print('added')", after_id="first"))
    text = await wait(one.add_cell(cell=MarkdownCell(id="text", source="# A title")))
    assert one.cell_ids[-1] == text.id == "text"
    patched = await wait(one.update_cell_content("first", patch("x = 20\nx + 1", "x = 21\nx + 1")))
    assert patched.source == "x = 21\nx + 1"
    both = await asyncio.gather(
        wait(one.update_cell_content("text", patch("# A title", "# A fine title"))),
        wait(two.update_cell_content("text", patch("# A title", "# A title!"))),
    )
    assert {cell.source for cell in both} >= {"# A fine title!"}
    doomed = await wait(two.add_cell(source="gone"))
    await wait(two.delete_cell(doomed.id))
    await wait(until(lambda: doomed.id not in one.cell_ids))  # or `one` would add below it
    sql = await wait(one.add_cell(source="select 1"))
    await wait(one.change_cell_type(sql.id, "sql"))
    await wait(one.delete_cell(sql.id))
    replaced = await wait(one.replace_cell_content(added.id, "print('replaced')\n40 + 2"))
    assert replaced.source == "print('replaced')\n40 + 2"
    try:
        await wait(one.update_cell_content(added.id, "@@ -1,4 +1,4 @@\n-wxyz\n+abcd\n"))
    except Exception as exc:
        rejected = str(exc)
    else:
        raise AssertionError("a patch that does not apply was accepted")
    return one, two, added.id, rejected


async def execute(api, one, file):
    """Launch a kernel, run all, read the collections."""
    session = await api.launch_kernel(file.id)
    assert (await api.launch_kernel(file.id)).id == session.id
    await wait(one.wait_for_kernel_idle())
    queued = await wait(one.queue_execution(run_all=True))
    done, pending = await asyncio.wait(queued, timeout=30)
    assert not pending, one.cell_states
    outputs = {}
    for future in done:
        cell = future.result()
        collection = await api.get_output_collection(uuid.UUID(str(cell.output_collection_id)))
        outputs[cell.source] = [output.content.raw for output in collection.outputs]
    await wait(one.wait_for_kernel_idle())

    failing = await wait(one.add_cell(source="1 / 0"))
    queued = await wait(one.queue_execution(cell_id=failing.id))
    await asyncio.wait(queued, timeout=30)
    assert one.cell_states[failing.id] == "finished_with_error", one.cell_states
    await api.shutdown_kernel(session.id)
    return outputs


async def settle(one, two):
    for _ in range(600):
        if one.builder.last_applied_delta_id == two.builder.last_applied_delta_id:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the clients did not converge")


def content(client):
    return json.loads(client.builder.nb.model_dump_json())


async def main(api_url, token, project_id):
    api = APIClient(authorization_token=token, api_base_url=api_url)
    await resources(api, uuid.UUID(project_id))
    seed = Notebook(cells=[CodeCell(id="first", source="x = 20\nx + 1")])
    file = await api.create_notebook(uuid.UUID(project_id), "peer/lesson.ipynb", seed)
    one, two, _, rejected = await edit(api, file)
    outputs = await execute(api, one, file)
    await settle(one, two)
    three = await wait(api.connect_realtime(file))
    await settle(one, three)
    same = content(one) == content(two) == content(three)
    sources = [cell.source for cell in three.builder.nb.cells]
    for client in (one, two, three):
        await client.shutdown(now=True)
    print(json.dumps({"outputs": outputs, "rejected": rejected, "same": same, "sources": sources}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
