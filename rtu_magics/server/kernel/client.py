"""A client of a kernel on this machine that misses none of its replies.

Jupyter's own differs in two points:

- It sends past the object that waits for messages on the same socket. A reply that arrives just
  then is never noticed, nor is any after it: ZeroMQ tells of a message once (``ZMQ_FD`` is
  edge-triggered), and the sending has taken that in.
- It has the manager's session, and so the address to which the kernel sends. The next client that
  any program in this process makes of the same manager takes all replies over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session
from zmq.utils.monitor import recv_monitor_message

__all__ = ["AttentiveChannel", "ask", "client_of", "open_stdin"]

_CONNECTS = 0.5  # seconds that a kernel which listens for answers gets to show it
_SHAKES_HANDS = 20.0  # seconds that it gets on a machine with too much to do


class AttentiveChannel(AsyncZMQSocketChannel):
    """A channel that looks for what has come whenever it has sent."""

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message."""
        super().send(msg)
        assert self.socket is not None
        self.socket.get(zmq.EVENTS)


class _WatchedContext(zmq.asyncio.Context):
    """Makes sockets that are watched from before they connect: what came earlier is not told."""

    def socket(self, *args: Any, **options: Any) -> Any:
        """Return a new socket."""
        made = super().socket(*args, **options)
        if made.type == zmq.DEALER:  # what watches it is made here, too
            made.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        return made


async def open_stdin(client: Any) -> None:
    """Connect to where a kernel asks for input; returns once it knows that somebody is there.

    What a kernel asks before is lost: a ROUTER socket drops what is for nobody that it knows. One
    that does not listen there asks nothing, and is not waited for.

    Parameters
    ----------
    client
        Any of Jupyter's.
    """
    if getattr(client, "stdin_channel_class", None) is not AttentiveChannel:
        client.stdin_channel.start()
        return
    context = client.context
    client.context = _WatchedContext.shadow(context.underlying)
    try:
        client.stdin_channel.start()
    finally:
        client.context = context
    socket = client.stdin_channel.socket
    monitor = socket.get_monitor_socket()
    try:
        limit = _CONNECTS
        while await monitor.poll(int(limit * 1000)):
            event = (await recv_monitor_message(monitor))["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                break
            limit = _SHAKES_HANDS
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)


def ask(client: Any, code: str, waiting: Sequence[str], **content: Any) -> str:
    """Ask a kernel to run code, and tell it who waits for that; returns the request's id.

    Parameters
    ----------
    client
        Any of Jupyter's.
    code
        What to run.
    waiting
        The kernels that wait for it: a session in this kernel hands them on (``rtu_waiting`` in the
        metadata of the request).
    content
        The rest of an ``execute_request`` in the Jupyter messaging protocol.
    """
    whole = {"code": code, "silent": False, "user_expressions": {}, **content}
    metadata = {"rtu_waiting": list(waiting)} if waiting else {}
    message = client.session.msg("execute_request", whole, metadata=metadata)
    client.shell_channel.send(message)
    message_id: str = message["header"]["msg_id"]
    return message_id


def client_of(manager: Any) -> Any:
    """Return a client of a manager's kernel, with an address of its own.

    Kinds of clients and channels that are not Jupyter's own are left as they are.
    """
    session = getattr(manager, "session", None)
    if not isinstance(session, Session):
        return manager.client()
    own = session.clone()
    own.session = str(uuid4())
    client = manager.client(session=own)
    if isinstance(client, AsyncKernelClient):
        for name in ("shell_channel_class", "stdin_channel_class"):
            if getattr(client, name) is AsyncZMQSocketChannel:
                setattr(client, name, AttentiveChannel)
    return client
