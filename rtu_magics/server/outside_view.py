"""How the server is called from outside, which only a request tells."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["base_of"]

_HOST = re.compile(r"[\w.~:%\[\]-]+")
_PREFIX = re.compile(r"(?:/[\w.~-]+)*")


def base_of(handler: Any) -> str:
    """Return ``scheme://host`` under which the other end of a request reaches the server.

    A proxy says in ``X-Forwarded-*`` what it is called, and what it takes off before it passes a
    request on. Whoever lies there gets wrong links, and nobody else does.
    """
    request = handler.request

    def forwarded(name: str, default: str) -> str:
        return str(request.headers.get(f"X-Forwarded-{name}", default).partition(",")[0].strip())

    proto = forwarded("Proto", request.protocol).lower()
    scheme = {"ws": "http", "wss": "https"}.get(proto, proto)
    if scheme not in ("http", "https"):
        scheme = "http"
    prefix = forwarded("Prefix", "").rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        prefix = ""
    host = forwarded("Host", request.host)
    if not _HOST.fullmatch(host):
        host = request.host if _HOST.fullmatch(request.host) else "localhost"
    return f"{scheme}://{host}{prefix}"
