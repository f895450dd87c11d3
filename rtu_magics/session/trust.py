"""Whether what a remote notebook shows is its reader's own."""

from __future__ import annotations

import re

__all__ = ["is_invitation", "usual_trust"]

_SIGNED = re.compile(r"[\w-]+[.][\w-]+[.][\w-]+", re.ASCII)  # JSON Web Token (RFC 7519)


def is_invitation(token: str | None) -> bool:
    """Return whether a token is one of those that `%rtu_share` makes.

    Examples
    --------
    >>> is_invitation("eyJh.eyJq.c2ln"), is_invitation("5f3c")
    (True, False)
    """
    return _SIGNED.fullmatch(token or "") is not None


def usual_trust(token: str | None, role: str | None, *, local: bool) -> bool:
    """Return whether outputs are trusted where nobody said so.

    They are where the kernel runs as the reader, on this machine, or on a server that is theirs.
    Whoever was invited reads what others' code shows.

    Parameters
    ----------
    token
        What the session came with.
    role
        What the reader is in the notebook.
    local
        Whether its server was found or started on this machine, by its file.
    """
    return local or (role == "owner" and not is_invitation(token))
