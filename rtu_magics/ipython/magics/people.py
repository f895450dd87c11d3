"""Magics for people: invitations, roles, who is there."""

from __future__ import annotations

import os
import shlex
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ...foreign import shown
from .base import MagicsBase, argument, magics_class
from .declare import session_magic

if TYPE_CHECKING:
    from ...models import Invite
    from ...session import Session

__all__ = ["SharingMagics"]

ROLES = ("viewer", "executor", "contributor", "owner")


@magics_class
class SharingMagics(MagicsBase):
    """Who may come to the notebook, and who is there."""

    @session_magic(
        argument("--role", choices=ROLES, help="what they may do: viewer by default"),
        argument(
            "--expires", metavar="D", help="how long the link is good for: 2h, 3d; 7d by default"
        ),
        argument("--name", metavar="N", help="what the person is called in the notebook"),
        argument(
            "--change", metavar="INVITE", help="give an invitation the role of --role instead"
        ),
        argument("--list", action="store_true", help="list the invitations instead"),
        argument(
            "-o", "--output", metavar="VAR", help="put the link into a variable, do not print it"
        ),
        quiet=True,
    )
    def rtu_share(self, args: Any) -> None:
        """Make a link that lets somebody into this notebook, with a role.

        A viewer reads, an executor also runs, a contributor also edits, an owner also shares,
        renames and restores. The link is shown once; %rtu_revoke takes it back. What is printed is
        saved with your own notebook: -o puts the link into a variable instead.

        Examples::

            %rtu_share
            %rtu_share --role contributor --expires 2h --name Ann
            %rtu_share --list
            %rtu_share --change Ann --role viewer
        """
        session = self.session(args)
        if args.list:
            self.speak()
            self._list(session)
        elif args.change is not None:
            self._change(session, args)
        else:
            self._share(session, args)

    def _list(self, session: Session) -> None:
        from ..text.people import invite_table

        self.show(invite_table(session.invites(), datetime.now(timezone.utc)))

    def _change(self, session: Session, args: Any) -> None:
        if args.role is None:
            raise UsageError("say the new role: %rtu_share --change INVITE --role ROLE")
        if args.expires or args.name or args.output:
            raise UsageError("--change takes --role only; for all else make a new link")
        invite = session.change_invite(args.change, args.role)
        self.say(f"{_called(invite)} is {_a(invite.role)} now, also where they are connected")

    def _share(self, session: Session, args: Any) -> None:
        from ...client.http import is_loopback
        from ..text.people import until

        if args.output is not None and not args.output.isidentifier():
            raise UsageError(f"-o takes the name of a variable, and {args.output!r} is none")
        invite = session.share(args.role or "viewer", expires=args.expires, name=args.name)
        if args.output is not None:
            self.shell.user_ns[args.output] = invite.url
        else:
            # The link is what was asked for: the one secret that is shown.
            print(shown(f"%rtu_connect {invite.url}"), flush=True)
        if invite.message:
            self.tell(f"note: {invite.message}")
        when = until(invite.expires_at, datetime.now(timezone.utc))
        self.say(
            f"whoever has this link is {_a(invite.role)} in {session.path}; it expires {when}. "
            f"To take it back: %rtu_revoke {_ref(invite)}"
        )
        if session.root is not None and is_loopback(invite.url or ""):
            self.tell(_for_others(session))

    @session_magic(
        argument("invite", nargs="*", metavar="INVITE", help="names or ids of invitations"),
        argument("--all", action="store_true", help="every open one"),
        quiet=True,
    )
    def rtu_revoke(self, args: Any) -> None:
        """Take invitations back. Whoever is connected with one is told, and out at once.

        Examples::

            %rtu_revoke Ann
            %rtu_revoke 1f0c2a7e
            %rtu_revoke --all
        """
        if args.all == bool(args.invite):
            raise UsageError("say what to take back: %rtu_revoke INVITE, or --all")
        session = self.session(args)
        if args.all:
            revoked = session.revoke_all()
            if not revoked:
                self.say("no invitation is open")
        else:
            revoked = [session.revoke(ref) for ref in args.invite]
        for invite in revoked:
            self.say(f"the invitation of {_called(invite)} ({invite.role}) is revoked")

    @session_magic()
    def rtu_who(self, args: Any) -> None:
        """Show who is in the notebook, with what role, and in which cell.

        Examples::

            %rtu_who
        """
        from ..text.notebook import cell_labels
        from ..text.people import people_table

        session = self.session(args)
        people, label = session.who(), cell_labels(session.cells())
        now = datetime.now(timezone.utc)
        self.show(people_table(people, session.client.user_id, label, now))


def _for_others(session: Session) -> str:
    """Return what lets others reach a notebook whose address is this machine's own."""
    root = shlex.quote(os.path.relpath(session.root or "."))
    serve = f"rtu-magics serve {root} --host 0.0.0.0"
    if session.lease is not None and session.lease.server.leased:
        return (
            "note: this address is this machine's own. For others: %rtu_disconnect --all in "
            f"every notebook that uses this server, then {serve} and share from there; or connect "
            "through the address of a Jupyter that they can reach"
        )
    pid = f" (process {session.lease.server.pid})" if session.lease is not None else ""
    return (
        f"note: this address is this machine's own. For others: end this server{pid} and start it "
        f"where they can reach it, a Jupyter with --ip=0.0.0.0, rtu-magics as {serve}; then share "
        "from there"
    )


def _called(invite: Invite) -> str:
    return shown(invite.name) if invite.name else str(invite.id)[:8]


def _ref(invite: Invite) -> str:
    """Return how to name an invitation to a magic."""
    name = invite.name or ""
    if name and name.replace("-", "").replace("_", "").isalnum():
        return name
    return str(invite.id)[:8]


def _a(role: str) -> str:
    return f"{'an' if role[0] in 'eo' else 'a'} {role}"
