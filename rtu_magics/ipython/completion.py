"""Tab completion: a magic's flags, cells, sessions, kernels and notebooks.

It is a matcher in ``Completer.custom_matchers`` rather than a ``complete_command`` hook: a hook is
not asked behind an assignment (``x = %rtu_exec …``), and cannot keep the names of files out of the
list. What can follow is read off the magic's own argument parser, so there is no second list of
flags to forget. Nothing here waits for a server, and whatever goes wrong, completion is empty.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from IPython.core import completer as _completer

from ..foreign import shown

__all__ = ["MagicCompleter", "pending"]

logger = logging.getLogger("rtu_magics")

_CALL = re.compile(r"^\s*(?:[^%\n]*=\s*%|%%?)?(?P<magic>rtu_\w+)\s+(?P<line>.*)$", re.DOTALL)
_WORD = re.compile(r"""(?:"[^"]*(?:"|$)|'[^']*(?:'|$)|[^\s"'])+""")
_NEGATIVE = re.compile(r"-[0-9]+")
_CELLS_SHOWN = 200  # a longer list helps nobody

_completer_module: Any = _completer
_matcher: Callable[[Any], Any] = _completer_module.context_matcher()
_Completion: Any = _completer_module.SimpleCompletion


def pending(
    parser: argparse.ArgumentParser, words: Iterable[str]
) -> tuple[argparse.Action | None, argparse.Action | None, set[str]]:
    """Return what can follow some words of a magic's line.

    Parameters
    ----------
    parser
        The magic's parser.
    words
        What stands before the word that is being typed.

    Returns
    -------
    tuple
        The option that waits for its value, or None; the next positional argument, or None; and
        the names of the options that were given already.
    """
    options = {name: action for action in parser._actions for name in action.option_strings}
    positionals = [action for action in parser._actions if not action.option_strings]
    waiting: argparse.Action | None = None
    used: set[str] = set()
    for word in words:
        name, equals, _ = word.partition("=")
        if waiting is not None:
            waiting = None
        elif name in options:
            used.update(options[name].option_strings)
            takes_value = options[name].nargs is None or options[name].nargs == "?"
            waiting = options[name] if takes_value and not equals else None
        elif positionals and positionals[0].nargs not in ("*", "+"):
            del positionals[0]
    return waiting, positionals[0] if positionals else None, used


class MagicCompleter:
    """Completes the lines of our magics in one shell.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell

        @_matcher
        def rtu_magics_matcher(context: Any) -> dict[str, Any]:
            return self.match(context.text_until_cursor, context.token)

        self._registered = rtu_magics_matcher

    def register(self) -> None:
        """Begin to complete."""
        self.shell.Completer.custom_matchers.append(self._registered)

    def unregister(self) -> None:
        """Stop."""
        matchers = self.shell.Completer.custom_matchers
        matchers[:] = [m for m in matchers if m is not self._registered]

    def match(self, text: str, token: str) -> dict[str, Any]:
        """Return what IPython asks of a matcher.

        Parameters
        ----------
        text
            The line up to the cursor.
        token
            Its end, which a completion replaces.
        """
        found: list[Any] = []
        try:
            found = list(self._completions(text, token))
        except Exception:
            logger.debug("no completion", exc_info=True)
        return {"completions": found, "suppress": bool(found), "ordered": True}

    def _completions(self, text: str, token: str) -> Iterator[Any]:
        call = _CALL.match(text)
        if call is None:
            return
        registered = self.shell.magics_manager.magics
        magic = registered["line"].get(call["magic"]) or registered["cell"].get(call["magic"])
        parser = getattr(magic, "parser", None)
        if parser is None:
            return
        words = _WORD.findall(call["line"])
        typed = "" if not words or call["line"][-1:].isspace() else words.pop()
        if typed[:1] in "\"'" and typed:
            typed = call["line"][call["line"].rindex(typed) :]
        for candidate, kind in self._candidates(parser, words, typed):
            # IPython replaces the token, which may be only the end of what was typed.
            if candidate.startswith(typed) and typed.endswith(token):
                start = len(typed) - len(token)
                yield _Completion(text=candidate[start:], type=kind)

    def _candidates(
        self, parser: argparse.ArgumentParser, words: list[str], typed: str
    ) -> Iterator[tuple[str, str]]:
        waiting, positional, used = pending(parser, words)
        name, equals, _ = typed.partition("=")
        if equals and waiting is None:
            action = next((a for a in parser._actions if name in a.option_strings), None)
            values = self._values(action, words) if action is not None else ()
            yield from ((f"{name}={value}", kind) for value, kind in values)
            return
        if waiting is not None:
            yield from self._values(waiting, words)
            return
        if positional is not None:
            yield from self._values(positional, words)
        for action in parser._actions:
            for flag in action.option_strings:
                # One letter is typed faster than it is completed, unless it is all there is.
                if flag not in used and (flag.startswith("--") or typed == flag):
                    yield flag, "flag"

    def _values(self, action: argparse.Action, words: list[str]) -> Iterator[tuple[str, str]]:
        """Yield what an argument can be, and what kind of thing that is."""
        if action.choices is not None:
            yield from ((str(choice), "value") for choice in action.choices)
            return
        # Our modules say by the placeholder in the help what an argument is.
        session_module = sys.modules.get("rtu_magics.session")
        if action.metavar == "TARGET":
            yield from ((path, "path") for path in _notebooks())
        if action.metavar == "RUN":
            background: Any = sys.modules.get("rtu_magics.ipython.show.background")
            runs = background.background_runs if background is not None else ()
            yield from ((run.name, "run") for run in runs)
        if action.metavar == "VARIABLE":
            hidden = self.shell.user_ns_hidden
            names = sorted(n for n in self.shell.user_ns if n not in hidden and n[0] != "_")
            yield from ((name, "variable") for name in names)
        yield from (
            found for found in self._of_session(action, words, session_module) if _typable(found[0])
        )

    def _of_session(
        self, action: Any, words: list[str], session_module: Any
    ) -> Iterator[tuple[str, str]]:
        if session_module is None:
            return
        sessions = session_module.sessions
        if action.dest == "session":
            yield from ((session.name, "session") for session in sessions)
            return
        name = _named_session(words) or self._default_session()
        named = [session for session in sessions if name in (None, session.name)]
        if not named:
            return
        session = named[-1]
        if action.metavar == "CELL":
            hints = session_module.cell_hints(session)[:_CELLS_SHOWN]
            yield from ((str(number), "cell") for number in range(1, len(hints) + 1))
            yield from ((short, "cell") for short in hints)
        elif action.metavar == "K":
            yield from ((kernel, "kernel") for kernel in session_module.kernel_hints(session))
        elif action.metavar == "INVITE":
            yield from ((_quoted(i), "invitation") for i in session_module.invite_hints(session))
        elif action.metavar == "VERSION":
            yield from ((_quoted(v), "version") for v in session_module.version_hints(session))

    def _default_session(self) -> str | None:
        settings = self.shell.magics_manager.registry.get("RtuMagics")
        return getattr(settings, "default_session", None) or None


def _named_session(words: list[str]) -> str | None:
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("-s", "--session"):
            found = value if equals else "".join(words[at + 1 : at + 2])
            return found.strip("\"'") or None
    return None


def _typable(text: str) -> bool:
    """Whether a name, which others may have given, is nothing but text."""
    return shown(text) == text


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _notebooks(limit: int = 200) -> Iterator[str]:
    """Yield the notebooks in the working directory and one level below it."""
    count = 0
    for directory in ["", *sorted(_subdirectories())]:
        with os.scandir(directory or ".") as entries:
            names = sorted(e.name for e in entries if e.name.endswith(".ipynb") and e.is_file())
        for name in names:
            path = f"{directory}/{name}" if directory else name
            yield _quoted(path)
            count += 1
            if count >= limit:
                return


def _subdirectories(limit: int = 50) -> list[str]:
    with os.scandir(".") as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    return names[:limit]
