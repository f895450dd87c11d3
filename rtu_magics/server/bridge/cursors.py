"""In which cell of a live document somebody's cursor stands.

A page says of its cursors where they are as Yjs does: by the character that follows, or, behind the
last one, by the text (``createRelativePositionFromTypeIndex``). Both are named by a client and how
much that had written before. Which cell that is in is found by asking each: pycrdt tells the
place in a text, not the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycrdt import Assoc, StickyIndex, Text

from .document import LiveDocument
from .numbers import decoded

__all__ = ["anchor_of", "cell_of"]

_Name = tuple[int, int]  # of what was written: the client, and how much it had written before


def anchor_of(state: Mapping[str, Any]) -> tuple[str, _Name] | None:
    """Return what a page says of its main cursor: ``item`` or ``type`` and which; None without one.

    Examples
    --------
    >>> anchor_of({"cursors": [{"head": {"item": {"client": 7, "clock": 3}, "assoc": 0}}]})
    ('item', (7, 3))
    >>> anchor_of({"cursors": []}) is None
    True
    """
    cursors = state.get("cursors")
    if not isinstance(cursors, list):
        return None
    found = [one for one in cursors if isinstance(one, Mapping)]
    main = next((one for one in found if one.get("primary")), found[0] if found else {})
    head = main.get("head")
    for kind in ("item", "type"):
        name = head.get(kind) if isinstance(head, Mapping) else None
        if isinstance(name, Mapping):
            client, clock = name.get("client"), name.get("clock")
            if type(client) is int and type(clock) is int and min(client, clock) >= 0:
                return kind, (client, clock)
    return None


def cell_of(live: LiveDocument, anchor: tuple[str, _Name], first: str | None) -> str | None:
    """Return the id of the cell in whose source a cursor stands.

    Parameters
    ----------
    live
        The document; nobody's transaction is open.
    anchor
        Where, as `anchor_of` has it.
    first
        The cell in which it stood before: that is asked first.

    Returns
    -------
    str or None
        None if it is in no cell any more.
    """
    kind, name = anchor
    if not _is_there(live, name):  # asked for what it does not have, pycrdt panics
        return None
    ids = live.ids
    order = sorted(range(len(ids)), key=lambda index: ids[index] != first)
    with live.ydoc.transaction():
        place = _place(live.source_text(0), name) if kind == "item" and ids else 0
        for index in order:
            text = live.source_text(index)
            if kind == "type":
                found = text.sticky_index(0, Assoc.BEFORE).to_json().get("type")
            elif place is not None and place < _units(text):
                found = text.sticky_index(place, Assoc.AFTER).to_json().get("item")
            else:
                continue
            if found == {"client": name[0], "clock": name[1]}:
                return str(ids[index])
    return None


def _units(text: Text) -> int:
    """Return how long a text is in UTF-16 units, in which places count, unlike pycrdt's lengths.

    In 0.14 (https://github.com/y-crdt/pycrdt/issues/382).
    """
    return len(str(text).encode("utf-16-le")) // 2


def _place(text: Text, name: _Name) -> int | None:
    item = {"client": name[0], "clock": name[1]}
    # Of whichever text: what it belongs to is not looked at.
    place: int | None = StickyIndex.from_json({"item": item, "assoc": 0}, text).get_index()
    return place


def _is_there(live: LiveDocument, name: _Name) -> bool:
    """Whether the document has something: its state is the clients, and how much each wrote."""
    state = live.ydoc.get_state()
    clients, at = decoded(state)
    for _ in range(clients):
        client, at = decoded(state, at)
        clock, at = decoded(state, at)
        if client == name[0]:
            return name[1] < clock
    return False
