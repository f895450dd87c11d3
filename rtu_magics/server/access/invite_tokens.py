"""The signed tokens of invitations (JSON Web Tokens, RFC 7519).

A token names its invitation and its notebook. What it allows stands in the store, where it can be
changed and withdrawn while the token is out; the claims only say what was meant at first.

``jwt`` is imported with the first token: where it finds a library for other kinds of keys, it loads
all of that, which takes longer than much else of a server's start.
"""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from ..store import StoreError
from .roles import Role

__all__ = ["InviteClaims", "InviteTokens"]

logger = logging.getLogger(__name__)

_ALGORITHM = "HS256"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class InviteClaims:
    """What a genuine token says.

    Attributes
    ----------
    invite_id, file_id
        Which invitation, to which notebook.
    expires_at
        In seconds since the epoch.
    """

    invite_id: UUID
    file_id: UUID
    expires_at: float


class InviteTokens:
    """Makes and checks tokens.

    Parameters
    ----------
    key_file
        Holds the key; made, readable by its user alone, when missing. Without it all tokens that
        are out are worth nothing.

    Raises
    ------
    StoreError
        The file cannot be read, or is no key.
    """

    def __init__(self, key_file: Path) -> None:
        self._key = _load_key(key_file)

    def make(
        self,
        invite_id: UUID,
        file_id: UUID,
        *,
        role: Role,
        name: str | None,
        issued_at: float,
        expires_at: float,
    ) -> str:
        """Return the token of an invitation.

        Parameters
        ----------
        invite_id, file_id, role, name
            Which, to what, as what, and for whom.
        issued_at, expires_at
            Seconds since the epoch.
        """
        claims = {
            "jti": str(invite_id),
            "file": str(file_id),
            "role": role.value,
            "name": name,
            "iat": int(issued_at),
            "exp": int(expires_at),
        }
        import jwt

        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str) -> InviteClaims | None:
        """Return what a token says, or None if it is none of ours.

        Whether it has expired is left to the caller, who has the store's word on it too.
        """
        import jwt

        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],  # of no other kind, whatever the token's header says
                options={
                    "require": ["jti", "file", "role", "iat", "exp"],
                    # A clock that went back must not lock out everybody who was invited meanwhile.
                    "verify_iat": False,
                    "verify_exp": False,
                },
            )
            return InviteClaims(UUID(claims["jti"]), UUID(claims["file"]), float(claims["exp"]))
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            return None


def _load_key(path: Path) -> bytes:
    try:
        if not path.exists():
            _make_key(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
            logger.warning(
                "%s could be read by others; if they may not invite people, remove it and start "
                "again, which ends all invitations",
                path,
            )
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as exc:
        raise StoreError(f"cannot use {path} ({exc.strerror}); see to its permissions") from exc
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES:
        raise StoreError(
            f"{path} is damaged; remove it and start again, which ends all invitations"
        )
    return key


def _make_key(path: Path) -> None:
    """Write a new key in one step: a server that dies meanwhile leaves no half of one."""
    temporary = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
    os.replace(temporary, path)
