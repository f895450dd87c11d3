"""Reading what a kernel says of an error, in whatever shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["clean_error", "error_of", "first_line", "last_line", "names_error"]

_CLASS = re.compile(r"<class '([^']*)'>")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# A frame of a stack as V8 and the JVM write it, below the error's own line.
_FRAME = re.compile(r"at .*(?::\d+|<anonymous>|\(native\)|Native Method|Unknown Source)\)?(?: \{)?")
_NAMED = re.compile(r"(?:[A-Za-z_$][\w.$]*)?(?:Error|Exception): .")


def clean_error(content: Mapping[str, Any]) -> Mapping[str, Any]:
    r"""Return the content of an error as the protocol wants it: itself if it is as it should be.

    Some kernels call an error after its class's ``str``, or give its traceback as one text.

    Examples
    --------
    >>> clean_error({"ename": "<class 'os.X'>", "evalue": 2, "traceback": "a\nb"})
    {'ename': 'X', 'evalue': '2', 'traceback': ['a', 'b']}
    """
    name, value, traceback = content.get("ename"), content.get("evalue"), content.get("traceback")
    good = isinstance(name, str) and isinstance(value, str) and isinstance(traceback, list)
    if good and "<" not in str(name):
        return content
    ename, evalue, lines = error_of(content)
    return {**content, "ename": ename, "evalue": evalue, "traceback": lines}


def error_of(content: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """Return an error's name, value and traceback, whatever they are."""
    name = _text(content.get("ename"))
    found = _CLASS.fullmatch(name.strip())
    if found is not None:
        name = found[1].rpartition(".")[2]
    lines = content.get("traceback")
    traceback = lines if isinstance(lines, list) else _text(lines).splitlines()
    return name, _text(content.get("evalue")), [_text(line) for line in traceback]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def first_line(text: str) -> str:
    """Return the first line that is not blank, without colours; empty if there is none."""
    return next((line for line in _plain_lines(text)), "")


def last_line(*texts: str) -> str:
    r"""Return the last line that is not blank, without colours; empty if there is none.

    Where a stack ends the text, the line above it is meant.

    Examples
    --------
    >>> last_line("m.js:2", "TypeError: no\n    at f (m.js:1:2)\n    at async m.js:9:1")
    'TypeError: no'
    """
    lines = [line for text in texts for line in _plain_lines(text)]
    frame = next((at for at, line in enumerate(lines) if at and _FRAME.fullmatch(line)), None)
    return "" if not lines else lines[-1] if frame is None else lines[frame - 1]


def names_error(line: str) -> bool:
    """Tell whether a line begins with an error's name.

    Examples
    --------
    >>> [names_error(line) for line in ("TypeError: no", "Error: no", "1:1 - Error: no", "Error:")]
    [True, True, False, False]
    """
    return _NAMED.match(line) is not None


def _plain_lines(text: str) -> list[str]:
    return [line.strip() for line in _CONTROL.sub("", text).splitlines() if line.strip()]
