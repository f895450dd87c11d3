"""Names of notebooks as people type them: what cannot be one, and which one was meant."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..errors import FileUnknown, RTUError, TargetError

__all__ = ["alike", "check_name", "check_text", "either", "like_a_url", "near", "no_such_notebook"]

LONGEST_NAME = 255  # bytes; of the file systems that are in use, none takes more
_MANY = 5000  # names in a directory that are looked at

_LIKE_A_URL = re.compile(
    r"(?:https?:/*)?(?P<rest>[\w.-]+(?::\d+)?/(?:.*/)?(?:lab|notebooks|tree|rtu/f|doc)/.*)", re.I
)


def check_name(target: str) -> None:
    """Check that a text can be the name of a file.

    Raises
    ------
    TargetError
        It cannot; the message says what to do.
    """
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in target):
        raise TargetError(
            f"{ascii(target)[:120]} has control characters in it; type the name, or rename the file"
        )
    try:
        parts = os.fsencode(target).replace(b"\\", b"/") if os.sep == "\\" else os.fsencode(target)
    except UnicodeEncodeError:
        raise TargetError(
            f"{ascii(target)[:120]} is no name that this system knows; rename the file"
        ) from None
    longest = max(parts.split(b"/"), key=len, default=b"")
    if len(longest) > LONGEST_NAME:
        raise TargetError(
            f"{target[:40]}… has a name of {len(longest)} bytes in it; a name has {LONGEST_NAME} "
            f"at most, choose a shorter one"
        )


def check_text(value: Any, what: str) -> None:
    """Check that a caller gave text.

    Raises
    ------
    RTUError
        It is something else; `what` says what it was to be.

    Examples
    --------
    >>> check_text(5, "a cell's source")
    Traceback (most recent call last):
    rtu_magics.errors.RTUError: a cell's source is text, and this is of type int: write str(…)
    """
    if not isinstance(value, str):
        kind = type(value).__name__
        raise RTUError(f"{what} is text, and this is of type {kind}: write str(…)")


def like_a_url(target: str) -> str | None:
    """Return the URL that was meant where somebody left its beginning out or got it wrong.

    Examples
    --------
    >>> like_a_url("lab.example:8888/lab/tree/a.ipynb")
    'http://lab.example:8888/lab/tree/a.ipynb'
    """
    found = _LIKE_A_URL.fullmatch(target)
    if found is None:
        return None
    scheme = "https" if target.lower().startswith("https:") else "http"
    return f"{scheme}://{found['rest']}"


def near(wanted: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Return the names that may have been meant, the likeliest first.

    Parameters
    ----------
    wanted
        What was typed.
    names
        What there is.
    most
        How many to return.

    Examples
    --------
    >>> near("lesosn.ipynb", ["lesson.ipynb", "homework.ipynb"])
    ['lesson.ipynb']
    >>> near("hw.ipynb", ["week1/hw.ipynb"]), near("Two%20Words.ipynb", ["two words.ipynb"])
    (['week1/hw.ipynb'], ['two words.ipynb'])
    """
    names = list(names)
    plain = _plain(wanted)
    by_plain: dict[str, list[str]] = {}
    for name in names:
        by_plain.setdefault(_plain(name), []).append(name)
    same = by_plain.get(plain, [])
    last = plain.rpartition("/")[2]
    elsewhere = [name for name in names if _plain(name).rpartition("/")[2] == last]
    close = difflib.get_close_matches(plain, by_plain, n=most, cutoff=0.75)
    alike = [name for match in close for name in by_plain[match]]
    return list(dict.fromkeys([*same, *elsewhere, *alike]))[:most]


def _plain(name: str) -> str:
    """Return a name as it is compared: without what people overlook."""
    name = unicodedata.normalize("NFKC", unquote(name)).replace("\\", "/").casefold()
    return " ".join(name.replace("_", " ").replace("-", " ").split())


def alike(path: Path) -> list[str]:
    """Return the notebooks that may have been meant by a path, relative to its directory.

    An ending that is left out or mistyped is overlooked; so is the directory, where there is none.

    Parameters
    ----------
    path
        What does not exist.
    """
    here = path.parent
    if not here.is_dir():
        with contextlib.suppress(OSError):
            folders = [p.name for p in here.parent.iterdir() if _is_visible(p)]
            return [
                f"../{folder}/{path.name}"
                for folder in near(here.name, folders)
                if (here.parent / folder / path.name).exists()
            ]
        return []
    names: list[str] = []
    with contextlib.suppress(OSError):
        for folder in [here, *sorted(p for p in here.iterdir() if _is_visible(p))]:
            if len(names) > _MANY:
                break
            with contextlib.suppress(OSError):
                found = (n for n in os.listdir(folder) if n.endswith(".ipynb"))
                inside = folder.relative_to(here).as_posix()
                names += [n if inside == "." else f"{inside}/{n}" for n in found if n[0] != "."]
    whole = path.name if path.suffix else f"{path.name}.ipynb"
    return near(whole, names)


def no_such_notebook(path: Path) -> FileUnknown:
    """Return what to say of a notebook that is not there, with those that may have been meant."""
    here = path.parent
    meant = alike(path)
    hint = f"did you mean {either(meant)}? " if meant else ""
    where = "" if here == Path.cwd() else f" in {here}"
    return FileUnknown(
        f"there is no notebook {path.name}{where}; {hint}--new (new=True) makes an empty one"
    )


def either(names: Iterable[str]) -> str:
    """Return names as one types them, with ``or`` between them."""
    return " or ".join(map(_shown, names))


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir()


def _shown(name: str) -> str:
    return f'"{name}"' if " " in name else name
