"""A running server of a directory: where it is written down, and whether it is really there."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EmbeddedServerError

__all__ = ["STATE_DIR", "EmbeddedServer", "call", "find_server", "log_path", "read_address"]

STATE_DIR = ".rtu_magics"
"""Directory below the served one that holds the server's database, log and address."""

PROBE_TIMEOUT = 3.0  # seconds for an answer on the loopback interface


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server on this machine.

    Attributes
    ----------
    url
        Its base URL, ``http://127.0.0.1:<port>/``.
    token
        What it accepts as an owner's token.
    pid
        Its process.
    root_dir
        The directory it serves.
    started
        Whether this call started it.
    leased
        Whether it was started for notebooks, and ends shortly after the last of them.
    afar
        The base URL of the server that its notebooks live on; "" where they live in its directory.
    """

    url: str
    token: str = field(repr=False)
    pid: int
    root_dir: Path
    started: bool = False
    leased: bool = False
    afar: str = ""

    @property
    def api_url(self) -> str:
        """The base URL of its REST API."""
        return f"{self.url.rstrip('/')}/rtu/api"

    @property
    def ended(self) -> bool:
        """Whether its process has ended for sure."""
        return process_ended(self.pid)


def process_ended(pid: int) -> bool:
    """Return whether there is no such process any more; False where that cannot be known."""
    if sys.platform == "win32":
        return False  # os.kill(pid, 0) ends the process there
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # or it is another user's, who got the number
        return True


def log_path(root: Path) -> Path:
    """Return where the server of a directory writes its log."""
    return root / STATE_DIR / "server.log"


def call(server: EmbeddedServer, method: str, path: str, body: Any = None) -> Any:
    """Make one REST call; never through a proxy, the server is on this machine."""
    request = urllib.request.Request(
        f"{server.api_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {server.token}",
            "Content-Type": "application/json",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PROBE_TIMEOUT) as response:
        content = response.read()
    return json.loads(content) if content else None


def read_address(state: Path) -> EmbeddedServer | None:
    """Return the server that a state directory names, whether it runs or not."""
    try:
        found = json.loads((state / "server.json").read_text(encoding="utf-8"))
        return EmbeddedServer(
            url=str(found["url"]),
            token=str(found["token"]),
            pid=int(found["pid"]),
            root_dir=Path(found["root_dir"]),
            leased=found.get("leased") is True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, not ours to read, or half a file: as good as none


def _answers(server: EmbeddedServer) -> bool:
    """Whether this very server is there; raise if something is but does not answer."""
    try:
        info = call(server, "GET", "/info")
    except urllib.error.HTTPError:
        return False  # another program took over the port
    except (TimeoutError, urllib.error.URLError) as exc:
        if isinstance(exc, TimeoutError) or isinstance(exc.reason, TimeoutError):
            raise EmbeddedServerError(
                f"the server for {server.root_dir} (process {server.pid}) does not answer; "
                f"end that process and connect again"
            ) from None
        return False
    except (OSError, ValueError):
        return False
    return (
        isinstance(info, dict)
        and info.get("name") == "rtu_magics"
        and info.get("pid") == server.pid
    )


def find_server(directory: str | os.PathLike[str]) -> EmbeddedServer | None:
    """Find a live server of a directory or of one above it.

    Parameters
    ----------
    directory
        Where to begin.

    Raises
    ------
    EmbeddedServerError
        A server is there and does not answer.
    """
    here = Path(directory).resolve()
    for folder in (here, *here.parents):
        server = read_address(folder / STATE_DIR)
        if server is not None and _answers(server):
            return server
    return None
