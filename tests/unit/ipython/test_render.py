"""Tables and outputs as text."""

from __future__ import annotations

from rtu_magics.ipython.text import notebook as render
from rtu_magics.models import (
    CellState,
    CodeCell,
    DisplayDataOutput,
    ErrorOutput,
    MarkdownCell,
    StreamOutput,
)
from rtu_magics.session import CellView, SessionStatus


def views() -> list[CellView]:
    done = CellState(cell_id="b", state="finished_with_no_error", execution_count=7)
    return [
        CellView(1, "a", MarkdownCell(id="a", source="# Title\n\ntext")),
        CellView(2, "b", CodeCell(id="b", source="x = 1"), done),
        CellView(3, "c", CodeCell(id="c"), CellState(cell_id="c", state="executing")),
    ]


def test_cell_table() -> None:
    assert render.cell_table(views()).splitlines() == [
        "#  id  type      state    source",
        "1  a   markdown           # Title …",
        "2  b   code      ok [7]   x = 1",
        "3  c   code      running",
    ]
    assert render.cell_table([]) == "the notebook has no cells yet; %%rtu_add adds one"


def test_a_cleared_cell_has_no_count_although_its_file_had_one() -> None:
    cell = CodeCell(id="b", source="x = 1", execution_count=7)
    assert render.state_word(CellView(1, "b", cell)) == "[7]"
    cleared = CellState(cell_id="b", state="not_run")
    assert render.state_word(CellView(1, "b", cell, cleared)) == ""


def test_status() -> None:
    status = SessionStatus(
        name="lesson",
        path="lesson.ipynb",
        server_url="http://127.0.0.1:1",
        connection="live",
        kernel_name="python3",
        kernel_state="busy",
        cells=3,
        running=views()[2:],
    )
    assert render.status_text(status).splitlines() == [
        "session     lesson",
        "notebook    lesson.ipynb at http://127.0.0.1:1",
        "connection  live",
        "kernel      python3, busy",
        "cells       3, running or queued: 3",
    ]


def test_output_text() -> None:
    assert render.output_text(StreamOutput(text="a\nb\n")) == "a\nb\n"
    assert render.output_text(DisplayDataOutput(data={"text/plain": "1", "image/png": "…"})) == (
        "1  [also image/png]"
    )
    assert render.output_text(DisplayDataOutput(data={"image/png": "…"})) == "[image/png]"
    error = ErrorOutput(ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: v"])
    assert render.output_text(error) == "\x1b[31mE\x1b[0m: v"
    assert render.output_text(error, colour=False) == "E: v"


def test_conflict_shows_both() -> None:
    text = render.conflict("3 (abc)", "mine", "theirs")
    assert "theirs" in text
    assert "mine" in text
