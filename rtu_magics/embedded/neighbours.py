"""Other Jupyter servers of this machine that serve a directory, by Jupyter's own registry.

Two servers that each have their own idea of one notebook would be two truths. So before one is
started here, those that run already are asked what they are.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import EmbeddedServerError
from .registry import EmbeddedServer, process_ended

__all__ = ["Neighbour", "Offer", "ask", "join_neighbour", "neighbours_of", "serving"]

_ANSWER_WITHIN = 2.0  # seconds
_told: set[tuple[int, str]] = set()  # what was said in this process, by the neighbour's


class Offer(enum.Enum):
    """What a Jupyter Server is to somebody who wants to work on a notebook in its directory."""

    OURS = "rtu_magics, and lets us in"
    CLOSED = "rtu_magics, and does not let us in from here"
    LIVE = "live collaboration, without rtu_magics"
    PLAIN = "neither rtu_magics nor live collaboration"
    SILENT = "no answer"


@dataclass(frozen=True)
class Neighbour:
    """A Jupyter Server on this machine.

    Attributes
    ----------
    url
        Its base URL, with a slash at the end.
    token
        What it accepts, "" if it has none or a password.
    pid, root_dir
        Its process, and the directory that it serves, without symbolic links.
    offer
        What it is, None before it was asked.
    """

    url: str
    token: str = field(repr=False)
    pid: int
    root_dir: Path
    offer: Offer | None = None

    def page(self, directory: Path) -> str:
        """Return the address of a notebook in a directory below the root."""
        inside = directory.relative_to(self.root_dir).as_posix()
        folder = "" if inside == "." else f"{quote(inside)}/"
        return f"{self.url}lab/tree/{folder}NAME.ipynb"


def _registered() -> Iterator[Mapping[str, Any]]:
    """Yield what is written down of Jupyter servers that are not known to have ended."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        files = sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json"))
    except (ImportError, OSError):
        return
    for path in files:
        with contextlib.suppress(OSError, ValueError):  # another user's, or half a file
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                yield found


def serving(infos: Iterator[Mapping[str, Any]] | None = None) -> list[Neighbour]:
    """Return the Jupyter servers that run, this process left out; they are not asked anything.

    Parameters
    ----------
    infos
        What is written down of them; Jupyter's registry by default.

    Examples
    --------
    >>> at_home = {"pid": os.getppid(), "root_dir": "/", "url": "http://localhost:8888/"}
    >>> [one.url for one in serving(iter([at_home, {"pid": "x"}, {}]))]
    ['http://localhost:8888/']
    """
    found = []
    for info in _registered() if infos is None else infos:
        pid, root, url = info.get("pid"), info.get("root_dir"), info.get("url")
        if type(pid) is not int or not isinstance(root, str) or not isinstance(url, str):
            continue
        if pid == os.getpid() or process_ended(pid) or not url.startswith(("http://", "https://")):
            continue
        token = info.get("token")
        place = Path(os.path.realpath(os.path.expanduser(root)))
        url = f"{url.rstrip('/')}/"
        found.append(Neighbour(url, token if isinstance(token, str) else "", pid, place))
    return found


def neighbours_of(directory: Path) -> list[Neighbour]:
    """Return the Jupyter servers whose pages can open what lies in a directory, and what they are.

    Parameters
    ----------
    directory
        Without symbolic links.
    """
    found = []
    for one in serving():
        if directory != one.root_dir and one.root_dir not in directory.parents:
            continue
        if any(part.startswith(".") for part in directory.relative_to(one.root_dir).parts):
            continue  # Jupyter shows nothing hidden
        offer = ask(one)
        if offer is not None:
            found.append(replace(one, offer=offer))
    return sorted(found, key=lambda one: len(one.root_dir.parts), reverse=True)


def ask(one: Neighbour) -> Offer | None:
    """Ask a server what it is; None if it is not there any more."""
    status, body, headers = _get(one, "rtu/api/info")
    if status is None:
        return Offer.SILENT if body == b"silent" else None
    if status == 200:
        with contextlib.suppress(ValueError):
            info = json.loads(body)
            if isinstance(info, dict) and info.get("name") == "rtu_magics":
                return Offer.OURS if info.get("pid") == one.pid else None
    if status == 401 and "Bearer" in headers.get("WWW-Authenticate", ""):
        return Offer.CLOSED
    # The route takes PUT alone: a GET changes nothing.
    status, _, _ = _get(one, "api/collaboration/session/x.ipynb")
    return Offer.LIVE if status == 405 else Offer.PLAIN


def _get(one: Neighbour, path: str) -> tuple[int | None, bytes, Mapping[str, str]]:
    headers = {"Authorization": f"token {one.token}"} if one.token else {}
    itself = ssl.create_default_context()
    itself.check_hostname = False  # it is on this machine, maybe under another name
    itself.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=itself)
    )
    try:
        request = urllib.request.Request(f"{one.url}{path}", headers=headers)
        with opener.open(request, timeout=_ANSWER_WITHIN) as response:
            return response.status, response.read(65536), dict(response.headers)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code, b"", dict(exc.headers)
    except (OSError, ValueError) as exc:
        slow = isinstance(exc, TimeoutError) or isinstance(
            getattr(exc, "reason", None), TimeoutError
        )
        return None, b"silent" if slow else b"", {}


def join_neighbour(directory: Path, say: Callable[[str], object]) -> EmbeddedServer | None:
    """Return the Jupyter Server that a directory's notebooks live on, None if there is none.

    Parameters
    ----------
    directory
        Without symbolic links.
    say
        Called with a line about each server that cannot be joined and stands against nothing.

    Raises
    ------
    EmbeddedServerError
        There is one with our extension, and it cannot be joined from here.
    """
    for one in neighbours_of(directory):
        there = f"connect to it there: %rtu_connect {one.page(directory)}"
        if one.offer is Offer.OURS and one.url.startswith("http://"):
            return EmbeddedServer(one.url, one.token, one.pid, one.root_dir)
        if one.offer is Offer.OURS:
            raise EmbeddedServerError(
                f"{one.root_dir} is served by {one.url} with rtu_magics; {there} (--cafile PEM "
                "trusts a certificate of its own)"
            )
        if one.offer is Offer.CLOSED:
            raise EmbeddedServerError(
                f"{one.root_dir} is served by {one.url} with rtu_magics, and its token is not "
                f"known here; {there}"
            )
        if one.offer is Offer.LIVE or (one.pid, one.url) in _told:
            continue  # a live document is told of when the notebook is opened
        _told.add((one.pid, one.url))
        say(
            f"note: JupyterLab at {one.url} serves this folder, too, and "
            + (
                "does not answer: its page may not show what happens here"
                if one.offer is Offer.SILENT
                else "has no rtu_magics: its page does not show what happens here, and asks before "
                "it saves; install rtu_magics beside it and restart it, and both are one notebook"
            )
        )
    return None
