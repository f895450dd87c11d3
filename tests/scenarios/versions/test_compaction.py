"""The rule by which the database stays bounded, and that nobody gets hurt by it."""

from __future__ import annotations

import sqlite3
import time
from types import SimpleNamespace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from rtu_magics.server import history
from rtu_magics.server.notebook import chain as chains
from rtu_magics.server.notebook.chain import Chain, HistoryGone
from rtu_magics.server.store import Database, runs, schema
from rtu_magics.server.store import compaction as queries
from rtu_magics.server.store import deltas as delta_queries
from rtu_magics.server.store import files as file_queries
from rtu_magics.server.upkeep import retention as compaction
from rtu_magics.server.upkeep.retention import compact, versions_to_drop

from .chains import AUTHOR, a_chain, grow, run_cell, save_version

NOW = 1_700_000_000.0


@pytest.fixture
def small(monkeypatch):
    """The same rule with small numbers."""
    monkeypatch.setattr(chains, "_TAIL_DELTAS", 50)
    monkeypatch.setattr(compaction, "KEEP_DELTAS", 300)
    monkeypatch.setattr(compaction, "KEEP_SPENT", 400)
    monkeypatch.setattr(compaction, "KEEP_COLLECTIONS", 5)


def count(chain, table):
    with chain.database.transaction() as connection:
        query = select(func.count()).select_from(table)
        return connection.execute(query.where(table.c.file_id == chain.file_id)).scalar_one()


def size_of(chain):
    while chain.database.reclaim():
        pass
    with chain.database.transaction() as connection:
        return connection.exec_driver_sql("PRAGMA page_count").scalar() * 4096


async def test_the_database_is_bounded_whatever_the_history(tmp_path, small):
    sizes = []
    with a_chain(tmp_path) as chain:
        for _ in range(8):
            for _ in range(5):
                grow(chain, 200, length=500)
                await compact(chain)
            sizes.append(size_of(chain))
            assert count(chain, schema.deltas) <= 300 + 200
            assert count(chain, schema.spent_deltas) <= 400
            assert count(chain, schema.versions) <= 1 + 10 + 1 + 2
    # 8,000 deltas, and from the second thousand on not a page more.
    assert max(sizes[1:]) <= 1.1 * sizes[1], sizes


async def test_what_is_left_is_whole(tmp_path, small):
    with a_chain(tmp_path) as chain:
        ids = []
        saved = []
        for n in range(10):
            ids += grow(chain, 120)
            saved.append(save_version(chain, name=f"v{n}" if n % 3 == 0 else None).id)
            await compact(chain)
        again = Chain(chain.database, chain.file_id)
        assert again.builder.nb.model_dump() == chain.builder.nb.model_dump()
        assert again.head == chain.head == ids[-1]

        # From every point in the past: all that follows, or the advice to load.
        caught_up, gone = 0, 0
        for at, delta_id in list(enumerate(ids))[::9]:
            try:
                bodies = chain.bodies_after_delta(delta_id)
            except HistoryGone:
                gone += 1
                assert caught_up == 0, "a hole in the middle"
                continue
            caught_up += 1
            assert len(bodies) == len(ids) - at - 1
        assert gone
        assert caught_up >= 300 // 9
        for at, version_id in enumerate(saved):
            try:
                assert len(chain.bodies_after_version(version_id)) == 120 * (9 - at)
            except HistoryGone:
                assert 120 * (9 - at) > 300
        # A named one can be had, however old it is.
        with chain.database.transaction() as connection:
            assert delta_queries.version_content(connection, saved[0]) is not None
            starts = list(compaction._starts(connection, chain.file_id))
        assert len(starts) == 1


