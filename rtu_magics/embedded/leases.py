"""Leases: as long as anybody holds one, the server lives."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import os
import sys
from typing import Any

from .registry import EmbeddedServer, call

__all__ = ["Lease"]


_LONGEST = 200  # characters of a name that the server's log takes


class Lease:
    """Keeps the server alive while held; released at the end of the process at the latest.

    Parameters
    ----------
    server
        The server.
    name
        Who holds it, for the server's log.
    """

    def __init__(self, server: EmbeddedServer, name: str = "") -> None:
        self.server = server
        answer = call(server, "POST", "/v1/leases", {"pid": os.getpid(), "name": name[:_LONGEST]})
        self.id = str(answer["lease_id"])
        self._pid = os.getpid()
        self._released = False
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.release(returning=_restarts())

    def release(self, returning: bool = False) -> None:
        """Give the lease back; a second call does nothing.

        Parameters
        ----------
        returning
            Whether this program comes back, so that the server should wait for a while.
        """
        # A forked child has a copy of this object, but the lease is its parent's.
        if self._released or self._pid != os.getpid():
            return
        self._released = True
        atexit.unregister(self._at_exit)
        # When it cannot be given back the server is gone, or sees that this process is.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            query = "?returning=1" if returning else ""
            call(self.server, "DELETE", f"/v1/leases/{self.id}{query}")


def _restarts() -> bool:
    """Return whether this process ends because it is a Jupyter kernel that is being restarted."""
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    app = getattr(getattr(ipykernel, "IPKernelApp", None), "_instance", None)
    asked: Any = getattr(getattr(app, "kernel", None), "_shutdown_message", None)
    try:
        return bool(asked["content"]["restart"])
    except (KeyError, TypeError):
        return False
