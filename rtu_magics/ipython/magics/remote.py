"""``%rtu_remote on``: every following cell runs on the remote kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ...foreign import shown
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
    from ...session import Session

__all__ = ["RemoteMagics", "RemoteMode", "stays_here"]

# What is about the sessions of this kernel, and not about what the cell computes.
_OURS = re.compile(
    r"""\?{0,2}                                   # help
        (?:[\w ,.\[\]'"]+=[ \t]*(?=%rtu_))?       # x = %rtu_exec …
        %{1,2}rtu_\w+""",
    re.VERBOSE,
)
_LOADS_US = re.compile(r"%?(?:load_ext|reload_ext|unload_ext)[ ]+rtu_magics\b")
_CONFIGURES_US = re.compile(r"%config[ ]+RtuMagics\b")
_LEAVES = re.compile(r"(?:exit|quit)(?:\(\))?")
_AUTOMAGIC = re.compile(r"(rtu_\w+)(?:\?{1,2})?(?:\s+(?!=)|$)")


def stays_here(lines: list[str], magics: Any = (), *, in_terminal: bool = False) -> bool:
    r"""Whether a cell runs on the local kernel although the mode is on.

    Its first line decides, comments and blank lines left aside: one of our magics, or what loads,
    unloads or configures them. All else, ``%load_ext autoreload`` and ``%config InlineBackend``
    among it, is about the kernel that computes.

    Parameters
    ----------
    lines
        The cell.
    magics
        The names of the line magics that may be typed without their ``%``.
    in_terminal
        Whether ``exit`` is to end this program.

    Examples
    --------
    >>> stays_here(["# look\n", "%rtu_show 3\n"]), stays_here(["%pip install rich\n"])
    (True, False)
    """
    texts = _texts(lines)
    if not texts:
        return True  # there is nothing to run
    if in_terminal and len(texts) == 1 and _LEAVES.fullmatch(texts[0]):
        return True
    return any(is_one(texts[0]) for is_one in (_LOADS_US.match, _CONFIGURES_US.match)) or _is_ours(
        texts[0], magics
    )


def runs_here_too(lines: list[str], magics: Any = ()) -> str | None:
    r"""Return the first line of a cell that stays here though it may not have been meant to.

    Examples
    --------
    >>> runs_here_too(["%rtu_cells\n", "total = 1\n"])
    'total = 1'
    >>> runs_here_too(["%rtu_cells\n"]), runs_here_too(["%%rtu_add\n", "total = 1\n"])
    (None, None)
    """
    texts = _texts(lines)
    if not texts or texts[0].startswith("%%") or _LEAVES.fullmatch(texts[0]):
        return None
    return next((text for text in texts if not _is_ours(text, magics)), None)


def _texts(lines: list[str]) -> list[str]:
    stripped = (line.strip() for line in lines)
    return [text for text in stripped if text and not text.startswith("#")]


def _is_ours(text: str, magics: Any) -> bool:
    bare = _AUTOMAGIC.match(text)
    return bool(_OURS.match(text)) or (bare is not None and bare[1] in magics)


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
        if self._asked_by_a_program():
            return lines
        if stays_here(lines, magics, in_terminal=not hasattr(self.shell, "kernel")):
            here = runs_here_too(lines, magics)
            if here is not None:
                print(f"note: this ran here, not on the remote kernel: {shown(here)[:60]}")
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

        Each of them becomes a cell of the remote notebook, and its output begins with a mark. Still
        run here: cells that begin with a magic of ours, or with what loads or configures them
        (%load_ext rtu_magics, %config RtuMagics); where there is more in such a cell, a line says
        so. As a cell magic it sends this one cell.

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
            session.refuse_own_kernel("cells run there already")
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
        from ..local_cells import put_cell
        from ..show.foreground import How, run_here

        if not source.strip():
            raise UsageError("the body of %%rtu_remote is empty; write the code below the magic")
        session = self._target(args)
        cell_id = put_cell(self.shell, session, source, self.say)
        how = How(
            self.tell,
            owns_cell=True,
            header="" if self.mode.is_on else "%%rtu_remote",
            grace=self.settings.grace_period,
            mark=f"── on the remote kernel of {session.path} ({session.name}) ──",
        )
        run_here(self.shell, session, cell_id, how)

    def _target(self, args: Any) -> Session:
        from ...errors import SessionError

        if args.session or not self.mode.is_on:
            return self.session(args)
        args.session = self.mode.session_name
        try:
            return self.session(args)
        except SessionError as exc:
            raise SessionError(f"{exc}; %rtu_remote off runs cells here again") from None
