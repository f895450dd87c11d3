"""Large versions, which are stored in pieces: whole, consistent, and gone when they are gone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import CellContentsReplace, parse_notebook
from rtu_magics.server.notebook.chain import Chain
from rtu_magics.server.notebook.still import Label
from rtu_magics.server.notebook.version_store import drop_pieces, store_pieces
from rtu_magics.server.process.slices import Slices
from rtu_magics.server.store import Database, schema
from rtu_magics.server.store import compaction as queries
from rtu_magics.server.store import deltas as delta_queries
from rtu_magics.server.versions import Versions

from ...helpers.rtu import current_notebook, follow, get, open_notebook, post
from ...helpers.server import running_server
from .chains import AUTHOR, a_chain, grow, save_version

LARGE = 100_000  # characters of each of the three cells, or more
PIECES = schema.version_pieces


def _pieces(database: Database) -> int:
    with database.transaction() as connection:
        return connection.execute(select(func.count()).select_from(PIECES)).scalar_one()


def _content(database: Database, version_id: Any) -> Any:
    with database.transaction() as connection:
        content = delta_queries.version_content(connection, version_id)
    assert content is not None
    return json.loads(content[0])


class _Notebook:
    """As much of an open notebook as its versions need."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.file_id = chain, chain.file_id
        self.sent: list[str] = []

    async def exclusively(self, work: Any) -> Any:
        await asyncio.sleep(0)
        return work()

    def send(self, event: str, _data: Any) -> None:
        self.sent.append(event)


@asynccontextmanager
async def _nothing_held():
    yield


def _versions(chain: Chain) -> Versions:
    return Versions(_Notebook(chain), Slices(), _nothing_held)  # type: ignore[arg-type]


def _edit(chain: Chain, text: str) -> None:
    delta = CellContentsReplace(
        file_id=chain.file_id, resource_id="c1", properties={"source": text}
    )
    chain.commit([chain.stage(delta, AUTHOR)])


