"""Servers that break the rule "commit, then acknowledge" on purpose: a check that never fails
proves nothing. ``python -m tests.durability.broken``, with `MODE_ENV` saying how.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

MODE_ENV = "RTU_TEST_BROKEN"
MODES = ("acknowledge early", "roll back", "forget ids")
_LATE = 0.05  # seconds between acknowledging and committing


def acknowledge_early() -> None:
    """Acknowledge and broadcast at once, commit a little later, as a lazy group commit would."""
    from rtu_magics.server.chain import Chain

    commit = Chain.commit

    def commit_later(self: Chain, staged: Any, also: Any = None) -> None:
        asyncio.get_running_loop().call_later(_LATE, commit, self, staged, also)

    Chain.commit = commit_later  # type: ignore[method-assign]


def roll_back() -> None:
    """Acknowledge what every tenth transaction has not stored."""
    from rtu_magics.server.store import deltas as queries

    insert, counter = queries.insert_deltas, iter(range(1 << 62))

    def insert_most(connection: Any, file_id: Any, new: Any) -> None:
        if next(counter) % 10 != 9:
            insert(connection, file_id, new)

    queries.insert_deltas = insert_most


def forget_ids() -> None:
    """Take a retry for a new change."""
    from uuid import uuid4

    from rtu_magics.server.writer import Writer

    put = Writer.put

    def put_as_new(self: Writer, job: Any) -> None:
        # The store itself refuses an id twice, so a server that forgets has to rename.
        delta = getattr(job, "delta", None)
        if delta is not None and self._room.chain.find(delta.id) is not None:
            job.delta = delta.model_copy(update={"id": uuid4()})
        put(self, job)

    Writer.put = put_as_new  # type: ignore[method-assign]


if __name__ == "__main__":
    break_it = dict(zip(MODES, (acknowledge_early, roll_back, forget_ids), strict=True))
    break_it[os.environ[MODE_ENV]]()

    from rtu_magics.server.launch import main

    sys.exit(main())
