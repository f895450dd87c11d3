"""One REST call: its headers, its errors, its answer as a model."""

from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from ..errors import (
    APIError,
    AuthenticationFailed,
    ClientClosed,
    FileUnknown,
    PermissionDenied,
    RTUError,
    TargetError,
)
from ..transport.tls import client_context, why_untrusted

if TYPE_CHECKING:
    import httpx

__all__ = ["RestClient", "is_loopback", "normalise_base_url", "rtu_url_of"]

T = TypeVar("T")

_TEXT = 300  # characters of a server's message that are shown


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8888/x"), is_loopback("http://example.org")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def normalise_base_url(url: str) -> str:
    """Return the base URL of a REST API without query, fragment and trailing slashes.

    Raises
    ------
    TargetError
        It is no http or https URL.

    Examples
    --------
    >>> normalise_base_url("http://lab.example/rtu/api//")
    'http://lab.example/rtu/api'
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        usable = False
    if not usable:
        raise TargetError(
            f"{url.split('?', 1)[0][:100]!r} is not an address: it looks like "
            "https://server.example/rtu/api"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def rtu_url_of(api_base_url: str) -> str:
    """Return the websocket URL that belongs to a REST base URL.

    Examples
    --------
    >>> rtu_url_of("https://http.example/rtu/api/")
    'wss://http.example/rtu/api/v1/rtu'
    """
    parts = urlsplit(normalise_base_url(api_base_url))
    scheme = {"http": "ws", "https": "wss"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, f"{parts.path}/v1/rtu", "", ""))


class RestClient:
    """HTTP with a base URL and a token; every failure is an `RTUError` of one line.

    Parameters
    ----------
    base_url
        The base of the API.
    token
        Goes into the ``Authorization`` header of calls to the API, and nowhere else.
    timeout
        Seconds until a call is given up.
    transport
        An httpx transport, for tests.
    cafile
        The certificate of an authority to trust besides the usual ones, in PEM.
    user_name
        What somebody with an owner's token wants to be called.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        cafile: str | None = None,
        user_name: str | None = None,
    ) -> None:
        self.base_url = normalise_base_url(base_url)
        self.timeout = timeout
        self._transport = transport
        self._cafile = cafile
        self._headers = {"Authorization": f"Bearer {token}"}
        if user_name:
            self._headers["X-RTU-User-Name"] = quote(user_name)
        self._closed = False
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def _client(self, url: str) -> httpx.AsyncClient:
        import httpx  # heavy, so it loads with the first call

        if self._closed:
            raise ClientClosed("the connection to the server was closed: connect again")
        secure = not url.startswith("http://")
        client = self._clients.get(secure)
        if client is None:
            # Loading the certificate authorities takes as long as dozens of calls: plain http, all
            # that the embedded server speaks, gets an empty context (which trusts nobody).
            verify = (
                client_context(self._cafile) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            )
            client = self._clients[secure] = httpx.AsyncClient(
                timeout=self.timeout,
                verify=verify,
                follow_redirects=False,
                # A proxy for the outside world does not reach this machine.
                trust_env=not is_loopback(url),
                transport=self._transport,
            )
        return client

    async def aclose(self) -> None:
        """Close the kept connections, for good: what still asks would open others."""
        self._closed = True
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
        unknown: type[APIError] = APIError,
    ) -> httpx.Response:
        """Make one call; return its answer if it is a success.

        Parameters
        ----------
        method
            The HTTP method.
        path
            A path below the base URL (gets the token), or a whole URL (a signed link: does not).
        json, params, content
            What to send.
        timeout
            Seconds, when other than the client's.
        unknown
            The error that a 404 means here.

        Raises
        ------
        AuthenticationFailed, PermissionDenied, APIError
            The server said so, or could not be reached.
        """
        import httpx

        signed = path.startswith(("http://", "https://"))
        url = path if signed else self.base_url + path
        headers = {} if signed else self._headers
        try:
            response = await self._client(url).request(
                method,
                url,
                json=json,
                params=params,
                content=content,
                headers=headers,
                timeout=timeout or self.timeout,
            )
        except httpx.TimeoutException as exc:
            other = "" if not url.startswith("https:") else ", or does its address begin with http:"
            raise APIError(
                f"no answer from {_where(url)} within {timeout or self.timeout:g} s: is the server "
                f"busy{other}? Try again"
            ) from exc
        except httpx.ConnectError as exc:
            raise APIError(_why_unreachable(exc, url)) from exc
        except httpx.InvalidURL as exc:
            raise APIError(f"{_where(url)} is not an address: {exc}") from exc
        except httpx.HTTPError as exc:
            raise APIError(
                f"{_where(url)} does not answer in HTTP ({_one_line(exc)}): check the address"
            ) from exc
        if response.is_success:
            return response
        raise _error(response, method, "a signed link" if signed else path, unknown)

    async def call(self, adapter: TypeAdapter[T], method: str, path: str, **options: Any) -> T:
        """Make one call; return its answer's JSON as a model.

        Raises
        ------
        RTUError
            As `request`; also `APIError` for an answer that is not what the API gives.
        """
        response = await self.request(method, path, **options)
        try:
            return adapter.validate_json(response.content)
        except ValidationError as exc:
            kind = response.headers.get("content-type", "no content").partition(";")[0]
            raise APIError(
                f"{_where(self.base_url)} answered {method} {path} with something else than RTU "
                f"({kind}): check the address, or update the older of the two sides",
                response.status_code,
            ) from exc


