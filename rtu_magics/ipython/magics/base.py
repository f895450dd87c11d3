"""What all magics share: the session they mean, their words, and errors in one line.

Light on purpose: ``%load_ext`` imports this module, so sessions, client and models load when a
magic first needs them.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core import magic as _magic
from IPython.core import magic_arguments as _arguments
from IPython.core.error import UsageError

from ...errors import RTUError
from ...foreign import shown
from ...options import meant
from ..show.interrupt import interrupted
from ..typography import slip

if TYPE_CHECKING:
    from ...session import Session
    from ..settings import Settings

__all__ = [
    "MagicsBase",
    "argument",
    "body",
    "cell_magic",
    "guarded",
    "line_cell_magic",
    "line_magic",
    "magic_arguments",
    "magics_class",
    "quiet_argument",
    "session_argument",
    "unquote",
]

logger = logging.getLogger("rtu_magics")

_COMMENT = re.compile(
    r"""(?P<words> (?: "[^"]*" | '[^']*' | [^\s"'] | \s(?!\s*\#) )*? ) (?: \s+ | ^ ) \#.*$""",
    re.VERBOSE,
)

_VALUE_MISSING = re.compile(r"argument (?:-\w/)?(--[\w-]+): expected one argument")

_TOO_MANY = re.compile(r"unrecognized arguments: (.*)")

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_quiet: ContextVar[bool] = ContextVar("rtu_magics_quiet", default=False)
"""Whether the magic that runs was given ``-q``; no other one's affair, and no other thread's."""

_given: ContextVar[tuple[Any, str] | None] = ContextVar("rtu_magics_given", default=None)
"""The magic that runs, and its line."""

# IPython's decorators carry no types; here they get them once for all.
_core: Any = _magic
_args: Any = _arguments
magics_class: Callable[[C], C] = _core.magics_class
line_magic: Callable[[F], F] = _core.line_magic
cell_magic: Callable[[F], F] = _core.cell_magic
line_cell_magic: Callable[[F], F] = _core.line_cell_magic
argument: Callable[..., Callable[[F], F]] = _args.argument


def magic_arguments() -> Callable[[F], F]:
    """Make a function with arguments a magic's, whose options are written out.

    argparse would take ``--al`` for ``--all``, and run what nobody asked for.
    """

    def declare(fn: F) -> F:
        declared: F = _args.magic_arguments()(fn)
        declared.parser.allow_abbrev = False  # type: ignore[attr-defined]
        return declared

    return declare


def session_argument(fn: F) -> F:
    """Add ``-s NAME`` to a magic."""
    add: Callable[[F], F] = argument(
        "-s", "--session", metavar="NAME", help="the session; the newest by default"
    )
    return add(fn)


def quiet_argument(fn: F) -> F:
    """Add ``-q`` to a magic."""
    add: Callable[[F], F] = argument(
        "-q", "--quiet", action="store_true", help="say nothing when all goes well"
    )
    return add(fn)


def unquote(text: str) -> str:
    """Take the quotes off an argument: IPython leaves them on.

    Examples
    --------
    >>> unquote('"my notebook.ipynb"')
    'my notebook.ipynb'
    """
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def without_comment(line: str) -> str:
    """Drop a comment at the end of a magic's line, where IPython leaves it.

    Examples
    --------
    >>> without_comment("lesson.ipynb  # what is left to do")
    'lesson.ipynb'
    >>> without_comment("'a #1.ipynb' --token x#y")
    "'a #1.ipynb' --token x#y"
    """
    found = _COMMENT.match(line)
    return line if found is None else found["words"]


class _Helped(Exception):
    """Somebody asked a magic for its help, as on a command line."""


def guarded(fn: F) -> F:
    """Let nothing but one line out of a magic: no frames of ours, whatever happens."""

    @functools.wraps(fn)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return fn(self, *args, **kwargs)
        except _Helped as exc:
            print(str(exc).strip())
            return None
        except UsageError:
            raise
        except RTUError as exc:
            _add_option(exc)
            raise
        except KeyboardInterrupt as exc:
            if hasattr(exc, "_render_traceback_"):
                raise
            raise interrupted(
                f"%{fn.__name__} was stopped; what it had sent already may still take effect"
            ) from None
        except Exception as exc:
            logger.debug("internal error in %%%s", fn.__name__, exc_info=True)
            text = " ".join(str(exc).split())[:200]
            raise RTUError(
                f"internal error in %{fn.__name__}: {type(exc).__name__}: {text}; please report "
                f"it (logging.getLogger('rtu_magics') has the details at DEBUG)"
            ) from None
        finally:
            _quiet.set(False)
            _given.set(None)

    return wrapper  # type: ignore[return-value]


