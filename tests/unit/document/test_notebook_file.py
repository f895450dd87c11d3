"""What goes into the file is what nbformat's writer makes of what nbformat reads there."""

import json
import warnings
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtu_magics.document import NotebookBuilder, normalise_notebook, notebook_bytes
from rtu_magics.document.notebook_file import file_content
from rtu_magics.models import CodeCell, Notebook, parse_notebook

from .notebooks import json_values, notebooks


def as_jupyter(text: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = nbformat.reads(text, as_version=4)
        written = nbformat.writes(read, version=nbformat.NO_CONVERT)
    return (written if written.endswith("\n") else written + "\n").encode()


def code(**parts: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": "a", "source": "", "metadata": {}, "outputs": []}
    return cell | {"execution_count": None} | parts


def book(*cells: Any, **rest: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | rest


def output(kind: str, **parts: Any) -> dict[str, Any]:
    return code(outputs=[{"output_type": kind} | parts])


def display(**parts: Any) -> dict[str, Any]:
    return output("display_data", **({"data": {"text/plain": "x"}, "metadata": {}} | parts))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


PICTURE = {"a.png": {"image/png": "iVBORw0KGgo=\n", "image/svg+xml": "<svg>\n</svg>"}}

NOTEBOOKS: dict[str, Any] = {
    "unknown keys": book(
        code(deepnote_cell_type="code", x={"y": [1, None]}), colab={"name": "n"}, orbit=None
    ),
    "an unknown key of an output": book(display(jetTransient={"display_id": None})),
    "attachments of a code cell": book(code(attachments=PICTURE)),
    "attachments": book({"cell_type": "markdown", "id": "m", "metadata": {}, "source": "![]()"})
    | {"metadata": {"a": 1.0}},
    "one string as a traceback": book(output("error", ename="E", evalue="v", traceback="a\nb")),
    "a number as evalue": book(output("error", ename="E", evalue=3.5, traceback=[])),
    "an error without parts": book(output("error")),
    "a traceback of other things": book(output("error", ename=1, evalue=None, traceback=[1, None])),
    "an unknown output": book(output("pyout", text=["a\n", "b"], data={"text/plain": "a\nb"})),
    "a stream without a name": book(output("stream", text=["a\n", "b"])),
    "a stream of a number": book(output("stream", name="stdout", text=3)),
    "a bundle of numbers": book(display(data={"text/plain": 4, "image/png": None})),
    "a bundle by lines": book(
        display(
            data={
                "text/html": ["<b>\n", "</b>"],
                "image/png": ["iVBO\n", "Rw0K"],
                "image/svg+xml": "<svg>\n</svg>",
                "application/javascript": "a\nb",
                "application/json": ["x", "y"],
                "application/vnd.a+json": "one\ntwo",
                "application/pdf": "a\nb",
            }
        )
    ),
    "no metadata of an output": book(output("display_data", data={})),
    "a deep output": book(display(data={"application/json": nested(120), "text/plain": "d\n"})),
    "a very deep output": book(display(data={"application/json": nested(300)})),
    "deep metadata": book(code(metadata={"a": nested(150), "b": 1})),
    "deep metadata of the notebook": book(metadata={"a": nested(400)}),
    "a deep unknown key": book(code(unknown=nested(200)), unknown=nested(200)),
    "a deep attachment": book(
        {
            "cell_type": "markdown",
            "id": "m",
            "metadata": {},
            "source": "",
            "attachments": {"a": {"application/json": nested(120)}, **PICTURE},
        }
    ),
    "deep metadata of an output": book(display(metadata={"a": nested(120)})),
    "an unknown type of cell": book(
        {"cell_type": "heading", "id": "h", "level": 2, "source": "a\nb", "metadata": {}}
    ),
    "a cell with what only code has": book(
        {"cell_type": "x", "id": "h", "source": ["a"], "metadata": {}, "outputs": [], "a": 1}
    ),
    "numbers that JSON lacks": book(
        code(metadata={"n": float("nan"), "i": [float("inf")], "f": 1.0, "z": -0.0}),
        display(data={"application/json": {"x": float("-inf")}}) | {"id": "b"},
    ),
    "large and small numbers": book(
        code(metadata={"big": 10**400, "e": 1e16, "tiny": 5e-324}, execution_count=10**30)
    ),
    "a count that is none": book(code(execution_count="*"), code(id="b", execution_count=1.0)),
    "line ends": book(code(source="a\r\nb\rc\u2028d\x0ce\x85f"), {**code(id="b"), "source": []}),
    "an id that cannot be used": book(code(id="two words"), code(id="x" * 70), code(id="é")),
    "old, without ids": {**book(), "nbformat_minor": 2, "cells": [{**code(), "id": "kept"}]},
    "no minor version": {"nbformat": 4, "metadata": {}, "cells": []},
    "a newer minor version": {**book(code()), "nbformat_minor": 6},
    "transient": book(
        code(metadata={"trusted": True, "a": 1}),
        metadata={"signature": "s", "orig_nbformat": 4, "orig_nbformat_minor": 1},
    ),
    "no parts of a text cell": book({"cell_type": "raw", "id": "r", "metadata": {}}),
    "a number as source": book(code(source=3), code(id="b", source=None)),
}
NOTEBOOKS["attachments"]["cells"][0]["attachments"] = PICTURE

ONLY_OURS: dict[str, Any] = {
    "half a surrogate pair": book(
        code(source="a\ud83d\nb", metadata={"k": "\udc00", "\ud800": 1, "ok": 2}),
        output("stream", name="stdout", text="\udfff") | {"id": "b"},
    ),
    "metadata that are none": book(code(metadata=None), code(id="b", metadata=[1])),
    "notebook metadata that are none": book(metadata=[]),
    "attachments that are none": book(code(attachments=None), code(id="b", attachments={"a": 1})),
    "outputs that are none": book(code(outputs=None), code(id="b", outputs="x")),
    "an output of no type": book(code(outputs=[{"metadata": {}}])),
    "an output that is none": book(code(outputs=[3, None, {"output_type": ["x"]}])),
    "lines that are none": book(code(source=["a\n", 3])),
    "data that are none": book(display(data=None), display(data=[1]) | {"id": "b"}),
    "ids of other types": book(code(id=3), code(id=None), code(id=["x"])),
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_file_is_what_jupyter_would_write(name: str) -> None:
    text = json.dumps(NOTEBOOKS[name])
    assert notebook_bytes(normalise_notebook(text)) == as_jupyter(text)


@pytest.mark.parametrize("name", ONLY_OURS)
def test_the_file_keeps_what_jupyter_cannot_write(name: str) -> None:
    written = json.loads(notebook_bytes(normalise_notebook(json.dumps(ONLY_OURS[name]))))
    for cell in written["cells"]:
        for holder in (cell, *(o for o in cell.get("outputs") or () if isinstance(o, dict))):
            for key in ("source", "text"):
                lines = holder.get(key)
                if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
                    holder[key] = "".join(lines)
    assert written == ONLY_OURS[name]


@pytest.mark.parametrize("name", [*NOTEBOOKS, *ONLY_OURS])
def test_what_clients_get_is_strict_and_small_in_depth(name: str) -> None:
    shown = NotebookBuilder(normalise_notebook(json.dumps((NOTEBOOKS | ONLY_OURS)[name]))).dumps()
    strict = json.loads(shown.decode("utf-8"), parse_constant=pytest.fail)
    assert depth(strict) < 120
    assert parse_notebook(shown) == normalise_notebook(shown)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("name", [*NOTEBOOKS, *ONLY_OURS])
def test_a_version_and_an_upload_of_what_was_downloaded_keep_it(name: str) -> None:
    notebook = normalise_notebook(json.dumps((NOTEBOOKS | ONLY_OURS)[name]))
    builder = NotebookBuilder(notebook)
    version = NotebookBuilder(parse_notebook(builder.dumps())).copy()
    assert notebook_bytes(version.nb) == notebook_bytes(notebook)
    assert notebook_bytes(normalise_notebook(builder.dumps())) == notebook_bytes(notebook)


def test_what_was_edited_is_written_and_the_rest_is_as_it_was() -> None:
    odd = book(
        code(source=3, metadata={"a": float("nan"), "b": nested(120)}, deepnote="x"),
        code(id="b", outputs=None, execution_count="*"),
    )
    notebook = normalise_notebook(json.dumps(odd))
    first, second = notebook.cells
    first.source = "new"
    first.metadata["a"] = 1
    assert isinstance(second, CodeCell)
    second.execution_count = 4
    written = file_content(notebook)["cells"]
    assert written[0]["source"] == ["new"]
    assert written[0]["metadata"] == {"a": 1, "b": nested(120)}
    assert written[0]["deepnote"] == "x"
    assert (written[1]["outputs"], written[1]["execution_count"]) == (None, 4)


def test_a_record_says_nothing_that_its_part_does_not_show() -> None:
    """Nobody can slip something else into the file than what everybody sees."""
    false = [
        [["source"], '"import os"'],
        [["outputs"], "[1]"],
        [["metadata", "a"], "5"],
        3,
        [[], 3],
    ]
    cell = code(source="1 + 1", metadata={"a": 4}, rtu_original=false)
    shown = file_content(Notebook.model_validate(book(cell)))["cells"][0]
    assert (shown["source"], shown["outputs"], shown["metadata"]) == (["1 + 1"], [], {"a": 4})


thorough = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(notebooks())
def test_any_notebook_of_ours_is_written_as_by_jupyter(notebook: Notebook) -> None:
    assert notebook_bytes(notebook) == as_jupyter(NotebookBuilder(notebook).dumps().decode())


_keys = st.sampled_from(["source", "metadata", "outputs", "execution_count", "id", "attachments"])


@thorough
@given(notebooks(), st.data())
def test_any_odd_part_is_written_as_by_jupyter_if_it_can(notebook: Notebook, data: Any) -> None:
    content = json.loads(NotebookBuilder(notebook).dumps())
    for cell in content["cells"]:
        if data.draw(st.booleans()):
            cell[data.draw(_keys)] = data.draw(json_values)
        for found in cell["outputs"] if isinstance(cell.get("outputs"), list) else ():
            if isinstance(found, dict) and data.draw(st.booleans()):
                found[data.draw(st.sampled_from(sorted(found) or ["text"]))] = data.draw(
                    json_values
                )
    text = json.dumps(content)
    try:
        expected = as_jupyter(text)
    except Exception:  # nbformat cannot write it: then at least nothing goes missing
        once = notebook_bytes(normalise_notebook(text))
        assert notebook_bytes(normalise_notebook(once)) == once
        return
    ids = [cell.get("id") for cell in content["cells"]]
    if len({json.dumps(found) for found in ids}) == len(ids):  # else nbformat makes some up
        assert notebook_bytes(normalise_notebook(text)) == expected
