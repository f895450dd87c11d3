"""Servers that differ from ours on purpose: ``python -m tests.scenarios.durability.variants``, with
`VARIANT_ENV` naming one.

Two are sound: one leaves more time between committing and acknowledging, so that a kill falls there
more often; one takes its database's place for a network file system. The others break the rule
"commit, then acknowledge": a check that cannot fail proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

VARIANT_ENV = "RTU_TEST_VARIANT"
SOUND = "dawdling"
NETWORK = "on a network file system"
BROKEN = ("acknowledging early", "rolling back")
_LATE = 0.05  # seconds between acknowledging and committing
_DAWDLE = 0.004  # seconds between committing and acknowledging


def dawdle() -> None:
    """Wait between committing and acknowledging."""
    from rtu_magics.server.notebook.chain import Chain

    commit = Chain.commit

    def commit_and_wait(self: Chain, staged: Any, also: Any = None) -> None:
        commit(self, staged, also)
        time.sleep(_DAWDLE)

    Chain.commit = commit_and_wait  # type: ignore[method-assign]


def lie_on_the_network() -> None:
    """Do without SQLite's write-ahead log, as where memory cannot be shared."""
    from rtu_magics.server import app

    app.network_file_system = lambda place: "nfs4"  # type: ignore[assignment]


def acknowledge_early() -> None:
    """Acknowledge and broadcast at once, commit a little later, as a lazy group commit would."""
    from rtu_magics.server.notebook.chain import Chain

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


_VARIANTS = {
    SOUND: dawdle,
    NETWORK: lie_on_the_network,
    BROKEN[0]: acknowledge_early,
    BROKEN[1]: roll_back,
}

if __name__ == "__main__":
    _VARIANTS[os.environ[VARIANT_ENV]]()

    from rtu_magics.server.process.launch import main

    sys.exit(main())