class MagicsBase(_magic.Magics):
    """Base of the magics."""

    shell: Any

    def parse(self, magic: Any, line: str) -> Any:
        """Parse a magic's arguments.

        Raises
        ------
        UsageError
            They are wrong; the message names the help.
        """
        line = without_comment(line)
        if {"-h", "--help"} & set(line.split()):
            raise _Helped(magic.parser.format_help())
        spoiled = slip(line, _options(magic), places=_takes_cells(magic))
        if spoiled is not None:
            raise UsageError(spoiled)
        try:
            args = _args.parse_argstring(magic, line)
        except UsageError as exc:
            text = str(exc).replace("\n", " ")
            option = _VALUE_MISSING.match(text)
            if option is not None and f"{option[1]} -" in line:
                text = f"a value that begins with - is written {option[1]}=-…"
            raise UsageError(f"{text}{_hint(magic, text, line)}; see %{magic.__name__}?") from None
        except ValueError as exc:  # an open quote
            raise UsageError(f"{exc}; see %{magic.__name__}?") from None
        for key, value in vars(args).items():
            if isinstance(value, str):
                setattr(args, key, unquote(value))
            elif isinstance(value, list):
                setattr(args, key, [unquote(v) if isinstance(v, str) else v for v in value])
        _quiet.set(getattr(args, "quiet", False))
        _given.set((magic, line))
        return args

    @staticmethod
    def speak() -> None:
        """Forget ``-q``: there is nothing to do but to speak."""
        _quiet.set(False)

    @property
    def settings(self) -> Settings:
        """The settings of the shell that this belongs to."""
        settings: Settings = self.shell.magics_manager.registry["RtuMagics"]
        return settings

    def session(self, args: Any) -> Session:
        """Return the session that the arguments name, by default that of the settings.

        Raises
        ------
        SessionError
            There is none.
        """
        from ...session import sessions

        session = sessions.get(args.session or self.settings.default_session or None)
        for notice in session.take_notices():
            self.tell(f"note: {notice}")
        return session

    def say(self, line: str) -> None:
        """Print one line into the calling cell, not with ``-q``; the rest as in `tell`."""
        if not _quiet.get():
            self.tell(line)

    def tell(self, line: str) -> None:
        """Print one line that matters also with ``-q``, secrets masked.

        Whatever others have a part in is shown as text.
        """
        from ...session.endpoint.target import mask

        print(mask(shown(line)), flush=True)

    def show(self, text: str, *, colours: bool = False) -> None:
        """Print what was asked for, secrets masked, in as many lines as it has; not with ``-q``.

        Parameters
        ----------
        text
            A table, or another text.
        colours
            Whether it may be coloured.
        """
        from ...session.endpoint.target import mask

        if not _quiet.get():
            print(mask(shown(text, lines=True, colours=colours)), flush=True)


def _options(magic: Any) -> list[str]:
    return [option for action in magic.parser._actions for option in action.option_strings]


def _takes_cells(magic: Any) -> bool:
    return any(action.metavar == "CELL" for action in magic.parser._actions)


def _hint(magic: Any, text: str, line: str) -> str:
    """Return what somebody may have meant who gave one word too many."""
    found = _TOO_MANY.search(text)
    if found is None:
        return ""
    words = found[1].split()
    for word in [*words, *line.split()]:
        option = _bare(magic, word)
        if option is not None:
            return f" (did you mean {option}?)"
    if any(word.startswith("-") for word in words):
        known = _options(magic)
        given = next(word for word in words if word.startswith("-"))
        option = meant(given, known)
        if option is not None:
            return f" (did you mean {option}?)"
        path = next((word for word in words if word.endswith(".ipynb")), None)
        return "" if path is None else f" (a name that begins with - is written ./{path})"
    positionals = [action for action in magic.parser._actions if not action.option_strings]
    if all(action.metavar != "CELL" for action in positionals):
        return _named(magic, words, line) or (
            " (a name with spaces in it goes in quotes)" if positionals else " (it takes none)"
        )
    places = [o for a in magic.parser._actions if a.metavar == "CELL" for o in a.option_strings]
    return f" (did you mean {places[0]} {words[0]}?)" if places else " (it takes one cell)"


def _bare(magic: Any, word: str) -> str | None:
    """Return the option of which somebody may have given the name, or the value, alone."""
    actions = magic.parser._actions
    for action in actions:
        if f"--{word}" in action.option_strings:
            return f"--{word}"
        if action.option_strings and word in (action.choices or ()):
            return f"{action.option_strings[-1]} {word}"
    takes_all = any(one.nargs == "*" and one.metavar == "CELL" for one in actions)
    return f"%{magic.__name__} alone, for all of them" if word == "all" and takes_all else None


def _add_option(exc: RTUError) -> None:
    """Add what somebody may have meant whose word names nothing."""
    magic, line = _given.get() or (None, "")
    for word in line.split():
        option = _bare(magic, word) if f"{word!r}" in str(exc) else None
        if option is not None and len(exc.args) == 1:
            exc.args = (f"{exc.args[0]} (did you mean {option}?)",)
            return


def _named(magic: Any, words: list[str], line: str) -> str | None:
    """Return the option whose value was given without it."""
    if "--name" in _options(magic):
        quoted = " (a name with spaces in it goes in quotes)"
        return quoted if "--name" in line else f" (did you mean --name {words[0]}?)"
    opened = sys.modules.get("rtu_magics.session")  # else there is no session to mean
    names = [session.name for session in opened.sessions] if opened is not None else []
    return f" (did you mean -s {words[0]}?)" if words[0] in names else None


def body(text: str) -> str:
    """Return a cell magic's body as a cell's source: without the line end at its end."""
    return text[:-1] if text.endswith("\n") else text
