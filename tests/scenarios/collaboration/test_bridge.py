"""A notebook that a page has open and our clients follow: one notebook, live on both sides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook
from ..server.test_disk import change, eventually, load, sources
from .conftest import Lab, Page

# The first of them may have to make the environment.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]

StartLab = Callable[..., Lab]
WriteLive = Callable[..., Path]
OpenPage = Callable[..., Page]


async def ask(page: Page, command: str) -> Any:
    return await asyncio.to_thread(page.ask, command)


async def texts(lab: Lab, file_id: str) -> list[str]:
    return sources(await current_notebook(lab, file_id))


async def all_hold(lab: Lab, file_id: str, page: Page, wanted: list[str], path: Path) -> None:
    async def here() -> bool:
        held = await texts(lab, file_id)
        assert held == wanted
        return True

    async def there() -> bool:
        shown = await ask(page, "sources")
        assert shown == wanted
        return True

    await eventually(here, 60)
    await eventually(there, 60)
    await eventually(lambda: sources(load(path)) == wanted, 60)


def is_deletion(message: Any) -> bool:
    delta = message["data"]
    return (delta["delta_type"], delta["delta_action"]) == ("nb_cells", "delete")


async def name_of(lab: Lab, file_id: str, user_id: str) -> str:
    found = await get(lab, f"/files/{file_id}/shareable-users?q={user_id}")
    return found["data"][0]["handle"]


@pytest.mark.parametrize("first", ["page", "us"])
async def test_edits_go_both_ways(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
    first: str,
) -> None:
    replaced = live_lab.log.read_text().lower().count("out-of-band")
    path = write_live("x = 1", "y = 2")
    if first == "page":
        page = await asyncio.to_thread(open_page, live_lab, path.name)
        await ask(page, "type 0 00")
        file_id = await open_notebook(live_lab, path.name)
    else:
        file_id = await open_notebook(live_lab, path.name)
        async with follow(live_lab, file_id) as client:
            await client.change("cell_contents", "replace", {"source": "x = 100"}, "c1")
            page = await asyncio.to_thread(open_page, live_lab, path.name)
    await all_hold(live_lab, file_id, page, ["x = 100", "y = 2"], path)
    async with follow(live_lab, file_id) as client:
        await ask(page, "type 1 0")
        event = await client.wait_for("new_delta_event")
        assert event["data"]["resource_id"] == "c2"
        await client.change("cell_contents", "replace", {"source": "y = 20  # é😀"}, "c2")
        await client.add("new", "z = 3", after_id="c2")

        async def arrived() -> bool:
            return await ask(page, "sources") == ["x = 100", "y = 20  # é😀", "z = 3"]

        await eventually(arrived)
        await ask(page, "delete 0")
        event = await client.wait_for("new_delta_event", is_deletion)
        assert await name_of(live_lab, file_id, event["data"]["created_by_id"]) == "ann"
        await all_hold(live_lab, file_id, page, ["y = 20  # é😀", "z = 3"], path)
        response = await call(live_lab, "POST", f"/v1/files/{file_id}/save")
        assert response.status_code == 200, response.text
        assert (await get(live_lab, f"/v1/files/{file_id}/save"))["state"] == "clean"
    if first == "page":  # else we may have written the file after the page had loaded it
        assert live_lab.log.read_text().lower().count("out-of-band") == replaced


async def test_both_type_at_once(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    """In different cells, in the same one, and right after each other: nothing is lost."""
    path = write_live("x = 1", "y = 2", "# ")
    file_id = await open_notebook(live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        page = await asyncio.to_thread(open_page, live_lab, path.name)
        typed = ours = ""
        for n in range(26):
            letter = chr(97 + n)
            typed += letter
            await ask(page, f"type 1 {letter}")
            await client.change("cell_contents", "replace", {"source": f"x = {n}"}, "c1")
            await ask(page, f"insert 2 0 {letter}")
            ours += letter
            now = sources(await current_notebook(live_lab, file_id))[2]
            patch = make_patch(now, now + letter)  # of what may be old by now
            await client.change("cell_contents", "update", {"patch": patch}, "c3")
            await asyncio.sleep(0.05)
        held = await texts(live_lab, file_id)
        assert held[:2] == ["x = 25", f"y = 2{typed}"]
        assert sorted(held[2].replace("# ", "")) == sorted(typed + ours)
        await all_hold(live_lab, file_id, page, held, path)
    log = live_lab.log.read_text()
    assert "Traceback" not in log, log
    assert json.loads(path.read_text())["cells"][0]["id"] == "c1"


async def test_the_page_undoes_only_its_own_and_offline_edits_arrive(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "y = 2", "z = 3")
    file_id = await open_notebook(live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        page = await asyncio.to_thread(open_page, live_lab, path.name)
        other = await asyncio.to_thread(open_page, live_lab, path.name, "ben")
        await ask(page, "type 0 0")
        event = await client.wait_for("new_delta_event")
        patch = make_patch("x = 10", "x = 10  # ours")
        await client.change("cell_contents", "update", {"patch": patch}, "c1")
        await ask(page, "delete 1")
        await client.wait_for("new_delta_event", is_deletion)
        await ask(page, "undo")
        event = await client.wait_for("new_delta_event")
        again = event["data"]["properties"]["id"]
        assert again != "c2"  # its id is spent
        await ask(page, "undo")
        await all_hold(live_lab, file_id, page, ["x = 1  # ours", "y = 2", "z = 3"], path)

        await ask(page, "offline")
        await ask(page, "type 0 !")
        await ask(page, "move 2 0")
        await ask(other, "type 1 ?")
        await client.wait_for("new_delta_event", lambda m: m["data"]["resource_id"] == again)
        await client.change("nb_cells", "move", {"id": "c3", "after_id": "c1"})
        await client.change("cell_contents", "replace", {"source": "z = 33"}, "c3")
        await ask(page, "online")

        async def same() -> bool:
            held = await texts(live_lab, file_id)
            assert sorted(held) == ["x = 1  # ours!", "y = 2?", "z = 33"]
            return held == await ask(page, "sources") == await ask(other, "sources")

        await eventually(same, 60)
        await all_hold(live_lab, file_id, other, await texts(live_lab, file_id), path)


async def test_another_program_writes_the_file(
    start_lab: StartLab,
    open_page: OpenPage,
    place: Path,
    write_notebook: Any,
) -> None:
    """The live document takes the file over whole; what was in neither file nor save comes back."""
    path = write_notebook(place / "n.ipynb", "x = 1", "y = 2", "z = 3")
    lab = start_lab("--YDocExtension.document_save_delay=30", rtu=True)
    file_id = await open_notebook(lab, "n.ipynb")
    page = await asyncio.to_thread(open_page, lab, "n.ipynb")
    async with follow(lab, file_id) as client:
        await ask(page, "type 0 0")
        await all_hold(lab, file_id, page, ["x = 10", "y = 2", "z = 3"], path)
        await asyncio.sleep(1.5)  # what the file holds is known to all
        await ask(page, "type 0 0")
        change(path, lambda nb: nb["cells"][2].update(source="z = 'theirs'"))
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        await ask(page, "type 0 0")
        wanted = ["x = 1000", "y = 'ours'", "z = 'theirs'"]
        await all_hold(lab, file_id, page, wanted, path)
        await ask(page, "type 0 0")
        await client.add("more", "m", after_id="c3")
        await all_hold(lab, file_id, page, ["x = 10000", *wanted[1:], "m"], path)


async def test_who_is_in_the_page_is_here(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    """With their name, their cell, and until they leave; an edit of theirs has the same author."""
    path = write_live("x = 1", "y = 2")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name, "ada")

    def is_ada(message: Any) -> bool:
        return message["data"]["user_name"] == "ada"

    async with follow(live_lab, file_id) as client:
        shown = "update_user_file_subscription_event"
        here = [one for one in client.reply["user_subscriptions"] if one["user_name"] == "ada"]
        ada = (here or [(await client.wait_for(shown, is_ada))["data"]])[0]
        await ask(page, "cursor 1 2")
        told = await client.wait_for(shown, lambda m: is_ada(m) and m["data"]["cell_id_selected"])
        assert told["data"]["cell_id_selected"] == "c2"
        await ask(page, "type 0 0")
        event = await client.wait_for("new_delta_event")
        assert event["data"]["created_by_id"] == ada["user_id"]
        async with follow(live_lab, file_id) as other:
            people = {one["user_name"]: one for one in other.reply["user_subscriptions"]}
            assert people["ada"]["cell_id_selected"] == "c2"
        listed = await get(live_lab, f"/v1/files/{file_id}/people")
        found = next(one for one in listed if one["name"] == "ada")
        assert (found["in_page"], found["role"], found["cell_id_selected"]) == (True, "owner", "c2")
        await asyncio.to_thread(page.leave)
        gone = await client.wait_for("remove_user_file_subscription_event")
        assert gone["data"]["user_id"] == ada["user_id"]


async def test_what_no_delta_says(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "y = 2")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        await client.change("cell_metadata", "replace", {"type": "markdown"}, "c1")

        async def retyped() -> bool:
            return (await ask(page, "notebook"))["cells"][0]["cell_type"] == "markdown"

        await eventually(retyped, 60)
        await ask(page, "attach 0 a.png")
        await client.wait_for("inconsistent_state_event")
    image = {"a.png": {"image/png": "iVBORw0KGgo="}}
    assert (await current_notebook(live_lab, file_id))["cells"][0]["attachments"] == image
    async with follow(live_lab, file_id) as client:
        await client.change("cell_contents", "replace", {"source": "![](a.png)"}, "c1")
        await eventually(lambda: load(path)["cells"][0].get("attachments") == image, 60)
        shown = await ask(page, "notebook")
        assert shown["cells"][0]["source"] == "![](a.png)"
        assert shown["cells"][0]["attachments"] == image


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_server_that_ends_at_once(
    start_lab: StartLab,
    open_page: OpenPage,
    place: Path,
    write_notebook: Any,
    how: str,
) -> None:
    """What the page did right before is in our chain, and in the page that comes back."""
    path = write_notebook(place / "n.ipynb", "x = 1", "y = 2")
    lab = start_lab(rtu=True)
    file_id = await open_notebook(lab, "n.ipynb")
    page = await asyncio.to_thread(open_page, lab, "n.ipynb")
    async with follow(lab, file_id) as client:
        await ask(page, "type 0 00")
        await client.wait_for("new_delta_event")
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        if how == "killed":
            lab.process.kill()
            lab.process.wait(10)
        else:
            await asyncio.to_thread(lab.stop)
    if how == "stopped":
        assert sources(load(path)) == ["x = 100", "y = 'ours'"]
    await asyncio.to_thread(page.leave)
    lab = start_lab(rtu=True)
    page = await asyncio.to_thread(open_page, lab, "n.ipynb")
    assert await open_notebook(lab, "n.ipynb") == file_id
    await all_hold(lab, file_id, page, ["x = 100", "y = 'ours'"], path)


async def test_a_notebook_that_is_renamed_in_the_page(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "y = 2")
    file_id = await open_notebook(live_lab, path.name)
    page, other = await asyncio.to_thread(open_page, live_lab, path.name), f"m-{path.name}"
    async with follow(live_lab, file_id) as client:
        await ask(page, "type 0 0")
        await client.wait_for("new_delta_event")
        response = await call(
            live_lab, "POST", f"/v1/files/{file_id}/rename", {"path": "other.ipynb"}
        )
        assert "rename it there" in response.text, "not behind the page's back"
        await rename(live_lab, path.name, other)
        await ask(page, "type 0 0")
        await client.wait_for("file_renamed_event")
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        await all_hold(live_lab, file_id, page, ["x = 100", "y = 'ours'"], live_lab.root / other)
    assert not path.exists()


async def rename(lab: Lab, old: str, new: str) -> None:
    async with httpx.AsyncClient(trust_env=False, headers=lab.headers) as http:
        url = f"{lab.url}api/contents/{old}"
        response = await http.patch(url, json={"path": new})
        assert response.status_code == 200, response.text


async def test_after_the_last_page_and_ours_are_gone(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "y = 2")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        await ask(page, "type 0 0")
        await client.wait_for("new_delta_event")
        await asyncio.to_thread(page.leave)
        await asyncio.sleep(3)  # past the time that a document without pages is kept for
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        await eventually(lambda: sources(load(path)) == ["x = 10", "y = 'ours'"], 60)
        page = await asyncio.to_thread(open_page, live_lab, path.name)
        await ask(page, "type 1 !")
        await all_hold(live_lab, file_id, page, ["x = 10", "y = 'ours'!"], path)
