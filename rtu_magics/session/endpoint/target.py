"""What ``%rtu_connect`` can connect to, parsed and checked before anything is started."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname
from uuid import UUID

from ...errors import AuthenticationFailed, TargetError
from ..names import alike, check_name, either, like_a_url
from .token import kept_token

__all__ = [
    "SCRATCH_NAME",
    "LocalTarget",
    "RemoteTarget",
    "find_token",
    "known_token",
    "mask",
    "parse_target",
]

SCRATCH_NAME = "rtu_scratch.ipynb"
"""The notebook that a bare ``%rtu_connect`` opens in the working directory."""

_FORMS = "…/rtu/f/<id>, …/lab/tree/<path>, …/notebooks/<path> or …/tree/<path>"

# The earliest marker ends the base URL: a notebook's own path may hold the same words. A hub's user
# may be called like one.
_PAGE = re.compile(
    r"^(?P<base>(?:/user/[^/]+)?.*?)/(?:rtu/f/(?P<id>[^/]+)/?"
    r"|(?:(?:lab|doc)(?:/workspaces/[^/]+)?/tree|(?:nbclassic/)?(?:notebooks|tree|edit|view|files)"
    r"|voila/render|nbconvert/\w+|api/contents|lab/api/contents)(?:/(?P<path>.*))?"
    r"|(?P<list>(?:lab|doc)(?:/workspaces/[^/]+)?/?|voila/?))$"
)
_REDIRECT = re.compile(r"/(?:hub/)?user-redirect(?:/|$)")
_DRIVE = re.compile(r"RTC:/?")
"""What jupyter-collaboration puts before a notebook's path in JupyterLab's address."""
_ADDRESS = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://", re.IGNORECASE)
_SECRET = re.compile(r"((?:token|invite|jwt|password)=)[^&\s'\"#]+", re.IGNORECASE)


@dataclass(frozen=True)
class LocalTarget:
    """A notebook file on this machine, to be served by the embedded server.

    Attributes
    ----------
    path
        The file, absolute.
    create
        Whether there is none yet.
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


def parse_target(
    target: str | os.PathLike[str] | None, cwd: Path | None = None
) -> LocalTarget | RemoteTarget:
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
    if isinstance(target, os.PathLike):
        target = os.fspath(target)
    if target is not None and not isinstance(target, str):
        raise TargetError(f"{target!r} names no notebook: give its path or its URL as text")
    if target is None or not target.strip():
        path = here / SCRATCH_NAME
        return LocalTarget(path, create=not path.exists(), scratch=True)
    bare = target.strip()
    if bare.lower().startswith("file:"):
        return _parse_path(_path_of(bare), here)
    if _ADDRESS.match(bare):
        return _parse_url(bare)  # which may be longer than any name: it holds a token
    check_name(target)
    return _parse_path(target if (here / target).exists() else bare, here)


def _path_of(url: str) -> str:
    """Return the path in a ``file:`` URL."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise TargetError(f"{url} is on another machine ({parts.netloc}); start a server there")
    path = url2pathname(parts.path)
    check_name(path)
    return path


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
    if _REDIRECT.search(parts.path):
        raise TargetError(
            f"{shown} leads each of a hub's users to a server of their own; open it in the browser "
            f"and copy the address that it leads to (…/user/NAME/lab/tree/PATH.ipynb)"
        )
    page = _PAGE.match(re.sub(r"^(.*?)/hub/user/", r"\1/user/", parts.path))
    if page is None and parts.path.endswith(".ipynb"):
        meant = mask(urlunsplit(parts._replace(path=f"/lab/tree{parts.path}")))
        raise TargetError(f"{shown} is no page of a notebook; did you mean {meant}?")
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
    path = _DRIVE.sub("", unquote(page["path"] or "").strip("/"), count=1).strip("/")
    check_name(path)
    if not path.endswith(".ipynb"):
        what = f"{path!r} is no notebook" if path else "that is the list of files"
        raise TargetError(f"{shown}: {what}; open a notebook there and copy its address")
    return RemoteTarget(base_url, path=path, token=token, invited=invited)


def _parse_path(target: str, here: Path) -> LocalTarget:
    try:
        path = here / (Path(target) if (here / target).exists() else Path(target).expanduser())
    except RuntimeError:
        raise TargetError(
            f"{target}: nobody on this machine is called {target[1:].partition('/')[0]!r}; for a "
            f"name that begins with ~ write ./{target}"
        ) from None
    path = Path(os.path.normpath(path))
    if path.is_dir():
        raise TargetError(
            f"{target} is a directory; name a notebook in it, for example "
            f"{Path(target) / SCRATCH_NAME}"
        )
    if path.suffix != ".ipynb":
        if path.exists():
            raise TargetError(f"{target} is not a notebook: its name has to end in .ipynb")
        _check_no_url(target)
        raise TargetError(
            f"{target} does not exist; {_meant(target, path)}the name of a new notebook ends in "
            f".ipynb, and a URL begins with http:// or https://"
        )
    if not path.parent.is_dir():
        _check_no_url(target)
        raise TargetError(
            f"the directory {path.parent} does not exist; {_meant(target, path)}create it first"
        )
    return LocalTarget(path, create=not path.exists())


def _check_no_url(target: str) -> None:
    meant = like_a_url(target)
    if meant is not None:
        raise TargetError(f"{mask(target)} is no file here; did you mean {mask(meant)}?")
    if re.match(r"https?:", target, re.IGNORECASE):
        raise TargetError(f"{mask(target)} is no file here; a URL begins with http:// or https://")


def _meant(target: str, path: Path) -> str:
    folder = str(path.parent) if target.startswith("~") else os.path.dirname(target)
    meant = [os.path.normpath(os.path.join(folder, name)) for name in alike(path)]
    return f"did you mean {either(meant)}? Else: " if meant else ""


def known_token(given: str | None, target: RemoteTarget) -> str | None:
    """Return the token for a server if nobody has to be asked; see `find_token`."""
    return given or target.token or os.environ.get("RTU_TOKEN") or kept_token(target.base_url)


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
    token = known_token(given, target)
    if not token and ask is not None:
        token = ask(f"token for {target.base_url}: ").strip()
    if not token:
        raise AuthenticationFailed(
            f"{target.base_url} needs a token: set the environment variable RTU_TOKEN or "
            f"give --token"
        )
    return token
