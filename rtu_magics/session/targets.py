"""What ``%rtu_connect`` can connect to, parsed and checked before anything is started."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from uuid import UUID

from ..errors import AuthenticationFailed, TargetError
from .secrets import kept_token

__all__ = ["SCRATCH_NAME", "LocalTarget", "RemoteTarget", "find_token", "mask", "parse_target"]

SCRATCH_NAME = "rtu_scratch.ipynb"
"""The notebook that a bare ``%rtu_connect`` opens in the working directory."""

_FORMS = "…/rtu/f/<id>, …/lab/tree/<path>, …/notebooks/<path> or …/tree/<path>"

# The earliest marker ends the base URL: a notebook's own path may hold the same words.
_PAGE = re.compile(
    r"^(?P<base>.*?)/(?:rtu/f/(?P<id>[^/]+)/?"
    r"|(?:(?:lab|doc)(?:/workspaces/[^/]+)?/tree|notebooks|tree)(?:/(?P<path>.*))?)$"
)
_SECRET = re.compile(r"((?:token|invite|jwt|password)=)[^&\s'\"#]+", re.IGNORECASE)


@dataclass(frozen=True)
class LocalTarget:
    """A notebook file on this machine, to be served by the embedded server.

    Attributes
    ----------
    path
        The file, absolute.
    create
        Whether it is to be made.
    scratch
        Whether nobody named it.
    """

    path: Path
    create: bool
    scratch: bool = False


@dataclass(frozen=True)
class RemoteTarget:
    """A notebook on a running server, by its id or by its path.

    Attributes
    ----------
    base_url
        The server's base URL without a slash at the end.
    file_id
        The notebook's id, or None.
    path
        The notebook's path below the server's directory, or None.
    token
        The token that the URL carried, or None.
    invited
        Whether that is an invitation: whoever presents it is its guest and nobody else.
    """

    base_url: str
    file_id: UUID | None = None
    path: str | None = None
    token: str | None = field(default=None, repr=False)
    invited: bool = field(default=False, repr=False)

    @property
    def api_url(self) -> str:
        """The base URL of the server's RTU API."""
        return f"{self.base_url}/rtu/api"


def mask(text: str) -> str:
    """Hide the secrets that URLs in a text carry.

    Examples
    --------
    >>> mask("http://lab:8888/lab/tree/a.ipynb?token=abc&x=1")
    'http://lab:8888/lab/tree/a.ipynb?token=***&x=1'
    """
    return _SECRET.sub(r"\1***", text)


def parse_target(target: str | None, cwd: Path | None = None) -> LocalTarget | RemoteTarget:
    """Understand a connect target.

    Parameters
    ----------
    target
        None for the scratch notebook, the path of a notebook, or the URL of one.
    cwd
        What relative paths are relative to; the working directory by default.

    Raises
    ------
    TargetError
        It cannot be understood, or there is no such thing.

    Examples
    --------
    >>> parse_target("http://lab.example:8888/user/ann/lab/tree/a%20b.ipynb?token=t").path
    'a b.ipynb'
    """
    here = cwd or Path.cwd()
    if target is None or not target.strip():
        path = here / SCRATCH_NAME
        return LocalTarget(path, create=not path.exists(), scratch=True)
    target = target.strip()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", target):
        return _parse_url(target)
    return _parse_path(target, here)


def _parse_url(url: str) -> RemoteTarget:
    shown = mask(url)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise TargetError(f"{shown} is no URL: {exc}") from None
    if parts.scheme not in ("http", "https"):
        raise TargetError(f"{shown} is not a web address: it has to begin with http:// or https://")
    if not host:
        raise TargetError(f"{shown} names no server: write http://HOST:PORT/lab/tree/PATH.ipynb")
    page = _PAGE.match(parts.path)
    if page is None:
        raise TargetError(f"{shown} names no notebook; the URL of one looks like {_FORMS}")
    query = parse_qs(parts.query)
    # A link from %rtu_share says who its reader is to be, whatever token came along with it.
    invite = query.get("invite", [""])[0] or None
    token = invite or query.get("token", [""])[0] or None
    invited = invite is not None
    netloc = parts.netloc.rpartition("@")[2]  # a password in the URL is of no use here
    base_url = urlunsplit((parts.scheme, netloc, page["base"].rstrip("/"), "", ""))
    if page["id"] is not None:
        try:
            return RemoteTarget(base_url, file_id=UUID(page["id"]), token=token, invited=invited)
        except ValueError:
            raise TargetError(
                f"{page['id']!r} is not a notebook's id; copy the link again, it ends in "
                f"/rtu/f/ and 36 characters"
            ) from None
    path = unquote(page["path"] or "").strip("/")
    if not path.endswith(".ipynb"):
        what = f"{path!r} is no notebook" if path else "that is the list of files"
        raise TargetError(f"{shown}: {what}; open a notebook there and copy its address")
    return RemoteTarget(base_url, path=path, token=token, invited=invited)


def _parse_path(target: str, here: Path) -> LocalTarget:
    path = here / Path(target).expanduser()
    path = Path(os.path.normpath(path))
    if path.is_dir():
        raise TargetError(
            f"{target} is a directory; name a notebook in it, for example "
            f"{Path(target) / SCRATCH_NAME}"
        )
    if path.suffix != ".ipynb":
        if path.exists():
            raise TargetError(f"{target} is not a notebook: its name has to end in .ipynb")
        raise TargetError(
            f"{target} does not exist; the name of a new notebook ends in .ipynb, "
            f"and a URL begins with http:// or https://"
        )
    if not path.parent.is_dir():
        raise TargetError(f"the directory {path.parent} does not exist; create it first")
    return LocalTarget(path, create=not path.exists())


def find_token(
    given: str | None, target: RemoteTarget, ask: Callable[[str], str] | None = None
) -> str:
    """Find the token for a server: given, in the URL, ``RTU_TOKEN`` or the keyring, or asked for.

    Parameters
    ----------
    given
        What the caller passed.
    target
        The parsed URL.
    ask
        Called with a prompt; returns what was typed without echo.

    Raises
    ------
    AuthenticationFailed
        There is none.
    """
    token = given or target.token or os.environ.get("RTU_TOKEN") or kept_token(target.base_url)
    if not token and ask is not None:
        token = ask(f"token for {target.base_url}: ").strip()
    if not token:
        raise AuthenticationFailed(
            f"{target.base_url} needs a token: set the environment variable RTU_TOKEN or "
            f"give --token"
        )
    return token
