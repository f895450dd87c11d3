"""The calls of the REST API for versions, the log of changes, variables and names."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from ..errors import FileUnknown
from ..models import DeltaLog, File, FileVersion, Variables
from .http import RestClient

__all__ = ["HistoryCalls"]

_VERSION: TypeAdapter[FileVersion] = TypeAdapter(FileVersion)
_LOG: TypeAdapter[DeltaLog] = TypeAdapter(DeltaLog)
_VARIABLES: TypeAdapter[Variables] = TypeAdapter(Variables)
_FILE: TypeAdapter[File] = TypeAdapter(File)

_SLOW = 60.0  # seconds: the server writes a whole notebook, or asks a kernel


class HistoryCalls:
    """What became of a notebook; part of `APIClient`."""

    rest: RestClient

    async def restore_version(self, file_id: UUID, version_id: UUID) -> FileVersion:
        """Make a notebook what it was; return the version that it now is.

        What it was until now is kept as a version, too.
        """
        return await self.rest.call(
            _VERSION,
            "POST",
            f"/v1/files/{file_id}/versions/{version_id}/restore",
            timeout=_SLOW,
        )

    async def get_log(
        self, file_id: UUID, limit: int | None = None, before_delta_id: UUID | None = None
    ) -> DeltaLog:
        """Return a piece of a notebook's chain of deltas, the latest by default.

        Parameters
        ----------
        file_id
            The notebook.
        limit
            How many deltas at most.
        before_delta_id
            Only those before this one.
        """
        params = {} if limit is None else {"limit": str(limit)}
        if before_delta_id is not None:
            params["before_delta_id"] = str(before_delta_id)
        return await self.rest.call(
            _LOG, "GET", f"/v1/files/{file_id}/log", params=params, unknown=FileUnknown
        )

    async def get_variables(self, file_id: UUID) -> Variables:
        """Return the variables of a notebook's kernel."""
        return await self.rest.call(
            _VARIABLES, "GET", f"/v1/files/{file_id}/variables", timeout=_SLOW, unknown=FileUnknown
        )

    async def rename_file(self, file_id: UUID, path: str) -> File:
        """Give a file another path below the server's directory."""
        return await self.rest.call(
            _FILE,
            "POST",
            f"/v1/files/{file_id}/rename",
            json={"path": path},
            timeout=_SLOW,
            unknown=FileUnknown,
        )
