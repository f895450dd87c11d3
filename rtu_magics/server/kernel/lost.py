"""Kernels whose variables are gone without anybody having asked for it: who comes next is told."""

from __future__ import annotations

import logging
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from ...models import KERNEL_ALIVE_STATES, KERNEL_ENDED, KernelStateName, KernelStatusUpdate
from ..store import Database, kernels

__all__ = ["LostKernels"]

logger = logging.getLogger(__name__)


class LostKernels:
    """The last kernel of each notebook, open or not, unless somebody ended it.

    Kept in the store: a server's kernels end with it, also when a hub's culler ends the server.

    Parameters
    ----------
    database
        The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: dict[UUID, KernelStatusUpdate] = {}
        with database.transaction() as connection:
            stored = kernels.all_kernels(connection)
        for file_id, text in stored.items():
            try:
                status = KernelStatusUpdate.model_validate_json(text)
            except ValidationError:  # written by another version
                continue
            self._last[file_id] = status if _is_lost(status) else _ended(status)

    def of(self, file_id: UUID) -> KernelStatusUpdate | None:
        """Return the kernel that a notebook has lost, None if it has one or never lost one."""
        status = self._last.get(file_id)
        return status if status is not None and _is_lost(status) else None

    def note(self, file_id: UUID, status: KernelStatusUpdate) -> None:
        """Take a kernel's new state."""
        state = status.kernel.execution_state
        before = self._last.get(file_id)
        if _is_lost(status):
            self._put(file_id, status)
        elif state not in KERNEL_ALIVE_STATES:
            self.forget(file_id)
        elif before is None or _is_lost(before) or before.session_id != status.session_id:
            self._put(file_id, status)

    def forget(self, file_id: UUID) -> None:
        """Note that somebody ended a notebook's kernel, or deleted the notebook."""
        if self._last.pop(file_id, None) is not None:
            self._store(file_id, None)

    def _put(self, file_id: UUID, status: KernelStatusUpdate) -> None:
        self._last[file_id] = status
        self._store(file_id, status.model_dump_json())

    def _store(self, file_id: UUID, text: str | None) -> None:
        try:
            with self._database.transaction() as connection:
                kernels.put_kernel(connection, file_id, text)
        except SQLAlchemyError as exc:  # no reason to keep anybody from a kernel
            logger.warning("a kernel's state could not be stored: %s", getattr(exc, "orig", exc))


def _is_lost(status: KernelStatusUpdate) -> bool:
    return status.kernel.execution_state == KernelStateName.CULLED


def _ended(status: KernelStatusUpdate) -> KernelStatusUpdate:
    kernel = status.kernel.model_copy(update={"execution_state": KernelStateName.CULLED})
    return status.model_copy(update={"kernel": kernel, "reason": KERNEL_ENDED})
