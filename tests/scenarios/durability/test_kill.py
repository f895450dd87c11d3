"""What was acknowledged survives any death of the server, exactly once."""

from __future__ import annotations

import pytest

from .rounds import run
from .variants import BROKEN, NETWORK

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]


async def test_ten_kills_under_a_stream_of_edits(tmp_path):
    report = await run(tmp_path, rounds=10, seed=20)
    assert not report.findings, str(report.findings)
    assert len(report.rounds) == 10
    assert report.total("acknowledged") == report.deltas > 1000
    assert report.total("in_flight") > 50
    # Nobody but the clients themselves made them come back.
    assert min(report.reconnections) >= 10


async def test_kills_where_there_is_no_write_ahead_log(tmp_path):
    report = await run(tmp_path, rounds=4, seed=21, broken=NETWORK)
    assert not report.findings, str(report.findings)
    assert report.total("acknowledged") == report.deltas > 100
    database = tmp_path / ".rtu_magics" / "rtu.db"
    assert database.exists()
    assert not database.with_name("rtu.db-wal").exists()


@pytest.mark.parametrize("variant", BROKEN)
async def test_the_check_finds_a_server_that_acknowledges_what_it_has_not_stored(tmp_path, variant):
    report = await run(tmp_path, rounds=5, seed=20, broken=variant)
    assert report.findings.lost, str(report.findings)
