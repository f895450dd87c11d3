"""Tokens that the user keeps in the keyring of their system."""

from __future__ import annotations

import importlib
import logging
from typing import Any

__all__ = ["SERVICE", "kept_token"]

SERVICE = "rtu_magics"
"""The name under which tokens stand in the keyring."""

logger = logging.getLogger(__name__)


def kept_token(base_url: str) -> str | None:
    """Return the token that the keyring has for a server, None if there is none, or no keyring.

    It takes the package ``keyring``, which is not installed with us; ``keyring set rtu_magics
    https://hub.example`` then puts a token there.

    Parameters
    ----------
    base_url
        Of the server, without a slash at its end.
    """
    try:
        keyring: Any = importlib.import_module("keyring")
        found = keyring.get_password(SERVICE, base_url)
    except Exception as exc:  # not installed, locked, or none on this machine
        logger.debug("the keyring cannot be asked: %s", type(exc).__name__)
        return None
    return str(found).strip() or None if found is not None else None
