"""``rtu-magics tail``: every RTU message of a notebook as it comes, one per line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TextIO

from ..foreign import shown
from ..session.endpoint.target import RemoteTarget, mask
from .reach import reach

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..models import File

__all__ = ["masked", "summary", "tail", "wanted"]

_WIDTH = 300  # characters of a message's data, unless all of it is asked for
_SECRET_KEYS = frozenset({"token", "jwt", "password", "authorization", "secret"})
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_SIGNED = re.compile(r"([?&]sig=)[^&\s'\"#]+")


def masked(data: Any) -> Any:
    """Return JSON with everything taken out that lets somebody in.

    Examples
    --------
    >>> masked({"token": "t", "url": "http://x/c?expires=1&sig=abc", "text": "a token"})
    {'token': '***', 'url': 'http://x/c?expires=1&sig=***', 'text': 'a token'}
    """
    if isinstance(data, dict):
        return {
            key: "***" if key.lower() in _SECRET_KEYS and value else masked(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [masked(item) for item in data]
    if isinstance(data, str):
        return _JWT.sub("***", _SIGNED.sub(r"\1***", mask(data)))
    return data


def wanted(message: dict[str, Any], channels: Sequence[str], events: Sequence[str]) -> bool:
    """Return whether a message passes the filters; no filter lets everything pass.

    Parameters
    ----------
    message
        The message.
    channels
        Beginnings of channels: ``files``, ``kernels``, ``system``.
    events
        Names of events; ``*`` stands for anything.

    Examples
    --------
    >>> wanted({"channel": "files/1", "event": "new_delta_event"}, ["files"], ["*delta*"])
    True
    """
    channel, event = str(message.get("channel", "")), str(message.get("event", ""))
    return (not channels or any(channel.startswith(name) for name in channels)) and (
        not events or any(fnmatchcase(event, pattern) for pattern in events)
    )


def summary(message: dict[str, Any], at: datetime, *, full: bool = False) -> str:
    """Return a message as one line: time, kind of channel, event, data.

    Parameters
    ----------
    message
        The message, masked.
    at
        When it came.
    full
        Whether the line is the whole message in JSON instead.
    """
    if full:
        return json.dumps(message, ensure_ascii=False)
    kind = str(message.get("channel", "")).partition("/")[0]
    data = message.get("data")
    text = "" if data is None else json.dumps(data, ensure_ascii=False)
    if isinstance(data, dict) and "delta_type" in data:  # what it does, not whose it is
        properties = json.dumps(data.get("properties"), ensure_ascii=False)
        text = f"{data['delta_type']} {data.get('delta_action')} {data.get('resource_id')} "
        text += properties
    if len(text) > _WIDTH:
        text = f"{text[:_WIDTH]}… ({len(text)} characters)"
    time = at.strftime("%H:%M:%S.%f")[:-3]
    return f"{time}  {kind:<8}{message.get('event', '?'):<32}{text}".rstrip()


def tail(
    target: str,
    *,
    token: str | None,
    channels: Sequence[str] = (),
    events: Sequence[str] = (),
    full: bool = False,
    cafile: str | None = None,
) -> int:
    """Print what happens to a notebook until Ctrl-C; returns the exit status.

    The messages go to stdout; what happens to the connection goes to stderr.

    Parameters
    ----------
    target
        The notebook: a URL, or a file that is being served.
    token
        For a URL.
    channels, events
        See `wanted`.
    full
        Print whole messages, in JSON.
    cafile
        The certificate of an authority to trust besides the usual ones.

    Raises
    ------
    RTUError
        The notebook cannot be followed, or not any more; in one line.
    """
    where, token = reach(target, token, cafile)
    printer = _Printer(sys.stdout, channels, events, full)
    try:
        asyncio.run(_follow(where, token, cafile, printer))
    except KeyboardInterrupt:  # where signals cannot be handled by the loop
        pass
    except BrokenPipeError:
        # The reader has had enough. What Python flushes at the end must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Printer:
    def __init__(
        self, out: TextIO, channels: Sequence[str], events: Sequence[str], full: bool
    ) -> None:
        self._out = out
        self._channels, self._events, self._full = channels, events, full
        self.broken: asyncio.Future[None] | None = None

    def show(self, contents: str | bytes) -> None:
        """Print one message, if it is wanted."""
        try:
            message = json.loads(contents)
        except ValueError:
            message = {"channel": "?", "event": "(not JSON)", "data": str(contents[:_WIDTH])}
        if not isinstance(message, dict) or not wanted(message, self._channels, self._events):
            return
        try:
            print(
                shown(summary(masked(message), datetime.now(), full=self._full)),
                file=self._out,
                flush=True,
            )
        except BrokenPipeError as exc:
            if self.broken is not None and not self.broken.done():
                self.broken.set_exception(exc)


async def _follow(where: RemoteTarget, token: str, cafile: str | None, printer: _Printer) -> None:
    from ..client import APIClient
    from ..session.endpoint.find import find_file

    async with APIClient(token, where.api_url, cafile=cafile) as api:
        file = await find_file(api, where)
        client = await _client(api, file, token)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        printer.broken = ended
        take = client.manager.inbound_message_hook

        def inbound(contents: str | bytes) -> Any:
            printer.show(contents)
            return take(contents)

        client.manager.inbound_message_hook = inbound  # type: ignore[method-assign]
        client.register_connection_callback(_Connection(ended, file.path))
        with _interrupts(ended):
            await client.initialize()
            try:
                await client.wait_ready(30)
                await ended
            finally:
                await client.shutdown(now=True)


async def _client(api: APIClient, file: File, token: str) -> RTUClient:
    from ..client import RTUClient

    async def load() -> Any:
        return await api.load_notebook(file.id)

    version_id, builder = await load()
    return RTUClient(
        api.rtu_url,
        token,
        file.id,
        version_id,
        builder,
        "rtu_magics tail",
        reload_hook=load,
        connect=api.connect,
    )


class _Connection:
    """Says how the connection is, and ends the wait when it is over for good."""

    def __init__(self, ended: asyncio.Future[None], path: str) -> None:
        self._ended = ended
        self._path = path
        self._was_live = False
        self._said = ""

    def __call__(self, state: str, detail: str = "") -> None:
        from ..errors import ConnectionLost

        if state == "live":
            again = " again" if self._was_live else ""
            _say(f"following {self._path}{again}; Ctrl-C ends")
            self._was_live, self._said = True, ""
        elif state == "reconnecting" and detail != self._said:
            _say(f"reconnecting: {mask(detail)}")
            self._said = detail
        elif state == "closed" and self._was_live and not self._ended.done():
            self._ended.set_exception(ConnectionLost(mask(detail) or "the connection has ended"))


def _say(text: str) -> None:
    print(f"-- {shown(text)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _interrupts(ended: asyncio.Future[None]) -> Any:
    """End the wait on Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    caught = []

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows
            loop.add_signal_handler(number, stop)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
