"""How the parts of a notebook's file are shown to clients: as they are, or repaired.

Jupyter opens notebooks that no strict reader takes. Each kind of thing in a file (`CODE_CELL`,
`TEXT_CELL`, `OUTPUTS`, `NOTEBOOK`) says for each of its parts what clients get instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic_core import to_jsonable_python

from .bundle import is_json_mimetype, mime_text
from .plain import MAX_DEPTH, is_too_deep

__all__ = [
    "ABSENT",
    "CODE_CELL",
    "NOTEBOOK",
    "OUTPUTS",
    "TEXT_CELL",
    "Kind",
    "Seen",
    "fit_bundle",
    "fit_metadata",
    "plain",
]

ABSENT: Any = object()
"""In the place of a value: there is none."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_COUNT = 2**31


class Seen(NamedTuple):
    """A part as clients are shown it, and whether that is not what the file has."""

    value: Any
    odd: bool = False


Show = Callable[[Any], Seen]


class _TooDeep(ValueError):
    pass


class _Cleaner:
    """Copies JSON; `odd` says whether the copy is not the same."""

    def __init__(self) -> None:
        self.odd = False

    def copy(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            if value - value == 0:
                return value
            self.odd = True
            return None  # what JSON lacks is null on the wire
        if depth >= MAX_DEPTH:
            raise _TooDeep
        depth += 1
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.copy(item, depth) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.copy(item, depth) for item in value]
        return self.copy(to_jsonable_python(value), depth)

    def text(self, value: str) -> str:
        if value.isascii() or not _LONE_SURROGATE.search(value):
            return value
        self.odd = True
        return _LONE_SURROGATE.sub("\ufffd", value)


_NOTE = f"nested more than {MAX_DEPTH} levels deep"


def plain(value: Any) -> Seen:
    """Return a JSON value without what no client could read."""
    cleaner = _Cleaner()
    try:
        return Seen(cleaner.copy(value, 1), cleaner.odd)
    except _TooDeep:
        return Seen(f"[{_NOTE}: not shown]", odd=True)


def _text(value: Any) -> Seen:
    cleaner = _Cleaner()
    if isinstance(value, str):
        return Seen(cleaner.text(value), cleaner.odd)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return Seen(cleaner.text("".join(value)), cleaner.odd)
    if value is ABSENT or value is None:
        return Seen("", odd=True)
    shown = plain(value).value
    if isinstance(shown, list):
        return Seen("".join(mime_text(line) for line in shown), odd=True)
    return Seen(mime_text(shown), odd=True)


def _word(value: Any) -> Seen:
    shown = _text(value)
    return shown if isinstance(value, str) else Seen(shown.value, odd=True)


def _lines(value: Any) -> Seen:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return plain(value)
    if value is ABSENT or value is None:
        return Seen([], odd=True)
    if isinstance(value, list):
        return Seen([_text(line).value for line in value], odd=True)
    return Seen(_text(value).value.split("\n"), odd=True)


def _count(value: Any) -> Seen:
    if value is None:
        return Seen(None)
    usable = type(value) is int and abs(value) < _LARGEST_COUNT
    return Seen(value, odd=False) if usable else Seen(None, odd=True)


def _object(value: Any) -> Seen:
    """Show what should be an object whose entries can be looked at one by one, and is not."""
    if not isinstance(value, Mapping):
        return Seen({}, odd=True)
    return Seen({_name(key): plain(entry).value for key, entry in value.items()}, odd=True)


def _name(key: Any) -> str:
    return _Cleaner().text(str(key))


def _bundle(value: Any) -> Seen:
    if not isinstance(value, Mapping):
        if value is ABSENT or value is None:
            return Seen({}, odd=True)
        return Seen({"text/plain": _text(value).value}, odd=True)
    shown = {_name(key): _mime(_name(key), entry).value for key, entry in fit_bundle(value).items()}
    return Seen(shown, odd=True)


def _attachments(value: Any) -> Seen:
    if not isinstance(value, Mapping):
        return Seen(ABSENT, odd=value is not ABSENT)
    entries = {_name(key): _attachment(key, entry).value for key, entry in value.items()}
    return Seen({key: entry for key, entry in entries.items() if entry is not ABSENT}, odd=True)


def _attachment(name: str, value: Any) -> Seen:
    if not isinstance(value, Mapping):
        return Seen(ABSENT, odd=True)
    seen = plain(value)
    return seen if isinstance(seen.value, dict) else Seen({"text/plain": seen.value}, odd=True)


