"""The third-party client, unchanged, while somebody else restores a version.

Runs in the peer's environment: ``python peer_script.py API_URL TOKEN PROJECT_ID``. Prints the
sources of the cells that it has in the end as one JSON line.
"""

import asyncio
import json
import sys
import uuid

import httpx
from origami.clients.api import APIClient
from origami.models.notebook import CodeCell, Notebook


async def main(api_url, token, project_id):
    api = APIClient(authorization_token=token, api_base_url=api_url)
    seed = Notebook(cells=[CodeCell(id="one", source="as it was")])
    file = await api.create_notebook(uuid.UUID(project_id), "restored.ipynb", seed)
    client = await asyncio.wait_for(api.connect_realtime(file), 20)
    await client.replace_cell_content("one", "edited")
    await client.add_cell(cell=CodeCell(id="two", source="added"))
    old = client.builder
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=api_url, headers=headers, trust_env=False) as http:
        versions = (await http.get(f"/files/{file.id}/versions")).json()
        first = versions[-1]["id"]
        answer = await http.post(f"/v1/files/{file.id}/versions/{first}/restore")
        answer.raise_for_status()

    async def reloaded():
        while client.builder is old or not client.deltas_to_apply_event.is_set():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(reloaded(), 20)
    before = [cell.source for cell in client.builder.nb.cells]
    # It goes on as if nothing had been.
    await asyncio.wait_for(client.add_cell(cell=CodeCell(id="new", source="later")), 20)
    after = [cell.source for cell in client.builder.nb.cells]
    await client.shutdown(now=True)
    print(json.dumps([before, after]))


asyncio.run(main(*sys.argv[1:]))
