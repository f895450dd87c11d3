"""Cells and notebooks."""

import json

import pytest
from pydantic import ValidationError

from rtu_magics.models import (
    CodeCell,
    MarkdownCell,
    Notebook,
    NotebookCellAdapter,
    make_sql_cell,
    parse_notebook,
)


def test_list_valued_strings_are_joined_with_nothing_between() -> None:
    notebook = parse_notebook(
        json.dumps(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "id": "a",
                        "source": ["a = 1\n", "b = 2"],
                        "outputs": [
                            {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]}
                        ],
                    }
                ]
            }
        )
    )
    [cell] = notebook.cells
    assert isinstance(cell, CodeCell)
    assert cell.source == "a = 1\nb = 2"
    assert cell.outputs[0].model_dump()["text"] == "1\n2\n"


def test_what_is_no_notebook_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse_notebook('{"cells": [{"cell_type": "made_up"}]}')


def test_a_cell_writes_only_what_nbformat_allows() -> None:
    assert json.loads(MarkdownCell(id="a").model_dump_json()) == {
        "cell_type": "markdown",
        "id": "a",
        "source": "",
        "metadata": {},
    }
    assert set(json.loads(CodeCell(id="a").model_dump_json())) == {
        "cell_type",
        "id",
        "source",
        "metadata",
        "outputs",
        "execution_count",
    }


def test_cells_know_their_language_and_collection() -> None:
    cell = NotebookCellAdapter.validate_python(
        {"cell_type": "code", "metadata": {"noteable": {"output_collection_id": "x"}}}
    )
    assert isinstance(cell, CodeCell)
    assert cell.output_collection_id == "x"
    assert not cell.is_sql_cell
    assert CodeCell(metadata={"noteable": 3}).output_collection_id is None


def test_a_sql_cell_keeps_the_id_it_is_given() -> None:
    cell = make_sql_cell("q", "%%sql @db --assign x\nselect 1", "@db", "x")
    assert (cell.id, cell.source, cell.is_sql_cell) == ("q", "select 1", True)
    assert cell.metadata["noteable"]["db_connection"] == "@db"
    assert cell.metadata["noteable"]["assign_results_to"] == "x"
    random_name = make_sql_cell().metadata["noteable"]["assign_results_to"]
    assert random_name.startswith("df_")
    assert len(random_name) == 7


def test_a_notebook_knows_its_language() -> None:
    notebook = Notebook(metadata={"language_info": {"name": "python", "version": "3.11"}})
    assert (notebook.language, notebook.language_version) == ("python", "3.11")
    assert Notebook(metadata={"language_info": 3}).language is None
