"""The tables, their version, and how an older database becomes a present one.

Times are seconds since the epoch, UTC. Ids are UUIDs. Bodies of deltas and outputs are JSON text,
exactly as they go over the wire or as the Jupyter messaging protocol has them.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    update,
)

SCHEMA_VERSION = 8
"""Rises by one with every change of the tables; `MIGRATIONS` then gets an entry."""

metadata = MetaData()

meta = Table(
    "rtu_meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

spaces = Table(
    "rtu_spaces",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
)

projects = Table(
    "rtu_projects",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("space_id", Uuid, ForeignKey("rtu_spaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    # Below the server's root, "" for the root itself.
    Column("directory", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
)

files = Table(
    "rtu_files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, ForeignKey("rtu_projects.id"), nullable=False),
    # Below the server's root, with slashes; unique among files that are not deleted.
    Column("path", Text, nullable=False, index=True),
    Column("type", String(16), nullable=False),
    Column("mimetype", Text),
    Column("size", Integer),
    # A new epoch of the delta chain begins when a version is restored or the content replaced.
    Column("epoch", Integer, nullable=False, default=0),
    # False between the reservation of an upload and its completion.
    Column("ready", Boolean, nullable=False, default=True),
    # SHA-256 of the file on disk as we last read or wrote it.
    Column("disk_hash", String(64)),
    # What pages that show it are told in its place: it stays, whatever we write.
    Column("page_hash", String(64)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
    Column("created_by_id", Uuid),
)

disk_bases = Table(
    "rtu_disk_bases",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    # What the file on disk held when its hash was taken, without the outputs themselves.
    Column("body", Text, nullable=False),
    # What is about to be written: hash and content, noted before the file is touched.
    Column("next_hash", String(64)),
    Column("next_body", Text),
)

page_bases = Table(
    # What pages of plain JupyterLab have of a notebook, each as it last loaded or saved it.
    "rtu_page_bases",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    Column("page", String(64), primary_key=True),
    # Compressed JSON; see `file.page_copies`.
    Column("body", LargeBinary, nullable=False),
    Column("used_at", Float, nullable=False),
)

deltas = Table(
    "rtu_deltas",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("body", Text, nullable=False),
    # Of the delta as submitted; empty for those the server made.
    Column("digest", String(64), nullable=False),
    UniqueConstraint("file_id", "id"),
)

versions = Table(
    "rtu_versions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    # The snapshot holds every delta of the epoch up to and including this one.
    Column("seq", Integer, nullable=False),
    Column("last_delta_id", Uuid, nullable=False),
    Column("name", Text),
    Column("description", Text),
    Column("automatic", Boolean, nullable=False, default=False),
    # Why it was made: save, automatic, restore, outside or upload.
    Column("reason", String(16), nullable=False, default="save"),
    # The beginning of the notebook; what is more stands in `version_pieces`.
    Column("body", LargeBinary, nullable=False),
    # Ids of cells that were deleted before it, as JSON: they may never come back.
    Column("deleted_cell_ids", Text, nullable=False, default="[]"),
    # The output collections that its cells show, as JSON; null where nobody has looked yet.
    Column("collection_ids", Text),
    Column("created_at", Float, nullable=False),
    Column("created_by_id", Uuid),
    UniqueConstraint("file_id", "number"),
)

version_pieces = Table(
    # The rest of a large version, stored piece by piece before the version itself.
    "rtu_version_pieces",
    metadata,
    Column("version_id", Uuid, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

spent_deltas = Table(
    # Deltas that have left the chain: a late retry is still taken for what it is.
    "rtu_spent_deltas",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("left_at", Float, nullable=False),
)

collections = Table(
    "rtu_collections",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_id", Uuid, nullable=False),
    Column("cell_id", Text),
    Column("execution_id", Uuid),
    Column("execution_count", Integer),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # Whose runs its outputs are of: ids with commas between; null where that is not known.
    Column("authors", Text),
    Index("rtu_collections_by_cell", "file_id", "cell_id"),
)

outputs = Table(
    "rtu_outputs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("collection_id", Uuid, ForeignKey("rtu_collections.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

output_chunks = Table(
    # The rest of a stream output's text, in pieces: storing a growing text stays linear.
    "rtu_output_chunks",
    metadata,
    Column("output_id", Uuid, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

cell_states = Table(
    "rtu_cell_states",
    metadata,
    Column("file_id", Uuid, primary_key=True),
    Column("cell_id", String(64), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("execution_id", Uuid),
    Column("execution_count", Integer),
    Column("cause", Text),
    Column("reason", String(32)),
    # Of the text that ran.
    Column("source_digest", String(16)),
)

uploads = Table(
    "rtu_uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_id", Uuid, nullable=False, index=True),
    Column("etag", String(64)),
    Column("created_at", Float, nullable=False),
)

shares = Table(
    "rtu_shares",
    metadata,
    Column("resource", String(16), primary_key=True),
    Column("resource_id", Uuid, primary_key=True),
    # Nil for the default that a resource's visibility gives to everybody.
    Column("user_id", Uuid, primary_key=True),
    Column("access_level", String(32), nullable=False),
    Column("visibility", String(16)),
)

people = Table(
    # Everybody but the server's owner: guests and the users of a hub.
    "rtu_people",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("handle", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("created_at", Float, nullable=False),
    Column("last_seen_at", Float),
)

invites = Table(
    "rtu_invites",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_id", Uuid, nullable=False, index=True),
    # The guest who comes with it.
    Column("user_id", Uuid, ForeignKey("rtu_people.id"), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("name", Text),
    Column("created_at", Float, nullable=False),
    Column("created_by_id", Uuid, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float),
)


def _add_people(connection: Connection) -> None:
    metadata.create_all(connection, tables=[people, invites])


def _add_reasons(connection: Connection) -> None:
    metadata.create_all(connection, tables=[spent_deltas])
    add = f"ALTER TABLE {versions.name} ADD COLUMN"
    connection.exec_driver_sql(f"{add} reason VARCHAR(16) NOT NULL DEFAULT 'save'")
    connection.exec_driver_sql(f"{add} collection_ids TEXT")
    automatic = versions.c.automatic.is_(True)
    connection.execute(update(versions).where(automatic).values(reason="automatic"))
    connection.execute(update(versions).where(versions.c.number == 0).values(reason="upload"))


def _add_end_reasons(connection: Connection) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {cell_states.name} ADD COLUMN reason VARCHAR(32)")


def _add_source_digests(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"ALTER TABLE {cell_states.name} ADD COLUMN source_digest VARCHAR(16)"
    )


def _add_output_authors(connection: Connection) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {collections.name} ADD COLUMN authors TEXT")
    add = f"ALTER TABLE {disk_bases.name} ADD COLUMN"
    connection.exec_driver_sql(f"{add} next_hash VARCHAR(64)")
    connection.exec_driver_sql(f"{add} next_body TEXT")


def _add_version_pieces(connection: Connection) -> None:
    metadata.create_all(connection, tables=[version_pieces])


def _add_page_bases(connection: Connection) -> None:
    metadata.create_all(connection, tables=[page_bases])
    connection.exec_driver_sql(f"ALTER TABLE {files.name} ADD COLUMN page_hash VARCHAR(64)")


MIGRATIONS: dict[int, Callable[[Connection], None]] = {
    1: _add_people,
    2: _add_reasons,
    3: _add_end_reasons,
    4: _add_source_digests,
    5: _add_output_authors,
    6: _add_version_pieces,
    7: _add_page_bases,
}
"""By version: what makes a database of that version one of the next."""
