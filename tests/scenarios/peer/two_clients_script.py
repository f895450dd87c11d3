"""Two of the third-party client, unchanged, in one notebook at the same time.

Runs in the peer's environment: ``python two_clients_script.py API_URL TOKEN PROJECT_ID``. Prints
one JSON line with what it saw; any failure, and anything that hangs, is an exit code.
"""

import asyncio
import json
import random
import sys
import uuid

import httpx
from diff_match_patch import diff_match_patch
from origami.clients.api import APIClient
from origami.clients.rtu import DeltaRejected
from origami.models.deltas.delta_types.nb_cells import NBCellsMove
from origami.models.notebook import CodeCell, MarkdownCell, Notebook
from origami.notebook.builder import CellNotFound

ROUNDS = 30
DRAWN_LOTS = 20260401


async def wait(awaitable, seconds=20):
    return await asyncio.wait_for(awaitable, seconds)


def patch(old, new):
    library = diff_match_patch()
    return library.patch_toText(library.patch_make(old, new))


def source(client, cell_id):
    return client.builder.get_cell(cell_id)[1].source


async def move(client, cell_id, after_id):
    delta = NBCellsMove(file_id=client.file_id, properties={"id": cell_id, "after_id": after_id})
    await client.new_delta_request(delta)


# ---------------------------------------------------------------- everybody at once


async def insert_line(client, line, lots):
    """Put a line of one's own somewhere into the cell that all write in."""
    old = source(client, "shared")
    lines = old.splitlines(keepends=True)
    lines.insert(lots.randint(0, len(lines)), f"{line}\n")
    await client.update_cell_content("shared", patch(old, "".join(lines)))


async def storm(client, name, seen, halfway):
    """Edit one cell and the order of all; returns how often the server said no."""
    lots = random.Random(f"{DRAWN_LOTS} {name}")
    for n in range(ROUNDS):
        if n == ROUNDS // 2:
            halfway.set()
        action = lots.choice(["insert", "insert", "insert", "add", "move", "delete"])
        others = [cell_id for cell_id in client.cell_ids if cell_id != "shared"]
        try:
            if action == "insert":
                await wait(insert_line(client, f"{name}{n}", lots))
                seen["lines"].append(f"{name}{n}")
            elif action == "add":
                cell = CodeCell(id=f"{name}-{n}", source=f"# by {name}")
                await wait(client.add_cell(cell=cell, after_id=lots.choice(client.cell_ids)))
            elif action == "move" and len(others) > 1:
                moved, place = lots.sample(others, 2)
                await wait(move(client, moved, lots.choice([place, "shared", None])))
            elif action == "delete" and len(others) > 2:
                await wait(client.delete_cell(lots.choice(others)))
        except DeltaRejected:  # the others were quicker: their cell has gone, or its text is new
            seen["refused"] += 1
        except CellNotFound:  # gone between the server's yes and the look at the result
            seen["refused"] += 1


async def together(api, file, one, two):
    """Both clients edit in two places at once, while a third one comes in."""
    seen, halfway = {"lines": [], "refused": 0}, asyncio.Event()

    async def late():
        await halfway.wait()
        return await wait(api.connect_realtime(file))

    *_, third = await asyncio.gather(
        storm(one, "a", seen, halfway),
        storm(one, "b", seen, halfway),
        storm(two, "c", seen, halfway),
        storm(two, "d", seen, halfway),
        late(),
    )
    await settle(one, two, third)
    kept = source(one, "shared").splitlines()
    assert sorted(kept) == sorted(["start", *seen["lines"]]), (kept, seen)
    return third, {"lines": len(seen["lines"]), "refused": seen["refused"]}


# ---------------------------------------------------------------- a connection that is lost


async def lost_and_back(one, two):
    """One's connection breaks, the other edits on; returns how many deltas the catch-up had."""
    caught_up, edited = asyncio.get_running_loop().create_future(), asyncio.Event()
    reset = one.disconnect_hook

    async def on_file_subscribe(msg):
        if not caught_up.done():
            caught_up.set_result([str(delta.id) for delta in msg.data.deltas_to_apply])

    async def stay_away(*args):
        await reset(*args)
        await edited.wait()

    first = await wait(two.add_cell(source="before"))
    await settle(one, two)
    one.on_file_subscribe = on_file_subscribe
    one.manager.disconnect_hook = stay_away
    socket = await one.manager.authed_ws
    socket.transport.abort()
    missed = []
    cell = await wait(two.add_cell(source="while you were away", after_id=first.id))
    missed.append(str(two.builder.last_applied_delta_id))
    await wait(two.update_cell_content(cell.id, patch("while you", "While you")))
    missed.append(str(two.builder.last_applied_delta_id))
    await wait(two.delete_cell(first.id))
    missed.append(str(two.builder.last_applied_delta_id))
    edited.set()
    assert await wait(caught_up) == missed
    assert one.manager.reconnections == 1
    await settle(one, two)
    again = await wait(one.add_cell(source="# and here I am again"))
    await settle(one, two)
    await wait(two.delete_cell(again.id))
    await wait(two.delete_cell(cell.id))
    await settle(one, two)  # else one may add a cell after what has just gone
    return len(missed)


