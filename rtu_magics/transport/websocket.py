"""Connections over websockets: the only module of the client that imports that library."""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import Opcode
from websockets.protocol import State

from ..errors import ConnectFailed, ConnectionLost
from .tls import client_context, why_untrusted

__all__ = ["WebSocketConnection", "connect"]

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of the largest message taken. A catch-up after a long absence is one message."""

# websockets 14 has no proxy support, hence no such argument.
_KNOWS_PROXIES = "proxy" in inspect.signature(ws_connect.__init__).parameters


class _Socket(ClientConnection):
    """Hands whole text messages over in the turn of the loop in which they arrive.

    It overrides what the library calls for each frame; should a release stop doing so, then every
    message goes the ordinary way.
    """

    take: Callable[[bytes], bool] | None = None

    def process_event(self, event: Any) -> None:
        """Offer a message to whoever takes them, in order: none that came before may wait."""
        if (
            self.take is not None
            and getattr(event, "opcode", None) is Opcode.TEXT
            and event.fin
            and not len(self.recv_messages.frames)
            and self.take(bytes(event.data))
        ):
            return
        super().process_event(event)


class WebSocketConnection:
    """A `QuickConnection` over one websocket."""

    def __init__(self, ws: ClientConnection) -> None:
        self._ws = ws
        # Bound once, for the hot path.
        self._recv = ws.recv
        self._quick = all(hasattr(ws, name) for name in ("protocol", "send_data", "paused"))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the upgrade response."""
        response = self._ws.response
        return {} if response is None else response.headers

    async def send(self, text: str) -> None:
        """Send one text frame."""
        try:
            await self._ws.send(text)
        except ConnectionClosed as exc:
            raise ConnectionLost(_why_closed(exc)) from exc

    async def recv(self) -> str | bytes:
        """Wait for the next message; its UTF-8 stays undecoded, since the parser wants bytes."""
        try:
            return await self._recv(decode=False)
        except ConnectionClosed as exc:
            raise ConnectionLost(_why_closed(exc)) from exc

    def send_now(self, text: str) -> bool:
        """Send one text frame if the socket takes it; return whether it does."""
        ws = self._ws
        if not self._quick or ws.paused or ws.protocol.state is not State.OPEN:
            return False
        try:
            ws.protocol.send_text(text.encode())
            ws.send_data()
        except Exception:
            # Nobody knows how much of it went out.
            ws.transport.abort()
            return False
        return True

    def deliver_to(self, take: Callable[[bytes], bool]) -> None:
        """Hand each message over as it arrives."""
        if isinstance(self._ws, _Socket) and hasattr(self._ws.recv_messages, "frames"):
            self._ws.take = take

    async def close(self) -> None:
        """Close the websocket."""
        try:
            await self._ws.close()
        finally:
            # To Python 3.10 TLS that the other side has ended is open until it is told otherwise.
            self._ws.transport.close()


async def connect(
    url: str, *, open_timeout: float = 10.0, cafile: str | None = None
) -> WebSocketConnection:
    """Open a websocket.

    Parameters
    ----------
    url
        A ``ws:`` or ``wss:`` URL.
    open_timeout
        Seconds until the attempt is given up.
    cafile
        The certificate of an authority to trust besides the usual ones, in PEM.

    Raises
    ------
    ConnectFailed
        With the reason in one line.
    """
    options: dict[str, Any] = {
        "open_timeout": open_timeout,
        "max_size": MAX_MESSAGE,
        # Messages are small and the delay counts; deflating each costs more than it saves.
        "compression": None,
        "close_timeout": 2.0,
        # The reader has its own queue, so reading is seldom worth pausing.
        "max_queue": 256,
        "create_connection": _Socket,
    }
    if _KNOWS_PROXIES and _is_loopback(url):
        options["proxy"] = None
    where = _where(url)
    if not _is_websocket_url(url):
        raise ConnectFailed(f"{where} is not a websocket address: it begins with ws:// or wss://")
    if url.startswith("wss:"):
        options["ssl"] = client_context(cafile)
    try:
        return WebSocketConnection(await ws_connect(url, **options))
    except (TimeoutError, asyncio.TimeoutError) as exc:  # two classes before Python 3.11
        raise ConnectFailed(
            f"no answer from {where} within {open_timeout:g} s: check address and network"
        ) from exc
    except (OSError, WebSocketException, ValueError, EOFError) as exc:
        raise ConnectFailed(_why_failed(exc, where)) from exc


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_websocket_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return False
    return parts.scheme in ("ws", "wss") and bool(parts.hostname)


def _where(url: str) -> str:
    """Return the URL without what may be secret: user, password, query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "that address"
    host = parts.hostname or "?"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:200] or type(exc).__name__


def _why_failed(exc: Exception, where: str) -> str:
    # websockets wraps the failure of a handshake around the error of the socket or the parser.
    cause = exc.__cause__
    if isinstance(exc, InvalidStatus):
        return _why_status(exc.response.status_code, where)
    if isinstance(exc, ssl.SSLError) or isinstance(cause, ssl.SSLError):
        untrusted = why_untrusted(str(cause if isinstance(cause, ssl.SSLError) else exc), where)
        return (
            untrusted or f"no secure connection to {where} ({_one_line(exc)}): check http or https"
        )
    if isinstance(exc, socket.gaierror):
        return f"the host of {where} is unknown: check the address"
    if isinstance(exc, ConnectionRefusedError) or _all_refused(exc):
        return f"nothing listens at {where}: is the server running, and is the port right?"
    # The parser's own errors come through bare from older releases of the library.
    if isinstance(exc, InvalidHandshake | EOFError | ValueError):
        return f"{where} does not answer as a websocket server ({_one_line(exc)}): check the port"
    return f"no connection to {where} ({_one_line(exc)}): check address and network"


def _all_refused(exc: Exception) -> bool:
    # asyncio joins the errors of several addresses (IPv6 and IPv4) into one OSError's text.
    text = str(exc)
    return text.startswith("Multiple exceptions") and "refused" in text


def _why_status(status: int, where: str) -> str:
    if status in (401, 403):
        return f"{where} refuses the connection (HTTP {status}): check the token"
    if status == 404:
        return f"no RTU server at {where} (HTTP 404): check the address"
    if status >= 500:
        return f"the server at {where} has a problem (HTTP {status}): try again later"
    return f"{where} answers HTTP {status} and opens no websocket: check the address"


def _why_closed(exc: ConnectionClosed) -> str:
    if exc.rcvd is None:
        return "the connection broke off"
    reason = " ".join(exc.rcvd.reason.split())[:120]
    return f"the server closed the connection ({exc.rcvd.code}{f', {reason}' if reason else ''})"
