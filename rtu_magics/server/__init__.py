"""The server: a Jupyter Server extension that keeps live notebooks under ``/rtu``.

``jupyter server`` finds it by its configuration file; ``python -m rtu_magics.server`` starts a
server that has little else.
"""

from __future__ import annotations

from typing import Any

__all__ = ["_jupyter_server_extension_points"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .app import RTUMagicsServer

    return [{"module": "rtu_magics.server.app", "app": RTUMagicsServer}]