# ---------------------------------------------------------------- refusals


async def refused(awaitable):
    try:
        await wait(awaitable)
    except DeltaRejected as exc:
        return str(exc)
    raise AssertionError("it was accepted")


async def refusals(one, two):
    """Return what the client is told when it asks for the impossible."""
    doomed = await wait(one.add_cell(source="doomed"))
    await settle(one, two)
    results = await asyncio.gather(
        wait(one.delete_cell(doomed.id)), wait(two.delete_cell(doomed.id)), return_exceptions=True
    )
    losers = [str(result) for result in results if isinstance(result, DeltaRejected)]
    assert len(losers) == 1, results
    said = {
        "double delete": losers[0],
        "unknown cell": await refused(one.replace_cell_content("nobody", "x")),
        "unknown cell, patch": await refused(one.update_cell_content("nobody", patch("a", "b"))),
        "unknown cell, move": await refused(move(one, "nobody", "shared")),
        "unparsable patch": await refused(one.update_cell_content("shared", "@@ nonsense @@\n+x")),
        "patch that does not apply": await refused(
            one.update_cell_content("shared", patch("completely different", "quite different"))
        ),
        "move after itself": await refused(move(one, "shared", "shared")),
        "id taken": await refused(one.add_cell(cell=CodeCell(id="shared"))),
        "id spent": await refused(one.add_cell(cell=CodeCell(id=doomed.id))),
        "oversized": await refused(one.replace_cell_content("shared", "x" * 1_500_000)),
    }
    await settle(one, two)
    return said


# ---------------------------------------------------------------- running


async def finished(client, queued):
    done, pending = await asyncio.wait(queued, timeout=30)
    assert not pending, client.cell_states
    return {queued[future]: client.cell_states[queued[future]] for future in done}


async def outputs(api, client, cell_id):
    collection_id = client.builder.get_cell(cell_id)[1].output_collection_id
    collection = await api.get_output_collection(uuid.UUID(str(collection_id)))
    assert collection.cell_id == cell_id
    return str(collection_id), [
        [output.type, output.content.mimetype, output.content.raw, output.available_mimetypes]
        for output in collection.outputs
    ]


async def run(api, file, one, two):
    """Run all with an error in the middle, mend it, run again."""
    for cell_id in [cell_id for cell_id in one.cell_ids if cell_id != "shared"]:
        await wait(one.delete_cell(cell_id))
    await wait(one.change_cell_type("shared", "markdown"))
    cells = {
        "loud": "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7",
        "rich": "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))",
        "broken": "1 / zero",
        "after": "'reached'",
        "blank": "  \n",
    }
    for cell_id, text in cells.items():
        await wait(one.add_cell(cell=CodeCell(id=cell_id, source=text)))
    await settle(one, two)
    session = await api.launch_kernel(file.id)
    await asyncio.gather(wait(one.wait_for_kernel_idle()), wait(two.wait_for_kernel_idle()))

    first = await finished(one, await wait(one.queue_execution(run_all=True)))
    await settle(one, two)
    before = {name: await outputs(api, one, name) for name in ("loud", "rich", "broken")}
    await wait(one.wait_for_kernel_idle())

    # The other one mends it and runs everything again.
    await wait(two.update_cell_content("broken", patch("1 / zero", "1 / 2")))
    await wait(two.wait_for_kernel_idle())
    second = await finished(two, await wait(two.queue_execution(run_all=True)))
    await settle(one, two)
    after = {name: await outputs(api, one, name) for name in ("loud", "rich", "broken", "after")}
    for name, (collection_id, _) in before.items():
        assert after[name][0] != collection_id, f"{name} was run again into the same collection"
    await wait(one.wait_for_kernel_idle())
    third = await finished(one, await wait(one.queue_execution(after_id="broken")))
    await settle(one, two)
    last = await outputs(api, two, "after")
    assert last[0] != after["after"][0]
    assert last[1] == after["after"][1]
    await until(lambda: one.cell_states == two.cell_states)
    await api.shutdown_kernel(session.id)
    return {
        "first": first,
        "second": second,
        "third": third,
        "outputs": {name: found for name, (_, found) in after.items()},
        "broken": before["broken"][1],
    }


# ---------------------------------------------------------------- files and versions


