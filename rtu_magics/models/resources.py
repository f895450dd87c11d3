"""What the REST API speaks of: users, spaces, projects, files, versions, data sources."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from .base import Model, Resource

__all__ = [
    "DataSource",
    "File",
    "FileVersion",
    "PresignedUploadPart",
    "PresignedUploadURLInfo",
    "Project",
    "ServerInfo",
    "Space",
    "User",
]


class User(Resource):
    """A person, or a program that acts for one."""

    handle: str
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    principal_sub: str | None = None
    origamist_default_project_id: UUID | None = None

    @property
    def display_name(self) -> str:
        """The name to show: first and last name, or else the handle."""
        return f"{self.first_name} {self.last_name}".strip() or self.handle


class Space(Resource):
    """A group of projects."""

    name: str
    description: str | None = None


class Project(Resource):
    """A group of files; on our server a directory."""

    name: str
    description: str | None = None
    space_id: UUID


class PresignedUploadPart(Model):
    """Where one part of an upload goes."""

    part_number: int = 1
    upload_url: str


class PresignedUploadURLInfo(Model):
    """Where the content of a new file goes."""

    upload_id: str
    key: str
    parts: list[PresignedUploadPart]


class File(Resource):
    """A notebook or other file.

    ``presigned_download_url`` is None in listings. ``role`` (our addition) is what the asker may
    do: ``viewer``, ``executor``, ``contributor`` or ``owner``.
    """

    filename: str
    path: str
    project_id: UUID
    space_id: UUID
    type: Literal["file", "notebook"]
    size: int | None = None
    mimetype: str | None = None
    current_version_id: UUID | None = None
    presigned_download_url: str | None = None
    presigned_upload_url_info: PresignedUploadURLInfo | None = Field(
        default=None, exclude_if=lambda v: v is None
    )
    role: str | None = Field(default=None, exclude_if=lambda v: v is None)


class FileVersion(Resource):
    """A snapshot of a file, numbered from 0.

    ``reason`` (our addition) says why it was made: ``save``, ``automatic``, ``restore``,
    ``outside`` or ``upload``.
    """

    number: int
    file_id: UUID
    project_id: UUID
    space_id: UUID
    content_presigned_url: str
    created_by_id: UUID | None = None
    name: str | None = None
    description: str | None = None
    reason: str | None = Field(default=None, exclude_if=lambda v: v is None)


class DataSource(Model):
    """A database that SQL cells can query."""

    datasource_id: UUID
    name: str
    description: str
    type_id: str
    sql_cell_handle: str
    created_by_id: UUID
    created_at: datetime
    updated_at: datetime
    is_introspectable: bool
    is_legacy: bool
    usability: str
    space_id: UUID | None = None
    project_id: UUID | None = None
    user_id: UUID | None = None


class ServerInfo(Model):
    """What our server says about itself at ``GET /info`` (our addition).

    Attributes
    ----------
    pages
        What a page of the JupyterLab beside it is to it: ``live``, ``plain`` (it is not), or
        empty where there is none.
    """

    name: Literal["rtu_magics"] = "rtu_magics"
    version: str
    protocol: int
    root_dir: str
    space_id: UUID
    project_id: UUID
    pid: int
    pages: str = ""
