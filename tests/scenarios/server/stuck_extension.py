"""A Jupyter Server extension that holds the server's loop for ever when it is asked to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    mark = Path(os.environ["RTU_TEST_STUCK"])

    def hold() -> None:
        mark.write_text("stuck")
        while True:
            time.sleep(0.001)

    app.io_loop.call_later(1.0, hold)
