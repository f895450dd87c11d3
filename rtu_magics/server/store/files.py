"""Queries about spaces, projects, files, uploads and shares.

Every function takes the open connection of a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from .schema import disk_bases, files, projects, shares, spaces, uploads

FileRow = Row[Any]


def get_by_id(connection: Connection, table: Table, row_id: UUID) -> Row[Any] | None:
    """Return the row of a table with this id that is not deleted, or None."""
    return connection.execute(
        select(table).where(table.c.id == row_id, table.c.deleted_at.is_(None))
    ).first()


def create_space(connection: Connection, name: str, description: str | None) -> Row[Any]:
    """Add a space and return it."""
    return _create(connection, spaces, name=name, description=description)


def create_project(
    connection: Connection, space_id: UUID, name: str, description: str | None, directory: str
) -> Row[Any]:
    """Add a project that stands for a directory below the root, and return it."""
    return _create(
        connection,
        projects,
        space_id=space_id,
        name=name,
        description=description,
        directory=directory,
    )


def list_projects(connection: Connection, space_id: UUID) -> Sequence[Row[Any]]:
    """Return the projects of a space, oldest first."""
    return connection.execute(
        select(projects)
        .where(projects.c.space_id == space_id, projects.c.deleted_at.is_(None))
        .order_by(projects.c.created_at)
    ).all()


def live_project_directories(connection: Connection) -> dict[str, UUID]:
    """Return the projects that exist, by directory."""
    found = connection.execute(
        select(projects.c.directory, projects.c.id).where(projects.c.deleted_at.is_(None))
    )
    return {row.directory: row.id for row in found}


def create_file(
    connection: Connection,
    project_id: UUID,
    path: str,
    file_type: str,
    *,
    ready: bool,
    created_by_id: UUID | None = None,
    size: int | None = None,
    mimetype: str | None = None,
) -> FileRow:
    """Add a file and return it."""
    return _create(
        connection,
        files,
        project_id=project_id,
        path=path,
        type=file_type,
        ready=ready,
        epoch=0,
        size=size,
        mimetype=mimetype,
        created_by_id=created_by_id,
    )


def file_by_path(connection: Connection, path: str) -> FileRow | None:
    """Return the file at a path below the root, or None."""
    return connection.execute(
        select(files).where(files.c.path == path, files.c.deleted_at.is_(None))
    ).first()


def list_files(connection: Connection, project_id: UUID) -> Sequence[FileRow]:
    """Return the completed files of a project, by path."""
    return connection.execute(
        select(files)
        .where(
            files.c.project_id == project_id,
            files.c.deleted_at.is_(None),
            files.c.ready.is_(True),
        )
        .order_by(files.c.path)
    ).all()


def update_file(connection: Connection, file_id: UUID, **values: Any) -> None:
    """Change columns of a file; ``updated_at`` follows."""
    values.setdefault("updated_at", time.time())
    connection.execute(update(files).where(files.c.id == file_id).values(**values))


def mark_deleted(connection: Connection, table: Table, row_id: UUID) -> float:
    """Mark a row deleted and return when, in seconds since the epoch."""
    now = time.time()
    connection.execute(
        update(table).where(table.c.id == row_id).values(deleted_at=now, updated_at=now)
    )
    return now


def create_upload(connection: Connection, file_id: UUID) -> UUID:
    """Reserve an upload and return its id."""
    upload_id = uuid4()
    connection.execute(
        insert(uploads), {"id": upload_id, "file_id": file_id, "created_at": time.time()}
    )
    return upload_id


def get_upload(connection: Connection, upload_id: UUID) -> Row[Any] | None:
    """Return an upload, or None."""
    return connection.execute(select(uploads).where(uploads.c.id == upload_id)).first()


def set_upload_etag(connection: Connection, upload_id: UUID, etag: str) -> None:
    """Note that an upload's content has arrived."""
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(etag=etag))


def delete_upload(connection: Connection, upload_id: UUID) -> None:
    """Forget an upload."""
    connection.execute(delete(uploads).where(uploads.c.id == upload_id))


def get_disk_base(connection: Connection, file_id: UUID) -> Row[Any] | None:
    """Return what is known of a file on disk, or None.

    Its `body` is what it held when its hash was taken (JSON). Where a write was begun of which
    nobody knows whether it ended, `next_hash` and `next_body` are what the file was to hold.
    """
    return connection.execute(select(disk_bases).where(disk_bases.c.file_id == file_id)).first()


def put_next_base(connection: Connection, file_id: UUID, next_hash: str, body: str) -> None:
    """Note what a file on disk is about to hold."""
    connection.execute(
        update(disk_bases)
        .where(disk_bases.c.file_id == file_id)
        .values(next_hash=next_hash, next_body=body)
    )


def put_disk_base(
    connection: Connection, file_id: UUID, disk_hash: str, body: str, page_hash: str
) -> None:
    """Note what the file on disk holds now, and what pages are told that its hash is."""
    connection.execute(delete(disk_bases).where(disk_bases.c.file_id == file_id))
    connection.execute(insert(disk_bases), {"file_id": file_id, "body": body})
    update_file(connection, file_id, disk_hash=disk_hash, page_hash=page_hash)


def put_share(
    connection: Connection,
    resource: str,
    resource_id: UUID,
    user_id: UUID,
    *,
    access_level: str,
    visibility: str | None = None,
) -> None:
    """Give a user an access level on a resource."""
    delete_share(connection, resource, resource_id, user_id)
    connection.execute(
        insert(shares),
        {
            "resource": resource,
            "resource_id": resource_id,
            "user_id": user_id,
            "access_level": access_level,
            "visibility": visibility,
        },
    )


def delete_share(connection: Connection, resource: str, resource_id: UUID, user_id: UUID) -> bool:
    """Take a user's access level on a resource away; whether there was one."""
    result = connection.execute(
        delete(shares).where(
            shares.c.resource == resource,
            shares.c.resource_id == resource_id,
            shares.c.user_id == user_id,
        )
    )
    return bool(result.rowcount)


def _create(connection: Connection, table: Table, **values: Any) -> Row[Any]:
    now = time.time()
    row_id = uuid4()
    connection.execute(
        insert(table), {"id": row_id, "created_at": now, "updated_at": now, **values}
    )
    return connection.execute(select(table).where(table.c.id == row_id)).one()


def known_notebooks(connection: Connection) -> Sequence[Any]:
    """Return id, path and hash of every notebook that is not deleted."""
    return connection.execute(
        select(files.c.id, files.c.path, files.c.disk_hash).where(
            files.c.deleted_at.is_(None),
            files.c.ready.is_(True),
            files.c.type == "notebook",
        )
    ).all()
