"""The calls of the REST API that concern files."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from ..errors import APIError, FileUnknown
from ..models import DataSource, File, FileStateData, FileVersion, Notebook
from .http import RestClient

__all__ = ["FileCalls"]

_FILE: TypeAdapter[File] = TypeAdapter(File)
_FILES: TypeAdapter[list[File]] = TypeAdapter(list[File])
_VERSION: TypeAdapter[FileVersion] = TypeAdapter(FileVersion)
_VERSIONS: TypeAdapter[list[FileVersion]] = TypeAdapter(list[FileVersion])
_SOURCES: TypeAdapter[list[DataSource]] = TypeAdapter(list[DataSource])
_FILE_STATE: TypeAdapter[FileStateData] = TypeAdapter(FileStateData)
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class FileCalls:
    """Find, create, load and save files; part of `APIClient`."""

    rest: RestClient
    creator_client_type: str

    async def list_project_files(self, project_id: UUID) -> list[File]:
        """Return the files of a project, without their content."""
        return await self.rest.call(_FILES, "GET", f"/projects/{project_id}/files")

    async def list_notebooks(self) -> list[File]:
        """Return every notebook of the server, without their content."""
        return await self.rest.call(_FILES, "GET", "/v1/files")

    async def open_file(self, path: str, create: bool = False) -> File:
        """Return the notebook at a path below the server's directory.

        Parameters
        ----------
        path
            With slashes, relative to the server's directory.
        create
            Create an empty notebook if there is none.

        Raises
        ------
        FileUnknown
            There is none, and `create` is false.
        """
        body = {"path": path, "create": create}
        return await self.rest.call(_FILE, "POST", "/v1/files/open", json=body, unknown=FileUnknown)

    async def create_file(self, project_id: UUID, path: str, content: bytes) -> File:
        """Upload a file into a project; return it."""
        return await self._upload(project_id, path, content, "file")

    async def create_notebook(
        self, project_id: UUID, path: str, notebook: Notebook | None = None
    ) -> File:
        """Upload a notebook into a project, an empty one by default; return its file."""
        content = (notebook or Notebook()).model_dump_json().encode()
        return await self._upload(project_id, path, content, "notebook")

    async def _upload(
        self, project_id: UUID, path: str, content: bytes, kind: Literal["file", "notebook"]
    ) -> File:
        body = {
            "project_id": str(project_id),
            "path": path,
            "type": kind,
            "file_size_bytes": len(content),
            "creator_client_type": self.creator_client_type,
        }
        file = await self.rest.call(_FILE, "POST", "/v1/files", json=body)
        upload = file.presigned_upload_url_info
        if upload is None or not upload.parts:
            raise APIError("the server created the file but gives no address for its content")
        part = upload.parts[0]
        response = await self.rest.request("PUT", part.upload_url, content=content)
        done = {
            "upload_id": upload.upload_id,
            "key": upload.key,
            "parts": [{"etag": response.headers.get("etag", ""), "part_number": part.part_number}],
        }
        await self.rest.request("POST", f"/v1/files/{file.id}/complete-upload", json=done)
        return await self.get_file(file.id)

    async def get_file(self, file_id: UUID) -> File:
        """Return a file, with the link to its content.

        Raises
        ------
        FileUnknown
            The server has no such file.
        """
        return await self.rest.call(_FILE, "GET", f"/v1/files/{file_id}", unknown=FileUnknown)

    async def get_file_content(self, file_id: UUID) -> bytes:
        """Return the content of a file's current version."""
        return await self._download(await self.get_file(file_id))

    async def _download(self, file: File) -> bytes:
        if not file.presigned_download_url:
            raise APIError(f"the server gives no link to the content of {file.path}: try again")
        response = await self.rest.request("GET", file.presigned_download_url)
        return response.content

    async def get_file_versions(self, file_id: UUID) -> list[FileVersion]:
        """Return the saved versions of a file, the newest first."""
        return await self.rest.call(
            _VERSIONS, "GET", f"/files/{file_id}/versions", unknown=FileUnknown
        )

    async def create_version(self, file_id: UUID, name: str | None = None) -> FileVersion:
        """Save a version of a file; return it."""
        return await self.rest.call(
            _VERSION,
            "POST",
            f"/v1/files/{file_id}/versions",
            json={"name": name},
            unknown=FileUnknown,
        )

    async def save_file(self, file_id: UUID) -> dict[str, Any]:
        """Have the notebook on the server's disk brought up to date; return path and time."""
        return await self.rest.call(
            _OBJECT, "POST", f"/v1/files/{file_id}/save", unknown=FileUnknown
        )

    async def get_file_state(self, file_id: UUID) -> FileStateData:
        """Return whether the notebook's file holds what everybody sees, and if not, why."""
        return await self.rest.call(
            _FILE_STATE, "GET", f"/v1/files/{file_id}/save", unknown=FileUnknown
        )

    async def delete_file(self, file_id: UUID) -> File:
        """Delete a file; return it as it then is."""
        return await self.rest.call(_FILE, "DELETE", f"/v1/files/{file_id}", unknown=FileUnknown)

    async def get_datasources_for_notebook(self, file_id: UUID) -> list[DataSource]:
        """Return the data sources that SQL cells of a notebook can use."""
        return await self.rest.call(
            _SOURCES, "GET", f"/v1/datasources/by_notebook/{file_id}", unknown=FileUnknown
        )
