"""Leases: programs that need this server."""

from __future__ import annotations

from pydantic import Field

from ...models import Model
from ..access.people import Action
from .base import Handler, fail, signed_in, uuid_of

__all__ = ["LeaseItem", "LeaseList"]


class _Wanted(Model):
    pid: int = Field(gt=0)
    name: str = Field(default="", max_length=200)


class LeaseList(Handler):
    """All leases."""

    @signed_in(Action.ADMINISTER)
    async def post(self) -> None:
        """Take a lease for a process of this machine."""
        wanted = self.body(_Wanted)
        try:
            lease_id = self.leases.add(wanted.pid, wanted.name)
        except ValueError as exc:
            raise fail(422, str(exc)) from exc
        self.answer({"lease_id": str(lease_id)}, 201)


class LeaseItem(Handler):
    """One lease."""

    @signed_in(Action.ADMINISTER)
    async def delete(self, lease_id: str) -> None:
        """Give it back; with ``?returning=1`` the server waits longer for the next one."""
        returning = self.get_query_argument("returning", "") == "1"
        if not self.leases.remove(uuid_of(lease_id), returning):
            raise fail(404, "there is no such lease")
        self.nothing()
