"""A notebook as JSON of which each cell is a line: it is written, cut and read a cell at a time.

Writing or reading ten thousand cells in one call keeps everything else in the process waiting until
it returns, on whatever thread it is made. JSON that was written without indentation has no line
end of its own, so those between the cells are found without reading what is between them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from ..models import Notebook, NotebookCellAdapter, parse_notebook
from .builder import NotebookBuilder
from .order import Cell
from .plain import copy_cell

__all__ = ["built", "cell_json", "copied", "lines_of", "read_lines"]

_START, _END = b'{"cells":[', b"],"


def cell_json(cell: Cell) -> bytes:
    """Return a cell as JSON on one line."""
    return cell.__pydantic_serializer__.to_json(cell)


def lines_of(notebook: Notebook, cells: Iterator[bytes]) -> Iterator[bytes]:
    r"""Yield the JSON of a notebook, a cell at a time.

    Parameters
    ----------
    notebook
        What stands beside the cells; it is put into JSON before anything is yielded.
    cells
        The cells as `cell_json` has them.

    Examples
    --------
    >>> b"".join(lines_of(Notebook(), iter([b'{"id":"a"}', b'{"id":"b"}'])))[:35]
    b'{"cells":[\n{"id":"a"},\n{"id":"b"}\n]'
    """
    rest = notebook.__pydantic_serializer__.to_json(notebook, exclude={"cells"})

    def lines() -> Iterator[bytes]:
        before = _START + b"\n"
        for cell in cells:
            yield before + cell
            before = b",\n"
        yield (b"\n" if before == b",\n" else before) + _END + rest[1:]

    return lines()


def read_lines(content: bytes) -> Generator[None, None, NotebookBuilder]:
    """Read a notebook, a cell at a step; what `lines_of` did not write is read in one.

    Raises
    ------
    pydantic.ValidationError
        The content is not a notebook of format 4.
    """
    start, end = len(_START) + 1, content.rfind(b"\n" + _END)
    if not content.startswith(_START + b"\n") or end < 0:
        return NotebookBuilder(parse_notebook(content))
    builder = NotebookBuilder(parse_notebook(b"{" + content[end + 1 + len(_END) :]))
    while start < end:
        stop = content.find(b"\n", start)
        line = content[start:stop]
        builder.seed(NotebookCellAdapter.validate_json(line.removesuffix(b",")))
        start = stop + 1
        yield
    return builder


def built(notebook: Notebook) -> Generator[None, None, NotebookBuilder]:
    """Do what `NotebookBuilder` does with a notebook, a cell at a step."""
    builder = NotebookBuilder(notebook.model_copy(update={"cells": []}))
    for cell in notebook.cells:
        builder.seed(copy_cell(cell))
        yield
    return builder


def copied(builder: NotebookBuilder) -> Generator[None, None, NotebookBuilder]:
    """Copy a builder that does not change meanwhile, a cell at a step."""
    twin = yield from built(builder.nb)
    twin.last_applied_delta_id = builder.last_applied_delta_id
    twin.deleted_cell_ids = set(builder.deleted_cell_ids)
    return twin
