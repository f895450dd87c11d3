"""Whatever a user uploads becomes one well-formed notebook, or is refused in one line."""

import json
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtu_magics.document import ORIGINAL, NotebookBuilder, normalise_notebook
from rtu_magics.errors import InvalidMessage
from rtu_magics.models import CodeCell, Notebook, StreamOutput

from .notebooks import cells, json_values, notebooks

VALID = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "cells": [
        {
            "cell_type": "markdown",
            "id": "title",
            "source": "# T",
            "metadata": {},
            "attachments": {"a.png": {"image/png": "iVBORw0KGgo="}},
        },
        {
            "cell_type": "code",
            "id": "run",
            "source": "print(1)",
            "metadata": {"tags": ["a"], "foreign": {"deep": [1, None]}},
            "execution_count": 3,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}],
        },
        {"cell_type": "raw", "id": "raw", "source": "", "metadata": {}},
    ],
}


def with_cells(*found: Any, **rest: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(found), **rest}


def code(**parts: Any) -> dict[str, Any]:
    return {"cell_type": "code", "id": "a", "source": "", "metadata": {}, "outputs": []} | parts


def dump(notebook: Notebook) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(NotebookBuilder(notebook).dumps())
    return without_records(content)


def without_records(content: Any) -> Any:
    """Return what clients are shown without what the file had in its place."""
    if isinstance(content, dict):
        return {key: without_records(v) for key, v in content.items() if key != ORIGINAL}
    return [without_records(item) for item in content] if isinstance(content, list) else content


@pytest.mark.parametrize("as_", [dict, json.dumps, lambda nb: json.dumps(nb).encode()])
def test_a_valid_notebook_stays_as_it_is(as_: Any) -> None:
    notebook = normalise_notebook(as_(VALID))
    assert dump(notebook) == VALID
    assert notebook.model_dump(mode="json") == VALID


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert dump(normalise_notebook(b"\xef\xbb\xbf" + json.dumps(VALID).encode())) == VALID


def test_lines_are_joined_without_anything_between_them() -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]}
    notebook = normalise_notebook(with_cells(code(source=["a = 1\n", "b = 2"], outputs=[stream])))
    [cell] = notebook.cells
    assert isinstance(cell, CodeCell)
    assert cell.source == "a = 1\nb = 2"
    assert cell.outputs == [StreamOutput(name="stdout", text="1\n2\n")]


@pytest.mark.parametrize("bad", [None, 3, "", "two words", "é", "x" * 65, ["a"]])
def test_an_id_that_cannot_be_used_is_replaced(bad: Any) -> None:
    notebook = normalise_notebook(with_cells(code(id=bad), code(id="keep")))
    first, second = (cell.id for cell in notebook.cells)
    assert second == "keep"
    assert nbformat.validator.isvalid(dump(notebook))
    assert first != bad


def test_cells_without_an_id_get_one() -> None:
    without = code()
    del without["id"]
    notebook = normalise_notebook(with_cells(without, without, nbformat_minor=2))
    assert notebook.nbformat_minor == 5
    assert len({cell.id for cell in notebook.cells}) == 2


def test_of_cells_that_share_an_id_the_first_keeps_it() -> None:
    ids = [cell.id for cell in normalise_notebook(with_cells(code(), code(), code())).cells]
    assert ids[0] == "a"
    assert len(set(ids)) == 3


def test_missing_parts_get_their_defaults() -> None:
    bare = {"cells": [{"cell_type": "code"}, {"cell_type": "markdown", "metadata": None}]}
    notebook = normalise_notebook(bare)
    nbformat.validate(nbformat.from_dict(dump(notebook)))
    assert notebook.cells[0].source == ""
    output = {"output_type": "display_data", "data": None, "metadata": None}
    [cell] = normalise_notebook(with_cells(code(outputs=[output], execution_count="*"))).cells
    assert isinstance(cell, CodeCell)
    assert cell.execution_count is None
    assert without_records(cell.outputs[0].model_dump()) == {
        "output_type": "display_data",
        "data": {},
        "metadata": {},
    }


def test_what_is_passed_in_is_not_changed() -> None:
    content = with_cells({"cell_type": "code"})
    normalise_notebook(content)
    assert content == with_cells({"cell_type": "code"})


