"""Whatever two pages and our clients do, in whatever order: all hold the same in the end."""

from __future__ import annotations

from typing import Any

from .page import Page, Pair, content, shown  # isort: skip  (skips without pycrdt)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import CodeCell, MarkdownCell, Notebook

PAGES = st.integers(0, 1)
SPOT = st.integers(0, 5)
TEXT = st.text(st.sampled_from("ab \né😀e\u0301"), max_size=4)
TYPES = st.sampled_from(["code", "markdown", "raw"])


class TwoPagesAndUs(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        cells: list[Any] = [CodeCell(id=f"c{n}", source=f"x{n} = {n}\n") for n in range(3)]
        cells.append(MarkdownCell(id="m", source="# é😀"))
        self.pair = Pair(NotebookBuilder(Notebook(cells=cells)))
        self.pages = [Page(self.pair.doc), Page(self.pair.doc)]
        self.count = 0

    def _there(self, page: Page, spot: int) -> int | None:
        return spot % len(page.cells) if len(page.cells) else None

    @rule(of=PAGES, spot=SPOT, at=st.integers(0, 12), text=TEXT, erase=st.integers(0, 3))
    def type(self, of: int, spot: int, at: int, text: str, erase: int) -> None:
        page = self.pages[of]
        index = self._there(page, spot)
        if index is not None:
            length = len(str(page.cells[index]["source"]))
            page.type(index, min(at, length), text, erase)

    @rule(of=PAGES, spot=SPOT, source=TEXT, cell_type=TYPES)
    def add(self, of: int, spot: int, source: str, cell_type: str) -> None:
        page = self.pages[of]
        self.count += 1
        page.add(spot % (len(page.cells) + 1), f"p{of}-{self.count}", source, cell_type)

    @rule(of=PAGES, spot=SPOT)
    def delete(self, of: int, spot: int) -> None:
        page = self.pages[of]
        index = self._there(page, spot)
        if index is not None and len(page.cells) > 1:
            page.delete(index)

    @rule(of=PAGES, spot=SPOT, to=SPOT)
    def move(self, of: int, spot: int, to: int) -> None:
        page = self.pages[of]
        index = self._there(page, spot)
        if index is not None:
            page.move(index, to % len(page.cells))

    @rule(of=PAGES, spot=SPOT, cell_type=TYPES)
    def retype(self, of: int, spot: int, cell_type: str) -> None:
        page = self.pages[of]
        index = self._there(page, spot)
        if index is not None:
            page.retype(index, cell_type)

    @rule(of=PAGES, spot=SPOT, key=st.sampled_from("kl"), value=st.integers(0, 2))
    def set(self, of: int, spot: int, key: str, value: int) -> None:
        page = self.pages[of]
        index = self._there(page, spot)
        if index is None:
            return
        if value:
            page.set(index, key, {"n": value})
        elif key in page.cells[index]["metadata"]:
            page.drop(index, key)

    @rule(of=PAGES, what=st.sampled_from(["undo", "redo"]))
    def again(self, of: int, what: str) -> None:
        self.pages[of].again(what)

    @rule(of=PAGES)
    def goes_away_or_comes_back(self, of: int) -> None:
        page = self.pages[of]
        page.online = not page.online
        if page.online:
            page.sync()

    @rule(spot=SPOT, source=TEXT, cell_type=TYPES)
    def we_add(self, spot: int, source: str, cell_type: str) -> None:
        self.count += 1
        self.pair.take()
        ids = self.pair.builder.cell_ids
        after = ids[spot % len(ids)] if ids else None
        cell = {"cell_type": cell_type, "source": source}
        new = {"id": f"r{self.count}", "cell": cell, "after_id": after}
        self.pair.rtu("nb_cells", "add", new)

    @rule(spot=SPOT, to=SPOT, what=st.sampled_from(["delete", "move", "type", "text", "key"]))
    def we_change(self, spot: int, to: int, what: str) -> None:
        self.pair.take()
        ids = self.pair.builder.cell_ids
        if len(ids) < 2:
            return
        cell_id, other = ids[spot % len(ids)], ids[to % len(ids)]
        if what == "delete":
            self.pair.rtu("nb_cells", "delete", {"id": cell_id})
        elif what == "move" and other != cell_id:
            self.pair.rtu("nb_cells", "move", {"id": cell_id, "after_id": other})
        elif what == "type":
            kind = ["code", "markdown", "raw"][to % 3]
            self.pair.rtu("cell_metadata", "replace", {"type": kind}, cell_id)
        elif what == "text":
            source = self.pair.builder.cell(cell_id).source
            source = f"{source[:to]}ours{self.count}é{source[to:]}"
            self.pair.rtu("cell_contents", "replace", {"source": source}, cell_id)
        elif what == "key":
            self.pair.rtu("cell_metadata", "update", {"path": ["k", "n"], "value": to}, cell_id)

    @invariant()
    def nothing_of_ours_is_lost_on_the_way(self) -> None:
        if not self.pair.live.touched:
            self.pair.check()

    def teardown(self) -> None:
        for page in self.pages:
            page.online = True
        for _ in range(2):  # what mending the ids writes goes back to the pages
            for page in self.pages:
                page.sync()
            self.pair.take()
        self.pair.check()
        for page in self.pages:
            page.sync()
            assert content(page) == shown(self.pair.builder.nb)
        assert self.pair.take() == []


TestTwoPagesAndUs = TwoPagesAndUs.TestCase
TestTwoPagesAndUs.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
