"""Magics for sessions: connect, disconnect, list."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from IPython.core.error import StdinNotImplementedError, UsageError

from ...errors import RTUError
from .base import (
    MagicsBase,
    argument,
    guarded,
    line_magic,
    magic_arguments,
    magics_class,
    quiet_argument,
    session_argument,
)
from .widgets import has_front_end, show_status

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["ConnectMagics"]

UNTRUSTED = (
    "note: what cells show here is others' work, so its HTML is shown without scripts and without "
    "what it would load; %rtu_config trust_outputs on shows all of it as it is"
)

NOT_LIVE = (
    "note: a page of JupyterLab that has it open is not live: what it saves is put together with "
    'what is done here; pip install "rtu_magics[lab]" beside JupyterLab and a restart make it live'
)
_PAGES_TOLD: set[str] = set()  # servers of which that was said


def _ask(prompt: str) -> str:
    """Ask for a secret without echo; empty where nobody can be asked."""
    import getpass
    import warnings

    try:
        with warnings.catch_warnings():
            # Where there is no terminal it would read on in the script that this is a line of.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (StdinNotImplementedError, EOFError, OSError, getpass.GetPassWarning):
        return ""


def _what_it_may(role: str | None) -> str:
    allowed = {
        "viewer": "you are a viewer here: you can read",
        "executor": "you are an executor here: you can read and run, but not edit",
        "contributor": "you are a contributor here: you can read, run and edit",
    }
    return allowed.get(role or "", f"your role here is {role}")


@magics_class
class ConnectMagics(MagicsBase):
    """Opening, closing and showing sessions."""

    @magic_arguments()
    @argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a notebook file, or the URL of a notebook on a server; "
        "rtu_scratch.ipynb in the working directory by default",
    )
    @argument("--new", action="store_true", help="make an empty notebook where there is none")
    @argument("-s", "--session", metavar="NAME", help="what to call the session")
    @argument(
        "--token",
        metavar="T",
        help="the server's token; better set RTU_TOKEN, or leave it out and be asked",
    )
    @argument(
        "--as",
        dest="as_name",
        metavar="N",
        help="what others see you as, where you come with the server's token",
    )
    @argument(
        "--cafile",
        metavar="PEM",
        help="certificate of an authority to trust, for a server with a certificate of its own",
    )
    @argument("--no-widget", action="store_true", help="don't show the live status")
    @argument(
        "--trust",
        action="store_true",
        help="show outputs as they are, with the scripts in their HTML, although others made them",
    )
    @argument(
        "--no-trust", action="store_true", help="show outputs without scripts, although it is yours"
    )
    @quiet_argument
    @line_magic
    @guarded
    def rtu_connect(self, line: str) -> None:
        """Connect to a live notebook.

        For a file on this machine a server starts here, or the one that serves its directory
        already is used. The remote kernel starts with the first execution.

        Examples::

            %rtu_connect
            %rtu_connect lesson.ipynb
            %rtu_connect lesson.ipynb --new
            %rtu_connect lesson.ipynb --as Ann
            %rtu_connect http://lab.example:8888/lab/tree/lesson.ipynb
            %rtu_connect https://hub.example/rtu/f/<id> -s shared
            %rtu_connect https://hub.example/rtu/f/<id>?invite=<a link from %rtu_share>
        """
        from ...session import connect, sessions
        from ...session.endpoint.target import RemoteTarget, parse_target

        args = self.parse(self.rtu_connect, line)
        if args.trust and args.no_trust:
            raise UsageError("--trust and --no-trust exclude each other")
        parsed = parse_target(args.target)
        exposed = args.token or (isinstance(parsed, RemoteTarget) and parsed.token)
        invited = isinstance(parsed, RemoteTarget) and parsed.invited
        if exposed:
            self.tell(
                "note: the link lets whoever reads it in as you: it stays in this cell, the "
                "history and the saved notebook"
                if invited and not args.token
                else "note: the token stays in this cell, the history and the saved notebook; "
                "next time set RTU_TOKEN, or leave it out and be asked"
            )
        before = list(sessions)
        session = connect(
            args.target,
            name=args.session,
            token=args.token,
            say=self.say,
            ask=_ask,
            cafile=args.cafile,
            as_name=args.as_name,
            new=args.new,
            trust=True if args.trust else False if args.no_trust else None,
        )
        session.tell = self.tell  # what happens to the connection matters to a quiet magic, too
        count = len(session.cells())
        kernel = "running" if session.kernel_alive else "starts with the first execution"
        guest = f"; {_what_it_may(session.role)}" if session.role not in (None, "owner") else ""
        new = f"connected to {session.path} as {session.name!r}: "
        self.say(
            f"{'' if session in before else new}{count} cell{'' if count == 1 else 's'}, "
            f"kernel {kernel}{guest}"
        )
        if session.own_kernel:
            self.say(
                "note: it runs on this very kernel: run its cells in place; what would wait for "
                "the kernel is refused here"
            )
        if session.trust_outputs is None:
            session.trust_outputs = self.settings.trusts
        if session not in before and not session.trusts_outputs:
            self.say(UNTRUSTED)
        if session.file_trouble:
            self.say(f"note: {session.file_trouble}")
        self._tell_of_pages(session)
        wanted = self.settings.status_widget and not args.no_widget and not args.quiet
        if wanted and has_front_end(self.shell):
            show_status(session)

    def _tell_of_pages(self, session: Session) -> None:
        """Say of each server, once, what makes the pages of its JupyterLab live."""
        if session.server_url in _PAGES_TOLD or session.role not in (None, "owner"):
            return
        with contextlib.suppress(RTUError, OSError):
            if session.call(session.api.info()).pages == "plain":
                self.say(NOT_LIVE)
            _PAGES_TOLD.add(session.server_url)

    @magic_arguments()
    @session_argument
    @argument("--all", action="store_true", help="every session")
    @quiet_argument
    @line_magic
    @guarded
    def rtu_disconnect(self, line: str) -> None:
        """Close a session, the newest by default. What runs remotely goes on.

        The server that was started for it on this machine ends shortly after its last session.

        Examples::

            %rtu_disconnect
            %rtu_disconnect -s lesson
            %rtu_disconnect --all
        """
        from ...session import sessions

        args = self.parse(self.rtu_disconnect, line)
        closing = list(sessions) if args.all else [self.session(args)]
        for session in closing:
            session.close()
            self.say(f"disconnected {session.name!r} from {session.path}")
        if not closing:
            self.say("no session is open")

    @magic_arguments()
    @line_magic
    @guarded
    def rtu_sessions(self, line: str) -> None:
        """List the open sessions; the one with the star is the default.

        Examples::

            %rtu_sessions
        """
        from ...session import sessions
        from ..text.notebook import session_table

        self.parse(self.rtu_sessions, line)
        self.show(session_table(list(sessions)))
