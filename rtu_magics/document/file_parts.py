"""What a file holds beside what clients can be shown, and how both stay together.

Jupyter opens notebooks that no strict reader takes: a traceback that is one string, an unknown type
of cell, numbers that JSON lacks, text that is no Unicode, values nested hundreds deep. Clients get
each such part repaired. What the file itself had travels with the cell, output or notebook under
`ORIGINAL`, as JSON text, and goes back into the file as long as the repaired part is what it was.

A record is a list of entries ``[path, text]``: the path is a key, or a key and an entry of the
object below it; no text says that the file has nothing there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from .repair import ABSENT, CODE_CELL, NOTEBOOK, TEXT_CELL, Kind, plain

__all__ = [
    "ORIGINAL",
    "PARKED",
    "entries_in_force",
    "keep_record",
    "kind_of",
    "put_back",
    "record",
    "set_unnamed_part",
    "take",
    "unnamed_parts",
    "unreadable_output",
]

ORIGINAL = "rtu_original"
"""The key under which a file's own parts travel; it never stands in a file."""

PARKED = "rtu_parked"
"""The key under which a cell keeps what its present type has no place for; never in a file."""


def kind_of(thing: Any) -> Kind:
    """Return the kind of a notebook's or a cell's model."""
    cell_type = getattr(thing, "cell_type", None)
    if cell_type is None:
        return NOTEBOOK
    return CODE_CELL if cell_type == "code" else TEXT_CELL[cell_type]


def unnamed_parts(thing: Any) -> dict[str, Any]:
    """Return what the file holds of a notebook or a cell beside what deltas can change.

    Attachments, the keys that nbformat does not name, and what still holds of the thing's record.
    """
    found = dict(thing.__pydantic_extra__ or {})
    found.pop(PARKED, None)
    if found.pop(ORIGINAL, None):
        in_force = entries_in_force(kind_of(thing), thing.model_dump(exclude={"cells"}))
        if in_force:
            found[ORIGINAL] = in_force
    attachments = getattr(thing, "attachments", None)
    if attachments is not None:
        found["attachments"] = attachments
    return found


def set_unnamed_part(thing: Any, key: str, value: Any) -> None:
    """Set one of the `unnamed_parts` of a notebook or a cell, or take it away (`ABSENT`)."""
    if key == "attachments":
        thing.attachments = None if value is ABSENT else value
        return
    unknown = dict(thing.__pydantic_extra__ or {})
    unknown.pop(key, None)
    if value is not ABSENT:
        unknown[key] = value
    thing.__pydantic_extra__ = unknown


def record(value: Any) -> str:
    """Return a part of a file as it is recorded: JSON in ASCII, whatever is in it."""
    return json.dumps(value, default=to_jsonable_python)


def take(kind: Kind, raw: Mapping[str, Any], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what clients are shown of a thing in a file, with the record of what differs.

    Parameters
    ----------
    kind
        Of thing.
    raw
        As the file has it; not changed.
    skip
        Keys that are seen to elsewhere.
    """
    view: dict[str, Any] = {}
    odd: list[list[Any]] = []

    def put(into: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
        seen = kind.show(path, value)
        if seen.value is not ABSENT:
            into[path[-1]] = seen.value
        if seen.odd:
            odd.append([list(path), None if value is ABSENT else record(value)])

    for key in {**kind.parts, **raw}:
        if key in skip or key == ORIGINAL:
            continue
        value = raw.get(key, ABSENT)
        if kind.splits(key, value):
            into = view[key] = {}
            for name, entry in value.items():
                put(into, (key, name), entry)
        else:
            put(view, (key,), value)
    if odd:
        view[ORIGINAL] = odd
    return view


def keep_record(kind: Kind, raw: Any, view: dict[str, Any]) -> dict[str, Any]:
    """Add to a view what still holds of a record that comes with it, as in a downloaded version."""
    known = _entries(raw) if isinstance(raw, Mapping) else []
    if known:
        found = view.setdefault(ORIGINAL, [])
        paths = [path for path, _ in found]
        in_force = entries_in_force(kind, {**view, ORIGINAL: known})
        found += [entry for entry in in_force if entry[0] not in paths]
        if not found:
            del view[ORIGINAL]
    return view


def unreadable_output(raw: Any) -> dict[str, Any]:
    """Return what clients are shown of an output of a type that nobody knows."""
    named = raw.get("output_type") if isinstance(raw, Mapping) else None
    what = f"an output of the type {named[:80]!r}" if isinstance(named, str) else "no output"
    view = {
        "output_type": "display_data",
        "data": {"text/plain": f"[{what}: not shown]"},
        "metadata": {},
    }
    return {**plain(view).value, ORIGINAL: [[[], record(raw)]]}


def entries_in_force(kind: Kind, view: Mapping[str, Any]) -> list[list[Any]]:
    """Return what of a thing's record still holds: the parts that are as they were repaired."""
    return [entry for entry in _entries(view) if _applies(kind, view, entry)]


def put_back(kind: Kind, view: dict[str, Any]) -> Any:
    """Return a thing as it belongs into the file.

    Parameters
    ----------
    kind
        Of thing.
    view
        As clients are shown it, with its record; used up.
    """
    entries = entries_in_force(kind, view)
    view.pop(ORIGINAL, None)
    for path, text in entries:
        original = ABSENT if text is None else json.loads(text)
        if not path:
            return original
        holder = view if len(path) == 1 else view[path[0]]
        if original is ABSENT:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = original
    return view


def _entries(view: Mapping[str, Any]) -> list[list[Any]]:
    found = view.get(ORIGINAL)
    return [entry for entry in found if _well_formed(entry)] if isinstance(found, list) else []


def _well_formed(entry: Any) -> bool:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], list)):
        return False
    path, text = entry
    return (
        len(path) <= 2
        and all(isinstance(key, str) for key in path)
        and (text is None or (isinstance(text, str) and bool(path or text)))
    )


def _applies(kind: Kind, view: Mapping[str, Any], entry: list[Any]) -> bool:
    path, text = entry
    try:
        original = ABSENT if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not path:
        shown = unreadable_output(original)
        return all(_joined(view.get(key)) == shown[key] for key in shown if key != ORIGINAL)
    if path == ["id"]:
        return True  # ids never change
    if len(path) == 1:
        holder: Any = view
    else:
        holder = view.get(path[0])
        if not isinstance(holder, Mapping):
            return False
    seen = kind.show(tuple(path), original)
    present = holder.get(path[-1], ABSENT)
    if not seen.odd:
        return False
    if seen.value is ABSENT or present is ABSENT:
        return seen.value is present
    return bool(_joined(present) == _joined(seen.value))


def _joined(value: Any) -> Any:
    """Return a part with the lists of lines in it joined: an output may have lost them."""
    if isinstance(value, Mapping):
        return {key: _joined(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value