def test_an_old_notebook_is_converted() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": ["Title"], "metadata": {}},
                    {
                        "cell_type": "code",
                        "language": "python",
                        "collapsed": False,
                        "input": ["print(1)\n", "print(2)"],
                        "prompt_number": 4,
                        "metadata": {},
                        "outputs": [
                            {"output_type": "stream", "stream": "stdout", "text": ["1\n"]},
                            {
                                "output_type": "pyout",
                                "prompt_number": 4,
                                "text": ["4"],
                                "metadata": {},
                            },
                        ],
                    },
                ],
                "metadata": {},
            }
        ],
    }
    notebook = normalise_notebook(old)
    title, run = notebook.cells
    assert title.source == "## Title"
    assert isinstance(run, CodeCell)
    assert (run.source, run.execution_count) == ("print(1)\nprint(2)", 4)
    assert [output.output_type for output in run.outputs] == ["stream", "execute_result"]
    nbformat.validate(nbformat.from_dict(dump(notebook)))
    without_format = {key: value for key, value in old.items() if key != "nbformat"}
    assert normalise_notebook(without_format).cells[1].source == run.source


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"),
        ({"nbformat": "4", "cells": []}, 'its "nbformat" is "4" where a number stands: write'),
        ({"nbformat": [4], "cells": []}, r'its "nbformat" is \[4\] where a number stands: write'),
        ({"nbformat": None, "cells": []}, 'its "nbformat" is null where a number stands'),
        ({"nbformat": True, "cells": []}, 'its "nbformat" is true where a number stands'),
        ('{"nbformat": NaN, "cells": []}', "nbformat nan is not supported: save it as"),
        (b"\xff\xfe", "no JSON in UTF-8"),
        ("print('a script')", "no JSON"),
        ("[]", "holds no object"),
        ("{}", "no list of cells"),
        ('{"nbformat": 5, "cells": []}', "nbformat 5 is not supported"),
        ('{"nbformat": 3, "worksheets": [{"cells": [{}]}]}', "cannot be converted"),
        ({"cells": "x"}, "no list of cells"),
        (with_cells("x"), "cell 1 must be an object"),
        ('{"cells": ' + "[" * 700 + "]" * 700 + "}", "nested too deeply"),
        ('{"cells": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested too deeply"),
        ('{"cells": [], "metadata": {"a": ' + "9" * 5000 + "}}", "no JSON"),
    ],
)
def test_what_cannot_be_repaired_is_refused_in_one_line(content: Any, why: str) -> None:
    with pytest.raises(InvalidMessage, match=why) as caught:
        normalise_notebook(content)
    assert "\n" not in str(caught.value)


thorough = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(notebooks())
def test_a_notebook_of_ours_is_already_normal(notebook: Notebook) -> None:
    dumped = NotebookBuilder(notebook).dumps()
    assert NotebookBuilder(normalise_notebook(dumped)).dumps() == dumped


@st.composite
def shabby_cells(draw: st.DrawFn) -> Any:
    cell = draw(cells(draw(st.sampled_from(["a", "b", "", "no good"]))))
    for key in draw(st.lists(st.sampled_from(["id", "source", "metadata", "outputs"]))):
        cell.pop(key, None)
    if draw(st.integers(0, 3)) == 0:
        key = draw(st.sampled_from(["source", "outputs", "metadata", "cell_type", "id"]))
        cell[key] = draw(json_values)
    elif isinstance(cell.get("source"), str):
        cell["source"] = cell["source"].splitlines(keepends=True)
    return cell


@thorough
@given(
    st.lists(st.one_of(shabby_cells(), shabby_cells(), json_values), max_size=4),
    st.sampled_from([None, 0, 4, 5, "x"]),
)
def test_normalising_twice_is_normalising_once(found: list[Any], minor: Any) -> None:
    shabby = {"nbformat": 4, "nbformat_minor": minor, "cells": found}
    before = json.dumps(shabby)
    try:
        once = normalise_notebook(shabby)
    except InvalidMessage as exc:
        assert "\n" not in str(exc)  # noqa: PT017  refusing is one of two good ends
        return
    finally:
        assert json.dumps(shabby) == before
    dumped = NotebookBuilder(once).dumps()
    shown = json.dumps(without_records(json.loads(dumped)))
    nbformat.validate(json.loads(shown), relax_add_props=True)
    assert normalise_notebook(dumped) == once
    assert NotebookBuilder(normalise_notebook(dumped)).dumps() == dumped
