"""A notebook as it was, while it goes on changing; and as JSON of which each cell is a line."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rtu_magics.document import NotebookBuilder, built, cell_json, copied, lines_of, read_lines
from rtu_magics.models import NIL_UUID, CodeCell, FileDeltaAdapter, MarkdownCell, Notebook
from rtu_magics.server.notebook.still import Still, spend_ids
from rtu_magics.server.process.slices import at_once

FILE = UUID(int=7)
_texts = st.sampled_from(["", "x = 1", "a\nb", "é\u2028\x00😀", '"],\n', '{"cells":[\n'])


def _notebook(sources: list[str]) -> Notebook:
    cells: list[Any] = [
        MarkdownCell(id=f"c{at}", source=text, metadata={"n": at})
        if at % 3 == 2
        else CodeCell(id=f"c{at}", source=text, execution_count=at or None)
        for at, text in enumerate(sources)
    ]
    return Notebook(nbformat=4, nbformat_minor=5, metadata={"k": sources}, cells=cells)


def _delta(draw: st.DrawFn, builder: NotebookBuilder, number: int) -> Any:
    kinds = ["add", "meta of the notebook"]
    if builder.cell_ids:
        kinds += ["source", "meta", "delete", "move", "outputs"]
    kind = draw(st.sampled_from(kinds))
    cell_id = draw(st.sampled_from(builder.cell_ids)) if builder.cell_ids else None
    delta_type, action, resource_id, properties = {
        "add": (
            "nb_cells",
            "add",
            None,
            {"id": f"n{number}", "cell": CodeCell(id=f"n{number}", source="new"), "after_id": None},
        ),
        "source": ("cell_contents", "replace", cell_id, {"source": f"changed {number}"}),
        "meta": ("cell_metadata", "update", cell_id, {"path": ["m"], "value": {"n": number}}),
        "meta of the notebook": ("nb_metadata", "update", None, {"path": ["k"], "value": number}),
        "delete": ("nb_cells", "delete", None, {"id": cell_id}),
        "move": ("nb_cells", "move", None, {"id": cell_id, "after_id": None}),
        "outputs": (
            "cell_output_collection",
            "replace",
            cell_id,
            {"output_collection_id": str(UUID(int=number + 1))},
        ),
    }[kind]
    return FileDeltaAdapter.validate_python(
        {
            "file_id": FILE,
            "delta_type": delta_type,
            "delta_action": action,
            **({"resource_id": resource_id} if resource_id else {}),
            "properties": properties,
        }
    )


@given(st.data(), st.lists(_texts, max_size=6))
def test_it_is_the_notebook_of_its_moment_whatever_comes_in_between(
    data: st.DataObject, sources: list[str]
) -> None:
    builder = NotebookBuilder(_notebook(sources))
    number = 0

    def changes(still: Still | None = None) -> None:
        nonlocal number
        for _ in range(data.draw(st.integers(0, 3))):
            delta = _delta(data.draw, builder, number)
            if still is not None:
                still.before(delta, builder)
            builder.apply_delta(delta)
            number += 1

    changes()
    expected = json.loads(builder.dumps())
    gone = set(builder.deleted_cell_ids)
    shown = {
        cell.output_collection_id
        for cell in builder.cells
        if isinstance(cell, CodeCell) and cell.output_collection_id
    }
    still = Still(builder, 3, 5, NIL_UUID)
    pieces = []
    changes(still)
    for piece in still.pieces():
        pieces.append(piece)
        changes(still)
    assert json.loads(b"".join(pieces)) == expected
    assert still.deleted_cell_ids == gone
    assert still.collection_ids == shown


@given(st.lists(_texts, max_size=6))
def test_what_was_written_in_lines_is_read_as_it_was(sources: list[str]) -> None:
    builder = NotebookBuilder(_notebook(sources))
    content = b"".join(lines_of(builder.nb, map(cell_json, builder.cells)))
    steps = read_lines(content)
    assert at_once(steps).dumps() == builder.dumps()
    assert json.loads(content) == json.loads(builder.dumps())
    # An older version, or a file, is not written so.
    for other in (builder.dumps(), json.dumps(json.loads(content)).encode()):
        assert at_once(read_lines(other)).dumps() == builder.dumps()


@given(st.lists(_texts, max_size=6))
def test_a_copy_in_steps_is_a_copy(sources: list[str]) -> None:
    builder = NotebookBuilder(_notebook(sources))
    builder.deleted_cell_ids.add("gone")
    twin = at_once(copied(builder))
    assert twin.dumps() == builder.dumps() == at_once(built(builder.nb)).dumps()
    assert twin.deleted_cell_ids == {"gone"}
    for cell in twin.cells:
        cell.metadata["of the copy"] = True
    assert b"of the copy" not in builder.dumps()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"cells":[\n', b'{"cells":[\n{}\n],"nbformat":4,"nbformat_minor":5}']
)
def test_what_is_no_notebook_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError):
        at_once(read_lines(content))


def test_what_new_content_does_not_have_never_comes_back() -> None:
    before, after = NotebookBuilder(_notebook(["a", "b"])), NotebookBuilder(_notebook(["a"]))
    before.deleted_cell_ids.add("long gone")
    spend_ids(after, before)
    assert after.deleted_cell_ids == {"long gone", "c1"}
