"""How long a statement waits for another program that holds the database.

At the start somebody waits for the server anyway. Afterwards all notebooks stand still meanwhile,
so it hardly waits; and once it is known that somebody holds the database, not at all.
"""

from __future__ import annotations

import sqlite3

__all__ = ["Patience"]

_STARTING, _SERVING, _HELD = 5_000, 100, 0  # milliseconds


class Patience:
    """The waiting of one connection.

    Parameters
    ----------
    driver
        The driver's connection.

    Attributes
    ----------
    held
        Whether another program held the database the last time that somebody wrote.
    """

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver
        self._usual = _STARTING
        self.held = False

    def serve(self) -> None:
        """Wait hardly any more: the server has started."""
        self._usual = _SERVING
        self._wait(self._usual)

    def failed(self, error: object) -> None:
        """Note why a transaction failed, after it was rolled back."""
        if not self.held and isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            self.held = True
            self._wait(_HELD)

    def wrote(self) -> None:
        """Note that a transaction was written."""
        if self.held:
            self.held = False
            self._wait(self._usual)

    def is_free(self) -> bool:
        """Return whether one could write now, as far as is known without waiting."""
        if not self.held:
            return True
        try:
            self._driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        self._driver.rollback()
        self.wrote()
        return True

    def _wait(self, milliseconds: int) -> None:
        self._driver.execute(f"PRAGMA busy_timeout={milliseconds}")
