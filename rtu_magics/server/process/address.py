"""The file by which programs of the same user on this machine find a directory's server.

It holds a token of its own, made anew at each start and accepted as an owner's, so that it works
however people log in to the Jupyter Server that runs this extension: token, password or hub.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

__all__ = ["AddressFile", "listening_port", "local_url"]


def listening_port(serverapp: Any) -> int:
    """Return the port that a Jupyter Server listens on.

    Before version 2.20 it shows the 0 by which it was asked for a free one.
    """
    sockets = getattr(getattr(serverapp, "http_server", None), "_sockets", {})
    if serverapp.port == 0 and sockets:
        return int(next(iter(sockets.values())).getsockname()[1])
    return int(serverapp.port)


def local_url(serverapp: Any) -> str | None:
    """Return the URL of a Jupyter Server for programs on this machine.

    None if there is none that they could use without further settings: it listens on a socket
    file, or shows a certificate.
    """
    if serverapp.sock or serverapp.certfile:
        return None
    ip = str(serverapp.ip)
    host = "127.0.0.1" if ip in ("", "*", "0.0.0.0", "::", "localhost") else ip
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{listening_port(serverapp)}{serverapp.base_url}"


class AddressFile:
    """``server.json`` in the directory of the server's state, readable by its user alone.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    token
        What it will hold; whoever presents it can read the user's files.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = False
        self.token = secrets.token_hex(32)

    def write(self, url: str, root: Path, leased: bool) -> None:
        """Write the file in one step.

        Parameters
        ----------
        url
            Base URL of the server.
        root
            The directory that it serves.
        leased
            Whether it ends shortly after its last lease.
        """
        content = {
            "url": url,
            "token": self.token,
            "pid": os.getpid(),
            "root_dir": str(root),
            "leased": leased,
            "started_at": time.time(),
        }
        temporary = self._path.with_name(f"server-{secrets.token_hex(4)}.json")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(temporary, self._path)
        self._written = True

    def remove(self) -> None:
        """Remove the file, if this object wrote it."""
        if self._written:
            self._written = False
            with contextlib.suppress(OSError):
                self._path.unlink()
