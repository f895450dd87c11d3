"""Pages that are not live save over what others did: nothing is lost, and nobody is asked."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import follow, open_notebook, post
from ...helpers.server import RunningServer, running_server
from .conftest import Scene
from .page import FileChanged, Page, browser_of

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def browser(shared_server: RunningServer) -> Iterator[httpx.Client]:
    with browser_of(shared_server) as found:
        yield found


@pytest.fixture
def page(scene: Scene, browser: httpx.Client) -> Page:
    return Page(browser, scene.path.name).load()


def source(scene: Scene, name: str, value: Any) -> str:
    return f"{name} = {value}\n# of {scene.path.stem}"


async def test_several_saves_of_a_stale_page(scene: Scene, page: Page) -> None:
    mine, _ = scene.clients
    await mine.replace_cell_content("a", source(scene, "a", 10))
    await mine.add_cell("ours", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "ours")
    page.edit("b", source(scene, "b", 20))
    page.save()
    await scene.agree(
        lambda shown: (
            shown == [source(scene, "a", 10), source(scene, "b", 20), source(scene, "c", 3), "ours"]
        )
    )
    # It still shows what it had, and goes on from there.
    assert page.cell("a")["source"] == source(scene, "a", 1)
    page.edit("c", source(scene, "c", 30))
    page.save()
    await mine.replace_cell_content("b", source(scene, "b", 20) + "\nprint(b)")
    page.save()
    page.edit("b", "# first\n" + source(scene, "b", 20))
    page.save()
    await scene.agree(
        lambda shown: (
            shown
            == [
                source(scene, "a", 10),
                "# first\n" + source(scene, "b", 20) + "\nprint(b)",
                source(scene, "c", 30),
                "ours",
            ]
        )
    )
    versions = await scene.versions()
    before = [name for name in versions if name.startswith("Before ")]
    assert before, versions
    assert "".join(versions[before[-1]]["cells"][0]["source"]) == source(scene, "a", 10)
    assert "".join(versions[before[-1]]["cells"][1]["source"]) in (
        source(scene, "b", 2),
        source(scene, "b", 20) + "\nprint(b)",
    )


async def test_the_mark_goes_nowhere(scene: Scene, page: Page) -> None:
    assert page.content["metadata"]["rtu_magics"]["page"]
    page.edit("a", "a = 'saved'")
    page.save()
    await scene.agree(lambda shown: shown[0] == "a = 'saved'")
    assert "rtu_magics" not in scene.path.read_text()
    assert "rtu_magics" not in str(scene.clients[0].builder.nb.metadata)
    other = f"as-{scene.path.name}"
    body = {"type": "notebook", "format": "json", "content": page.content}
    assert page.http.put(f"/api/contents/{other}", json=body).status_code == 201
    assert "rtu_magics" not in (scene.path.parent / other).read_text()
    copied = page.http.post("/api/contents", json={"copy_from": scene.path.name})
    assert "rtu_magics" not in (scene.path.parent / copied.json()["name"]).read_text()


async def test_cells_moved_deleted_and_added_on_both_sides(scene: Scene, page: Page) -> None:
    mine, theirs = scene.clients
    await mine.move_cell("c", None)
    await theirs.add_cell("after a", after_id="a")
    await scene.agree(lambda shown: len(shown) == 4 and shown[0] == source(scene, "c", 3))
    page.delete("b")
    page.add("new", "new = 1", after="a")
    page.save()
    page.edit("new", "new = 2")
    page.save()
    await scene.agree(
        lambda shown: (
            shown[0] == source(scene, "c", 3)
            and source(scene, "b", 2) not in shown
            and sorted(shown[1:]) == sorted([source(scene, "a", 1), "new = 2", "after a"])
        )
    )
    cells = page.content["cells"]
    cells.insert(0, cells.pop())  # the page moves c where it shows it
    page.save()
    await mine.delete_cell("a")
    page.save()
    shown = await scene.agree(lambda shown: source(scene, "a", 1) not in shown)
    assert sorted(shown) == sorted([source(scene, "c", 3), "new = 2", "after a"])


async def test_a_cell_that_others_deleted_and_the_page_edits(scene: Scene, page: Page) -> None:
    await scene.clients[0].delete_cell("b")
    await scene.agree(lambda shown: len(shown) == 2)
    page.save()
    page.edit("b", "b = 'still wanted'")
    page.save()
    shown = await scene.agree(lambda shown: "b = 'still wanted'" in shown)
    page.edit("b", "b = 'still wanted, and more'")
    page.save()
    page.ran("b", "ran\n", 7)
    page.save()
    shown = await scene.agree(lambda shown: "b = 'still wanted, and more'" in shown)
    assert len(shown) == 3
    cell = json.loads(scene.path.read_text())["cells"][1]
    assert cell["execution_count"] == 7
    assert cell["id"] != "b"
    gone = page.delete("b")
    page.save()
    await scene.agree(lambda shown: len(shown) == 2)
    page.content["cells"].append(gone)  # undo
    page.save()
    await scene.agree(lambda shown: shown[-1] == "b = 'still wanted, and more'")


async def test_both_change_the_same_words(scene: Scene, page: Page) -> None:
    async with follow(scene.server, str(scene.file_id)) as follower:
        await scene.clients[0].replace_cell_content("a", "x = 'one thing'")
        await scene.agree(lambda shown: shown[0] == "x = 'one thing'")
        page.edit("a", "quite_another(1, 2, 3)")
        page.save()
        told = await follower.wait_for(
            "v0_file_versions_changed_event", lambda m: "notice" in (m["data"] or {})
        )
    assert "kept as a version" in told["data"]["notice"]
    assert "\n" not in told["data"]["notice"]
    await scene.agree(lambda shown: shown[0] == "x = 'one thing'")
    kept = [
        name
        for name, version in (await scene.versions()).items()
        if "quite_another" in str(version["cells"][0]["source"])
    ]
    assert len(kept) == 1
    assert kept[0].endswith("page had it")


async def test_two_stale_pages(scene: Scene, page: Page, browser: httpx.Client) -> None:
    one, two = page, Page(browser, scene.path.name).load()
    await scene.clients[0].add_cell("ours", after_id="c")
    await scene.agree(lambda shown: shown[-1] == "ours")
    for turn in range(3):
        one.edit("a", source(scene, "a", f"'one, {turn}'"))
        one.save()
        two.edit("b", source(scene, "b", f"'two, {turn}'"))
        two.edit("c", source(scene, "c", 3) + f"\nprint('two, {turn}')")
        two.save()
        one.edit("c", f"# one, {turn}\n" + source(scene, "c", 3))
        one.save()
    await scene.agree(
        lambda shown: (
            shown
            == [
                source(scene, "a", "'one, 2'"),
                source(scene, "b", "'two, 2'"),
                "# one, 2\n" + source(scene, "c", 3) + "\nprint('two, 2')",
                "ours",
            ]
        )
    )


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
async def test_pages_that_were_open_before_anybody_connected(
    scene: Scene, browser: httpx.Client, marked: bool
) -> None:
    path = scene.path.with_name(f"before-{scene.path.name}")
    path.write_bytes(scene.path.read_bytes())
    pages = [Page(browser, path.name).load() for _ in range(2)]
    marks = {page.content["metadata"]["rtu_magics"]["page"] for page in pages}
    assert len(marks) == 2
    for page in pages if not marked else ():  # loaded before our extension was there
        del page.content["metadata"]["rtu_magics"]
    later = Scene(scene.server, path, scene.api)
    await later.connect(1)
    try:
        client = later.clients[0]
        await client.replace_cell_content("a", "a = 'ours'")
        await client.add_cell("ours", after_id="c")
        await later.agree(lambda shown: shown[-1] == "ours")
        pages[0].edit("b", "b = 'the first'")
        pages[0].save()
        pages[1].edit("c", "c = 'the second'")
        pages[1].save()
        last = "b = 10, 20" if marked else "b = 'the first, again'"
        pages[0].edit("b", last)
        pages[0].save()
        wanted = ["a = 'ours'", last, "c = 'the second'", "ours"]
        await later.agree(lambda shown: shown == wanted)
    finally:
        for one in later.clients:
            await one.shutdown()


@pytest.mark.kernel
async def test_outputs(scene: Scene, page: Page) -> None:
    """Whoever ran a cell last has its outputs; what the page saves along is no run."""
    async with follow(scene.server, str(scene.file_id)) as runner:
        await runner.change("cell_contents", "replace", {"source": "print('theirs')"}, "a")
        await scene.agree(lambda shown: shown[0] == "print('theirs')")
        page.load()
        await post(scene.server, "/v1/sessions", {"file_id": runner.file_id})
        await runner.execute("a")
        await runner.finished("a")

        def first() -> Any:
            return json.loads(scene.path.read_text())["cells"][0]

        async def shows(text: str, count: int) -> None:
            for _ in range(200):
                cell = first()
                if cell["execution_count"] == count and text in str(cell["outputs"]):
                    return
                await asyncio.sleep(0.05)
            raise AssertionError(first())

        await shows("theirs", 1)
        page.edit("b", "b = 'saved along'")
        page.save()
        await shows("theirs", 1)
        page.cell("a").update(outputs=[], execution_count=None)  # cleared, without having seen it
        page.save()
        await shows("theirs", 1)
        page.ran("a", "the page's\n", 2)  # it has the same kernel, which counts
        page.save()
        await shows("the page's", 2)
        page.edit("b", "b = 'once more'")
        page.save()
        await shows("the page's", 2)
        await runner.execute("a")
        await runner.finished("a")
        page.edit("b", "b = 'and once more'")
        page.save()
        await scene.agree(lambda shown: shown[1] == "b = 'and once more'")
        await shows("theirs", 2)


async def test_another_program_is_told_of_as_ever(scene: Scene, page: Page) -> None:
    scene.edit(lambda nb: nb.cells.append(nbformat.v4.new_code_cell("pulled", id="pulled")))
    await scene.agree(lambda shown: shown[-1] == "pulled")
    page.edit("a", "a = 'page'")
    with pytest.raises(FileChanged):
        page.save()
    page.save(overwrite=True)  # and not even that loses anything
    await scene.agree(lambda shown: shown[0] == "a = 'page'" and shown[-1] == "pulled")
    page.edit("a", "a = 'page, again'")
    page.save()
    await scene.agree(lambda shown: shown[0] == "a = 'page, again'" and shown[-1] == "pulled")


async def test_renamed_by_the_page(scene: Scene, page: Page) -> None:
    new = f"renamed-{scene.path.name}"
    answer = page.http.patch(f"/api/contents/{page.path}", json={"path": new}).json()
    page.path, page.hash = new, answer["hash"]
    scene.path = scene.path.with_name(new)
    await scene.clients[0].replace_cell_content("a", "a = 'ours'")
    await scene.agree(lambda shown: shown[0] == "a = 'ours'")
    page.edit("b", "b = 'page'")
    page.save()
    await scene.agree(lambda shown: shown[:2] == ["a = 'ours'", "b = 'page'"])


async def test_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    cells = [nbformat.v4.new_code_cell(f"{name} = 1", id=name) for name in "ab"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with running_server(tmp_path) as server, browser_of(server) as browser:
        file_id = await open_notebook(server, "n.ipynb")
        page = Page(browser, "n.ipynb").load()
        async with follow(server, file_id) as client:
            await client.change("cell_contents", "replace", {"source": "a = 'ours'"}, "a")
            page.edit("b", "b = 'page'")
            page.save()
    with running_server(tmp_path) as server, browser_of(server) as browser:
        page.http = browser
        page.edit("b", "b = 'page, after the restart'")
        page.save()
        found = json.loads(path.read_text())["cells"]
        assert ["".join(cell["source"]) for cell in found] == [
            "a = 'ours'",
            "b = 'page, after the restart'",
        ]


async def test_cells_without_ids(scene: Scene, browser: httpx.Client) -> None:
    """A notebook of an older format: the page sends its cells as nameless as they were."""
    path = scene.path.with_name(f"older-{scene.path.name}")
    book = json.loads(scene.path.read_text())
    book["nbformat_minor"] = 4
    for cell in book["cells"]:
        del cell["id"]
    path.write_text(json.dumps(book))
    older = Scene(scene.server, path, scene.api)
    await older.connect(1)
    try:
        page = Page(browser, path.name).load()
        client, cells = older.clients[0], page.content["cells"]
        await client.replace_cell_content(client.cell_ids[0], "a = 'ours'")
        await client.delete_cell(client.cell_ids[2])
        for turn in range(2):
            cells[1]["source"] = f"b = 'page, {turn}'"
            page.save()
        wanted = ["a = 'ours'", "b = 'page, 1'"]
        await older.agree(lambda shown: shown == wanted)
        cells.insert(0, {**cells[0], "source": "new = 1"})
        page.save()
        await older.agree(lambda shown: shown == ["new = 1", *wanted])
        assert "id" not in json.loads(path.read_text())["cells"][0]
    finally:
        for one in older.clients:
            await one.shutdown()


async def test_what_is_no_notebook(scene: Scene, page: Page) -> None:
    """Jupyter says what is wrong, as ever, and the room stays as it is."""
    content = page.content
    for wrong in ({"cells": "none"}, None, [1]):
        body = {"type": "notebook", "format": "json", "content": wrong}
        response = page.http.put(f"/api/contents/{page.path}", json=body)
        assert response.status_code in (400, 500), response.text
    page.content = content
    page.edit("a", "a = 2")
    page.save()
    await scene.agree(lambda shown: shown[0] == "a = 2")


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm(scene: Scene, browser: httpx.Client, seed: int) -> None:
    """Two pages that never reload and two clients, each with a line of its own in every cell."""
    rng = random.Random(seed)
    names = "page0", "page1", "client0", "client1"

    def text(values: dict[str, int]) -> str:
        return "\n\n".join(f"# of {name}\n{name}_value = {values[name]}" for name in names)

    ids = list(scene.ids())
    values = {cell_id: dict.fromkeys(names, 0) for cell_id in ids}
    for cell_id in ids:
        await scene.clients[0].replace_cell_content(cell_id, text(values[cell_id]))
    await scene.agree(lambda shown: shown == [text(values[one]) for one in ids])
    pages = [Page(browser, scene.path.name).load() for _ in range(2)]
    added: list[str] = []
    for n in range(1, 41):
        name, cell_id = rng.choice(names), rng.choice(ids)
        number = int(name[-1])
        line = f"{name}_value = "
        if rng.random() < 0.2:
            added.append(f"new = '{name}, {n}'")
        if name.startswith("page"):
            page = pages[number]
            source = page.cell(cell_id)["source"]
            page.edit(cell_id, re.sub(rf"{line}\d+", f"{line}{n}", source))
            if added and added[-1].endswith(f", {n}'"):
                page.add(f"new-{n}", added[-1], after=cell_id)
            if rng.random() < 0.6:
                await asyncio.to_thread(page.save)
        else:
            client = scene.clients[number]
            source = client.builder.cell(cell_id).source
            # All of it would undo what this client has not seen yet.
            patch = make_patch(source, re.sub(rf"{line}\d+", f"{line}{n}", source))
            await client.update_cell_content(cell_id, patch)
            if added and added[-1].endswith(f", {n}'"):
                await client.add_cell(added[-1], after_id=cell_id)
            if rng.random() < 0.2:
                await client.move_cell(cell_id, None)
        values[cell_id][name] = n
    for page in pages:
        await asyncio.to_thread(page.save)
    wanted = sorted([*added, *(text(one) for one in values.values())])
    await scene.agree(lambda shown: sorted(shown) == wanted)
    for version in (await scene.versions()).values():
        assert version["cells"]
