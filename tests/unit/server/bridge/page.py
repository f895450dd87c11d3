"""A page without a browser: a copy of a live document, with an undo manager of its own."""

from __future__ import annotations

import pytest

pytest.importorskip("pycrdt", reason="pip install jupyter-ydoc")

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pycrdt import Array, Doc, Map, Text, UndoManager

from rtu_magics.document import NotebookBuilder
from rtu_magics.models import FileDeltaAdapter, Notebook
from rtu_magics.server.bridge.cells import metadata_of, notebook_from_live, parts_of, whole
from rtu_magics.server.bridge.document import LiveDocument
from rtu_magics.server.bridge.from_live import changes_in, mend_ids, set_rest
from rtu_magics.server.bridge.past import Past
from rtu_magics.server.bridge.to_live import everything, follow, touched_by
from rtu_magics.server.bridge.touched import Touched

FILE_ID = UUID(int=7)


class Page:
    """Somebody with the notebook open; what they do reaches others when they are online."""

    def __init__(self, room: Doc) -> None:
        self.room = room
        self.doc = Doc()
        self.cells: Array = self.doc.get("cells", type=Array)
        self.doc.get("meta", type=Map)
        self.online = True
        self.sync()
        self.undo = UndoManager(scopes=[self.cells], capture_timeout_millis=0)
        self.undo.include_origin("page")

    def sync(self) -> None:
        self.doc.apply_update(self.room.get_update(self.doc.get_state()))
        self.room.apply_update(self.doc.get_update(self.room.get_state()))

    def do(self, *work: Any) -> None:
        with self.doc.transaction(origin="page"):
            for one in work:
                one()
        if self.online:
            self.sync()

    def again(self, what: str) -> None:
        getattr(self.undo, what)()
        if self.online:
            self.sync()

    def type(self, index: int, at: int, text: str, erase: int = 0) -> None:
        """Type after `at` characters, over `erase` of them."""

        def work() -> None:
            source = self.cells[index]["source"]
            old = str(source)
            start = len(old[:at].encode())
            end = start + len(old[at : at + erase].encode())
            if end > start:
                del source[start:end]
            if text:
                source.insert(start, text)

        self.do(work)

    def add(self, index: int, cell_id: str, source: str = "", cell_type: str = "code") -> None:
        cell: dict[str, Any] = {
            "id": cell_id,
            "cell_type": cell_type,
            "source": Text(source),
            "metadata": Map({"trusted": True}),
        }
        if cell_type == "code":
            cell |= {"outputs": Array(), "execution_count": None, "execution_state": "idle"}
        else:
            cell["attachments"] = {}
        self.do(lambda: self.cells.insert(index, Map(cell)))

    def delete(self, index: int) -> None:
        self.do(lambda: self.cells.__delitem__(index))

    def move(self, index: int, to: int) -> None:
        """As JupyterLab does: the old one goes, a copy comes."""
        raw = self.cells[index].to_py()
        self.do(lambda: self.cells.__delitem__(index), lambda: self.cells.insert(to, remade(raw)))

    def retype(self, index: int, cell_type: str) -> None:
        raw = {**self.cells[index].to_py(), "cell_type": cell_type}
        if cell_type != "code":
            for key in ("outputs", "execution_count", "execution_state"):
                raw.pop(key, None)
        self.do(
            lambda: self.cells.__delitem__(index), lambda: self.cells.insert(index, remade(raw))
        )

    def set(self, index: int, key: str, value: Any) -> None:
        self.do(lambda: self.cells[index]["metadata"].__setitem__(key, value))

    def drop(self, index: int, key: str) -> None:
        self.do(lambda: self.cells[index]["metadata"].__delitem__(key))

    def attach(self, index: int, attachments: Any) -> None:
        self.do(lambda: self.cells[index].__setitem__("attachments", attachments))

    @property
    def sources(self) -> list[str]:
        return [str(cell["source"]) for cell in self.cells]


def remade(raw: Mapping[str, Any]) -> Map:
    cell = dict(raw)
    cell["source"], cell["metadata"] = Text(raw["source"]), Map(raw["metadata"])
    if "outputs" in cell:
        cell["outputs"] = Array(raw["outputs"])
    return Map(cell)


class Pair:
    """A notebook and a live document that hold the same, without server, tasks or sockets."""

    def __init__(self, builder: NotebookBuilder) -> None:
        self.builder = builder
        self.doc = Doc()
        self.live = LiveDocument(self.doc)
        follow(self.live, everything(builder), builder)
        self.live.watch(lambda: None)
        self.past = Past()

    def take(self) -> list[Any]:
        """Bring what pages did into the notebook; returns the deltas."""
        touched, self.live.touched = self.live.touched, Touched()
        if touched.order:
            touched.cells.update(mend_ids(self.live, self.builder, self.past))
        found = changes_in(FILE_ID, self.live, touched, self.builder, self.past)
        for delta in found.deltas:
            self.builder.apply_delta(delta, strict=True)
        set_rest(self.builder, found)
        follow(self.live, Touched(cells=found.merged), self.builder)
        return found.deltas

    def rtu(self, kind: str, action: str, properties: Any, cell_id: str = "") -> None:
        """Make a change as a client of ours does."""
        delta = FileDeltaAdapter.validate_python(
            {
                "file_id": FILE_ID,
                "delta_type": kind,
                "delta_action": action,
                "properties": properties,
                **({"resource_id": cell_id} if cell_id else {}),
            }
        )
        self.take()
        self.builder.apply_delta(delta, strict=True)
        follow(self.live, touched_by([delta]), self.builder, past=self.past)

    def check(self) -> None:
        assert shown(notebook_from_live(self.live.notebook())) == shown(self.builder.nb)
        assert self.live.ids == [cell["id"] for cell in self.live.notebook()["cells"]]


def shown(notebook: Notebook) -> Any:
    """Return what both sides have to agree on."""
    cells = [
        (
            cell.id,
            cell.cell_type,
            cell.source,
            whole(metadata_of(cell)),
            whole(parts_of(cell)),
        )
        for cell in notebook.cells
    ]
    return whole(notebook.metadata), cells


def content(page: Page) -> Any:
    live = LiveDocument(page.doc)
    return shown(notebook_from_live(live.notebook()))
