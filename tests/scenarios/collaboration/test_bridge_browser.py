"""A person types in JupyterLab, in a real browser, while a client of ours edits and runs cells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ...helpers.needs import needed
from ...helpers.rtu import current_notebook, follow, open_notebook
from ..browser.lab import ARTEFACTS
from ..server.test_disk import eventually, load, sources
from ..server.test_execution import launch
from ..widgets.mirror_page import ARGUMENTS
from .conftest import Lab
from .test_bridge import WriteLive

pytestmark = [
    pytest.mark.server,
    pytest.mark.kernel,
    pytest.mark.browser,
    pytest.mark.timeout(1200),
]

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    path = needed("chromium", "google-chrome", "chromium-browser")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        await found.close()


async def opened(browser: Any, lab: Lab, path: str) -> Any:
    page = await browser.new_page(viewport={"width": 1200, "height": 800})
    await page.goto(f"{lab.url}lab/tree/{path}?token={lab.token}&reset", timeout=120_000)
    await page.wait_for_selector(".jp-NotebookPanel .jp-Cell .cm-content", timeout=120_000)
    return page


async def text_of(page: Any, index: int) -> str:
    return str(
        await page.evaluate(
            "n => [...document.querySelectorAll('.jp-Notebook .jp-Cell')[n]"
            ".querySelectorAll('.cm-line')].map(line => line.textContent).join('\\n')",
            index,
        )
    )


async def test_a_person_types_while_we_edit_and_run(
    live_lab: Lab,
    browser: Any,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "print('six', 6)", "y = 2", kernelspec=KERNEL)
    file_id = await open_notebook(live_lab, path.name)
    page = await opened(browser, live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        await launch(live_lab, client)
        await page.click(".jp-Notebook .jp-Cell >> nth=0 >> .cm-content")
        await page.keyboard.press("End")
        typing = asyncio.create_task(page.keyboard.type("  # typed in the page é😀", delay=60))
        for n in range(6):
            source = f"y = {n}"
            await client.change("cell_contents", "replace", {"source": source}, "c3")
        await client.execute("c2")
        await client.finished("c2", 120)
        await client.add("ours", "z = 'ours'", after_id="c3")
        await typing
        wanted = ["x = 1  # typed in the page é😀", "print('six', 6)", "y = 5", "z = 'ours'"]

        async def here() -> bool:
            held = sources(await current_notebook(live_lab, file_id))
            assert held == wanted
            return True

        await eventually(here, 60)

        async def there() -> bool:
            shown = [await text_of(page, n) for n in range(4)]
            assert shown == wanted
            return True

        await eventually(there, 60)
        output = page.locator(".jp-Notebook .jp-Cell >> nth=1 >> .jp-OutputArea-output")
        assert (await output.inner_text()).strip() == "six 6"
        prompt = page.locator(".jp-Notebook .jp-Cell >> nth=1 >> .jp-InputArea-prompt")
        assert (await prompt.inner_text()).strip() == "[1]:"

        await page.keyboard.press("Control+z")  # in the cell where the person typed
        await eventually(lambda: undone(live_lab, file_id, wanted), 60)
        held = sources(await current_notebook(live_lab, file_id))

        def saved() -> bool:
            found = load(path)
            assert sources(found) == held
            assert found["cells"][1]["outputs"][0]["text"] == ["six 6\n"]
            return True

        await eventually(saved, 60)
        await page.click(".jp-Notebook .jp-Cell >> nth=2 >> .cm-content")
        await page.keyboard.press("Control+Home")
        await page.keyboard.type("print('from the page')\n")
        await page.keyboard.press("Control+Enter")
        event = await client.wait_for(
            "update_output_collection_event", lambda m: m["data"]["cell_id"] == "c3", 60
        )
        assert event["data"]["cell_id"] == "c3"
        await asyncio.sleep(1)
        ARTEFACTS.mkdir(exist_ok=True)
        await page.screenshot(path=str(ARTEFACTS / "live_document.png"))
    assert not await page.locator(".jp-Dialog").count()
    log = live_lab.log.read_text()
    assert "Overwriting" not in log
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]


async def undone(lab: Lab, file_id: str, before: list[str]) -> bool:
    held = sources(await current_notebook(lab, file_id))
    return held[0] != before[0] and held[0].startswith("x = 1") and held[1:] == before[1:]
