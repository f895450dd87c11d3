"""What a session shows of itself: plain data, for tables and widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..models import CellStateName

if TYPE_CHECKING:
    from ..models import CellState, CodeCell, MarkdownCell, RawCell

__all__ = ["CellView", "SessionStatus"]


@dataclass(frozen=True)
class CellView:
    """One cell in a list.

    Attributes
    ----------
    position
        Counted from 1.
    short_id
        As much of the id as names it.
    cell
        The cell as it was then.
    state
        What the server last said of it, None if it never ran.
    """

    position: int
    short_id: str
    cell: CodeCell | MarkdownCell | RawCell
    state: CellState | None = None

    @property
    def id(self) -> str:
        """The cell's whole id."""
        return self.cell.id

    @property
    def state_name(self) -> str:
        """The state's name on the wire, empty if the cell never ran."""
        return self.state.state if self.state is not None else ""

    @property
    def is_outdated(self) -> bool:
        """Whether its text was changed since it ran: its outputs are of another text."""
        return self.state is not None and self.state.is_outdated(self.cell.source)

    @property
    def type_name(self) -> str:
        """``code``, ``markdown``, ``raw`` or ``sql``."""
        return "sql" if getattr(self.cell, "is_sql_cell", False) else self.cell.cell_type

    @property
    def execution_count(self) -> int | None:
        """The count of the latest run, as far as it is known."""
        if self.state is not None and self.state.execution_count is not None:
            return self.state.execution_count
        if self.state_name == CellStateName.NOT_RUN:
            return None  # cleared: that of the notebook's file is older
        count: int | None = getattr(self.cell, "execution_count", None)
        return count


@dataclass(frozen=True)
class SessionStatus:
    """A session at one moment.

    Attributes
    ----------
    name, path, server_url
        Which one it is.
    connection
        ``connecting``, ``live``, ``reconnecting`` or ``closed``.
    kernel_name, kernel_state
        The remote kernel; the name is None before one is started.
    cells
        The number of cells; None while it is not known, since the connection is lost.
    running, failed, outdated, not_run
        The cells that run or wait, those whose last run failed, those whose text was changed
        since they ran, and those whose last run ended before it began.
    role
        What the user may do there: ``viewer``, ``executor``, ``contributor``, ``owner``.
    file_trouble
        What keeps the notebook from its file on the server's disk; empty if nothing does.
    """

    name: str
    path: str
    server_url: str
    connection: str
    kernel_name: str | None
    kernel_state: str
    cells: int | None
    running: list[CellView] = field(default_factory=list)
    failed: list[CellView] = field(default_factory=list)
    outdated: list[CellView] = field(default_factory=list)
    not_run: list[CellView] = field(default_factory=list)
    role: str | None = None
    file_trouble: str = ""
