"""Two of our clients and a page that undoes and goes offline, at random: all hold the same."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import NotebookClient, current_notebook, follow, open_notebook
from ..server.test_disk import eventually, load, sources
from .conftest import Lab, Page
from .test_bridge import OpenPage, WriteLive, ask

pytestmark = [pytest.mark.server, pytest.mark.timeout(2400)]

SEEDS = range(10)
STEPS = 25  # of each


async def ours(client: NotebookClient, chooser: random.Random, name: str) -> set[str]:
    """Write a word into cells, add some and move some; returns the words that were accepted."""
    cells, words = ["c1", "c2", "c3", "c4"], set()
    for n in range(STEPS):
        word = f"<{name}{n}>"
        what = chooser.choices(["write", "add", "move"], [6, 1, 2])[0]
        cell_id, other = chooser.sample(cells, 2)
        if what == "write":
            change = ("cell_contents", "update", {"patch": make_patch("", word)}, cell_id)
            await client.change(*change)
            words.add(word)
        elif what == "add":
            cells.append(f"{name}-{n}")
            await client.add(cells[-1], word, after_id=cell_id)
            words.add(word)
        else:
            await client.change("nb_cells", "move", {"id": cell_id, "after_id": other})
        await asyncio.sleep(chooser.random() * 0.05)
    return words


async def theirs(page: Page, chooser: random.Random) -> None:
    """Type, add, move, undo and redo, offline for a while."""
    away = chooser.randrange(STEPS // 2)
    for n in range(STEPS):
        if n == away:
            await ask(page, "offline")
        elif n == away + STEPS // 3:
            await ask(page, "online")
        count = len(await ask(page, "sources"))
        at, to = chooser.randrange(count), chooser.randrange(count)
        commands = {
            f"type {at} é😀{n}": 5,
            f"add {to} page-{n}": 1,
            f"move {at} {to}": 2,
            "undo": 2,
            "redo": 1,
        }
        await ask(page, chooser.choices(list(commands), list(commands.values()))[0])
        await asyncio.sleep(chooser.random() * 0.05)
    await ask(page, "online")


async def test_all_hold_the_same_and_nothing_accepted_is_lost(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    for seed in SEEDS:
        path = write_live("a = 1\n", "b = 2\n", "c = 3\n", "d = 4\n")
        file_id = await open_notebook(live_lab, path.name)
        page = await asyncio.to_thread(open_page, live_lab, path.name)
        async with follow(live_lab, file_id) as ann, follow(live_lab, file_id) as ben:
            first, second, _ = await asyncio.gather(
                ours(ann, random.Random(f"ann {seed}"), "A"),
                ours(ben, random.Random(f"ben {seed}"), "B"),
                theirs(page, random.Random(f"page {seed}")),
            )
            held = await settled(live_lab, file_id, page, path)
        text = "\n".join(held)
        counts = {word: text.count(word) for word in first | second}
        wrong = {word: count for word, count in counts.items() if count != 1}
        assert not wrong, (seed, held)
        await asyncio.to_thread(page.leave)
    log = live_lab.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    assert "cannot stay" not in log


async def settled(lab: Lab, file_id: str, page: Page, path: Path) -> list[str]:
    async def same() -> bool:
        held = sources(await current_notebook(lab, file_id))
        assert await ask(page, "sources") == held
        return sources(load(path)) == held

    await eventually(same, 60)
    return sources(await current_notebook(lab, file_id))
