"""From rows of the store to the resources of the REST API."""

from __future__ import annotations

import posixpath
from typing import Any
from uuid import UUID

from ...models import File, FileVersion, Project, Space
from ..service import Service
from ..store import deltas as delta_queries
from ..store import files as file_queries
from ..store.schema import projects
from .base import when

__all__ = ["file_of", "project_of", "space_of", "version_of"]


def _times(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": when(row.created_at),
        "updated_at": when(getattr(row, "updated_at", row.created_at)),
        "deleted_at": when(getattr(row, "deleted_at", None)),
    }


def space_of(row: Any) -> Space:
    """Return a space."""
    return Space(name=row.name, description=row.description, **_times(row))


def project_of(row: Any) -> Project:
    """Return a project."""
    return Project(name=row.name, description=row.description, space_id=row.space_id, **_times(row))


def file_of(
    service: Service,
    row: Any,
    role: str | None = None,
    base: str | None = None,
    reader: UUID | None = None,
) -> File:
    """Return a file.

    Parameters
    ----------
    service, row
        What it is.
    role
        What the asker may do with it.
    base
        ``scheme://host`` for the link to its content; None leaves the link out, as in listings.
    reader
        Whose link it is.
    """
    with service.database.transaction() as connection:
        project = file_queries.get_by_id(connection, projects, row.project_id)
        version = delta_queries.current_version(connection, row.id)
    path = row.path
    directory = project.directory if project is not None else ""
    if directory and path.startswith(f"{directory}/"):
        path = path[len(directory) + 1 :]
    link = None
    if base is not None and row.type == "notebook" and version is not None:
        link = service.links.version(version.id, base, reader)
    elif base is not None and row.type == "file" and row.ready:
        link = service.links.file(row.id, base, reader)
    return File(
        filename=posixpath.basename(path),
        path=path,
        project_id=row.project_id,
        space_id=project.space_id if project is not None else service.database.space_id,
        type=row.type,
        size=row.size,
        mimetype=row.mimetype or service.workspace.mimetype(path),
        # A plain file has one version, itself.
        current_version_id=version.id if version is not None else (row.id if row.ready else None),
        presigned_download_url=link,
        role=role,
        **_times(row),
    )


def version_of(service: Service, file: File, row: Any, base: str, reader: UUID) -> FileVersion:
    """Return a version of a file, with a link to its content that is the reader's."""
    return FileVersion(
        number=row.number,
        file_id=file.id,
        project_id=file.project_id,
        space_id=file.space_id,
        content_presigned_url=service.links.version(row.id, base, reader),
        created_by_id=row.created_by_id,
        name=row.name,
        description=row.description,
        reason=row.reason,
        **_times(row),
    )
