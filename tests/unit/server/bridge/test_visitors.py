"""Who has a notebook open in a page, and where: for those who follow it over RTU."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")

from jupyter_ydoc import YNotebook
from pycrdt import Assoc, Awareness, Doc

from rtu_magics.server.bridge.authors import Authors
from rtu_magics.server.bridge.cursors import anchor_of, cell_of
from rtu_magics.server.bridge.document import LiveDocument
from rtu_magics.server.bridge.people import encoded
from rtu_magics.server.bridge.visitors import Visitor, Visitors
from rtu_magics.server.notebook.presence import Presence
from rtu_magics.server.store import Database


def live(*sources: str) -> LiveDocument:
    doc = Doc()
    notebook = YNotebook(doc)
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source, "outputs": []}
        for number, source in enumerate(sources, 1)
    ]
    notebook.set({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return LiveDocument(doc)


def cursor(live: LiveDocument, index: int, place: int) -> dict[str, Any]:
    """What a page says of a cursor before a character, or behind the last one."""
    text = live.source_text(index)
    if place < len(str(text).encode("utf-16-le")) // 2:
        head = {"type": None, "tname": None, **text.sticky_index(place, Assoc.AFTER).to_json()}
    else:
        name = text.sticky_index(0, Assoc.BEFORE).to_json()["type"]
        head = {"type": name, "tname": None, "item": None, "assoc": 0}
    return {"anchor": head, "head": head, "primary": True, "empty": True}


@pytest.mark.parametrize("first", [None, "c1", "c3", "gone"])
@pytest.mark.parametrize(
    ("index", "place"), [(0, 0), (0, 5), (1, 0), (2, 0), (2, 2), (2, 3), (3, 4)]
)
def test_a_cursor_is_in_the_cell_in_whose_text_it_stands(
    index: int, place: int, first: str | None
) -> None:
    document = live("x = 1", "", "😀a", "x = 1")
    anchor = anchor_of({"cursors": [cursor(document, index, place)]})
    assert anchor is not None
    assert cell_of(document, anchor, first) == f"c{index + 1}"


def test_the_main_cursor_counts() -> None:
    document = live("x", "y")
    others = {**cursor(document, 0, 0), "primary": False}
    anchor = anchor_of({"cursors": [others, cursor(document, 1, 0)]})
    assert anchor is not None
    assert cell_of(document, anchor, None) == "c2"


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"cursors": None},
        {"cursors": "x"},
        {"cursors": [None]},
        {"cursors": [{"head": None}]},
        {"cursors": [{"head": {"item": {"client": "x", "clock": 1}}}]},
        {"cursors": [{"head": {"item": {"client": True, "clock": 1}}}]},
        {"cursors": [{"head": {"type": {"client": 1, "clock": -1}}}]},
    ],
)
def test_what_is_no_cursor_is_none(state: dict[str, Any]) -> None:
    assert anchor_of(state) is None


def test_a_cursor_in_what_nobody_has_here_is_in_no_cell(capfd: pytest.CaptureFixture[str]) -> None:
    document = live("x", "y")
    assert cell_of(document, ("item", (1, 2)), None) is None
    assert cell_of(document, ("type", (1, 2)), None) is None
    assert capfd.readouterr().err == ""


async def test_people_come_move_and_go(tmp_path: Path) -> None:
    document = live("x = 1", "y = 2")
    awareness = Awareness(document.ydoc)
    awareness.set_local_state(None)
    told: list[list[Visitor]] = []
    authors = Authors(Database(tmp_path / "rtu.db"), lambda: awareness.states)
    visitors = Visitors(
        awareness, document, authors, ours=lambda: {5}, tell=lambda all_: told.append(list(all_))
    )
    clock = 0

    def say(client: int, name: str | None, at: tuple[int, int] | None = None) -> None:
        nonlocal clock
        clock += 1
        state: dict[str, Any] | None = None
        if name is not None:
            state = {"user": {"username": name.lower(), "name": name, "display_name": name}}
            if at is not None:
                state["cursors"] = [cursor(document, *at)]
        awareness.apply_awareness_update(encoded([(client, clock, state)]), "page")

    say(5, "Ours")
    visitors.start()
    assert told == [], "ours are here anyway"
    say(7, "Ada", (1, 0))
    visitors._look()
    assert [(one.name, one.cell_id) for one in told[-1]] == [("Ada", "c2")]
    visitors._look()
    assert len(told) == 1, "nothing has changed"
    say(8, "Ada", (0, 0))  # in another page
    visitors._look()
    assert [(one.name, one.cell_id) for one in told[-1]] == [("Ada", "c1")]
    say(9, "Ben")
    say(8, None)
    visitors._look()
    assert [(one.name, one.cell_id) for one in told[-1]] == [("Ada", "c2"), ("Ben", None)]
    visitors.stop()
    assert told[-1] == []


def test_who_is_here_in_a_page_is_told_once() -> None:
    presence = Presence(uuid4())
    at = datetime.now(timezone.utc)
    ada = Visitor(uuid4(), "Ada", "c1", at)
    ben = Visitor(uuid4(), "Ben", None, at)
    changed, gone = presence.others([ada, ben])
    assert [one.user_name for one in changed] == ["Ada", "Ben"]
    assert [one.cell_id_selected for one in changed] == ["c1", None]
    assert gone == []
    assert presence.connected() == []
    assert len(presence.everybody()) == 2
    assert [one.cell_id for one in presence.in_pages()] == ["c1", None]
    moved = Visitor(ada.user_id, "Ada", "c2", at)
    changed, gone = presence.others([moved])
    assert [one.cell_id_selected for one in changed] == ["c2"]
    assert gone == [ben.user_id]
    assert presence.others([moved]) == ([], [])