def _error(response: httpx.Response, method: str, path: str, unknown: type[APIError]) -> RTUError:
    status = response.status_code
    message, reason = _said(response.content)
    if status == 401:
        refused = AuthenticationFailed.saying(message)
        refused.reason = reason
        return refused
    if status == 403:
        denied = PermissionDenied(message or f"the server does not allow {method} {path}")
        denied.wordless = not message
        return denied
    if message:
        return (unknown if status == 404 else APIError)(message, status, reason)
    where = _where(str(response.request.url))
    if status == 404:
        if unknown is FileUnknown and "json" in response.headers.get("content-type", ""):
            return FileUnknown("the server has no such notebook: list those there are", status)
        return APIError(f"nothing there at {where} (HTTP 404): check the address", status)
    if 300 <= status < 400:
        return APIError(f"{where} wants to redirect (HTTP {status}): check the address", status)
    if status >= 500:
        return APIError(
            f"the server has a problem (HTTP {status} for {method} {path}): try again later", status
        )
    return APIError(f"the server refused {method} {path} (HTTP {status})", status)


def _said(content: bytes) -> tuple[str, str | None]:
    """Return what an error's body says to people, and to programs (`RefusalReason`)."""
    try:
        found = from_json(content)
    except ValueError:
        return "", None
    reason = None
    if isinstance(found, dict):
        reason = found.get("reason")
        # FastAPI-like servers say "detail", ours "message".
        found = found.get("message") or found.get("detail")
    message = " ".join(found.split())[:_TEXT] if isinstance(found, str) else ""
    return message, reason if isinstance(reason, str) else None


def _where(url: str) -> str:
    """Return scheme, host and path: no user, password or query, which may be secret."""
    parts = urlsplit(url)
    host = parts.hostname or "?"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:200] or type(exc).__name__


def _why_unreachable(exc: Exception, url: str) -> str:
    text = _one_line(exc)
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    lower = text.lower()
    untrusted = why_untrusted(text, host)
    if untrusted is not None:
        return untrusted
    if "certificate" in lower or "ssl" in lower or "tls" in lower:
        return f"no secure connection to {host} ({text}): check http or https"
    if "name or service" in lower or "getaddrinfo" in lower or "nodename" in lower:
        return f"the host {parts.hostname} is unknown: check the address"
    if "all connection attempts failed" in lower or "refused" in lower:
        return f"nothing listens at {host}: is the server running, and is the port right?"
    return f"no connection to {host} ({text}): check address and network"
