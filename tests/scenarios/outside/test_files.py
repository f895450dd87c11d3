"""The file itself goes: deleted, moved, replaced by what is no notebook, and back again."""

from __future__ import annotations

import asyncio
import os
import shutil
from uuid import uuid4

import pytest

from .conftest import Scene

pytestmark = pytest.mark.server


async def test_deleted_and_worked_on(scene: Scene) -> None:
    scene.path.unlink()
    line = await scene.line("was deleted on disk")
    assert line.endswith("the notebook lives on here, save it to write it again")
    assert not scene.path.exists()
    await scene.clients[0].add_cell("goes on", after_id="c")
    shown = await scene.agree(lambda sources: sources[-1] == "goes on")
    assert len(shown) == 4
    assert len((await scene.versions())[f"{scene.path.name} was deleted on disk"]["cells"]) == 3


async def test_deleted_and_put_back(scene: Scene) -> None:
    content = scene.path.read_bytes()
    scene.path.unlink()
    await scene.line("was deleted on disk")
    scene.path.write_bytes(content)
    await scene.line("is a notebook again")
    assert scene.path.read_bytes() == content
    await scene.agree(lambda sources: len(sources) == 3)


async def test_gone_for_a_moment(scene: Scene) -> None:
    """As editors save that put the old file aside first."""
    for n in range(5):
        aside = scene.path.with_suffix(".orig")
        scene.path.rename(aside)
        await asyncio.sleep(0.3)
        shutil.copyfile(aside, scene.path)
        aside.unlink()
        await scene.clients[0].add_cell(f"edit {n}")
        await asyncio.sleep(0.4)
    await scene.agree(lambda sources: len(sources) == 8)
    assert "deleted" not in "".join(scene.lines())


@pytest.mark.parametrize("directory", [False, True], ids=["renamed", "its directory renamed"])
async def test_moved(scene: Scene, directory: bool) -> None:
    await scene.clients[0].add_cell("before", after_id="c")
    await scene.agree(lambda sources: sources[-1] == "before")
    if directory:
        there = scene.path.parent / f"dir-{uuid4().hex[:6]}"
        there.mkdir()
        os.rename(scene.path, there / scene.path.name)
        scene.path = there / scene.path.name
        await scene.line("is now")
        moved = there.with_name(f"{there.name}-moved")
        there.rename(moved)
        scene.path = moved / scene.path.name
    else:
        target = scene.path.with_name(f"other-{scene.path.name}")
        scene.path.rename(target)
        scene.path = target
    await scene.line(f"is now {scene.path.relative_to(scene.server.root).as_posix()}")
    await scene.clients[1].add_cell("after", after_id="c")
    await scene.agree(lambda sources: sources[-2:] == ["after", "before"])
    file = await scene.api.get_file(scene.file_id)
    assert file.path == scene.path.relative_to(scene.server.root).as_posix()
    assert "deleted" not in "".join(scene.lines())


async def test_moved_while_people_edit(scene: Scene) -> None:
    target = scene.path.with_name(f"other-{scene.path.name}")
    for n in range(20):
        await scene.clients[n % 2].add_cell(f"edit {n}", after_id="a")
        if n == 10:
            scene.path.rename(target)
        await asyncio.sleep(0.1)
    old, scene.path = scene.path, target
    await scene.agree(lambda sources: len(sources) == 23)
    assert not old.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<<<<<<< HEAD\n{", "no JSON in UTF-8"),
        (b'{"cells": 7}', "it has no list of cells"),
        (b"", "it is empty"),
        (b"\xff\xfe\x00", "no JSON in UTF-8"),
        (b'{"nbformat": 9, "cells": []}', "nbformat 9 is not supported"),
        (None, "it cannot be read: Is a directory"),
    ],
    ids=["conflict", "other JSON", "empty", "binary", "later format", "directory"],
)
async def test_no_notebook_any_more_and_restored(
    scene: Scene, content: bytes | None, reason: str
) -> None:
    good = scene.path.read_bytes()
    await scene.clients[0].add_cell("unsaved", after_id="c")
    if content is None:
        scene.path.unlink()
        scene.path.mkdir()
    else:
        scene.path.write_bytes(content)
    line = await scene.line("on disk is no notebook any more")
    assert reason in line
    await scene.clients[1].add_cell("meanwhile", after_id="c")
    await asyncio.sleep(1.5)
    if content is None:
        scene.path.rmdir()
    else:
        assert scene.path.read_bytes() == content  # nobody writes over it unseen
    scene.path.write_bytes(good)
    await scene.line("is a notebook again")
    await scene.agree(lambda sources: sources[3:] == ["meanwhile", "unsaved"])


async def test_saving_over_what_is_no_notebook_keeps_it(scene: Scene) -> None:
    scene.path.write_text("precious notes")
    await scene.line("on disk is no notebook any more")
    await scene.api.save_file(scene.file_id)
    await scene.agree(lambda sources: len(sources) == 3)
    line = await scene.line("kept what was there as")
    assert (scene.path.parent / line.rpartition(" ")[2]).read_text() == "precious notes"
