"""The server that the notebooks live on, where they live elsewhere."""

from __future__ import annotations

from pydantic import Field

from ...models import Model
from ..access.people import Action
from .base import Handler, fail, signed_in

__all__ = ["AfarToken"]


class _Wanted(Model):
    token: str = Field(min_length=1, max_length=10_000)


class AfarToken(Handler):
    """Its token."""

    @signed_in(Action.ADMINISTER)
    async def put(self) -> None:
        """Use another one from now on: a server may have a new one after each start."""
        if self.service.renew is None:
            raise fail(404, "the notebooks of this server live here")
        self.service.renew(self.body(_Wanted).token)
        self.nothing()
