"""Statements that are run all the time, put together once.

Putting a statement together, and SQLAlchemy's own part of running it, takes several times as long
as SQLite needs to write a row. A `Prepared` statement is stated with SQLAlchemy like all others; in
a quick transaction (`Database.quick_transaction`) its text goes to the driver directly.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Update
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

__all__ = ["AnyConnection", "Prepared"]

AnyConnection = Connection | sqlite3.Connection
"""The connection of a transaction, or of a quick one."""

_dialect = SQLiteDialect_pysqlite(paramstyle="qmark")


class Prepared:
    """A statement that changes rows.

    Parameters
    ----------
    statement
        What to do, with bound parameters of the given names.
    names
        The parameters, in the order of the values in a row.

    Examples
    --------
    >>> from sqlalchemy import Column, Integer, MetaData, Table, insert
    >>> numbers = Table("numbers", MetaData(), Column("n", Integer))
    >>> connection = sqlite3.connect(":memory:")
    >>> _ = connection.execute("CREATE TABLE numbers (n)")
    >>> Prepared(insert(numbers), "n").run(connection, [(1,), (2,)])
    >>> connection.execute("SELECT * FROM numbers").fetchall()
    [(1,), (2,)]
    """

    def __init__(self, statement: Insert | Update | Delete, *names: str) -> None:
        self._statement = statement
        self._names = names
        keys = names if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=_dialect, column_keys=keys)
        order = list(compiled.positiontup or ())
        if sorted(order) != sorted(names):
            raise ValueError(f"{compiled} takes {order}, not {names}")
        self._sql = str(compiled)
        self._takes: list[tuple[int, Callable[[Any], Any] | None]] = [
            (names.index(name), self._to_driver(compiled.binds[name])) for name in order
        ]

    @staticmethod
    def _to_driver(parameter: Any) -> Callable[[Any], Any] | None:
        kind = parameter.type.dialect_impl(_dialect)
        found: Callable[[Any], Any] | None = kind.bind_processor(_dialect)
        return found

    def run(self, connection: AnyConnection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it once for each row of values; without rows nothing happens."""
        if not rows:
            return
        if isinstance(connection, sqlite3.Connection):
            connection.executemany(self._sql, [self._row(values) for values in rows])
        else:
            parameters: list[Mapping[str, Any]] = [
                dict(zip(self._names, values, strict=True)) for values in rows
            ]
            connection.execute(self._statement, parameters)

    def _row(self, values: Sequence[Any]) -> list[Any]:
        return [
            values[place] if convert is None else convert(values[place])
            for place, convert in self._takes
        ]
