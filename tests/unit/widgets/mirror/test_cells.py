"""A cell as a mirror shows it."""

from __future__ import annotations

import pytest

from rtu_magics.models import CellState, CodeCell
from rtu_magics.widgets.mirror.cells import cell_view


class Still:
    """A clock of cells that have never run."""

    def milliseconds(self, cell_id: str) -> None:
        return None


@pytest.mark.parametrize(
    ("state", "count", "shown"),
    [
        (None, 7, None),
        (CellState(cell_id="a", state="queued"), 7, "queued"),
        (CellState(cell_id="a", state="finished_with_no_error", execution_count=9), 9, "finished"),
        (CellState(cell_id="a", state="not_run"), None, "not_run"),  # cleared
    ],
)
def test_the_count_of_the_file_is_shown_until_there_is_another_or_none(
    state: CellState | None, count: int | None, shown: str | None
) -> None:
    cell = CodeCell(id="a", source="1", execution_count=7)
    view, _ = cell_view(cell, state, Still(), [], left=0)  # type: ignore[arg-type]
    assert view["n"] == count
    assert str(view.get("st")).startswith(str(shown))
