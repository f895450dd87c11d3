"""The magics that show something live."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.error import UsageError

from ...errors import RTUError
from .base import MagicsBase, argument, magics_class
from .declare import session_magic

__all__ = ["WidgetMagics", "has_front_end", "show_status"]


def has_front_end(shell: Any) -> bool:
    """Return whether widgets can be shown: in a kernel, not in a terminal."""
    return hasattr(shell, "kernel")


def show_status(session: Any) -> None:
    """Show a session's live status below the cell."""
    from ...widgets import Status

    Status(session).show()


@magics_class
class WidgetMagics(MagicsBase):
    """Live views of the remote notebook."""

    @session_magic(
        argument("--text", action="store_true", help="as text, once"),
        argument("--live", action="store_true", help="in a terminal: stay and update until Ctrl-C"),
    )
    def rtu_status(self, args: Any) -> None:
        """Show connection, kernel and cells of a session, live.

        In a notebook this is a widget; no cell waits for it. In a terminal it is text.

        Examples::

            %rtu_status
            %rtu_status -s lesson
            %rtu_status --text
            %rtu_status --live
        """
        from ..text.notebook import status_text

        if args.text and args.live:
            raise UsageError("--text and --live exclude each other")
        session = self.session(args)
        if has_front_end(self.shell) and not args.text:
            show_status(session)
        elif args.live and sys.stdout.isatty():
            from ..show.live_status import watch

            watch(session)
        else:
            self.show(status_text(session.status()))

    @session_magic(
        argument("cells", nargs="*", metavar="CELL", help="the cells to show; all by default"),
        argument(
            "--height", metavar="H", default="", help="the largest height as CSS, such as 400px"
        ),
    )
    def rtu_mirror(self, args: Any) -> None:
        """Show the remote notebook, live, below this cell.

        Each cell has buttons to run it, to edit it in place, and to pull it into your next cell.

        Examples::

            %rtu_mirror
            %rtu_mirror 2 3 -1
            %rtu_mirror --height 400px
        """
        session = self.session(args)
        if not has_front_end(self.shell):
            from ..text.notebook import cell_text

            for ref in args.cells or range(1, len(session.cells()) + 1):
                print(cell_text(session, ref), end="\n\n")
            return
        from ...widgets import Mirror

        Mirror(session, args.cells or None, height=args.height).show()

    @session_magic(
        argument("who", nargs="?", metavar="NAME", help="a person who is here; nobody ends it"),
    )
    def rtu_follow(self, args: Any) -> None:
        """Let the session's mirrors scroll with somebody; without a name, end that.

        Examples::

            %rtu_follow Ada
            %rtu_follow
        """
        session = self.session(args)
        mirrors = [] if "rtu_magics.widgets.mirror.widget" not in sys.modules else _mirrors(session)
        if not mirrors:
            raise RTUError("no mirror of this notebook is open; %rtu_mirror shows one")
        for mirror in mirrors:
            mirror.follow(args.who)
        self.say(f"the mirror follows {args.who}" if args.who else "the mirror follows nobody")

    @session_magic(
        argument(
            "-n", "--limit", type=int, default=1000, metavar="N", help="how many steps (1000)"
        ),
    )
    def rtu_replay(self, args: Any) -> None:
        """Slide through the notebook's past, or let it play: who changed what, in whose colour.

        It goes back as far as the server keeps single changes. Nothing of the notebook is changed.

        Examples::

            %rtu_replay
            %rtu_replay -n 200
        """
        session = self.session(args)
        if not has_front_end(self.shell):
            raise RTUError("the past is played in a notebook; here, %rtu_history tells it")
        from ...widgets import History

        History(session, args.limit).show()


def _mirrors(session: Any) -> list[Any]:
    from ...widgets import mirrors

    return list(mirrors(session))
