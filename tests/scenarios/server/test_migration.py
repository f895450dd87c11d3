"""A server's state that an older version left behind goes on with this one.

``schema_1`` holds what the first schema's server left: a notebook of two cells, one of them run, a
named version and an edit after it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rtu_magics.server.store.schema import SCHEMA_VERSION

from ...helpers.rtu import follow, get, open_notebook, post
from ...helpers.server import running_server

pytestmark = pytest.mark.server

OLD = Path(__file__).parent / "schema_1"


@pytest.mark.parametrize("again", [False, True])
async def test_the_first_schema(tmp_path: Path, again: bool) -> None:
    state = tmp_path / ".rtu_magics"
    state.mkdir()
    shutil.copy(OLD / "old.ipynb", tmp_path)
    with closing(sqlite3.connect(state / "rtu.db")) as database:
        database.executescript((OLD / "rtu.sql").read_text())
    if again:  # what was brought up to date once is left alone
        with running_server(tmp_path):
            pass
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "old.ipynb")
        assert file_id == "426b8b0a-07db-4ca7-bb77-079551e682c1"
        versions = await get(server, f"/v1/files/{file_id}/versions")
        assert [version["name"] for version in versions] == ["first", None]
        async with follow(server, file_id) as client:
            reply = await client.subscribe(from_version_id=versions[0]["id"])
            (edit,) = reply["data"]["deltas_to_apply"]
            assert edit["properties"] == {"source": "x = 2"}
            (state_of_a,) = reply["data"]["cell_states"]
            assert state_of_a["state"] == "finished_with_no_error"
            await client.add("c", "y = 3")
        await post(server, f"/v1/files/{file_id}/invites", {"role": "viewer"})
        await post(server, f"/v1/files/{file_id}/versions", {"name": "second"})
        await post(server, f"/v1/files/{file_id}/save")
    with closing(sqlite3.connect(state / "rtu.db")) as database:
        query = "SELECT value FROM rtu_meta WHERE key = 'schema_version'"
        assert database.execute(query).fetchone() == (str(SCHEMA_VERSION),)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