async def test_the_log_while_deltas_leave(tmp_path, small):
    """Between two slices, or after a server that was killed there, it is shorter, not wrong."""
    with a_chain(tmp_path) as chain:
        grow(chain, 1000, batch=10)

        def whole_log():
            before, found = None, []
            while True:
                now = (chain.epoch, chain.seq)
                with chain.database.transaction() as connection:
                    piece = history._read(connection, chain.file_id, now, 70, before)
                found = [*piece.deltas, *found]
                at = piece.version.seq + len(piece.lead)
                assert not piece.deltas or piece.deltas[0].seq == at + 1
                assert [one.seq for one in piece.lead] == [*range(piece.version.seq + 1, at + 1)]
                if not piece.more:
                    return [one.seq for one in found]
                before = piece.deltas[0].id

        assert whole_log() == [*range(1, 1001)]
        for left in range(53, 600, 53):
            with chain.database.transaction() as connection:
                assert queries.retire_deltas(connection, chain.file_id, 0, 1000, 53) == 53
            found = whole_log()
            assert found == [*range(found[0], 1001)]
            assert found[0] - left <= 62  # as far back as to the next version
        await compact(chain)
        found = whole_log()
        assert found == [*range(found[0], 1001)]
        assert len(found) >= 300


async def test_a_late_retry_is_known(tmp_path, small):
    with a_chain(tmp_path) as chain:
        ids = grow(chain, 600)
        await compact(chain)
        with chain.database.transaction() as connection:
            assert delta_queries.find_delta(connection, chain.file_id, ids[200]) is None
        for known in (chain, Chain(chain.database, chain.file_id)):
            found = known.find(ids[200])
            assert found is not None
            assert (found.body, bool(found.digest)) == ("", True)
            assert known.find(uuid4()) is None


async def test_deltas_of_earlier_epochs_go_first(tmp_path, small):
    with a_chain(tmp_path) as chain:
        grow(chain, 200)
        builder = chain.builder.copy()
        chain.begin_epoch(builder, reason="restore", before="before", author=AUTHOR)
        grow(chain, 250)
        await compact(chain)
        with chain.database.transaction() as connection:
            left = dict(queries.first_deltas(connection, chain.file_id))
        # 250 of 300 are of the new epoch; of the old one what a version begins with.
        assert left[1] == 1
        assert 0 < 200 - left[0] <= 100
        grow(chain, 250)
        await compact(chain)
        with chain.database.transaction() as connection:
            assert 0 not in dict(queries.first_deltas(connection, chain.file_id))
            reasons = [one.reason for one in queries.version_sizes(connection, chain.file_id)]
        assert reasons.count("restore") == 2


async def test_outputs(tmp_path, small):
    old = time.time() - 3600
    with a_chain(tmp_path) as chain:
        first = run_cell(chain, "c0", "in a version", old)
        save_version(chain, name="kept")
        earlier = [run_cell(chain, "c0", f"text {n}", old) for n in range(20)]
        recent = [run_cell(chain, "c0", "just now", time.time()) for _ in range(10)]
        shown = run_cell(chain, "c0", "shown", old)
        with chain.database.transaction() as connection:
            connection.execute(
                schema.collections.update()
                .where(schema.collections.c.id.in_([first, *earlier, shown]))
                .values(updated_at=old)
            )
        await compact(chain)
        with chain.database.transaction() as connection:
            found = {
                one
                for one in (first, *earlier, *recent, shown)
                if runs.get_collection(connection, one) is not None
            }
            assert {first, shown, *recent} <= found
            assert len(found & set(earlier)) == 5
            pieces = connection.execute(
                select(func.count()).select_from(schema.output_chunks)
            ).scalar_one()
            assert pieces == len(found)


