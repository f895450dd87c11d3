"""Other programs rename notebooks: who has one open goes with it, a name means what lies there."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import nbformat
import pytest

from rtu_magics.client import APIClient

from ...helpers.server import start_server
from .conftest import Scene

pytestmark = pytest.mark.server


def write(path: Path, *sources: str) -> Path:
    """A notebook as another program makes it, with cell ids of its own."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def holds(path: Path, source: str) -> bool:
    return source in path.read_text()


async def eventually(check: Callable[[], bool], seconds: float = 60) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            if check():
                return
        except (OSError, ValueError):
            pass
        assert loop.time() < end
        await asyncio.sleep(0.05)


async def named(scene: Scene, path: Path) -> UUID:
    """The notebook that the server gives to whoever names a path."""
    return (await scene.api.open_file(path.relative_to(scene.server.root).as_posix())).id


async def path_of(scene: Scene) -> str:
    return (await scene.api.get_file(scene.file_id)).path


@pytest.mark.parametrize("pause", [0.0, 1.5], ids=["at once", "a moment later"])
async def test_renamed_and_a_new_one_under_the_old_name(scene: Scene, pause: float) -> None:
    old, new = scene.path, scene.path.with_name(f"mine-{scene.path.name}")
    old.rename(new)
    await asyncio.sleep(pause)
    write(old, "somebody else's")
    other = await named(scene, old)
    assert other != scene.file_id
    assert await named(scene, new) == scene.file_id
    await scene.clients[0].add_cell("mine goes on", after_id="c")
    await eventually(lambda: holds(new, "mine goes on"))
    assert holds(old, "somebody else's")
    assert not holds(old, "mine goes on")
    assert not holds(new, "somebody else's")


async def test_an_edit_comes_before_anybody_noticed(scene: Scene) -> None:
    old, new = scene.path, scene.path.with_name(f"mine-{scene.path.name}")
    old.rename(new)
    write(old, "somebody else's")
    await scene.clients[0].add_cell("mine goes on", after_id="c")
    await eventually(lambda: holds(new, "mine goes on"))
    assert not holds(old, "mine goes on")
    assert await path_of(scene) == new.relative_to(scene.server.root).as_posix()


async def test_through_the_contents_api_as_jupyterlab_does(scene: Scene) -> None:
    old, new = scene.path, scene.path.with_name(f"lab-{scene.path.name}")
    async with httpx.AsyncClient(
        base_url=scene.server.url, headers=scene.server.headers, trust_env=False, timeout=30
    ) as lab:
        answer = await lab.patch(f"api/contents/{old.name}", json={"path": new.name})
        assert answer.status_code == 200, answer.text
        made = await lab.post("api/contents/", json={"type": "notebook"})
        answer = await lab.patch(f"api/contents/{made.json()['path']}", json={"path": old.name})
        assert answer.status_code == 200, answer.text
    assert await named(scene, new) == scene.file_id
    assert await named(scene, old) != scene.file_id
    await scene.clients[1].add_cell("after", after_id="c")
    await eventually(lambda: holds(new, "after"))


@pytest.mark.parametrize("pause", [0.0, 0.4, 0.8], ids=["at once", "slowly", "slower"])
@pytest.mark.parametrize("edited", [False, True], ids=["saved", "edited"])
async def test_two_that_swap_their_names(scene: Scene, pause: float, edited: bool) -> None:
    one, two = scene.path, write(scene.path.with_name(f"b{uuid4().hex[:8]}.ipynb"), "of the other")
    other = await named(scene, two)
    follower = await scene.api.connect_realtime(await scene.api.get_file(other))
    scene.clients.append(follower)
    aside = one.with_suffix(".aside")
    if edited:
        await scene.clients[0].add_cell("unsaved of the first", after_id="c")
    one.rename(aside)
    await asyncio.sleep(pause)
    two.rename(one)
    if edited:
        await follower.add_cell("unsaved of the second")
    await asyncio.sleep(pause)
    aside.rename(two)
    assert await named(scene, one) == other
    assert await named(scene, two) == scene.file_id
    # Where it took longer than a swap may take, each held the other's cells for a while.
    await eventually(lambda: "c" in scene.clients[0].cell_ids)
    await scene.clients[0].add_cell("into the first", after_id="c")
    await follower.add_cell("into the second")
    await eventually(lambda: holds(two, "into the first") and holds(one, "into the second"))
    for path, has in ((two, "of the first"), (one, "of the second")):
        assert holds(path, has) == edited
    for path, has_not in ((one, "the first"), (two, "the second"), (two, "of the other")):
        assert not holds(path, has_not)