def _mime(mimetype: str, value: Any) -> Seen:
    lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    if isinstance(value, str) or lines or is_json_mimetype(mimetype):
        return plain(value)
    return Seen(mime_text(plain(value).value), odd=True)


def _entry(name: str, value: Any) -> Seen:
    return plain(value)


def fit_bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    r"""Return a mimebundle without the entries that are nested too deeply.

    Their place is taken by a note in its ``text/plain``.

    Examples
    --------
    >>> deep = []
    >>> for _ in range(100):
    ...     deep = [deep]
    >>> fit_bundle({"application/json": deep, "text/plain": "deep"})["text/plain"]
    'deep\n[application/json: nested more than 100 levels deep, not shown]'
    """
    deep = [mimetype for mimetype, value in data.items() if is_too_deep(value)]
    fitting = {mimetype: value for mimetype, value in data.items() if mimetype not in deep}
    if deep:
        known = [mime_text(fitting["text/plain"])] if "text/plain" in fitting else []
        notes = [f"[{mimetype}: {_NOTE}, not shown]" for mimetype in deep]
        fitting["text/plain"] = "\n".join([*known, *notes])
    return fitting


def fit_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output's metadata with a note in the place of what is nested too deeply."""
    return {
        key: f"[{_NOTE}: not shown]" if is_too_deep(value) else value
        for key, value in metadata.items()
    }


class Kind:
    """A kind of thing in a file: its parts by key.

    Parameters
    ----------
    parts
        How each key is shown; `ABSENT` is shown as what a notebook needs in its place.
    entries
        How the entries of the objects under some of these keys are shown, by name and value. Each
        is looked at for itself: what becomes of one leaves the others as they are.
    """

    def __init__(
        self,
        parts: Mapping[str, Show],
        entries: Mapping[str, Callable[[str, Any], Seen]],
    ) -> None:
        self.parts = parts
        self.entries = entries

    def show(self, path: tuple[str, ...], value: Any) -> Seen:
        """Return how a part is shown."""
        if len(path) == 2:
            if value is ABSENT:
                return Seen(ABSENT)
            return self.entries.get(path[0], _entry)(path[1], value)
        show = self.parts.get(path[0])
        if show is not None:
            return show(value)
        return Seen(ABSENT) if value is ABSENT else plain(value)

    def splits(self, key: str, value: Any) -> bool:
        """Return whether the entries of an object are looked at one by one."""
        if key not in self.entries or not isinstance(value, Mapping):
            return False
        if any(not isinstance(name, str) or _LONE_SURROGATE.search(name) for name in value):
            return False
        return not (key == "data" and any(is_too_deep(item) for item in value.values()))


def _fixed(value: Any) -> Show:
    return lambda found: Seen(value, odd=type(found) is not type(value) or found != value)


def _type(cell_type: str) -> Show:
    # A type that nobody knows is shown as raw.
    return lambda found: Seen(found) if found == cell_type else Seen("raw", odd=True)


def _cell(cell_type: str, **more: Show) -> Kind:
    return Kind(
        {
            "cell_type": _type(cell_type),
            "source": _text,
            "metadata": _object,
            "attachments": _attachments,
            **more,
        },
        {"metadata": _entry, "attachments": _attachment},
    )


def _list(value: Any) -> Seen:
    return Seen([], odd=not isinstance(value, list))


CODE_CELL = _cell("code", execution_count=_count, outputs=_list)
TEXT_CELL = {"markdown": _cell("markdown"), "raw": _cell("raw")}


def _minor(value: Any) -> Seen:
    usable = type(value) is int and value >= 5
    return Seen(value if usable else 5, odd=not usable)


NOTEBOOK = Kind(
    {"nbformat": _fixed(4), "nbformat_minor": _minor, "metadata": _object}, {"metadata": _entry}
)

_DISPLAY: dict[str, Show] = {"data": _bundle, "metadata": _object}
_DISPLAY_ENTRIES = {"data": _mime, "metadata": _entry}
OUTPUTS = {
    "stream": Kind({"output_type": _fixed("stream"), "name": _word, "text": _text}, {}),
    "display_data": Kind({"output_type": _fixed("display_data"), **_DISPLAY}, _DISPLAY_ENTRIES),
    "execute_result": Kind(
        {"output_type": _fixed("execute_result"), **_DISPLAY, "execution_count": _count},
        _DISPLAY_ENTRIES,
    ),
    "error": Kind(
        {
            "output_type": _fixed("error"),
            "ename": _word,
            "evalue": _word,
            "traceback": _lines,
        },
        {},
    ),
}
