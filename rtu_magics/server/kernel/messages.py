"""Reading the messages of a kernel."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_core.utils import ensure_async

__all__ = ["getter", "receive"]

logger = logging.getLogger(__name__)

_SLICE = 0.004  # seconds
_PARTS = 5  # of a message without buffers: signature, header, parent's header, metadata, content


def getter(channel: Any, get: Callable[..., Any]) -> Callable[[], Any]:
    """Return what waits for a channel's next message: past the poller where there is a socket.

    What has arrived already is handed out without a turn of the loop for each message, and no
    longer than a slice: a kernel can say more than anybody else would wait for.
    """
    if not isinstance(channel, AsyncZMQSocketChannel):
        return partial(get, timeout=None)
    socket, session = channel.socket, channel.session
    clock, until = asyncio.get_running_loop().time, 0.0

    async def receive_raw() -> dict[str, Any]:
        nonlocal until
        arrives: Any = socket.recv_multipart()
        waits = not arrives.done()
        if not waits and clock() >= until:
            await asyncio.sleep(0)
            waits = True
        raw = await arrives
        if waits:
            until = clock() + _SLICE
        return _read(session, session.feed_identities(raw)[1])

    return receive_raw


def _read(session: Any, parts: Any) -> dict[str, Any]:
    """Return a message whose signature is good, without turning its dates into objects.

    That takes longer than all the rest, and nobody here looks at them.
    """
    if len(parts) == _PARTS and session.auth is not None:
        if not hmac.compare_digest(parts[0], session.sign(parts[1:5])):
            raise ValueError("the signature is not the kernel's")
        header = session.unpack(parts[1])
        if str(header.get("version", "")).startswith("5."):
            return {
                "header": header,
                "msg_id": header["msg_id"],
                "msg_type": header["msg_type"],
                "parent_header": session.unpack(parts[2]),
                "metadata": session.unpack(parts[3]),
                "content": session.unpack(parts[4]),
                "buffers": [],
            }
    message: dict[str, Any] = session.deserialize(parts)
    return message


async def receive(get: Callable[[], Any]) -> dict[str, Any] | None:
    """Return the next message, None if there is none that can be read."""
    try:
        message: dict[str, Any] = await ensure_async(get())
        return message
    except Empty:
        return None
    except asyncio.CancelledError:
        raise
    except Exception:
        # A message that cannot be read (signature, encoding) is none; a closed socket would spin.
        logger.debug("unreadable kernel message", exc_info=True)
        await asyncio.sleep(0.05)
        return None