async def files(api, project_id):
    """Plain files and nested paths, replaced contents, and what is no notebook."""
    binary = bytes(range(256)) * 40
    plain = await api.create_file(project_id, "a/b/c/data.bin", binary)
    assert (plain.filename, str(plain.path)) == ("data.bin", "a/b/c/data.bin")
    assert await api.get_file_content(plain.id) == binary
    empty = await api.create_file(project_id, "empty.txt", b"")
    assert await api.get_file_content(empty.id) == b""
    nested = await api.create_notebook(
        project_id, "a/b/deep.ipynb", Notebook(cells=[MarkdownCell(id="t", source="# deep")])
    )
    content = json.loads(await api.get_file_content(nested.id))
    assert content["cells"][0]["source"] == "# deep"
    listed = {str(found.path) for found in await api.list_project_files(project_id)}
    assert {"a/b/c/data.bin", "empty.txt", "a/b/deep.ipynb"} <= listed, listed
    await api.delete_file(nested.id)
    gone = await api.client.get(f"/v1/files/{nested.id}")
    assert gone.status_code == 404, gone.text


async def versions(api, file, one):
    """Save a version in the middle; whoever joins from it sees what whoever was there sees."""
    response = await api.client.post(f"/v1/files/{file.id}/versions", json={"name": "middle"})
    assert response.status_code == 201, response.text
    listed = await api.get_file_versions(file.id)
    assert [version.number for version in listed] == list(range(len(listed)))[::-1], listed
    assert listed[0].name == "middle"
    joined = await wait(api.connect_realtime(file))
    assert joined.file_version_id == listed[0].id
    await settle(one, joined)
    assert cells(joined) == cells(one)
    await joined.shutdown(now=True)
    async with httpx.AsyncClient() as plain:
        saved = (await plain.get(listed[0].content_presigned_url)).json()
    assert [cell["id"] for cell in saved["cells"]] == one.cell_ids


async def restored(api, file, *clients):
    """Restore that version: everybody is told, loads the notebook anew and goes on."""
    middle = next(v for v in await api.get_file_versions(file.id) if v.name == "middle")
    one, two = clients[:2]
    before = cells(one)
    await wait(one.replace_cell_content("shared", "spoiled"))
    await settle(*clients)
    response = await api.client.post(f"/v1/files/{file.id}/versions/{middle.id}/restore")
    assert response.status_code == 200, response.text
    await until(lambda: all(cells(client) == before for client in clients))
    await until(lambda: all(client.inconsistent_state_event_count == 1 for client in clients))
    text = source(two, "shared")
    await wait(two.update_cell_content("shared", patch(text, text.replace("start", "Start"))))
    await settle(*clients)
    assert source(one, "shared") == source(two, "shared")
    assert "Start" in source(one, "shared")


async def invited(api, file, one):
    """Somebody comes with an invitation, is refused, becomes more, and is shown out."""
    path = f"/v1/files/{file.id}/invites"
    invite = (await api.client.post(path, json={"role": "viewer", "name": "Ann"})).json()
    theirs = APIClient(authorization_token=invite["token"], api_base_url=api.api_base_url)
    assert (await theirs.user_info()).first_name == "Ann"
    guest = await wait(theirs.connect_realtime(file))
    await settle(one, guest)
    said = [await refused(guest.replace_cell_content("shared", "by Ann"))]
    change = await api.client.patch(f"{path}/{invite['id']}", json={"role": "contributor"})
    assert change.status_code == 200, change.text
    cell = await wait(guest.add_cell(source="# by Ann"))
    await settle(one, guest)
    await wait(one.delete_cell(cell.id))
    await settle(one, guest)
    assert (await api.client.delete(f"{path}/{invite['id']}")).status_code == 204
    said.append(await refused(guest.replace_cell_content("shared", "by Ann")))
    await guest.shutdown(now=True)
    return said


async def until(condition):
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("it did not come to that")


async def settle(*clients):
    await until(lambda: len({client.builder.last_applied_delta_id for client in clients}) == 1)


def cells(client):
    return [
        [cell.id, cell.cell_type, cell.source, cell.metadata] for cell in client.builder.nb.cells
    ]


async def main(api_url, token, project_id):
    api = APIClient(authorization_token=token, api_base_url=api_url)
    project = uuid.UUID(project_id)
    await files(api, project)
    seed = Notebook(cells=[CodeCell(id="shared", source="start\n")])
    file = await api.create_notebook(project, "peer/together.ipynb", seed)
    one, two = await asyncio.gather(
        wait(api.connect_realtime(file)), wait(api.connect_realtime(file))
    )
    third, storm_seen = await together(api, file, one, two)
    replayed = await lost_and_back(one, two)
    said = await refusals(one, two)
    await versions(api, file, one)
    await restored(api, file, one, two, third)
    said["invited"] = await invited(api, file, one)
    ran = await run(api, file, one, two)
    fresh = await wait(api.connect_realtime(file))
    everybody = (one, two, third, fresh)
    await settle(*everybody)
    found = [cells(client) for client in everybody]
    same = all(other == found[0] for other in found)
    for client in everybody:
        assert not client.unapplied_deltas, client.unapplied_deltas
        await client.shutdown(now=True)
    print(
        json.dumps(
            {
                "file_id": str(file.id),
                "storm": storm_seen,
                "replayed": replayed,
                "refused": said,
                "run": ran,
                "same": same,
                "cells": found[0],
            },
            default=str,
        )
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
