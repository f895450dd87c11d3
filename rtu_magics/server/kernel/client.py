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
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session

__all__ = ["AttentiveChannel", "ask", "client_of"]


class AttentiveChannel(AsyncZMQSocketChannel):
    """A channel that looks for what has come whenever it has sent."""

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message."""
        super().send(msg)
        assert self.socket is not None
        self.socket.get(zmq.EVENTS)


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
