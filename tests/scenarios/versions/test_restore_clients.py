"""A version is restored while others follow: all have it, without being asked for anything."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from rtu_magics.client import APIClient
from rtu_magics.models import CodeCell, Notebook

from ...helpers.needs import third_party_client
from ...helpers.peer import peer_environ

pytestmark = pytest.mark.server


async def test_our_client_reloads_by_itself(server):
    async with APIClient(server.token, server.api_url) as api:
        seed = Notebook(cells=[CodeCell(id="one", source="as it was")])
        file = await api.create_notebook((await api.info()).project_id, "ours.ipynb", seed)
        first, second = await asyncio.gather(*(api.connect_realtime(file) for _ in range(2)))
        await first.replace_cell_content("one", "edited")
        await first.add_cell(cell=CodeCell(id="two", source="added"))
        states: asyncio.Queue[str] = asyncio.Queue()
        for client in (first, second):
            client.register_connection_callback(lambda state, detail: states.put_nowait(state))
        version = (await api.get_file_versions(file.id))[-1]
        restored = await api.restore_version(file.id, version.id)
        assert (restored.reason, restored.name) == ("restore", "Version 0 restored")
        live = 0
        while live < 2:
            live += (await asyncio.wait_for(states.get(), 20)) == "live"
        for client in (first, second):
            assert [cell.source for cell in client.builder.nb.cells] == ["as it was"]
        # And on it goes.
        await second.replace_cell_content("one", "edited again")
        await first.replace_cell_content("one", "and again")
        assert first.builder.nb.cells[0].source == "and again"
        for client in (first, second):
            await client.shutdown()


@pytest.mark.peer
@pytest.mark.timeout(700)
async def test_the_third_party_client_reloads_by_itself(server):
    python = third_party_client()
    script = Path(__file__).with_name("peer_script.py")
    process = await asyncio.create_subprocess_exec(
        python,
        str(script),
        server.api_url,
        server.token,
        server.project_id,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=peer_environ(),
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    before, after = json.loads(out.splitlines()[-1])
    assert before == ["as it was"]
    assert sorted(after) == ["as it was", "later"]
