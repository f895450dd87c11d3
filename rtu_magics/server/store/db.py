"""Opening the database, and one kept connection to it.

All but `Database.read` runs on the server's event loop without awaiting: on SQLite a commit over a
kept connection costs less than handing it to a thread would.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from . import schema
from .patience import Patience
from .prepared import AnyConnection

__all__ = ["Database", "StoreError"]

_T = TypeVar("_T")

_READ_WITHIN = 5.0  # seconds that a reader waits for the database
_LOG_LIMIT = 16 * 1024 * 1024
_FREE_PAGES = 256  # left for what comes next
_PAGES_AT_ONCE = 1024
_REBUILD_UP_TO = 256 * 1024 * 1024  # bytes: what is larger would make its owner wait for minutes
_INCREMENTAL = 2
_HEADER = b"SQLite format 3\x00"


class StoreError(Exception):
    """The database cannot be used; the message is one line and says what to do."""


class Database:
    """The database of one server.

    Parameters
    ----------
    path
        The SQLite file; created, readable by its owner alone, when missing.
    synchronous
        SQLite's setting: ``NORMAL`` survives the death of the server, ``FULL`` a power cut too.
    name
        Of the space that stands for the served directory; by default that of the one two above.
    shared_memory
        Whether programs may share memory by way of files beside the database, as SQLite's
        write-ahead log does. On network file systems they may not: there a rollback journal is
        kept, in full (https://www.sqlite.org/wal.html).

    Attributes
    ----------
    space_id, project_id
        The space and the project that stand for the server's root directory.
    secret
        The key for signed links.
    unfinished
        The versions of which pieces are stored, and which are still to come.

    Raises
    ------
    StoreError
        The file is truncated, foreign, from a newer version, or cannot be written.
    """

    space_id: UUID
    project_id: UUID
    secret: bytes
    _driver: sqlite3.Connection
    _patience: Patience

    def __init__(
        self,
        path: Path,
        synchronous: str = "NORMAL",
        *,
        name: str = "",
        shared_memory: bool = True,
    ) -> None:
        self.path = path
        self.unfinished: set[UUID] = set()
        self._name = name or path.parent.parent.name or "root"
        self._beside: Engine | None = None
        self._shared_memory = shared_memory
        journal = "WAL" if shared_memory else "TRUNCATE"
        full = synchronous == "FULL" or not shared_memory
        unclean = _check_file(path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as exc:
            raise StoreError(
                f"cannot write {path} ({exc.strerror}); give a directory that you may write to"
            ) from exc
        self._engine = create_engine(
            f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )

        @event.listens_for(self._engine, "connect")
        def _set_up(connection: object, record: object) -> None:
            cursor = connection.cursor()  # type: ignore[attr-defined]
            tables = {name for (name,) in cursor.execute("SELECT name FROM sqlite_master")}
            if not tables:  # before anything is written: freed pages can then be given back
                cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
            if not tables or schema.meta.name in tables:  # another program's stays as it is
                cursor.execute(f"PRAGMA journal_mode={journal}")
            cursor.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
            cursor.execute("PRAGMA busy_timeout=5000")
            cursor.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}")
            cursor.close()

        try:
            self._connection = self._engine.connect()
            driver = self._connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            self._driver, self._patience = driver, Patience(driver)
            if unclean:
                self._check_pages()
            self._prepare()
            self._make_shrinkable()
            self._patience.serve()
        except OperationalError as exc:
            self._dispose()
            raise StoreError(_unusable(path, exc)) from exc
        except DBAPIError as exc:
            self._dispose()
            raise StoreError(
                f"{path} is damaged ({exc.orig}); restore it from a copy, or move it away to "
                "start afresh from the notebooks on disk"
            ) from exc
        except StoreError:
            self._dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run one transaction: committed at the end, rolled back by an exception.

        There is one connection, so nothing may be awaited inside.
        """
        try:
            with self._connection.begin():
                yield self._connection
                writes = self._driver.in_transaction
        except OperationalError as exc:
            self._patience.failed(exc.orig)
            raise
        if writes:
            self._patience.wrote()

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Read much at one moment, beside the server's loop where that keeps nobody waiting.

        Parameters
        ----------
        work
            Reads; it runs on another thread, over a connection of its own that cannot write. Only
            SQLite's write-ahead log lets others write meanwhile; without one it runs at once.
            SQLite keeps the file descriptor of such a connection for the next one: as many stay as
            there were threads reading at once.
        """
        if not self._shared_memory:
            with self.transaction() as connection:
                return work(connection)
        if self._beside is None:
            self._beside = create_engine(
                f"sqlite:///{self.path}",
                poolclass=NullPool,
                connect_args={"check_same_thread": False, "timeout": _READ_WITHIN},
            )
        return await asyncio.to_thread(_read_all, self._beside, work)

    @property
    def held(self) -> bool:
        """Whether another program held it the last time that somebody wrote."""
        return self._patience.held

    def is_free(self) -> bool:
        """Return whether one could write now; it is looked only if somebody held it."""
        return self._patience.is_free()

    def quick_transaction(self) -> AbstractContextManager[AnyConnection]:
        """Run one transaction on the driver's own connection where that saves time.

        It is for the few queries that take either. SQLAlchemy's own part of a transaction costs as
        much as SQLite needs for an edit.
        """
        return _DriverTransaction(self._driver, self._patience)

    def reclaim(self) -> bool:
        """Give some free pages back to the file system; whether there are more."""
        driver = self._driver
        free: int = driver.execute("PRAGMA freelist_count").fetchone()[0]
        if free <= _FREE_PAGES:
            return False
        try:
            driver.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            left: int = driver.execute("PRAGMA freelist_count").fetchone()[0]
        except sqlite3.OperationalError as exc:
            raise OperationalError(None, None, exc) from exc
        return left < free  # none of an older database that was too large to be rebuilt

    def _make_shrinkable(self) -> None:
        """Rebuild a database that was made before it could shrink; if not now, then next time."""
        driver = self._driver
        known = driver.execute("PRAGMA auto_vacuum").fetchone()[0]
        if known != _INCREMENTAL and self.path.stat().st_size <= _REBUILD_UP_TO:
            with contextlib.suppress(sqlite3.OperationalError):  # no space for a second one
                driver.execute("PRAGMA auto_vacuum=INCREMENTAL")
                driver.execute("VACUUM")

    def close(self) -> None:
        """Close the connection; SQLite folds its log into the file."""
        self._connection.close()
        self._engine.dispose()

    def _dispose(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        self._engine.dispose()

    def _check_pages(self) -> None:
        """Look at every page: what was lost beside an unfinished log shows only there."""
        with self.transaction() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            reason = str(found).replace("\n", " ")
            raise StoreError(
                f"{self.path} is damaged ({reason[:100]}); restore it from a copy, or move it "
                "away to start afresh from the notebooks on disk"
            )

    def _prepare(self) -> None:
        with self.transaction() as connection:
            # SQLite's driver would commit each statement that makes a table by itself, and a
            # process that dies in between would leave half a database.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            tables = set(inspect(connection).get_table_names())
            if tables and schema.meta.name not in tables:
                raise StoreError(
                    f"{self.path} belongs to another program; move it away to start afresh"
                )
            if not tables:
                schema.metadata.create_all(connection)
                connection.execute(
                    insert(schema.meta),
                    [
                        {"key": "schema_version", "value": str(schema.SCHEMA_VERSION)},
                        {"key": "space_id", "value": str(uuid4())},
                        {"key": "project_id", "value": str(uuid4())},
                        {"key": "secret", "value": secrets.token_hex(32)},
                    ],
                )
            found = {row.key: row.value for row in connection.execute(select(schema.meta))}
            try:
                version = int(found["schema_version"])
                self.space_id = UUID(found["space_id"])
                self.project_id = UUID(found["project_id"])
                self.secret = bytes.fromhex(found["secret"])
            except (KeyError, ValueError):
                raise self._incomplete() from None
            self._migrate(connection, version)
            if not set(schema.metadata.tables) <= set(inspect(connection).get_table_names()):
                raise self._incomplete()
            if not tables:
                self._create_defaults(connection)

    def _incomplete(self) -> StoreError:
        return StoreError(
            f"{self.path} is incomplete; restore it from a copy, or move it away to start afresh "
            "from the notebooks on disk"
        )

    def _create_defaults(self, connection: Connection) -> None:
        now = time.time()
        times = {"created_at": now, "updated_at": now}
        name = self._name
        connection.execute(insert(schema.spaces), {"id": self.space_id, "name": name, **times})
        connection.execute(
            insert(schema.projects),
            {
                "id": self.project_id,
                "space_id": self.space_id,
                "name": name,
                "directory": "",
                **times,
            },
        )

    def _migrate(self, connection: Connection, version: int) -> None:
        if version > schema.SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer rtu_magics (schema {version}, this one knows "
                f"{schema.SCHEMA_VERSION}); update rtu_magics"
            )
        while version < schema.SCHEMA_VERSION:
            schema.MIGRATIONS[version](connection)
            version += 1
            connection.execute(
                update(schema.meta)
                .where(schema.meta.c.key == "schema_version")
                .values(value=str(version))
            )


def _read_all(engine: Engine, work: Callable[[Connection], _T]) -> _T:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")  # the driver would begin with the first change only
        return work(connection)


class _DriverTransaction:
    """A transaction without SQLAlchemy, with its exceptions."""

    __slots__ = ("_driver", "_patience")

    def __init__(self, driver: sqlite3.Connection, patience: Patience) -> None:
        self._driver = driver
        self._patience = patience

    def __enter__(self) -> sqlite3.Connection:
        return self._driver

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._driver.commit()
                self._patience.wrote()
                return
        except sqlite3.Error as failure:
            kind, exc = type(failure), failure
        self._driver.rollback()
        self._patience.failed(exc)
        if isinstance(exc, sqlite3.Error):
            raise OperationalError(None, None, exc) from exc


def _unusable(path: Path, exc: OperationalError) -> str:
    """Say what an error of the operating system means for the database."""
    reason = str(exc.orig)
    if "full" in reason:
        return f"no space is left for {path}; free some and start again"
    if "locked" in reason:
        return f"another program holds {path}; end it and start again"
    if "readonly" in reason or "unable to open" in reason:
        return f"cannot write {path} ({reason}); give a directory that you may write to"
    return f"{path} cannot be used ({reason}); free space on its disk, or move it away"


def _check_file(path: Path) -> bool:
    """Refuse what SQLite would only notice later, when it reads the missing part.

    Returns whether the last program that used it did not end cleanly.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise StoreError(
            f"cannot read {path} ({exc.strerror}); give a directory that you may write to"
        ) from exc
    if size == 0:
        return False
    if not header.startswith(_HEADER) or len(header) < 100:
        raise StoreError(f"{path} is not a database; move it away to start afresh")
    page_size = struct.unpack(">H", header[16:18])[0]
    page_size = 65536 if page_size == 1 else page_size
    pages = struct.unpack(">I", header[28:32])[0]
    wal = path.with_name(path.name + "-wal")
    pending = wal.exists() and wal.stat().st_size > 0
    if size < page_size * pages and not pending:
        raise StoreError(
            f"{path} is cut off; restore it from a copy, or move it away to start afresh from the "
            "notebooks on disk"
        )
    return pending
