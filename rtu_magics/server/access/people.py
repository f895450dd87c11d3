"""Who somebody is.

The server's own token makes its owner. An invitation makes a guest, who has one notebook. Where the
server runs under a JupyterHub, the hub knows its users.
"""

from __future__ import annotations

import contextlib
import hmac
import math
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy.exc import SQLAlchemyError

from ...models import RefusalReason, User
from ..store import Database
from ..store import people as queries
from .hub import Hub, HubSilent, HubUser
from .invite_tokens import InviteTokens
from .names import likeness
from .person import (
    FromElsewhere,
    NotRecognised,
    Person,
    authorise,
    login_name,
    nobody,
    user_of,
)
from .rights import Rights
from .roles import Action, Role, refusal

__all__ = [
    "Action",
    "FromElsewhere",
    "NotRecognised",
    "People",
    "Person",
    "Role",
    "authorise",
    "nobody",
    "refusal",
]

INVITE_KEY = "invite.key"

_OWNER = "owner"  # kind of a person: the owner, under a name of their choice
_LONGEST_NAME = 100  # characters


class People:
    """Recognises tokens, invites guests, finds people.

    Parameters
    ----------
    identity_provider
        Jupyter Server's; its token makes an owner.
    database
        The store; the key of the invitations lies beside it.
    local_token
        One more token that makes an owner, see `rtu_magics.server.process.address`.
    hub
        The JupyterHub that this server runs under, if it does.
    hub_role
        What the hub's users are in a notebook that nothing else was said about.

    Raises
    ------
    StoreError
        The key of the invitations cannot be used.
    """

    def __init__(
        self,
        identity_provider: Any,
        database: Database,
        local_token: str = "",
        hub: Hub | None = None,
        hub_role: Role | None = None,
    ) -> None:
        self._provider = identity_provider
        self._database = database
        self._local_token = local_token
        self.hub = hub
        self._tokens = InviteTokens(database.path.parent / INVITE_KEY)
        self.rights = Rights(database, hub_role)
        self.on_change: Callable[[], None] = lambda: None
        self._persons: dict[UUID, Person] = {}
        started = datetime.now(timezone.utc)
        name = (hub.owner if hub is not None else "") or login_name()
        self.owner = Person(
            User(
                id=uuid5(database.space_id, "owner"),
                created_at=started,
                updated_at=started,
                handle=name,
                first_name=name,
                principal_sub="rtu_magics|owner",
                origamist_default_project_id=database.project_id,
            ),
            self.rights,
            is_owner=True,
        )

    # Recognising

    async def identify(
        self, token: str | None, user_name: str = "", *, elsewhere: str = ""
    ) -> Person:
        """Return whose token this is; asks the hub if there is one.

        `user_name` and `elsewhere` as in `identify_here`.

        Raises
        ------
        NotRecognised
            Nobody's.
        """
        person = self.identify_here(token, user_name, elsewhere=elsewhere)
        if person is None and token and self.hub is not None:
            try:
                found = await self.hub.user_of(token)
            except HubSilent:
                raise NotRecognised(
                    "the JupyterHub does not answer; try again later", RefusalReason.HUB_SILENT
                ) from None
            if found is not None:
                person = self._hub_user(found, token)
        if person is None:
            raise NotRecognised("the token is missing or not valid; ask for a new one")
        return person

    def identify_here(
        self, token: str | None, user_name: str = "", *, elsewhere: str = ""
    ) -> Person | None:
        """Return whose token this is without asking the hub, or None.

        Owners' tokens are compared in constant time. Several people may share one: `user_name`
        tells them apart, and means nothing to all others, whose name is known. Where no token is
        asked for, everybody is the owner, unless `elsewhere` says why not
        (`rtu_magics.server.access.origin`).

        Raises
        ------
        NotRecognised
            It is an invitation that has ended.
        """
        given = (token or "").encode("utf-8", "replace")
        for expected in (self._provider.token, self._local_token):
            if expected and hmac.compare_digest(given, expected.encode()):
                return self._owner_called(user_name)
        guest = self._guest(token) if token and token.count(".") == 2 else None
        if guest is None and not self._provider.auth_enabled:
            if elsewhere:
                raise FromElsewhere(elsewhere)
            return self._owner_called(user_name)
        return guest

    def _owner_called(self, name: str) -> Person:
        """Return the owner, under a name of their choice."""
        name = name.strip()
        if name in ("", self.owner.user.display_name):
            return self.owner
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise NotRecognised(
                f"a name is 1 to {_LONGEST_NAME} characters that can be printed; "
                "choose another one",
                RefusalReason.NAME_REFUSED,
            )
        user_id = uuid5(self._database.space_id, f"owner:{name}")
        person = self._persons.get(user_id)
        if person is None:
            with self._database.transaction() as connection:
                if queries.find_person(connection, user_id) is None:  # who was first, keeps it
                    self._check_unlike(connection, name)
                row = queries.put_person(connection, user_id, kind=_OWNER, handle=name, name=name)
            person = self._person(row)
        return person

    def _check_unlike(self, connection: Any, name: str) -> None:
        """Let no owner be called what others take for somebody else.

        Raises
        ------
        NotRecognised
            Somebody else is called so.
        """
        wanted = likeness(name)
        for row in queries.others_than(connection, _OWNER, time.time()):
            if wanted in (likeness(row.name), likeness(row.handle)):
                raise NotRecognised(
                    f"{row.name} is called so already; choose another name",
                    RefusalReason.NAME_REFUSED,
                )

    def _guest(self, token: str) -> Person | None:
        claims = self._tokens.read(token)
        if claims is None:
            return None
        with self._database.transaction() as connection:
            invite = queries.find_invite(connection, claims.invite_id)
            row = invite and queries.find_person(connection, invite.user_id)
        if invite is None or row is None or invite.file_id != claims.file_id:
            raise NotRecognised("this server does not know the invitation; ask for a new one")
        if invite.revoked_at is not None:
            raise NotRecognised("the invitation was revoked; ask an owner for a new one")
        if time.time() >= min(invite.expires_at, claims.expires_at):
            raise NotRecognised("the invitation has expired; ask an owner for a new one")
        return self._person(row, invite)

    def _hub_user(self, found: HubUser, token: str) -> Person:
        if self.hub is not None and found == HubUser(self.hub.owner):
            return self.owner
        user_id = uuid5(self._database.space_id, found.key)
        person = self._persons.get(user_id)
        if person is None:
            with self._database.transaction() as connection:
                row = queries.put_person(
                    connection, user_id, kind="hub", handle=found.name, name=found.name
                )
            person = self._person(row)
        person.token, person.let_in = token, True
        return person

    async def ask_again(self, person: Person) -> bool:
        """Ask the hub whether it still lets somebody in; returns whether that has changed."""
        if self.hub is None or not person.token:
            return False
        try:
            found = await self.hub.user_of(person.token, again=True)
        except HubSilent:
            return False
        before, person.let_in = person.let_in, found is not None
        return person.let_in != before

    def saw(self, person: Person) -> None:
        """Note that somebody was here just now."""
        if person is not self.owner:
            # No reason to keep somebody out; they are seen again.
            with contextlib.suppress(SQLAlchemyError), self._database.transaction() as connection:
                queries.saw_person(connection, person.id)

    # Finding

    def find(self, user_id: UUID) -> Person | None:
        """Return the person with a user id, or None."""
        if user_id == self.owner.id:
            return self.owner
        with self._database.transaction() as connection:
            row = queries.find_person(connection, user_id)
            invite = queries.invite_of_guest(connection, user_id)
        return None if row is None else self._person(row, invite)

    def last_seen(self, user_id: UUID) -> datetime | None:
        """Return when somebody authenticated last, None if never or the owner."""
        with self._database.transaction() as connection:
            row = queries.find_person(connection, user_id)
        if row is None or row.last_seen_at is None:
            return None
        return datetime.fromtimestamp(row.last_seen_at, timezone.utc)

    def _person(self, row: Any, invite: Any = None) -> Person:
        person = self._persons.get(row.id)
        if person is None:
            person = self._persons[row.id] = Person(
                user_of(row, self._database.project_id),
                self.rights,
                is_owner=row.kind == _OWNER,
                invite_id=None if invite is None else invite.id,
                file_id=None if invite is None else invite.file_id,
                expires_at=None if invite is None else invite.expires_at,
            )
        return person

    def search(self, text: str) -> list[User]:
        """Return the people whose handle, name, address or id is this."""
        if not text:
            return []
        owner = self.owner.user
        found = [owner] if text in (owner.handle, owner.email, str(owner.id)) else []
        with self._database.transaction() as connection:
            rows = list(queries.search_people(connection, text))
            try:
                row = queries.find_person(connection, UUID(text))
            except ValueError:
                row = None
        rows += [row] if row is not None else []
        return found + [user_of(row, self._database.project_id) for row in rows]

    # Inviting

    def changed(self) -> None:
        """Take note that something was shared, changed or revoked: it counts at once."""
        self.rights.forget()
        self.on_change()

    def invite(
        self, file_id: UUID, role: Role, name: str | None, expires_in: float, by: Person
    ) -> tuple[Any, str]:
        """Invite somebody to a notebook; returns the invitation's row and its token.

        Parameters
        ----------
        file_id, role
            To what, as what.
        name
            How the guest is shown.
        expires_in
            Seconds until it ends; a guest's end with their own.
        by
            Who invites.
        """
        invite_id, now = uuid4(), float(int(time.time()))
        expires_at = float(int(min(now + expires_in, by.expires_at or math.inf)))
        user_id = uuid5(invite_id, "guest")
        handle = f"guest-{str(user_id)[:8]}"
        with self._database.transaction() as connection:
            queries.put_person(
                connection, user_id, kind="guest", handle=handle, name=name or handle
            )
            row = queries.add_invite(
                connection,
                invite_id,
                file_id,
                user_id,
                role=role.value,
                name=name,
                created_by_id=by.id,
                created_at=now,
                expires_at=expires_at,
            )
        return row, self._tokens.make(
            invite_id, file_id, role=role, name=name, issued_at=now, expires_at=expires_at
        )

    def change_invite(self, invite_id: UUID, role: Role) -> None:
        """Make an invitation one for another role, also for whoever is here with it."""
        with self._database.transaction() as connection:
            queries.update_invite(connection, invite_id, role=role.value)
        self.changed()

    def revoke_invite(self, invite_id: UUID) -> None:
        """End an invitation, and those that its guest made, also for whoever is here with them.

        Otherwise somebody could invite themselves once more before they are sent away.
        """
        now = time.time()
        with self._database.transaction() as connection:
            for one in queries.invites_that_hang_on(connection, invite_id):
                invite = queries.find_invite(connection, one)
                if invite is not None and invite.revoked_at is None:
                    queries.update_invite(connection, one, revoked_at=now)
        self.changed()
