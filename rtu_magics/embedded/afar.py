"""The server on this machine that keeps copies of notebooks of a server elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import EmbeddedServerError
from .leases import Lease
from .registry import EmbeddedServer, call
from .start import Afar, Say, open_server

__all__ = ["folder_of", "hand_token", "open_copies"]


def folder_of(url: str) -> Path:
    """Return where the copies of a server's notebooks lie: in the user's data directory.

    Parameters
    ----------
    url
        The server's base URL.
    """
    from jupyter_core.paths import jupyter_data_dir

    parts = urlsplit(url)
    name = re.sub(r"[^\w.-]+", "-", f"{parts.netloc}{parts.path}").strip("-")[:60]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Path(jupyter_data_dir()) / "rtu_magics" / "afar" / f"{name}-{digest}"


def open_copies(afar: Afar, say: Say, name: str = "") -> tuple[EmbeddedServer, Lease]:
    """Find or start the server for the notebooks of a server elsewhere, and take a lease on it.

    Parameters
    ----------
    afar
        That server.
    say
        Called with a line of text for each thing that happens.
    name
        Who holds the lease, for the server's log.

    Raises
    ------
    EmbeddedServerError
        It did not start, or what it needs is not installed here.
    """
    if importlib.util.find_spec("pycrdt") is None:
        raise EmbeddedServerError(
            f"joining a live document of {afar.url} takes a package that is not installed here: "
            "pip install pycrdt"
        )
    folder = folder_of(afar.url)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise EmbeddedServerError(
            f"{folder} cannot be made ({exc.strerror or exc}); JUPYTER_DATA_DIR names another place"
        ) from None
    server, lease = open_server(folder, say, name, afar)
    if not server.started:
        hand_token(server, afar.token)
    return server, lease


def hand_token(server: EmbeddedServer, token: str) -> None:
    """Let a server that runs already use a newer token of the one elsewhere."""
    with contextlib.suppress(OSError, ValueError):  # it says itself that it is not let in
        call(server, "PUT", "/v1/afar", {"token": token})
