"""Changes, versions and variables as text. Pure: data in, text out."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...foreign import shown
from .notebook import table

if TYPE_CHECKING:
    from ...models import FileVersion, Variable
    from ...session.changes import Change

__all__ = ["history_text", "variable_table", "version_table"]

_RED, _GREEN, _BOLD, _DIM, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_LINES = 24  # of one change's diff
_WIDTH = 160  # characters of one line

_REASONS = {
    "save": "saved",
    "automatic": "automatic",
    "restore": "restored",
    "outside": "changed on disk",
    "upload": "first",
}


def history_text(
    changes: Sequence[Change],
    label: Callable[[str], str],
    me: UUID | None,
    today: date,
    *,
    colour: bool = True,
) -> str:
    """Return changes as text, each with what it did to the cell's text.

    Parameters
    ----------
    changes
        The changes, the latest last.
    label
        Returns how to show a cell by its id.
    me
        The user id of whoever reads it.
    today
        The reader's date: times of today go without one.
    colour
        Whether to colour it for a terminal.
    """
    if not changes:
        return "nothing was changed as far back as the server keeps its log"
    paint = _painted if colour else _unpainted
    lines = []
    for change in changes:
        who = "you" if change.author_id is not None and change.author_id == me else change.author
        lines.append(
            f"{paint(_time(change.at, today), _DIM)}  {paint(shown(who), _BOLD)}  "
            f"{_sentence(change, label)}"
        )
        lines += [f"    {line}" for line in _diff(change.before, change.after, paint)]
    return "\n".join(lines)


def _sentence(change: Change, label: Callable[[str], str]) -> str:
    what = shown(change.what)
    end = f" ({shown(change.end)})" if change.end else ""
    if change.end.startswith("not run"):
        what = what.replace("ran", "asked to run", 1)
    if change.cell_id is None and change.runs:
        return f"{what}{end}"
    if change.cell_id is None:
        return f"{what} of the notebook" if what.startswith("set ") else what
    cell = f"cell {label(change.cell_id)}"
    verb, _, rest = what.partition(" ")
    if change.runs:
        return f"{what} {cell}{end}"
    if verb == "moved" and rest.startswith("after "):
        return f"moved {cell} after {label(rest.removeprefix('after '))}"
    if verb == "made":
        return f"made {cell} {'an' if rest[:1] in 'aeio' else 'a'} {rest} cell"
    if verb == "set":
        return f"set {rest} of {cell}"
    return f"{verb} {cell} {rest}".rstrip()


def _time(at: datetime | None, today: date) -> str:
    if at is None:
        return "?"
    local = at.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M")


def _diff(before: str, after: str, paint: Callable[[str, str], str]) -> Iterator[str]:
    if before == after:
        return
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    lines = list(found)[3:]  # without the names of files, and where the first piece begins
    for number, line in enumerate(lines):
        if number == _LINES and len(lines) > _LINES + 1:
            yield paint(f"… {len(lines) - _LINES} more lines", _DIM)
            return
        text = shown(line[1:])
        if len(text) > _WIDTH:
            text = f"{text[: _WIDTH - 1]}…"
        if line.startswith("@@"):
            yield paint("⋯", _DIM)
        elif line.startswith("+"):
            yield paint(f"+ {text}", _GREEN)
        elif line.startswith("-"):
            yield paint(f"- {text}", _RED)
        else:
            yield f"  {text}"


def _painted(text: str, code: str) -> str:
    return f"{code}{text}{_OFF}"


def _unpainted(text: str, code: str) -> str:
    return text


def version_table(versions: Sequence[FileVersion], names: Mapping[UUID, str], today: date) -> str:
    """Return versions as a table.

    Parameters
    ----------
    versions
        The versions, the latest first.
    names
        What people are called, by user id.
    today
        The reader's date.
    """
    if not versions:
        return "no version is saved yet; %rtu_save --name NAME makes one"
    rows = [
        [
            str(version.number),
            shown(version.name or ""),
            _REASONS.get(version.reason or "", version.reason or ""),
            _time(version.created_at, today),
            shown(names.get(version.created_by_id, "")) if version.created_by_id else "",
        ]
        for version in versions
    ]
    return table(["version", "name", "why", "when", "who"], rows)


def variable_table(variables: Sequence[Variable]) -> str:
    """Return variables as a table."""
    if not variables:
        return "the remote kernel has no variables yet"
    rows = [
        [
            shown(variable.name),
            shown(variable.type),
            _shape(variable.shape),
            "" if variable.size_bytes is None else _size(variable.size_bytes),
            _short(shown(" ".join(variable.preview.split())), 60),
        ]
        for variable in variables
    ]
    return table(["name", "type", "shape", "size", "value"], rows)


def _shape(shape: Any) -> str:
    if shape is None:
        return ""
    if isinstance(shape, list | tuple):
        return " × ".join(str(part) for part in shape)
    return shown(str(shape))


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
