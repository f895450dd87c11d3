"""The wire: a small interface (`Connection`, `Connect`) and what stands behind it.

`websocket` is the real one and loads the websockets library, so it is imported only where a
connection is made; `memory` is for tests.
"""

from .base import Connect, Connection, QuickConnection

__all__ = ["Connect", "Connection", "QuickConnection"]
