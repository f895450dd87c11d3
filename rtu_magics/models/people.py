"""People of a notebook and how they were invited (our addition to the RTU API)."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID

from pydantic import Field

from .base import Model

__all__ = ["FilePerson", "Invite"]


class Invite(Model):
    """An invitation to one notebook.

    Attributes
    ----------
    role
        What whoever comes with it may do: ``viewer``, ``executor``, ``contributor``, ``owner``.
    name
        What the person is called there, or None.
    token, url
        What lets somebody in; only the answer that creates the invitation has them.
    message
        What the server has to say about it.
    """

    id: UUID
    role: str
    name: str | None = None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    created_by_id: UUID | None = None
    token: str | None = Field(default=None, repr=False)
    url: str | None = Field(default=None, repr=False)
    message: str | None = None

    @property
    def state(self) -> str:
        """``open``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= datetime.now(timezone.utc) else "open"


class FilePerson(Model):
    """Somebody who may come to a notebook.

    Attributes
    ----------
    invite_id
        The invitation that they come with, or None.
    online, connections
        Whether they are here now, and how often.
    in_page
        Whether they are here in a page of JupyterLab, which knows no roles.
    cell_id_selected
        The cell that they are in.
    """

    user_id: UUID
    name: str
    role: str
    invite_id: UUID | None = None
    online: bool = False
    in_page: bool = False
    connections: int = 0
    cell_id_selected: str | None = None
    last_seen: datetime | None = None
