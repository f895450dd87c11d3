"""The last kernel of each notebook."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from .schema import meta

__all__ = ["all_kernels", "put_kernel"]

_PREFIX = "kernel:"


def put_kernel(connection: Connection, file_id: UUID, text: str | None) -> None:
    """Store a kernel's state (JSON) in place of the last one's; None for none."""
    key = f"{_PREFIX}{file_id}"
    connection.execute(delete(meta).where(meta.c.key == key))
    if text is not None:
        connection.execute(insert(meta), {"key": key, "value": text})


def all_kernels(connection: Connection) -> dict[UUID, str]:
    """Return what is stored, by file id."""
    rows = connection.execute(
        select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_PREFIX))
    )
    return {UUID(row.key[len(_PREFIX) :]): row.value for row in rows}
