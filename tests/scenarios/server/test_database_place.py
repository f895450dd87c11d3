"""Where the database lies, and how it is kept where memory cannot be shared."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rtu_magics.cli import doctor
from rtu_magics.server.store import Database, StoreError
from rtu_magics.server.store.place import place_of

from ...helpers.rtu import current_notebook, follow, open_notebook
from ...helpers.server import start_server
from .test_disk import sources


@pytest.mark.server
async def test_a_place_of_its_own(
    tmp_path: Path, write_notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, local = tmp_path / "notebooks", tmp_path / "local disk"
    path = write_notebook(root / "n.ipynb", "x = 1")
    monkeypatch.setenv("RTU_DATABASE_DIR", str(local))
    for turn in range(2):
        server = start_server(root)
        try:
            file_id = await open_notebook(server, "n.ipynb")
            async with follow(server, file_id) as client:
                await client.add(f"c-{turn}", f"t = {turn}")
            if turn:  # and a killed server finds it again
                assert set(sources(await current_notebook(server, file_id))) >= {"t = 0", "t = 1"}
        finally:
            server.kill()
    assert path.exists()
    assert not list((root / ".rtu_magics").glob("rtu.db*"))
    assert [p.parent.parent for p in local.glob("*/rtu.db")] == [local]


def test_without_shared_memory_there_is_no_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "x" / "rtu.db"
    first = Database(path)
    first.close()
    store = Database(path, shared_memory=False)  # one that had a log before
    with store.transaction() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert mode == "truncate"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert not path.with_name("rtu.db-wal").exists()
    # Not closed, as by kill -9: what was committed is there.
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM rtu_projects").fetchone() == (1,)
    store.close()
    other.close()


def test_a_database_that_is_there_is_not_forgotten(tmp_path: Path) -> None:
    state = tmp_path / "n" / ".rtu_magics"
    assert place_of(tmp_path / "n", state, "") == state
    place = place_of(tmp_path / "n", state, str(tmp_path / "local"))
    assert place != place_of(tmp_path / "m", state, str(tmp_path / "local"))
    with pytest.raises(StoreError, match="whole path"):
        place_of(tmp_path / "n", state, "local")
    state.mkdir(parents=True)
    (state / "rtu.db").touch()
    with pytest.raises(StoreError, match="move rtu"):
        place_of(tmp_path / "n", state, str(tmp_path / "local"))


def test_the_doctor_says_what_lies_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RTU_DATABASE_DIR", raising=False)
    monkeypatch.setattr(doctor, "network_file_system", lambda place: "nfs4")
    found = list(doctor.state_directory(tmp_path))
    assert any("network file system (nfs4)" in one.what for one in found)
    assert any("RTU_DATABASE_DIR" in one.todo for one in found)
