"""``%rtu_help``: all magics in groups, and what a mistyped one may have meant."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.error import UsageError

from .base import (
    MagicsBase,
    argument,
    guarded,
    line_magic,
    magic_arguments,
    magics_class,
)

__all__ = ["HelpMagics", "Slips"]

GROUPS = {
    "sessions": "connect disconnect sessions status who",
    "cells": "cells show add edit pull delete move type clear undo",
    "running": "exec runs wait result attach remote kernel vars",
    "data": "push get",
    "live views": "mirror follow replay",
    "sharing": "share revoke",
    "looking back": "history versions restore save",
    "notebooks": "ls new rename",
    "settings": "config help",
}

_CALL = re.compile(
    r"get_ipython\(\)\.run_(?P<kind>line|cell)_magic\("
    r"'(?P<name>rtu[\w-]*)(?P<rest>(?:\\(?:x|u)[^']*)?)'.*",
    re.DOTALL | re.IGNORECASE,
)
_OPEN_BOX = "\u2423"


class Slips:
    """The entry among the input transformers of one shell that sees magics which do not exist.

    IPython says of them that they are not found, and not what was meant.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    has_side_effects = False

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def register(self) -> None:
        """Look at every later cell."""
        self.shell.input_transformers_post.append(self)

    def unregister(self) -> None:
        """Look at nothing more."""
        kept = [t for t in self.shell.input_transformers_post if t is not self]
        self.shell.input_transformers_post[:] = kept

    def __call__(self, lines: list[str]) -> list[str]:
        """Turn the call of a magic that does not exist into one that says so."""
        return [_CALL.sub(self._instead, line) if "rtu" in line.lower() else line for line in lines]

    def _instead(self, call: re.Match[str]) -> str:
        known = self.shell.magics_manager.magics
        if call["name"] in known[call["kind"]] and not call["rest"]:
            return call[0]
        mark = "%" if call["kind"] == "line" else "%%"
        name = f"{mark}{call['name']}{_OPEN_BOX if call['rest'] else ''}"
        return f"get_ipython().run_line_magic('rtu_help', '--instead-of {name}')\n"


@magics_class
class HelpMagics(MagicsBase):
    """Finding the magic that one needs."""

    @magic_arguments()
    @argument("name", nargs="?", metavar="MAGIC", help="show the help of this one")
    @argument("--instead-of", metavar="MAGIC", help="one that there is not")
    @line_magic
    @guarded
    def rtu_help(self, line: str) -> None:
        """List all magics in groups; each answers %rtu_exec? with its own help.

        Examples::

            %rtu_help
            %rtu_help exec
        """
        from ..text.notebook import table

        args = self.parse(self.rtu_help, line)
        if args.instead_of is not None:
            raise UsageError(self._meant(args.instead_of))
        if args.name is not None:
            print(self._help_of(args.name))
            return
        rows: list[list[str]] = []
        for group, names in GROUPS.items():
            for number, name in enumerate(f"rtu_{name}" for name in names.split()):
                rows.append(["" if number else group, self._marks(name), self._does(name)])
        self.show(table(["", "magic", "does"], rows))

    def _function(self, name: str) -> Any:
        magics = self.shell.magics_manager.magics
        return magics["line"].get(name) or magics["cell"].get(name)

    def _marks(self, name: str) -> str:
        magics = self.shell.magics_manager.magics
        marks = [m for m, kind in (("%", "line"), ("%%", "cell")) if name in magics[kind]]
        return ", ".join(f"{mark}{name}" for mark in marks)

    def _does(self, name: str) -> str:
        # The parser's text is the docstring, with or without usage before it.
        doc = self._function(name).parser.description or ""
        return str(doc).strip().partition("\n")[0]

    def _help_of(self, name: str) -> str:
        found = self._function(f"rtu_{name.lstrip('%').removeprefix('rtu_')}")
        if found is None:
            raise UsageError(self._meant(name))
        return str(found.parser.format_help()).strip()

    def _meant(self, name: str) -> str:
        magics = self.shell.magics_manager.magics
        ours = sorted({n for kind in magics.values() for n in kind if n.startswith("rtu_")})
        if name.endswith(_OPEN_BOX):
            return f"{name[:-1]} is followed by a space that is none (non-breaking); type it anew"
        plain = name.lstrip("%").lower().replace("-", "_")
        bare = "rtu_" + plain.removeprefix("rtu").lstrip("_")
        if bare in ours:  # as a cell magic where it is a line magic, or the other way round
            return f"there is no {name}, it is written {self._marks(bare)}; %rtu_help lists all"
        # Without what all of them begin with, which would make all of them alike.
        words = [one.removeprefix("rtu_") for one in ours]
        from difflib import get_close_matches

        close = get_close_matches(bare.removeprefix("rtu_"), words, n=1)
        meant = f"; did you mean {self._marks(f'rtu_{close[0]}')}?" if close else ";"
        return f"there is no {name}{meant} %rtu_help lists all"
