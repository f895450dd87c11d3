"""Asking a JupyterHub who somebody is.

It goes through the hub's own client, which is there wherever a hub starts servers: how scopes are
read and what is let in stays the hub's business.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

__all__ = ["Hub", "HubSilent", "HubUser"]

logger = logging.getLogger(__name__)

_REMEMBER = 30  # seconds that the hub's answer holds


@dataclass(frozen=True, slots=True)
class HubUser:
    """A user, or a service, that the hub lets in to this server."""

    name: str


class HubSilent(Exception):
    """The hub does not say who somebody is."""


class Hub:
    """The hub that started this server.

    Parameters
    ----------
    auth
        ``jupyterhub.services.auth.HubAuth``, configured from the environment.
    owner
        The name of the user whose server this is; empty when it is nobody's.
    """

    def __init__(self, auth: Any, owner: str) -> None:
        self._auth = auth
        self.owner = owner

    @classmethod
    def from_environment(cls) -> Hub | None:
        """Return the hub that the environment names, or None if there is none."""
        if not (os.environ.get("JUPYTERHUB_API_URL") and os.environ.get("JUPYTERHUB_API_TOKEN")):
            return None
        try:
            from jupyterhub.services.auth import HubAuth
        except ImportError:
            logger.warning(
                "a JupyterHub started this server, but its users cannot join: install jupyterhub "
                "beside rtu_magics"
            )
            return None
        return cls(HubAuth(cache_max_age=_REMEMBER), os.environ.get("JUPYTERHUB_USER", ""))

    async def user_of(self, token: str, *, again: bool = False) -> HubUser | None:
        """Return who a token belongs to if the hub lets them in here, or None.

        Parameters
        ----------
        token
            One of the hub's.
        again
            Ask even if the answer is known.

        Raises
        ------
        HubSilent
            It does not answer.
        """
        try:
            found = await self._auth.user_for_token(token, use_cache=not again, sync=False)
        except Exception as exc:
            # What the hub's client raises depends on its version; nobody is let in by any of it.
            logger.warning("the JupyterHub does not say who somebody is: %s", type(exc).__name__)
            raise HubSilent from exc
        if not found or not self._auth.check_scopes(self._auth.access_scopes, found):
            return None
        name = str(found.get("name") or "")
        if found.get("kind", "user") != "user":
            name = f"{found['kind']}:{name}"
        return HubUser(name) if name else None
