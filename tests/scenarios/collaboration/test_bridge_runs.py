"""Outputs of whoever runs, on both sides of a live document."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ...helpers.rtu import follow, get, open_notebook
from ..server.test_disk import eventually, load
from ..server.test_execution import launch
from .conftest import Lab
from .test_bridge import OpenPage, WriteLive, ask

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(1200)]

SLOW = "import time\nfor n in range(4):\n    print(n, flush=True)\n    time.sleep(0.4)\n'end'"


async def test_our_runs_show_in_the_page(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live(SLOW, "1 / 0", "_ = display(1, display_id='d')")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name)
    seen: list[tuple[str, int]] = []

    async def watch() -> None:
        while True:
            shown = await ask(page, "notebook")
            outputs = shown["cells"][0]["outputs"]
            text = "".join(o["text"] for o in outputs if o["output_type"] == "stream")
            seen.append((shown["states"][0], len(text)))
            await asyncio.sleep(0.05)

    async with follow(live_lab, file_id) as client:
        await launch(live_lab, client)
        watching = asyncio.create_task(watch())
        try:
            await client.execute("c1")
            await client.finished("c1", 120)
            await asyncio.sleep(0.5)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        assert any(state == "running" for state, _ in seen), "what runs is marked"
        assert len({length for state, length in seen if state == "running"}) > 2, "as it comes"
        await client.execute("c2")
        await client.finished("c2", 60)
        await client.execute("c3")
        await client.finished("c3", 60)
        patch = {"source": "_ = display(2, display_id='d', update=True)"}
        await client.change("cell_contents", "replace", patch, "c2")
        await client.execute("c2")
        await client.finished("c2", 60)

        async def right() -> bool:
            shown = await ask(page, "notebook")
            first, second, third = shown["cells"]
            assert shown["states"] == ["idle"] * 3
            assert [o["output_type"] for o in first["outputs"]] == ["stream", "execute_result"]
            assert first["outputs"][0]["text"] == "0\n1\n2\n3\n"
            assert (first["execution_count"], second["execution_count"]) == (1, 4)
            assert second["outputs"] == []
            assert third["outputs"][0]["data"]["text/plain"] == "2"
            return True

        await eventually(right, 60)

        def in_file() -> bool:
            first, second, third = load(path)["cells"]
            assert first["outputs"][1]["data"]["text/plain"] == ["'end'"]
            assert (first["execution_count"], second["outputs"]) == (1, [])
            return bool(third["outputs"][0]["data"]["text/plain"] == ["2"])

        await eventually(in_file, 60)


async def test_a_page_runs_while_we_edit_another_cell(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    path = write_live("x = 1", "print('page')")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name)
    async with follow(live_lab, file_id) as client:
        for n in range(6):
            await ask(page, f"run 1 page {n}")
            await client.change("cell_contents", "replace", {"source": f"x = {n}"}, "c1")
            event = await client.wait_for("update_output_collection_event")
            await client.finished("c2")
            assert event["data"]["cell_id"] == "c2"
            found = await get(live_lab, f"/outputs/collection/{event['data']['id']}")
            assert f"page {n}" in str(found)
            await eventually(
                lambda wanted=f"page {n}": load(path)["cells"][1]["outputs"][0]["text"] == [wanted],
                20,
            )
        shown = await ask(page, "notebook")
        assert shown["cells"][0]["source"] == "x = 5"
        assert shown["cells"][1]["outputs"][0]["text"] == "page 5"


async def test_a_page_s_run_is_told_as_any(
    live_lab: Lab,
    open_page: OpenPage,
    write_live: WriteLive,
) -> None:
    """From its beginning to its end, with its error; and cleared in the page it has not run."""
    path = write_live("x = 1", "y = 2")
    file_id = await open_notebook(live_lab, path.name)
    page = await asyncio.to_thread(open_page, live_lab, path.name)
    async with follow(live_lab, file_id) as client:

        async def state_is(wanted: str) -> dict[str, Any]:
            def states(message: Any) -> list[Any]:
                found = message["data"]["cell_states"]
                return [one for one in found if (one["cell_id"], one["state"]) == ("c2", wanted)]

            message = await client.wait_for("bulk_cell_state_update_event", states)
            return dict(states(message)[0])

        await ask(page, "begin 1")
        await state_is("executing")
        await ask(page, "fail 1 ValueError")
        failed = await state_is("finished_with_error")
        assert (failed["cause"], failed["execution_count"]) == ("ValueError: no", 2)
        await ask(page, "run 1 fine")
        await state_is("finished_with_no_error")
        await ask(page, "clear 1")
        await state_is("not_run")
        assert (await get(live_lab, f"/v1/files/{file_id}/save"))["state"] in ("clean", "dirty")
