"""Declaring the line magics that work on a session."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .base import (
    MagicsBase,
    guarded,
    line_magic,
    magic_arguments,
    quiet_argument,
    session_argument,
)

__all__ = ["session_magic"]

Magic = Callable[[Any, str], None]


def session_magic(
    *arguments: Callable[[Any], Any], quiet: bool = False
) -> Callable[[Callable[[Any, Any], None]], Magic]:
    """Make a method that takes parsed arguments a line magic, which takes a line.

    Parameters
    ----------
    arguments
        What it takes besides ``-s NAME``, each made by `argument`.
    quiet
        Whether it takes ``-q``, too.

    Examples
    --------
    ::

        @session_magic(argument("path", metavar="PATH"), quiet=True)
        def rtu_open(self, args: Any) -> None:
            session = self.session(args)
    """

    def declare(method: Callable[[Any, Any], None]) -> Magic:
        def magic(self: MagicsBase, line: str) -> None:
            method(self, self.parse(declared, line))

        magic.__signature__ = inspect.signature(magic)  # type: ignore[attr-defined]
        declared: Magic = line_magic(guarded(functools.wraps(method)(magic)))
        added = (*arguments, session_argument, *([quiet_argument] if quiet else []))
        for add in reversed(added):
            declared = add(declared)
        declared = magic_arguments()(declared)
        return declared

    return declare
