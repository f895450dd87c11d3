"""Asking a JupyterHub who somebody is.

It goes through the hub's own client, which is there wherever a hub starts servers: how scopes are
read and what is let in stays the hub's business.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from dataclasses import dataclass
from typing import Any

__all__ = ["Hub", "HubSilent", "HubUser"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HubUser:
    """A user, or a service, that the hub lets in to this server.

    Attributes
    ----------
    name, kind
        As the hub has them; ``kind`` is ``user`` or ``service``.
    """

    name: str
    kind: str = "user"

    @property
    def key(self) -> str:
        """What tells them from everybody else of the hub."""
        return f"hub:{self.name}" if self.kind == "user" else f"hub-{self.kind}:{self.name}"


class HubSilent(Exception):
    """The hub does not say who somebody is."""


class Hub:
    """The hub that started this server.

    Parameters
    ----------
    owner
        The name of the user whose server this is; empty when it is nobody's.
    ask_every
        Seconds after which it is asked again.
    """

    def __init__(self, owner: str, ask_every: int) -> None:
        self.owner = owner
        self.ask_every = ask_every
        self._auth: Any = None

    @classmethod
    def from_environment(cls, ask_every: int) -> Hub | None:
        """Return the hub that the environment names, or None if there is none.

        Parameters
        ----------
        ask_every
            Seconds after which it is asked again.
        """
        if not (os.environ.get("JUPYTERHUB_API_URL") and os.environ.get("JUPYTERHUB_API_TOKEN")):
            return None
        if importlib.util.find_spec("jupyterhub") is None:
            logger.warning(
                "a JupyterHub started this server, but its users cannot join: install jupyterhub "
                "beside rtu_magics"
            )
            return None
        return cls(os.environ.get("JUPYTERHUB_USER", ""), ask_every)

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
            if self._auth is None:
                # Its import takes as long as the rest of a start, and few servers need it.
                self._auth = await asyncio.to_thread(_client, self.ask_every)
            found = await self._auth.user_for_token(token, use_cache=not again, sync=False)
        except Exception as exc:
            # What the hub's client raises depends on its version; nobody is let in by any of it.
            logger.warning("the JupyterHub does not say who somebody is: %s", type(exc).__name__)
            raise HubSilent from exc
        if not found or not self._auth.check_scopes(self._auth.access_scopes, found):
            return None
        name = str(found.get("name") or "")
        return HubUser(name, str(found.get("kind") or "user")) if name else None


def _client(remember: int) -> Any:
    """Return the hub's client, which takes what it needs from the environment."""
    from jupyterhub.services.auth import HubAuth

    return HubAuth(cache_max_age=remember)
