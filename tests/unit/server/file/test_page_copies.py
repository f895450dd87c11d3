"""What a page had, told by its mark or by what it sends."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rtu_magics.models import CodeCell, Notebook
from rtu_magics.server.file.format import DiskBase
from rtu_magics.server.file.page_copies import PageCopy, as_sent, mark, nearest, take_mark


def content(*sources: str, **metadata: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"trusted": True}, "source": text}
        | {"outputs": [], "execution_count": None}
        for n, text in enumerate(sources)
    ]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def copy(*sources: str) -> PageCopy:
    cells = [CodeCell(id=f"c{n}", source=text) for n, text in enumerate(sources)]
    return PageCopy(DiskBase.of(Notebook(cells=cells)))


def test_a_mark_comes_back_and_leaves_nothing() -> None:
    loaded = content("a", title="T")
    given = mark(loaded)
    assert take_mark(loaded) == given
    assert loaded["metadata"] == {"title": "T"}
    assert take_mark(loaded) == ""


def test_what_is_no_mark() -> None:
    for metadata in (None, [], {"rtu_magics": None}, {"rtu_magics": {"page": 3}}):
        assert take_mark({"metadata": metadata}) == ""
    for sent in (None, "", [], {}):
        assert take_mark(sent) == ""
    theirs: dict[str, Any] = {"metadata": {"rtu_magics": {"page": "p", "own": 1}}}
    assert take_mark(theirs) == "p"
    assert theirs == {"metadata": {"rtu_magics": {"own": 1}}}


def test_a_copy_is_stored_whole() -> None:
    one = PageCopy(copy("a = 1").base, uuid4(), {"x": "y"}, told=True)
    assert PageCopy.loads(one.dumps()) == one
    assert PageCopy.loads(copy().dumps()) == copy()


def test_as_it_would_be_in_a_file() -> None:
    sent = content("1.0")
    mark(sent)
    sent["cells"][0]["outputs"] = [
        {"output_type": "display_data", "data": {"application/json": 1.0}, "metadata": {}}
    ]
    found = as_sent(sent, None, {"c0": "room"})
    assert "rtu_magics" not in found.metadata
    assert found.cells[0].id == "room"
    assert found.cells[0].metadata == {}
    whole = as_sent({**sent, "cells": [{**sent["cells"][0]}]}, None)
    sent["cells"][0]["outputs"][0]["data"]["application/json"] = 1
    assert DiskBase.of(as_sent(sent, None)) == DiskBase.of(whole)
    assert sent["cells"][0]["metadata"] == {"trusted": True}


def test_the_nearest() -> None:
    old, new = copy("a = 1", "b = 2"), copy("a = 'by others'", "b = 2", "c = 3")
    assert nearest(as_sent(content("a = 1", "b = 22"), None), [new, old]) is old
    assert nearest(as_sent(content("a = 'by others'", "b = 2"), None), [old, new]) is new
    assert nearest(as_sent(content("a = 1"), None), []) is None
    one, two = copy("x = 1 + 1"), copy("x = 2 + 20")
    assert nearest(as_sent(content("x = 2 + 201"), None), [one, two]) is two
    assert nearest(as_sent(content("x"), None), [one, copy("x = 1 + 1")]) is one


def test_order_counts() -> None:
    one, other = copy("a", "b", "c"), copy("a", "b", "c")
    other.base.cells.reverse()
    sent = content("a", "b", "c")
    sent["cells"].reverse()
    assert nearest(as_sent(sent, None), [one, other]) is other
