"""How much one person, one address and one notebook may take: the settings, and their readable end.

Every limit is a setting of the server (``RTUMagicsServer.limits``, or the environment variable
``RTU_LIMITS``), so that whoever runs the server can raise it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["LIMITS_ENV", "Limits", "WrongLimit"]

LIMITS_ENV = "RTU_LIMITS"


class WrongLimit(ValueError):
    """There is no such limit, or it cannot be that; the message is one line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one server; rates refill continuously, up to their burst.

    Attributes
    ----------
    authenticate_within
        Seconds until a connection must have authenticated.
    unauthenticated_per_address, unauthenticated_in_all
        Connections that have not authenticated yet.
    unauthenticated_bytes
        Of one message before authentication.
    request_within
        Seconds for the head of an HTTP request, and until an idle connection is closed.
    body_within
        Seconds for the body of an HTTP request.
    connections_per_person, connections_per_owner
        Open connections.
    edits_per_second, edits_burst
        Changes of one person.
    bytes_per_second, bytes_burst
        What one person sends over websockets.
    runs_per_second, runs_burst
        Requests to run cells of one person.
    reads_per_second, reads_burst
        Requests of one person for a notebook's log, versions or outputs.
    reads_at_once, reads_waiting
        The same, at work and waiting, of one person.
    links_waiting
        Requests of one address for outputs by their links, at work and waiting.
    runs_waiting_per_person, runs_waiting_per_notebook
        Requests to run cells that wait in one notebook.
    cells_waiting_per_person
        The cells that these mean.
    """

    authenticate_within: float = 30
    unauthenticated_per_address: float = 256
    unauthenticated_in_all: float = 1_024
    unauthenticated_bytes: float = 64 * 1024
    request_within: float = 120
    body_within: float = 600
    connections_per_person: float = 500
    connections_per_owner: float = 2_500
    edits_per_second: float = 1_000
    edits_burst: float = 20_000
    bytes_per_second: float = 8_000_000
    bytes_burst: float = 200_000_000
    runs_per_second: float = 50
    runs_burst: float = 2_000
    reads_per_second: float = 50
    reads_burst: float = 2_000
    reads_at_once: float = 2
    reads_waiting: float = 100
    links_waiting: float = 1_000
    runs_waiting_per_person: float = 1_000
    runs_waiting_per_notebook: float = 5_000
    cells_waiting_per_person: float = 50_000

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Limits:
        """Return the usual limits but for some.

        Raises
        ------
        WrongLimit
            One is not known, or no number from 0.
        """
        names = {field.name for field in fields(cls)}
        for name, value in given.items():
            if name not in names:
                raise WrongLimit(f"no limit is called {name}; there are {', '.join(sorted(names))}")
            if not isinstance(value, (int, float)) or not value >= 0 or math.isinf(value):
                raise WrongLimit(f"the limit {name} is a number from 0, not {value!r}")
        return cls(**given)

    @classmethod
    def read(cls, text: str) -> Limits:
        """Return the limits that a text sets.

        Raises
        ------
        WrongLimit
            As `of`.

        Examples
        --------
        >>> Limits.read("edits_burst=50, runs_per_second=0.5").edits_burst
        50.0
        """
        given: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            try:
                given[name.strip()] = float(value)
            except ValueError:
                raise WrongLimit(f"{part!r} sets no limit; write NAME=NUMBER") from None
        return cls.of(given)
