"""Queries about what pages have of a notebook.

Every function takes the open connection of a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select

from .schema import page_bases

__all__ = ["drop_page_bases", "page_bases_of", "put_page_base"]


def page_bases_of(connection: Connection, file_id: UUID) -> Sequence[Row[Any]]:
    """Return what pages have of a notebook, the one that was used last first."""
    return connection.execute(
        select(page_bases)
        .where(page_bases.c.file_id == file_id)
        .order_by(page_bases.c.used_at.desc())
    ).all()


def put_page_base(connection: Connection, file_id: UUID, page: str, body: bytes) -> None:
    """Note what a page has now."""
    drop_page_bases(connection, file_id, [page])
    values = {"file_id": file_id, "page": page, "body": body, "used_at": time.time()}
    connection.execute(insert(page_bases), values)


def drop_page_bases(connection: Connection, file_id: UUID, pages: Sequence[str]) -> None:
    """Forget what some pages have."""
    connection.execute(
        delete(page_bases).where(
            page_bases.c.file_id == file_id, page_bases.c.page.in_(list(pages))
        )
    )
