"""How the server is called from outside, which only a request tells."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

__all__ = ["base_of", "for_others"]

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


def for_others(url: str, listens_on: str) -> str:
    """Return a URL of this server as another machine has to call it.

    Parameters
    ----------
    url
        As it was called from this machine, maybe by a name that means another one elsewhere.
    listens_on
        The address that the server is bound to; only one that is bound to all of them can be
        reached by another name.

    Examples
    --------
    >>> for_others("http://127.0.0.1:8888/rtu/f/1", "127.0.0.1")
    'http://127.0.0.1:8888/rtu/f/1'
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own or listens_on not in ("", "*", "0.0.0.0", "::"):
        return url
    name = _own_address()
    name = f"[{name}]" if ":" in name else name
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{name}{port}"))


def _own_address() -> str:
    """Return this machine's address on its network, or else its name. Nothing is sent."""
    for family, somewhere in (
        (socket.AF_INET, ("192.0.2.1", 9)),  # reserved for examples (RFC 5737, RFC 3849)
        (socket.AF_INET6, ("2001:db8::1", 9)),
    ):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(somewhere)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return socket.getfqdn()
