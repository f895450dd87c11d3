"""The messages of a kernel behind a gateway, over one websocket to it.

Jupyter Server's own client for such kernels is not used: it sends no token, waits for the network
in the event loop, asks its queues for news without a pause, and hears nothing any more after
a kernel was silent for 40 seconds. The connection is made as for Jupyter Server's own front ends,
from the same settings (``GatewayClient``: URL, token, headers, certificates).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.jsonutil import json_default
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelManager
from jupyter_server.services.kernels.connection import base
from jupyter_server.utils import url_path_join
from tornado.escape import url_escape
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

__all__ = ["GONE_FROM_GATEWAY", "ChannelsClient", "behind_gateway", "why_unreachable"]

logger = logging.getLogger(__name__)

GONE_FROM_GATEWAY = "the kernel is gone from its gateway, which may have ended it for idleness"

_MAX_MESSAGE = 1 << 30  # bytes; a kernel's outputs may be large
_PING = 30.0  # seconds; proxies end what is silent for a minute
_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before each try to come back
_REFUSED = range(400, 500)
_read_binary: Callable[[bytes], dict[str, Any]] = base.deserialize_binary_message
_NAMES = ("shell", "iopub", "stdin", "control")


def behind_gateway(manager: Any) -> bool:
    """Return whether a kernel's manager is that of a gateway's kernel."""
    return isinstance(manager, GatewayKernelManager)


def why_unreachable(error: Exception) -> str:
    """Return in one line why a kernel behind a gateway could not be connected to."""
    code = error.code if isinstance(error, HTTPClientError) else None
    if code == 404:
        return GONE_FROM_GATEWAY
    if code in _REFUSED:
        return f"the gateway of the kernel refuses access (HTTP {code})"
    return "the gateway of the kernel cannot be reached"


class _Channel:
    """One channel, as Jupyter's clients use it."""

    def __init__(self, name: str, outgoing: asyncio.Queue[str]) -> None:
        self._name = name
        self._outgoing = outgoing
        self.arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def start(self) -> None:
        """Nothing to do: the websocket carries all channels."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, as soon as there is a connection."""
        message = {**message, "channel": self._name, "buffers": []}
        self._outgoing.put_nowait(json.dumps(message, default=json_default))

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message."""
        return await asyncio.wait_for(self.arrived.get(), timeout)


class ChannelsClient(AsyncKernelClient):
    """Talks to one kernel through its gateway.

    A connection that breaks is made anew under the same name, for which Jupyter Server as
    a gateway keeps what the kernel said in between.

    Parameters
    ----------
    kernel_id
        The kernel's id there.
    on_gone
        Called with the reason once the kernel cannot be reached any more.
    """

    def __init__(self, kernel_id: str, on_gone: Callable[[str], None]) -> None:
        super().__init__()
        gateway = GatewayClient.instance()
        self._address = (
            url_path_join(
                gateway.ws_url or "", gateway.kernels_endpoint, url_escape(kernel_id), "channels"
            )
            + f"?session_id={uuid4()}"
        )
        self._on_gone = on_gone
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._channels = {name: _Channel(name, self._outgoing) for name in _NAMES}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def shell_channel(self) -> Any:
        """Requests and replies."""
        return self._channels["shell"]

    @property
    def iopub_channel(self) -> Any:
        """What the kernel publishes."""
        return self._channels["iopub"]

    @property
    def stdin_channel(self) -> Any:
        """Questions and answers."""
        return self._channels["stdin"]

    @property
    def control_channel(self) -> Any:
        """Requests that overtake those of the shell channel."""
        return self._channels["control"]

    async def connect(self) -> None:
        """Connect; raises what Tornado raises when that fails."""
        socket = await self._open()
        self._tasks.append(asyncio.create_task(self._stay(socket), name="rtu-gateway"))

    def stop_channels(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()

    async def _open(self) -> WebSocketClientConnection:
        settings = GatewayClient.instance().load_connection_args()  # type: ignore[no-untyped-call]
        return await websocket_connect(
            HTTPRequest(self._address, **settings),
            ping_interval=_PING,
            max_message_size=_MAX_MESSAGE,
        )

    async def _stay(self, socket: WebSocketClientConnection | None) -> None:
        while socket is not None:
            sending = asyncio.create_task(self._send(socket))
            try:
                while (raw := await socket.read_message()) is not None:
                    self._take(raw)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.gather(sending, return_exceptions=True)
                socket.close()
            logger.warning("the connection to a kernel's gateway broke; connecting again")
            socket = await self._open_again()

    async def _open_again(self) -> WebSocketClientConnection | None:
        reason = ""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                return await self._open()
            except (HTTPClientError, OSError, WebSocketError) as exc:
                reason = why_unreachable(exc)
                if isinstance(exc, HTTPClientError) and exc.code in _REFUSED:
                    break
        self._on_gone(reason)
        return None

    async def _send(self, socket: WebSocketClientConnection) -> None:
        while True:
            message = await self._outgoing.get()
            try:
                await socket.write_message(message)
            except WebSocketError:  # it broke just now; the next connection takes it
                self._outgoing.put_nowait(message)
                return

    def _take(self, raw: str | bytes) -> None:
        try:
            message = _read_binary(raw) if isinstance(raw, bytes) else json.loads(raw)
            channel = self._channels[message["channel"]]
        except (ValueError, KeyError, TypeError):
            logger.debug("an unreadable message from a gateway", exc_info=True)
            return
        message.setdefault("msg_type", message["header"]["msg_type"])
        channel.arrived.put_nowait(message)
