"""A large notebook is restored while a page types in it, and one of our clients does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rtu_magics.document import notebook_bytes
from rtu_magics.models import CodeCell, MarkdownCell, Notebook

from ...helpers.rtu import current_notebook, follow, open_notebook, post
from ..server.test_disk import eventually, load, sources
from .test_bridge import OpenPage, StartLab, ask

# It may have to make the environment.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]

CELLS = 300
TEXT = "# " + "text " * 2_000 + "\n"  # 10 kB


async def test_what_is_typed_meanwhile_is_there_once(
    start_lab: StartLab, open_page: OpenPage, place: Path
) -> None:
    path = place / "large.ipynb"
    cells = [MarkdownCell(id=f"m{n}", source=TEXT) for n in range(CELLS)]
    first = [CodeCell(id=f"c{n}", source=f"# {n}\n") for n in range(3)]
    path.write_bytes(notebook_bytes(Notebook(cells=[*first, *cells])))
    lab = start_lab(rtu=True)
    file_id = await open_notebook(lab, path.name)
    page = await asyncio.to_thread(open_page, lab, path.name)
    async with follow(lab, file_id) as client:
        then = await post(lab, f"/v1/files/{file_id}/versions", {"name": "then"})
        await client.change("nb_cells", "delete", {"id": "m7"})
        await client.change("cell_contents", "replace", {"source": "# later\n"}, "c2")
        await client.add("later", "# later\n", after_id="c2")
        await ask(page, "type 0 <before>")
        await client.wait_for(
            "new_delta_event", lambda message: message["data"]["resource_id"] == "c0"
        )
        at = f"/v1/files/{file_id}/versions/{then['id']}/restore"
        restoring = asyncio.create_task(post(lab, at))
        typed = 0
        while not restoring.done():
            await ask(page, f"type 1 <{typed}>")
            typed += 1
        await restoring
        assert typed > 1
        await ask(page, "type 1 <after>")
    wanted = ["# 0\n", None, "# 2\n", *[TEXT] * CELLS]

    async def same() -> bool:
        held = sources(await current_notebook(lab, file_id))
        assert await ask(page, "sources") == held
        assert sources(load(path)) == held
        assert [held[0], None, *held[2:]] == wanted
        return True

    await eventually(same, 60)
    held = sources(await current_notebook(lab, file_id))[1]
    # What was typed before the notebook was held belongs to the version before.
    words = [f"<{n}>" for n in range(typed)]
    kept = [word for word in words if word in held]
    assert held == "".join(["# 1\n", *kept, "<after>"])
    assert kept == words[len(words) - len(kept) :]
    log = lab.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    assert "cannot stay" not in log
