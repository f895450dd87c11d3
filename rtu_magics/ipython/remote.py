"""``%rtu_remote on``: every following cell runs on the remote kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .base import (
    MagicsBase,
    argument,
    body,
    guarded,
    line_cell_magic,
    magic_arguments,
    magics_class,
    quiet_argument,
    session_argument,
)

if TYPE_CHECKING:
    from ..session import Session

__all__ = ["RemoteMagics", "RemoteMode", "stays_here"]

# What is about this kernel, and not about what the cell computes.
_HERE = re.compile(
    r"""\?{0,2}                                   # help
        (?:[\w ,.\[\]'"]+=[ \t]*(?=%rtu_))?       # x = %rtu_exec …
        (?:%{1,2}rtu_\w+|%(?:load_ext|reload_ext|unload_ext|config)\b)""",
    re.VERBOSE,
)
_AUTOMAGIC = re.compile(r"(rtu_\w+)(?:\?{1,2})?(?:\s+(?!=)|$)")


def stays_here(lines: list[str], magics: Any = ()) -> bool:
    r"""Whether a cell runs on the local kernel although the mode is on.

    Its first line decides, comments and blank lines left aside: one of our magics, ``%load_ext``
    and its like, or ``%config``.

    Parameters
    ----------
    lines
        The cell.
    magics
        The names of the line magics that may be typed without their ``%``.

    Examples
    --------
    >>> stays_here(["# look\n", "%rtu_show 3\n"]), stays_here(["%pip install rich\n"])
    (True, False)
    """
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            bare = _AUTOMAGIC.match(text)
            return bool(_HERE.match(text)) or (bare is not None and bare[1] in magics)
    return True  # there is nothing to run


class RemoteMode:
    """The entry among the input transformers of one shell.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    # IPython leaves it out when it asks whether what was typed so far is a whole cell.
    has_side_effects = True

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.session_name: str | None = None

    @property
    def is_on(self) -> bool:
        """Whether cells go to the remote kernel."""
        return any(t is self for t in self.shell.input_transformers_cleanup)

    def on(self, session_name: str) -> None:
        """Send every later cell to a session."""
        self.session_name = session_name
        if not self.is_on:
            self.shell.input_transformers_cleanup.append(self)

    def off(self) -> None:
        """Run cells here again."""
        transformers = self.shell.input_transformers_cleanup
        transformers[:] = [t for t in transformers if t is not self]

    def __call__(self, lines: list[str]) -> list[str]:
        """Turn a cell into one that runs it remotely."""
        magics = self.shell.magics_manager.magics["line"] if self.shell.automagic else ()
        if self._asked_by_a_program() or stays_here(lines, magics):
            return lines
        return [f"get_ipython().run_cell_magic('rtu_remote', '', {''.join(lines)!r})\n"]

    def _asked_by_a_program(self) -> bool:
        """Whether this is no cell but something that the front end runs for itself."""
        parent = getattr(self.shell, "parent_header", None)
        content = parent.get("content") if isinstance(parent, dict) else None
        if not isinstance(content, dict) or "code" not in content:
            return False
        return bool(content.get("silent")) or content.get("store_history") is False


@magics_class
class RemoteMagics(MagicsBase):
    """The mode in which cells run remotely."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)
        self.mode = RemoteMode(shell)

    @magic_arguments()
    @argument("switch", nargs="?", choices=("on", "off"), help="without it: says how it is")
    @session_argument
    @quiet_argument
    @line_cell_magic
    @guarded
    def rtu_remote(self, line: str, cell: str | None = None) -> None:
        """Send every following cell to the remote kernel, until %rtu_remote off.

        Each of them becomes a new cell of the remote notebook, and its output begins with a mark.
        Still run here: cells that begin with a magic of ours, %load_ext, %reload_ext, %unload_ext
        or %config. As a cell magic it sends this one cell.

        Examples::

            %rtu_remote on
            %rtu_remote on -s lesson
            %rtu_remote off

            %%rtu_remote
            import socket; socket.gethostname()
        """
        args = self.parse(self.rtu_remote, line)
        if cell is not None:
            if args.switch:
                raise UsageError(f"%%rtu_remote sends its body; write %rtu_remote {args.switch}")
            self._send(args, body(cell))
        elif args.switch == "on":
            session = self.session(args)
            self.mode.on(session.name)
            self.say(
                f"every following cell runs on the remote kernel of {session.path} "
                f"({session.name!r}); %rtu_remote off ends that"
            )
        elif args.switch == "off":
            was_on = self.mode.is_on
            self.mode.off()
            self.say("cells run here again" if was_on else "cells run here already")
        elif self.mode.is_on:
            self.say(f"cells run on the remote kernel of session {self.mode.session_name!r}")
        else:
            self.say("cells run here; %rtu_remote on sends them to the remote kernel")

    def _send(self, args: Any, source: str) -> None:
        from .running import How, run_here

        if not source.strip():
            raise UsageError("the body of %%rtu_remote is empty; write the code below the magic")
        session = self._target(args)
        new = session.add(source)
        how = How(
            self.say,
            owns_cell=True,
            grace=self.settings.grace_period,
            mark=f"── on the remote kernel of {session.path} ({session.name}) ──",
        )
        run_here(self.shell, session, new.id, how)

    def _target(self, args: Any) -> Session:
        from ..errors import SessionError

        if args.session or not self.mode.is_on:
            return self.session(args)
        args.session = self.mode.session_name
        try:
            return self.session(args)
        except SessionError as exc:
            raise SessionError(f"{exc}; %rtu_remote off runs cells here again") from None
