"""A server whose wall clock jumps: ``python -m tests.scenarios.outside.jumping_clock``.

`CLOCK_ENV` names a file that holds by how many seconds it is wrong.
"""

from __future__ import annotations

import datetime as datetimes
import os
import sys
import time
from pathlib import Path

CLOCK_ENV = "RTU_TEST_CLOCK"

_right_time = time.time


def wrong_by() -> float:
    """Return by how many seconds the clock is wrong now."""
    try:
        return float(Path(os.environ[CLOCK_ENV]).read_text())
    except (OSError, ValueError):
        return 0.0


class WrongDatetime(datetimes.datetime):
    """Takes the time from the wrong clock; what it returns are ordinary datetimes."""

    @classmethod
    def now(cls, tz: datetimes.tzinfo | None = None) -> datetimes.datetime:  # type: ignore[override]
        return datetimes.datetime.fromtimestamp(_right_time() + wrong_by(), tz)


def main() -> int:
    """Run the server."""
    from rtu_magics.server.process import launch

    time.time = lambda: _right_time() + wrong_by()
    import rtu_magics.server.app

    for name, module in list(sys.modules.items()):
        if name.startswith("rtu_magics.server") and hasattr(module, "datetime"):
            module.datetime = WrongDatetime
    assert rtu_magics.server.app is not None
    return launch.main()


if __name__ == "__main__":
    raise SystemExit(main())