async def test_it_holds_what_was_there_when_it_was_asked_for(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        versions = _versions(chain)
        then = json.loads(chain.builder.dumps())
        saving = asyncio.create_task(versions.save(name="large"))
        edits = 0
        while not saving.done():
            _edit(chain, f"edit {edits}")
            edits += 1
            await asyncio.sleep(0)
        version = await saving
        assert edits > 2
        assert _pieces(chain.database) >= 2
        # Asking takes a turn or two of the loop, which is when the first edits came.
        at = version.seq - 6
        assert 0 <= at < edits
        expected = {**then}
        if at:
            expected["cells"][1]["source"] = f"edit {at - 1}"
        assert _content(chain.database, version.id) == expected
        assert chain.tail_length == edits - at
        assert Chain(chain.database, chain.file_id).builder.dumps() == chain.builder.dumps()


async def test_several_at_once_are_made_one_after_the_other(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        versions = _versions(chain)
        saved = await asyncio.gather(*(versions.save(name=f"v{n}") for n in range(4)))
        assert [one.number for one in saved] == [2, 3, 4, 5]
        for one in saved:
            assert _content(chain.database, one.id) == json.loads(chain.builder.dumps())


async def test_what_was_not_finished_leaves_the_notebook_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OperationalError("insert", {}, sqlite3.OperationalError("disk is full"))

    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        versions, before, pieces = _versions(chain), chain.version, _pieces(chain.database)
        monkeypatch.setattr(chain, "keep_version", full)
        with pytest.raises(OperationalError):
            await versions.save()
        monkeypatch.undo()
        assert chain.version == before
        assert not chain.database.unfinished
        with chain.database.transaction() as connection:
            (orphan,) = delta_queries.orphaned_pieces(connection)
        assert _pieces(chain.database) > pieces
        await drop_pieces(chain.database, orphan)
        assert _pieces(chain.database) == pieces
        assert (await versions.save()).number == before.number + 1


async def test_what_is_on_its_way_is_no_orphan(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        async with store_pieces(chain.database, [b"a", b"b", b"c"]) as stored:
            with chain.database.transaction() as connection:
                assert delta_queries.orphaned_pieces(connection) == [stored.version_id]
            assert stored.version_id in chain.database.unfinished
        assert not chain.database.unfinished


async def test_what_begins_anew_meanwhile_is_saved_as_it_is_then(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        versions, before = _versions(chain), _pieces(chain.database)
        saving = asyncio.create_task(versions.save(name="mine"))
        while _pieces(chain.database) == before:
            await asyncio.sleep(0)
        builder = NotebookBuilder(parse_notebook(chain.builder.dumps()))
        builder.nb.metadata["anew"] = True
        chain.begin_epoch(builder, reason="outside", before="before")
        version = await saving
        assert (version.name, version.epoch, version.number) == ("mine", 1, 4)
        assert chain.version == version
        assert Chain(chain.database, chain.file_id).builder.dumps() == chain.builder.dumps()


async def test_what_is_kept_beside_is_never_the_current_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def current() -> Any:
        with chain.database.transaction() as connection:
            return delta_queries.current_version(connection, chain.file_id)

    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        other = parse_notebook(chain.builder.dumps())
        other.cells[1].source = "theirs" * LARGE
        versions, label, seen = _versions(chain), Label("theirs", "outside"), []
        saving = asyncio.create_task(versions.save_beside(other, label))
        while not saving.done():
            seen.append(current().epoch)
            await asyncio.sleep(0)
        await saving
        assert len(seen) > 2
        assert set(seen) == {0}
        with chain.database.transaction() as connection:
            kept = delta_queries.list_versions(connection, chain.file_id)
        assert [one.epoch for one in kept[:2]] == [0, -1]
        assert chain.version == kept[0] == current()
        assert kept[1].name == "theirs"
        content = _content(chain.database, kept[1].id)
        assert content["cells"][1]["source"] == other.cells[1].source
        assert Chain(chain.database, chain.file_id).builder.dumps() == chain.builder.dumps()

        insert, stored = delta_queries.insert_version, 0

        def full(*arguments: Any, **named: Any) -> Any:
            nonlocal stored
            stored += 1
            if stored == 2:
                raise OperationalError("insert", {}, sqlite3.OperationalError("disk is full"))
            return insert(*arguments, **named)

        monkeypatch.setattr(delta_queries, "insert_version", full)
        with pytest.raises(OperationalError):
            await versions.save_beside(other, label)
        monkeypatch.undo()
        assert stored == 2
        assert chain.version == current() == kept[0]


async def test_a_large_one_is_weighed_whole_and_purged_whole(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        version = await _versions(chain).save()
        with chain.database.transaction() as connection:
            sizes = {one.id: one.size for one in queries.version_sizes(connection, chain.file_id)}
            assert sizes[version.id] > 6 * LARGE
            queries.purge_file(connection, chain.file_id)
        assert _pieces(chain.database) == 0


async def test_a_database_from_before_there_were_pieces(tmp_path: Path) -> None:
    with a_chain(tmp_path) as chain:
        grow(chain, 6, length=2 * LARGE)
        version = save_version(chain, name="old")
        path, file_id, content = chain.database.path, chain.file_id, chain.builder.dumps()
    with closing(sqlite3.connect(path)) as old, old:
        for (one,) in old.execute("SELECT id FROM rtu_versions").fetchall():
            query = "SELECT body FROM rtu_version_pieces WHERE version_id = ? ORDER BY n"
            rest = b"".join(body for (body,) in old.execute(query, (one,)))
            command = "UPDATE rtu_versions SET body = CAST(body || ? AS BLOB) WHERE id = ?"
            old.execute(command, (rest, one))
        old.execute("ALTER TABLE rtu_files DROP COLUMN page_hash")
        old.execute("DROP TABLE rtu_page_bases")
        old.execute("DROP TABLE rtu_version_pieces")
        old.execute("UPDATE rtu_meta SET value = '6' WHERE key = 'schema_version'")
    database = Database(path)
    try:
        chain = Chain(database, file_id)
        assert chain.builder.dumps() == content
        assert _pieces(database) == 0
        new = await _versions(chain).save()
        assert _pieces(database) >= 2
        assert _content(database, new.id) == _content(database, version.id)
    finally:
        database.close()


@pytest.mark.server
async def test_it_is_restored_over_a_server_and_after_its_end(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "large.ipynb", create=True)
        async with follow(server, file_id) as client:
            for n in range(8):
                await client.add(f"c{n}", f"{n}" * LARGE)
            first = await post(server, f"/v1/files/{file_id}/versions", {"name": "first"})
            await client.change("cell_contents", "replace", {"source": "gone"}, "c3")
    with running_server(tmp_path) as server:
        assert await open_notebook(server, "large.ipynb") == file_id
        await post(server, f"/v1/files/{file_id}/versions/{first['id']}/restore")
        async with follow(server, file_id) as client:
            await client.change("cell_contents", "replace", {"source": "and on"}, "c3")
        await post(server, f"/v1/files/{file_id}/save")
        cells = json.loads((tmp_path / "large.ipynb").read_text())["cells"]
        sources = {cell["id"]: "".join(cell["source"]) for cell in cells}
        expected = {f"c{n}": f"{n}" * LARGE for n in range(8)}
        assert {**expected, "c3": "and on"}.items() <= sources.items()


@pytest.mark.server
async def test_a_server_that_is_killed_while_it_stores_one(tmp_path: Path) -> None:
    database = tmp_path / ".rtu_magics" / "rtu.db"

    def stored() -> set[bytes]:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as other:
            rows = other.execute("SELECT DISTINCT version_id FROM rtu_version_pieces")
            return {row[0] for row in rows}

    with running_server(tmp_path) as server:
        file_id = await open_notebook(server, "large.ipynb", create=True)
        async with follow(server, file_id) as client:
            for n in range(40):
                await client.add(f"c{n}", f"{n}" * LARGE)
        url = f"/v1/files/{file_id}"
        before = await get(server, f"{url}/versions")
        known = stored()
        saving = asyncio.create_task(post(server, f"{url}/versions", {"name": "large"}))
        while not (stored() - known or saving.done()):
            await asyncio.sleep(0.001)
        server.process.kill()
        server.process.wait(10)
        await asyncio.gather(saving, return_exceptions=True)
    with running_server(tmp_path) as server:
        assert await open_notebook(server, "large.ipynb") == file_id
        after = await get(server, f"{url}/versions")
        ids = [[one["id"] for one in versions] for versions in (after, before)]
        assert ids[0][-len(before) :] == ids[1]
        cells = (await current_notebook(server, file_id))["cells"]
        sources = {cell["id"]: cell["source"] for cell in cells}
        assert {f"c{n}": f"{n}" * LARGE for n in range(40)}.items() <= sources.items()
