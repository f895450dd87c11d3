"""What execute requests ask for: cells and their sources, taken when a request is accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ...document import NotebookBuilder, targets_of
from ...models import (
    SCRATCH_CELL,
    CellExecuteDelta,
    CellState,
    CellStateName,
    source_digest,
)

__all__ = ["MAY_FAIL", "Plan", "Target", "plan_of", "queued_states", "scratch_plan"]

MAY_FAIL = "raises-exception"
"""The tag of a cell whose error ends nothing else (nbclient, JupyterLab)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One cell to run, with its source; `SCRATCH_CELL` for code without a cell.

    ``may_fail``: its tags say that an error of it ends nothing else (``raises-exception``, a tag of
    nbclient's and JupyterLab's). ``digest``: `source_digest` of it.
    """

    cell_id: str
    source: str
    is_sql: bool = False
    is_expression: bool = False
    may_fail: bool = False
    digest: str | None = None


@dataclass(slots=True)
class Plan:
    """What one execute request asks for, as the notebook was when it was accepted.

    Attributes
    ----------
    execution_id
        Id of the execute delta, or what the starter of a scratch run chose.
    author
        Who asked.
    targets
        The cells still to run, in order.
    scratch
        Whether it is code without a cell.
    asks
        Whether it may ask for input, if there is somebody to answer.
    forget
        Whether neither it nor its outputs are kept once it has ended.
    """

    execution_id: UUID
    file_id: UUID
    author: UUID
    targets: deque[Target] = field(default_factory=deque)
    scratch: bool = False
    asks: bool = True
    forget: bool = False

    def states(self) -> list[CellState]:
        """Return the queued states of the cells."""
        return [
            CellState(
                cell_id=target.cell_id,
                state=CellStateName.QUEUED,
                execution_id=self.execution_id,
                source_digest=target.digest,
            )
            for target in self.targets
        ]

    def failed(self, cause: str, reason: str) -> list[CellState]:
        """Return the states of the cells if none of them runs any more."""
        failed: dict[str, Any] = {"state": CellStateName.FAILED, "cause": cause}
        failed |= {"reason": reason, "source_digest": None}  # nothing of them ran
        return [state.model_copy(update=failed) for state in self.states()]


def queued_states(plans: Iterable[Plan], cell_ids: Container[str]) -> list[CellState]:
    """Return the queued states of those among some cells that plans still have to run."""
    states = (state for plan in plans if not plan.scratch for state in plan.states())
    return list({state.cell_id: state for state in states if state.cell_id in cell_ids}.values())


def plan_of(delta: CellExecuteDelta, builder: NotebookBuilder) -> Plan:
    """Return which cells a delta means, with their sources, as the notebook is now."""
    assert delta.created_by_id is not None
    plan = Plan(delta.id, delta.file_id, delta.created_by_id)
    for cell in targets_of(delta, builder):
        may_fail = MAY_FAIL in tags_of(cell.metadata)
        digest = source_digest(cell.source)
        plan.targets.append(
            Target(cell.id, cell.source, cell.is_sql_cell, may_fail=may_fail, digest=digest)
        )
    return plan


def tags_of(metadata: Mapping[str, Any]) -> list[str]:
    """Return the tags in a cell's metadata, none where they are not a list of words."""
    tags = metadata.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def scratch_plan(
    execution_id: UUID,
    file_id: UUID,
    author: UUID,
    source: str,
    *,
    asks: bool = True,
    forget: bool = False,
    is_expression: bool = False,
) -> Plan:
    """Return the plan for code without a cell."""
    targets = deque([Target(SCRATCH_CELL, source, is_expression=is_expression)])
    return Plan(execution_id, file_id, author, targets, scratch=True, asks=asks, forget=forget)