async def test_one_takes_the_place_of_another_and_both_have_unsaved_edits(scene: Scene) -> None:
    """The name goes on with what lies there, and neither edit is lost."""
    one, two = scene.path, write(scene.path.with_name(f"b{uuid4().hex[:8]}.ipynb"), "of the other")
    other = await named(scene, two)
    follower = await scene.api.connect_realtime(await scene.api.get_file(other))
    scene.clients.append(follower)
    await scene.clients[0].add_cell("unsaved of the first", after_id="c")
    await follower.add_cell("unsaved of the second")
    one.rename(two)
    await eventually(lambda: one.exists() and holds(one, "unsaved of the first"))
    await eventually(lambda: holds(two, "unsaved of the second") and holds(two, "c = 3"))
    assert await named(scene, one) == scene.file_id
    assert await named(scene, two) == other
    assert holds(one, "c = 3")
    found = await scene.api.get_file_versions(other)
    assert any("another program" in (version.name or "") for version in found)


async def test_swapped_with_one_that_nobody_has_open(tmp_path: Path) -> None:
    """Of that one only the content is known."""
    one, two = write(tmp_path / "one.ipynb", "of one"), write(tmp_path / "two.ipynb", "of two")
    server = start_server(tmp_path)
    try:
        async with APIClient(server.token, server.api_url) as api:
            ids = [(await api.open_file(path.name)).id for path in (one, two)]
    finally:
        server.stop()
    aside = tmp_path / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    server = start_server(tmp_path)
    try:
        async with APIClient(server.token, server.api_url) as api:
            assert [(await api.open_file(path.name)).id for path in (two, one)] == ids
            assert [(await api.get_file(one_id)).path for one_id in ids] == [two.name, one.name]
    finally:
        server.stop()


async def test_a_chain_of_renames(scene: Scene) -> None:
    root, tail = scene.path.parent, uuid4().hex[:8]
    second, third = root / f"second-{tail}.ipynb", root / f"third-{tail}.ipynb"
    write(second, "of the second")
    other = await named(scene, second)
    second.rename(third)
    scene.path.rename(second)
    assert await named(scene, second) == scene.file_id
    assert await named(scene, third) == other


async def test_its_directory_gets_another_name_and_the_old_one_is_made_again(scene: Scene) -> None:
    week1 = scene.path.parent / f"week1-{uuid4().hex[:6]}"
    week1.mkdir()
    scene.path = scene.path.rename(week1 / scene.path.name)
    await scene.line("is now")
    week2 = week1.rename(week1.with_name(f"{week1.name}-moved"))
    week1.mkdir()
    fresh = write(week1 / scene.path.name, "of the new week")
    scene.path = week2 / scene.path.name
    assert await named(scene, fresh) != scene.file_id
    assert await named(scene, scene.path) == scene.file_id
    await scene.clients[0].add_cell("goes on", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "goes on")


async def test_unopened_and_named_by_its_new_name(tmp_path: Path) -> None:
    """Its history and its share links go with it."""
    old = write(tmp_path / "old.ipynb", "x = 1")
    server = start_server(tmp_path)
    try:
        async with APIClient(server.token, server.api_url) as api:
            file = await api.open_file("old.ipynb")
    finally:
        server.stop()
    (tmp_path / "d").mkdir()
    old.rename(tmp_path / "d" / "new.ipynb")
    write(old, "another one")
    server = start_server(tmp_path)
    try:
        async with APIClient(server.token, server.api_url) as api:
            assert (await api.open_file("d/new.ipynb")).id == file.id or (
                (await api.get_file(file.id)).path == "d/new.ipynb"
            )
            assert (await api.open_file("old.ipynb")).id != file.id
            assert (await api.open_file("d/new.ipynb")).id == file.id
    finally:
        server.stop()


async def test_a_copy_takes_nothing_away(scene: Scene) -> None:
    copy = scene.path.with_name(f"copy-{scene.path.name}")
    shutil.copy2(scene.path, copy)
    assert await named(scene, copy) != scene.file_id
    scene.edit(lambda notebook: notebook.cells.pop())
    await scene.agree(lambda sources: len(sources) == 2)
    assert await path_of(scene) == scene.path.relative_to(scene.server.root).as_posix()
    assert holds(copy, "c = 3")


async def test_another_file_gets_the_number_of_the_deleted_one(scene: Scene) -> None:
    """File systems give an inode to the next file: that makes it no moved notebook."""
    inode = scene.path.stat().st_ino
    scene.path.unlink()
    twin = None
    for n in range(50):
        made = write(scene.path.with_name(f"new{n}-{scene.path.name}"), f"stranger {n}")
        if made.stat().st_ino == inode:
            twin = made
            break
    other = await named(scene, twin or made)
    assert other != scene.file_id
    await scene.line("was deleted on disk")
    assert await path_of(scene) == scene.path.relative_to(scene.server.root).as_posix()
    await scene.clients[0].add_cell("lives on", after_id="c")
    await eventually(lambda: holds(scene.path, "lives on"))
    assert not holds(twin or made, "lives on")


async def test_everybody_is_told_where_it_is(scene: Scene) -> None:
    from rtu_magics.models import FileRenamedEvent

    told: list[str] = []
    for client in scene.clients:
        client.register_rtu_event_callback(FileRenamedEvent, lambda msg: told.append(msg.data.path))
    new = scene.path.with_name(f"new-{scene.path.name}")
    os.rename(scene.path, new)
    await eventually(lambda: len(told) == 2)
    assert set(told) == {new.relative_to(scene.server.root).as_posix()}