def a_version(number, reason="automatic", name=None, age=0.0, size=1000):
    return SimpleNamespace(
        id=uuid4(), number=number, reason=reason, name=name, created_at=NOW - age, size=size
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["automatic", "save", "restore", "outside", "upload"]),
            st.booleans(),
            st.floats(0, 10_000),
            st.integers(0, 20_000_000),
        ),
        max_size=200,
    )
)
def test_versions_that_stay(drawn):
    age, versions = 0.0, []
    for number, (reason, named, step, size) in enumerate(drawn):
        age += step
        versions.append(a_version(len(drawn) - number, reason, "n" if named else None, age, size))
    protected = {one.id for one in versions[::7]}
    dropped = set(versions_to_drop(versions, protected, NOW))
    left = [one for one in versions if one.id not in dropped]
    for one in versions:
        if (one.reason == "save" and one.name) or one.reason == "upload" or one.id in protected:
            assert one.id not in dropped
    assert not versions or versions[0].id not in dropped
    free = [
        one
        for one in left[1:]
        if one.id not in protected
        and (one.reason == "automatic" or (one.reason == "save" and not one.name))
    ]
    assert sum(one.size for one in free) <= compaction.KEEP_VERSION_BYTES
    assert len(free) <= 10 + 25 + 32
    # Applying it twice is applying it once.
    assert not versions_to_drop(left, protected, NOW)


def test_automatic_versions_are_thinned():
    versions = [a_version(1000 - n, age=n * 600.0) for n in range(1000)]  # one every ten minutes
    dropped = set(versions_to_drop(versions, set(), NOW))
    left = [one for one in versions if one.id not in dropped]
    ages = [(NOW - one.created_at) / 3600 for one in left]
    assert ages[:11] == [n / 6 for n in range(11)]
    assert 20 <= sum(2 <= age < 24 for age in ages) <= 25
    assert 5 <= sum(age >= 24 for age in ages) <= 8


def test_an_older_database(tmp_path):
    with a_chain(tmp_path) as chain:
        grow(chain, 10)
        save_version(chain, reason="automatic")
        save_version(chain, name="mine")
        path, file_id, before = chain.database.path, chain.file_id, chain.builder.dumps()
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA journal_mode=DELETE")
        old.execute("ALTER TABLE rtu_versions DROP COLUMN reason")
        old.execute("ALTER TABLE rtu_versions DROP COLUMN collection_ids")
        old.execute("ALTER TABLE rtu_cell_states DROP COLUMN reason")
        old.execute("ALTER TABLE rtu_cell_states DROP COLUMN source_digest")
        old.execute("ALTER TABLE rtu_collections DROP COLUMN authors")
        old.execute("ALTER TABLE rtu_disk_bases DROP COLUMN next_hash")
        old.execute("ALTER TABLE rtu_disk_bases DROP COLUMN next_body")
        old.execute("ALTER TABLE rtu_files DROP COLUMN page_hash")
        old.execute("DROP TABLE rtu_page_bases")
        old.execute("DROP TABLE rtu_spent_deltas")
        old.execute("DROP TABLE rtu_version_pieces")
        old.execute("UPDATE rtu_meta SET value = '2' WHERE key = 'schema_version'")
    old.execute("PRAGMA auto_vacuum=0")
    old.execute("VACUUM")
    old.close()
    database = Database(path)
    with database.transaction() as connection:
        reasons = [one.reason for one in queries.version_sizes(connection, file_id)]
        assert reasons == ["save", "automatic", "upload"]
        assert queries.shown_in_versions(connection, file_id) == set()
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2
    assert Chain(database, file_id).builder.dumps() == before
    database.close()


def test_what_was_deleted_goes(tmp_path):
    with a_chain(tmp_path) as chain:
        grow(chain, 10)
        run_cell(chain, "c0", "text", NOW)
        with chain.database.transaction() as connection:
            upload_id = file_queries.create_upload(connection, chain.file_id)
            assert queries.abandon_uploads(connection, 0) == []
            assert queries.abandon_uploads(connection, time.time() + 1) == [upload_id]
            assert queries.deleted_files(connection, time.time()) == []
            file_queries.mark_deleted(connection, schema.files, chain.file_id)
            assert queries.deleted_files(connection, time.time() + 1) == [chain.file_id]
            queries.purge_file(connection, chain.file_id)
        for table in (schema.deltas, schema.versions, schema.collections):
            assert count(chain, table) == 0
