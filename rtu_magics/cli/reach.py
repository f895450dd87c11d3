"""From what is named on the command line to a notebook on a running server."""

from __future__ import annotations

import getpass
import sys

from ..errors import EmbeddedServerError
from ..session.endpoint.target import (
    LocalTarget,
    RemoteTarget,
    find_token,
    known_token,
    parse_target,
)

__all__ = ["reach"]


def reach(target: str, token: str | None, cafile: str | None = None) -> tuple[RemoteTarget, str]:
    """Return where a notebook is served, and the token for it.

    Parameters
    ----------
    target
        A URL, or a notebook file of this machine whose directory is being served.
    token
        What was given, or None: then the URL's own, ``RTU_TOKEN``, or a question without echo,
        once somebody answers there.
    cafile
        The certificate of an authority to trust besides the usual ones.

    Raises
    ------
    TargetError, AuthenticationFailed
        It cannot be understood; there is no token.
    EmbeddedServerError
        Nothing serves the file.
    ConnectFailed
        Nothing answers at the URL.
    """
    parsed = parse_target(target)
    if isinstance(parsed, LocalTarget):
        return _local(parsed, target)
    ask = getpass.getpass if sys.stdin.isatty() else None
    if not known_token(token, parsed):
        from ..session.endpoint.find import check_answers

        check_answers(parsed, cafile)
    return parsed, find_token(token, parsed, ask)


def _local(parsed: LocalTarget, shown: str) -> tuple[RemoteTarget, str]:
    from ..embedded import find_server

    path = parsed.path.resolve()
    server = find_server(path.parent)
    if server is None:
        raise EmbeddedServerError(
            f"no server runs for {shown}; start one with: rtu-magics serve {shown}"
        )
    inside = path.relative_to(server.root_dir).as_posix()
    return RemoteTarget(server.url.rstrip("/"), path=inside), server.token
