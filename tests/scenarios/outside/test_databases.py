"""Databases that cannot be used: one line says so, and they are left exactly as they are."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import pytest

from rtu_magics.client import APIClient
from rtu_magics.embedded import STATE_DIR, open_server
from rtu_magics.errors import EmbeddedServerError

from ...helpers.server import start_server

pytestmark = pytest.mark.server


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20000])


def one_page_overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)


def not_sqlite(path: Path) -> None:
    path.write_text("dear diary, " * 50)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")
        connection.execute("INSERT INTO recipes VALUES ('soup')")
    connection.close()


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def newer(path: Path) -> None:
    change(path, "UPDATE rtu_meta SET value = '999' WHERE key = 'schema_version'")


def without_version(path: Path) -> None:
    change(path, "DELETE FROM rtu_meta WHERE key = 'schema_version'")


def without_a_table(path: Path) -> None:
    change(path, "DROP TABLE rtu_deltas")


AFRESH = "restore it from a copy, or move it away to start afresh from the notebooks on disk"


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (cut_off, f"is cut off; {AFRESH}"),
        (not_sqlite, "is not a database; move it away to start afresh"),
        (foreign, "belongs to another program; move it away to start afresh"),
        (newer, "was written by a newer rtu_magics (schema 999, this one knows "),
        (without_version, f"is incomplete; {AFRESH}"),
        (without_a_table, f"is incomplete; {AFRESH}"),
    ],
)
def test_a_database_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Path], None], line: str
) -> None:
    start_server(tmp_path).stop()
    path = tmp_path / STATE_DIR / "rtu.db"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(EmbeddedServerError) as info:
        open_server(tmp_path)
    print(f"LINE {spoil.__name__}: {info.value}")
    assert str(info.value).startswith(f"{path} {line}")
    assert "\n" not in str(info.value)
    assert path.read_bytes() == before
    path.rename(tmp_path / "aside.db")  # what the line says
    server, lease = open_server(tmp_path)
    lease.release()
    psutil.Process(server.pid).wait(60)


@pytest.mark.parametrize("spoil", [cut_off, one_page_overwritten])
async def test_damage_beside_an_unfinished_log(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    server = start_server(tmp_path)
    async with APIClient(server.token, server.api_url) as api:
        client = await api.connect_realtime(await api.open_file("n.ipynb", create=True))
        for n in range(200):
            await client.add_cell(f"{n} " + "x" * 500)
        path = tmp_path / STATE_DIR / "rtu.db"
        with sqlite3.connect(path) as connection:  # the pages go into the file itself
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()
        await client.add_cell("in the log")
        server.kill()
        await client.shutdown()
    spoil(path)
    with pytest.raises(EmbeddedServerError) as info:
        await asyncio.to_thread(open_server, tmp_path)
    print(f"LINE {spoil.__name__}, unfinished log: {info.value}")
    assert str(info.value).startswith(f"{path} is damaged (")
    assert str(info.value).endswith(AFRESH)
    assert "\n" not in str(info.value)


def test_a_start_that_died_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables come all at once, or the next start would take the file for a foreign one."""
    from rtu_magics.server.store import Database

    path = tmp_path / STATE_DIR / "rtu.db"

    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_migrate", die)
        with pytest.raises(Died):
            Database(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    Database(path).close()


def test_the_notebooks_on_disk_are_there_after_a_fresh_start(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("kept", id="k")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    start_server(tmp_path).stop()
    (tmp_path / STATE_DIR / "rtu.db").rename(tmp_path / "aside.db")
    server = start_server(tmp_path)
    try:

        async def look() -> list[str]:
            async with APIClient(server.token, server.api_url) as api:
                client = await api.connect_realtime(await api.open_file("n.ipynb"))
                try:
                    return [cell.source for cell in client.builder.cells]
                finally:
                    await client.shutdown()

        assert asyncio.run(look()) == ["kept"]
    finally:
        server.stop()
