"""The calls of the REST API that concern runs."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from ..errors import FileUnknown
from ..models import Model, Run
from .http import RestClient

__all__ = ["RunCalls"]


class _Cleared(Model):
    cell_ids: list[str]


_RUNS: TypeAdapter[list[Run]] = TypeAdapter(list[Run])
_CLEARED: TypeAdapter[_Cleared] = TypeAdapter(_Cleared)


class RunCalls:
    """List runs and clear what they left; part of `APIClient`."""

    rest: RestClient

    async def list_runs(self, file_id: UUID) -> list[Run]:
        """Return what runs and what ran lately in a notebook, the newest first."""
        return await self.rest.call(_RUNS, "GET", f"/v1/files/{file_id}/runs", unknown=FileUnknown)

    async def clear_outputs(self, file_id: UUID, cell_ids: list[str] | None = None) -> list[str]:
        """Clear the outputs of some cells, or of all; return the ids of those that had any."""
        path = f"/v1/files/{file_id}/clear-outputs"
        found = await self.rest.call(_CLEARED, "POST", path, json={"cell_ids": cell_ids})
        return found.cell_ids
