"""Drives the third-party client, unchanged, as a guest whose role changes meanwhile.

Runs in an environment of its own that knows nothing of this package: ``python guest_script.py
API_URL TOKEN FILE_ID INVITE_ID INVITE_TOKEN``. Prints one JSON line with what it was told.
"""

import asyncio
import json
import sys

import httpx
from origami.clients.api import APIClient


async def main(api_url, token, file_id, invite_id, invite_token):
    path = f"{api_url}/v1/files/{file_id}/invites/{invite_id}"
    api = APIClient(invite_token, api_url)
    client = await asyncio.wait_for(api.connect_realtime(await api.get_file(file_id)), 30)
    told = {}

    async def attempt(name, change):
        try:
            told[name] = (await asyncio.wait_for(change, 30)).source
        except Exception as exc:
            told[name] = f"{type(exc).__name__}: {exc}"

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as owner:
        await attempt("as viewer", client.add_cell(source="1"))
        await owner.patch(path, json={"role": "contributor"})
        await attempt("as contributor", client.add_cell(source="2"))
        await attempt("a locked cell", client.replace_cell_content("locked", "3"))
        await owner.delete(path)
        await attempt("revoked", client.add_cell(source="4"))
    await client.shutdown(now=True)
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
