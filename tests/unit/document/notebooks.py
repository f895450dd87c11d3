"""Notebooks, deltas, and a slow, plain model of squashing to measure the builder against."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from rtu_magics.models import FileDeltaAdapter, FileDeltaBase, Notebook

from .strategies import by_library

FILE_ID = UUID(int=1)
IDS = ["a", "b", "c-1", "d_2"]

sources = st.sampled_from(
    ["", "x = 1", "import os\nprint(os.getcwd())\n", "# Títle 😀\r\n", "select 1", "a" * 200]
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "é😀", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=4,
)
metadata = st.dictionaries(st.sampled_from(["a", "b", "noteable"]), json_values, max_size=2)
outputs = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"output_type": st.just("stream"), "name": st.just("stdout"), "text": sources}
        ),
        st.fixed_dictionaries(
            {
                "output_type": st.just("display_data"),
                "data": st.just({"text/plain": "<Figure>", "image/png": "iVBORw0KGgo="}),
                "metadata": st.just({"image/png": {"width": 3}}),
            }
        ),
        st.fixed_dictionaries(
            {
                "output_type": st.just("execute_result"),
                "execution_count": st.integers(1, 9),
                "data": st.just({"text/plain": "4", "application/json": {"a": [1]}}),
                "metadata": st.just({}),
            }
        ),
        st.just({"output_type": "error", "ename": "E", "evalue": "", "traceback": ["\x1b[31mE"]}),
    ),
    max_size=2,
)


@st.composite
def cells(draw: st.DrawFn, cell_id: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["code", "markdown", "raw"]))
    cell = {"cell_type": kind, "id": cell_id, "source": draw(sources), "metadata": draw(metadata)}
    if kind == "code":
        cell |= {"outputs": draw(outputs), "execution_count": draw(st.sampled_from([None, 3]))}
    return cell


@st.composite
def notebooks(draw: st.DrawFn) -> Notebook:
    ids = draw(st.one_of(st.just(IDS), st.lists(st.sampled_from(IDS), unique=True)))
    return Notebook(cells=[draw(cells(cell_id)) for cell_id in ids], metadata=draw(metadata))


ids = st.sampled_from([*IDS, "e3", "f4", "never-there"])
ids_or_none = st.one_of(st.none(), ids)
paths = st.one_of(
    st.lists(st.sampled_from(["a", "b", "noteable", "metadata"]), min_size=1, max_size=3),
    st.sampled_from([[], [3], ["a", None, "b"]]),
)
patches = st.sampled_from(
    [
        "",
        "nonsense",
        "@@ -0,0 +1,5 @@\n+x = 1\n",
        "@@ -1,5 +1,5 @@\n x = \n-1\n+2\n",
        "@@ -1,9 +1,10 @@\n import \n+m\n os\n",
    ]
)


def _kind(delta_type: str, action: str, **parts: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries(
        {
            "id": st.uuids(version=4),
            "file_id": st.just(FILE_ID),
            "delta_type": st.just(delta_type),
            "delta_action": st.just(action),
            **parts,
        }
    )


def _properties(**parts: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries(parts)


@st.composite
def adds(draw: st.DrawFn) -> dict[str, Any]:
    cell_id = draw(st.one_of(ids, st.sampled_from(["", "not valid", "x" * 65])))
    properties = {"id": cell_id, "cell": draw(cells("other")), "after_id": draw(ids_or_none)}
    if draw(st.booleans()):
        properties["before_id"] = draw(ids_or_none)
    return draw(_kind("nb_cells", "add", properties=st.just(properties)))


delta_dicts = st.one_of(
    adds(),
    _kind("nb_cells", "delete", properties=_properties(id=ids)),
    _kind("nb_cells", "move", properties=_properties(id=ids, after_id=ids_or_none)),
    _kind("cell_contents", "update", resource_id=ids, properties=_properties(patch=patches)),
    _kind("cell_contents", "replace", resource_id=ids, properties=_properties(source=sources)),
    _kind(
        "cell_metadata",
        "update",
        resource_id=ids,
        properties=_properties(path=paths, value=json_values, prior_value=json_values),
    ),
    _kind(
        "cell_metadata",
        "replace",
        resource_id=ids,
        properties=_properties(
            type=st.sampled_from([None, "code", "markdown", "raw", "sql"]),
            language=st.sampled_from([None, "python", "sql"]),
        ),
    ),
    _kind(
        "nb_metadata",
        "update",
        properties=_properties(path=paths, value=json_values, prior_value=json_values),
    ),
    _kind(
        "cell_output_collection",
        "replace",
        resource_id=ids,
        properties=_properties(output_collection_id=st.uuids()),
    ),
    st.one_of(
        [
            _kind("cell_execute", action, resource_id=ids)
            for action in ("execute", "execute_before", "execute_after", "execute_all")
        ]
    ),
)
deltas = delta_dicts.map(FileDeltaAdapter.validate_python)


class Refused(Exception):
    """The model refuses a delta."""


class PlainNotebook:
    """What squashing means, as plainly as can be: a list, searched; a copy before each change."""

    def __init__(self, notebook: Notebook) -> None:
        self.content = notebook.model_dump(mode="json")
        self.deleted: set[str] = set()
        self.head: UUID | None = None

    def apply(self, delta: FileDeltaBase) -> None:
        before = deepcopy(self.content)
        try:
            getattr(self, f"{delta.delta_type}_{delta.delta_action}")(delta, delta.properties)
        except Refused:
            self.content = before
            raise
        self.head = delta.id

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.content["cells"]

    def at(self, cell_id: str) -> int:
        for index, cell in enumerate(self.cells):
            if cell["id"] == cell_id:
                return index
        raise Refused

    def after(self, cell_id: str | None) -> int:
        return self.at(cell_id) + 1 if cell_id is not None else 0

    def nb_cells_add(self, delta: Any, new: Any) -> None:
        if not new.id or len(new.id) > 64 or " " in new.id:
            raise Refused
        if new.id in self.deleted or any(cell["id"] == new.id for cell in self.cells):
            raise Refused
        before = new.before_id is not None and new.after_id is None
        index = self.at(new.before_id) if before else self.after(new.after_id)
        self.cells.insert(index, new.cell.model_dump(mode="json") | {"id": new.id})

    def nb_cells_delete(self, delta: Any, old: Any) -> None:
        del self.cells[self.at(old.id)]
        self.deleted.add(old.id)

    def nb_cells_move(self, delta: Any, move: Any) -> None:
        cell = self.cells.pop(self.at(move.id))
        self.cells.insert(self.after(move.after_id), cell)

    def cell_contents_update(self, delta: Any, update: Any) -> None:
        cell = self.cells[self.at(delta.resource_id)]
        patched = by_library(cell["source"], update.patch)
        if patched is None:
            raise Refused
        cell["source"] = patched

    def cell_contents_replace(self, delta: Any, new: Any) -> None:
        self.cells[self.at(delta.resource_id)]["source"] = new.source

    def cell_metadata_update(self, delta: Any, update: Any) -> None:
        if delta.resource_id not in self.deleted:
            self.set_path(self.cells[self.at(delta.resource_id)]["metadata"], update)

    def nb_metadata_update(self, delta: Any, update: Any) -> None:
        self.set_path(self.content["metadata"], update)

    def set_path(self, inner: Any, update: Any) -> None:
        if not update.path or any(not isinstance(key, str) for key in update.path):
            raise Refused
        for key in update.path[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise Refused
        inner[update.path[-1]] = deepcopy(update.value)

    def cell_metadata_replace(self, delta: Any, new: Any) -> None:
        if delta.resource_id in self.deleted:
            return
        index = self.at(delta.resource_id)
        cell = self.cells[index]
        if new.type not in (None, "code", "markdown", "raw"):
            raise Refused
        if new.language is not None:
            self.set_rtu(cell, "cell_type", new.language)
        if new.type is not None and new.type != cell["cell_type"]:
            changed = {key: cell[key] for key in ("id", "source", "metadata")}
            changed["cell_type"] = new.type
            if new.type == "code":
                changed |= {"outputs": [], "execution_count": None}
            self.cells[index] = changed

    def cell_output_collection_replace(self, delta: Any, new: Any) -> None:
        if delta.resource_id not in self.deleted:
            cell = self.cells[self.at(delta.resource_id)]
            self.set_rtu(cell, "output_collection_id", str(new.output_collection_id))

    def set_rtu(self, cell: Any, key: str, value: str) -> None:
        if not isinstance(cell["metadata"].setdefault("noteable", {}), dict):
            raise Refused
        cell["metadata"]["noteable"][key] = value

    def cell_execute_execute(self, delta: Any, _: Any) -> None:
        self.at(delta.resource_id)

    cell_execute_execute_before = cell_execute_execute_after = cell_execute_execute

    def cell_execute_execute_all(self, delta: Any, _: Any) -> None:
        pass
