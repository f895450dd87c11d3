"""The other server: what is asked of it over HTTP, and in one line why it did not answer.

It is reached with the settings of ``GatewayClient`` (URL, token, certificates), as its kernels are.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from jupyter_server.gateway.gateway_client import GatewayClient
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

__all__ = ["RemoteServer", "Unreachable"]

_ANSWER_WITHIN = 30.0  # seconds
_CONNECT_WITHIN = 10.0
_PING = 20.0  # proxies end what is silent for a minute
_MAX_MESSAGE = 1 << 30  # bytes; a whole notebook comes as one


class Unreachable(OSError):
    """The server cannot be asked, or refuses; the message says why, in one line.

    Attributes
    ----------
    status
        Of its answer, 0 if there was none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class RemoteServer:
    """A Jupyter Server elsewhere.

    Parameters
    ----------
    url
        Its base URL, without a slash at the end.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def renew(self, token: str) -> None:
        """Use another token from now on."""
        GatewayClient.instance().auth_token = token

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Make one call of its REST API; returns the answer's JSON, None if there is none.

        Raises
        ------
        Unreachable
            It failed.
        """
        content = None if body is None and method in ("GET", "DELETE") else json.dumps(body)
        request = HTTPRequest(f"{self.url}{path}", method=method, body=content, **self._settings())
        request.follow_redirects = False
        try:
            response = await AsyncHTTPClient().fetch(request)
            return json.loads(response.body) if response.body else None
        except HTTPClientError as exc:
            raise self._refused(exc, path) from None
        except ValueError:
            raise Unreachable(f"{self.url} is no Jupyter Server any more") from None
        except OSError as exc:
            raise Unreachable(f"{self.url} does not answer ({_said(exc)})") from None

    async def file(self, path: str, *, content: bool = False) -> dict[str, Any]:
        """Return what its contents API says of a notebook.

        Raises
        ------
        Unreachable
            It failed; 404 if there is none.
        """
        query = "type=notebook&content=1" if content else "content=0"
        found = await self.request("GET", f"/api/contents/{quote(path)}?{query}")
        if not isinstance(found, dict) or found.get("type") != "notebook":
            raise Unreachable(f"{path} is no notebook at {self.url}", 404)
        return found

    async def document(self, path: str) -> tuple[str, str]:
        """Return the ids of a notebook's file and of a session on it as a live document.

        The notebook has to exist: this would give out a session all the same.
        """
        body = {"format": "json", "type": "notebook"}
        found = await self.request("PUT", f"/api/collaboration/session/{quote(path)}", body)
        try:
            return str(found["fileId"]), str(found["sessionId"])
        except (KeyError, TypeError):
            raise Unreachable(f"{self.url} gives out no session of a live document") from None

    async def path_of(self, file_id: str) -> str | None:
        """Return where a file lies now, by the id that `document` gave; None if nowhere."""
        try:
            found = await self.request("GET", f"/api/fileid/path?id={quote(file_id)}")
            return str(found["path"]).strip("/") or None
        except (Unreachable, KeyError, TypeError):
            return None

    async def connect(self, file_id: str, session_id: str) -> WebSocketClientConnection:
        """Open the websocket of a notebook's room.

        Raises
        ------
        Unreachable
            It cannot be opened.
        """
        document_id = quote(f"json:notebook:{file_id}", safe=":")
        address = f"ws{self.url.removeprefix('http')}/api/collaboration/room/{document_id}"
        address += f"?sessionId={quote(session_id)}"
        try:
            return await websocket_connect(
                HTTPRequest(address, **self._settings()),
                ping_interval=_PING,
                max_message_size=_MAX_MESSAGE,
            )
        except HTTPClientError as exc:
            raise self._refused(exc, "the notebook's room") from None
        except (OSError, WebSocketError) as exc:
            raise Unreachable(f"{self.url} does not answer ({_said(exc)})") from None

    def _settings(self) -> dict[str, Any]:
        settings = GatewayClient.instance().load_connection_args()  # type: ignore[no-untyped-call]
        limits = {"request_timeout": _ANSWER_WITHIN, "connect_timeout": _CONNECT_WITHIN}
        return {**settings, **limits}

    def _refused(self, exc: HTTPClientError, what: str) -> Unreachable:
        if exc.code in (401, 403) or 300 <= exc.code < 400:
            return Unreachable(
                f"{self.url} does not accept the token any more; connect to its address again with "
                "the one it has now",
                exc.code,
            )
        if exc.code == 599:
            return Unreachable(f"{self.url} does not answer ({_said(exc)})")
        return Unreachable(f"{self.url} answered {what} with HTTP {exc.code}", exc.code)


def _said(exc: BaseException) -> str:
    text = getattr(exc, "message", None) or getattr(exc, "strerror", None) or exc
    return " ".join(str(text).split())[:200] or type(exc).__name__
