"""Reading ``matrix.txt``, and what the server itself says that has to stand in it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rtu_magics.models import REQUEST_CLASSES, FileDeltaBase
from rtu_magics.server.http import routes
from rtu_magics.server.http.base import NotFound
from rtu_magics.server.http.requests import Requests

ASKERS = ("nobody", "stranger", "viewer", "executor", "contributor", "co-owner", "owner")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Row:
    """One line: what is asked, and who gets which answer."""

    kind: str
    what: str
    answers: dict[str, str]

    @property
    def key(self) -> str:
        return f"{self.kind} {self.what}"


def read_table() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for line in (Path(__file__).parent / "matrix.txt").read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#") or tuple(words) == ASKERS:
            continue
        count = len(ASKERS)
        row = Row(
            words[0], " ".join(words[1:-count]), dict(zip(ASKERS, words[-count:], strict=True))
        )
        assert row.key not in rows, f"two rows for {row.key}"
        rows[row.key] = row
    return rows


def keys_of_server() -> set[str]:
    """Return a key for every route, event and kind of delta that the server takes."""
    return {*_routes(), *_events(), *_deltas()}


def _routes() -> set[str]:
    found = set()
    for pattern, handler in routes():
        if handler is NotFound:
            continue
        for method in _METHODS:
            if _offers(handler, method.lower()):
                found |= {f"{method} {path}" for path in _paths(pattern)}
    return found


def _offers(handler: type[Any], method: str) -> bool:
    from tornado.web import RequestHandler

    return getattr(handler, method) is not getattr(RequestHandler, method)


def _paths(pattern: str) -> list[str]:
    """Return the paths that a pattern stands for, with ``{}`` for what varies."""
    path = pattern.removeprefix("/rtu/api").removesuffix("/?").replace("([^/]+)", "{}")
    parts: list[list[str]] = []
    for piece in re.split(r"(\([^()]*\)\??)", path):
        if piece.endswith(")?"):
            parts.append(["", piece.removeprefix("(?:").removesuffix(")?")])
        elif piece.startswith("("):
            parts.append(piece.strip("()").split("|"))
        else:
            parts.append([piece])
    return ["".join(choice) for choice in itertools.product(*parts)]


def _events() -> set[str]:
    taken = {*Requests._handlers, REQUEST_CLASSES["system", "authenticate_request"]}
    return {
        f"EVENT {prefix} {event}"
        for (prefix, event), cls in REQUEST_CLASSES.items()
        if cls in taken and event != "new_delta_request"
    }


def _deltas() -> set[str]:
    found = set()
    classes = [FileDeltaBase]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        kinds = [
            get_args(cls.model_fields[name].annotation) for name in ("delta_type", "delta_action")
        ]
        if all(kinds):
            found |= {f"DELTA {one} {other}" for one in kinds[0] for other in kinds[1]}
    return found
