"""What a notebook's file held, for a live document that took up an earlier state of it."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from rtu_magics.server.file import record as module
from rtu_magics.server.file.format import DiskBase
from rtu_magics.server.file.record import FileRecord
from rtu_magics.server.store import Database


def test_what_was_written_at_a_time_is_what_the_file_held_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "time", lambda: now)
    database = Database(tmp_path / "rtu.db")
    try:
        record = FileRecord(database, uuid4(), tmp_path / "journal")
        first, second, third = (DiskBase({"n": n}, [], {}) for n in range(3))
        assert record.held_when(50.0) is None, "nothing is known yet"
        for now, base in ((100.0, first), (110.0, second), (120.0, third)):
            record.remember(f"hash {now}", base)
        assert record.held_when(50.0) is first, "written long before it was first read"
        assert record.held_when(99.99) is first
        assert record.held_when(109.9) is second
        assert record.held_when(119.9) is None, "what it holds now"
        assert record.held_when(130.0) is None, "another program has written it since"
    finally:
        database.close()
