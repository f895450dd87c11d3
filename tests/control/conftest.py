from __future__ import annotations

from ..server.conftest import server, shared_server, write_notebook

__all__ = ["server", "shared_server", "write_notebook"]
