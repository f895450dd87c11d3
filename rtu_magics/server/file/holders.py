"""Other programs that own a notebook's file: live documents of JupyterLab's collaboration.

Such a room has the notebook in memory, writes the file by itself, and takes a file that somebody
else writes for a new notebook: what people just typed in the page is gone. While one has the file,
ours keeps edits in the database and leaves the file alone.

A room of this very server is seen at once. Whether another Jupyter Server has one cannot be asked;
that it offers them, and serves the file's directory, can.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..process.directory_lock import STATE_DIR, is_held
from .live_documents import paths_of_rooms

__all__ = ["Holders", "offers_rooms", "servers_of"]

logger = logging.getLogger(__name__)

LOOK_EVERY = 3.0  # seconds between looks for other servers
ANSWER_WITHIN = 2.0  # seconds


class Holders:
    """Tells which notebooks other programs hold.

    Parameters
    ----------
    root
        The directory that is served.
    settings
        Of the server's web application.
    apps
        Returns its extensions, by name.
    """

    def __init__(
        self,
        root: Path,
        settings: Mapping[str, Any] | None = None,
        apps: Callable[[], Mapping[str, Iterable[Any]]] = dict,
    ) -> None:
        self._root = root
        self._settings = settings or {}
        self._apps = apps
        # Whether ours can stand on a live document, and owns the file together with it.
        self.bridgeable: Callable[[str], bool] = lambda path: False
        self._others: dict[Path, str] = {}  # what to say of all that lies below a directory
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def look(self, *, now: bool = False) -> None:
        """Find out about other servers, if not just done or if it has to be now."""
        if not now and time.monotonic() - self._looked_at < LOOK_EVERY:
            return
        async with self._looking:
            try:
                self._others = await asyncio.to_thread(_others, self._root, self._others)
            except Exception as exc:  # the list of servers is Jupyter's, and anybody's to write
                logger.debug("cannot list the running servers: %s", exc)
            self._looked_at = time.monotonic()

    def of(self, path: str) -> str:
        """Return who holds a notebook, as a sentence's beginning; empty if nobody does.

        Parameters
        ----------
        path
            Below the root.
        """
        open_here = path in paths_of_rooms(self._settings, self._apps())
        if open_here and not self.bridgeable(path):
            return f"{path} is open in this server's JupyterLab with live collaboration"
        absolute = Path(os.path.realpath(self._root / path))
        for directory, words in self._others.items():
            if directory in absolute.parents:
                return words
        return ""

    def refusal(self, path: str) -> str:
        """Return why nobody should begin to work on a notebook here; "" if nothing is."""
        held = self.of(path)
        if not held:
            return self._served_by_another(path)
        where = next((word for word in held.split() if "://" in word), "")
        todo = (
            f"connect there (%rtu_connect {where.rstrip('/')}/lab/tree/{self._there(path)}; it has "
            "to have rtu_magics, too), start it without collaboration, or stop it"
            if where
            else "close it there (a minute later its document is closed), or work on in that page"
        )
        return f"{held}, and two programs cannot own one file: {todo}; then connect again"

    def _there(self, path: str) -> str:
        """Return a notebook's path in the address of the server that holds it."""
        absolute = Path(os.path.realpath(self._root / path))
        root = next((one for one in self._others if one in absolute.parents), self._root)
        return quote(absolute.relative_to(root).as_posix() if root in absolute.parents else path)

    def _served_by_another(self, path: str) -> str:
        """Return why a notebook belongs to another server of ours, for a directory around it."""
        place = Path(os.path.realpath(self._root / path)).parent
        for folder in (place, *place.parents):
            if folder != self._root and is_held(folder / STATE_DIR / "rtu.lock"):
                url = _url_in(folder / STATE_DIR / "server.json")
                return (
                    f"{path} belongs to the server of rtu_magics for {folder}{url}, and two "
                    "servers cannot own one file: connect there, or stop it; then connect again"
                )
        return ""


def _url_in(address: Path) -> str:
    try:
        return f" ({json.loads(address.read_text(encoding='utf-8'))['url']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _others(root: Path, known: Mapping[Path, str]) -> dict[Path, str]:
    from jupyter_server.serverapp import list_running_servers

    found: dict[Path, str] = {}
    try:
        for info in servers_of(root, list_running_servers(), os.getpid()):
            url, directory = str(info["url"]), Path(os.path.realpath(str(info["root_dir"])))
            words = f"JupyterLab at {url} serves this folder with live collaboration"
            answer = offers_rooms(url, str(info.get("token", "")))
            # Its process lives: one that is too busy to answer has not let go.
            if answer or (answer is None and known.get(directory) == words):
                found[directory] = words
    except (OSError, ValueError) as exc:
        logger.debug("cannot read who runs: %s", exc)
    return found


def servers_of(root: Path, infos: Iterable[Any], own_pid: int) -> list[Mapping[str, Any]]:
    """Return those of Jupyter's running servers that serve something of a directory, without us.

    Parameters
    ----------
    root
        The directory, without symbolic links.
    infos
        What Jupyter's registry says of each.
    own_pid
        The process that asks.

    Examples
    --------
    >>> home = {"pid": 1, "root_dir": "/home", "url": "http://127.0.0.1:8888/"}
    >>> far = {"pid": 2, "root_dir": "/srv", "url": "http://127.0.0.1:8889/"}
    >>> [one["pid"] for one in servers_of(Path("/home/ann"), [home, far, {}], 3)]
    [1]
    """
    found = []
    for info in infos:
        if not isinstance(info, Mapping) or info.get("pid") == own_pid:
            continue
        directory = info.get("root_dir")
        if not isinstance(directory, str) or not str(info.get("url", "")).startswith("http"):
            continue
        theirs = Path(os.path.realpath(directory))
        if theirs == root or theirs in root.parents or root in theirs.parents:
            found.append(info)
    return found


def offers_rooms(url: str, token: str) -> bool | None:
    """Ask a Jupyter Server whether it has live documents; None if it does not answer.

    Its route for sessions of live documents takes PUT alone: a GET changes nothing, and is answered
    405 where there is such a route and 404 where there is none.
    """
    request = urllib.request.Request(
        f"{url.rstrip('/')}/api/collaboration/session/x.ipynb",
        headers={"Authorization": f"token {token}"} if token else {},
    )
    itself = ssl.create_default_context()
    itself.check_hostname = False  # it is on this machine, maybe under another name
    itself.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=itself)
    )
    try:
        with opener.open(request, timeout=ANSWER_WITHIN):
            return False
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code == 405
    except (OSError, ValueError):
        return None
