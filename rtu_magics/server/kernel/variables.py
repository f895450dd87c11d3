"""The variables of a notebook's kernel, without disturbing what it does.

The kernel is asked by a silent request with an expression: nothing is counted, kept in its history
or bound to a name, and ``_`` and ``Out`` stay what they are. While it is at work it is not asked.
"""

from __future__ import annotations

import ast
import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from ...errors import KernelError
from ...models import KernelStateName
from ..access.people import Action, authorise
from ..ports import Audience
from ..wire.connection import Connection
from ..wire.frames import message
from .notebook_kernel import NotebookKernel
from .sessions import KernelSessions

__all__ = ["NotAnswered", "NotPython", "Variables"]

_WAIT_FOR_IDLE = 2.0
_WAIT_FOR_ANSWER = 5.0
_LOOK_EVERY = 0.05
_SETTLE = 0.2  # seconds after a cell: the next one may follow at once
_MAX_ANSWER = 4 * 1024 * 1024

_NO_KERNEL = "no kernel runs; start one first"
BUSY = "the kernel is busy; ask again when the cell has finished"


class NotAnswered(Exception):
    """The kernel cannot tell its variables now; the message is one line."""


class NotPython(Exception):
    """The kernel's language has no variables that we can read; the message is one line."""


@cache
def _expression() -> str:
    """Return the expression that the kernel evaluates; it binds no name there."""
    source = Path(__file__).with_name("variables_probe.py").read_text(encoding="utf-8")
    return (
        "(lambda f, g: (__import__('builtins').exec("
        f"{source!r}, g), g['answer'](f.__globals__))[1])(lambda: 0, {{'__name__': 'rtu_magics'}})"
    )


class Variables:
    """Reads the variables of one notebook's kernel, for those who ask.

    Parameters
    ----------
    audience, kernel, sessions
        Who is told, what is asked, and which kernels there are.
    busy
        Returns whether cells run or wait to.
    """

    def __init__(
        self,
        audience: Audience,
        kernel: NotebookKernel,
        sessions: KernelSessions,
        busy: Callable[[], bool],
    ) -> None:
        self._audience, self._kernel, self._sessions, self._busy = audience, kernel, sessions, busy
        self._last: tuple[UUID, dict[str, Any]] | None = None
        self._lock = asyncio.Lock()
        # With their requests that are still to be answered.
        self._watchers: dict[Connection, list[UUID]] = {}
        self._again = False
        self._refreshing: asyncio.Task[None] | None = None

    async def read(self) -> dict[str, Any]:
        """Return the variables as the REST API has them.

        While the kernel is busy these are the last that it told, marked as ``stale``.

        Raises
        ------
        NotAnswered
            No kernel runs, or it is busy and has told nothing yet.
        NotPython
            It is a kernel of another language.
        """
        await self._check_language()
        async with self._lock:  # who asks meanwhile gets an answer of their own, right after
            return await self._ask()

    def watch(self, connection: Connection, transaction_id: UUID) -> None:
        """Tell a connection the variables now, and after each cell from now on."""
        self._watchers = {one: of for one, of in self._watchers.items() if not one.closed}
        self._watchers.setdefault(connection, []).append(transaction_id)
        self._refresh(0)

    def cell_finished(self) -> None:
        """Tell those who watch, unless the next cell follows at once."""
        if self._watchers:
            self._refresh(_SETTLE)

    def close(self) -> None:
        """Stop telling."""
        self._watchers.clear()
        if self._refreshing is not None:
            self._refreshing.cancel()

    def _refresh(self, delay: float) -> None:
        if self._refreshing is not None and not self._refreshing.done():
            # However many ask, the kernel is asked once, and once more for those who came late.
            self._again = self._again or not delay
            return
        work: Coroutine[Any, Any, None] = self._tell_all(delay)
        self._refreshing = asyncio.create_task(work, name="rtu-variables")

    async def _tell_all(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if not (delay and self._busy()):  # it is told again after the last cell
            await self._tell()
        while self._again:
            self._again = False
            await self._tell()

    async def _tell(self) -> None:
        audience = self._audience
        waiting = {connection: len(asked) for connection, asked in self._watchers.items()}
        try:
            data = await self.read()
        except (NotAnswered, NotPython) as exc:
            data = {"variables": [], "kernel_state": self._state(), "message": str(exc)}
        text = json.dumps(data)
        for connection, count in waiting.items():
            asked = self._watchers.get(connection)
            there = connection in audience.subscribers or connection in audience.kernel_subscribers
            person = connection.person
            if asked is None or not there or person is None:
                self._watchers.pop(connection, None)
            elif authorise(person, Action.EXECUTE, audience.file_id):
                answered: list[UUID | None] = [*asked[:count]] or [None]
                del asked[:count]
                for transaction_id in answered:
                    connection.send(
                        message(
                            audience.kernel_channel, "variable_explorer_event", text, transaction_id
                        )
                    )

    async def _check_language(self) -> None:
        status = self._kernel.status
        if status is None:
            raise NotAnswered(_NO_KERNEL)
        try:
            specs = await self._sessions.specs()
        except KernelError as exc:
            raise NotAnswered(str(exc)) from exc
        spec = specs["kernelspecs"].get(status.kernel.name) or {}
        language = str(spec.get("language") or "python")
        if language.lower() != "python":
            raise NotPython(
                f"the kernel {status.kernel.name[:80]!r} runs {language[:40]}; variables are shown "
                "for Python kernels only"
            )

    async def _ask(self) -> dict[str, Any]:
        if not await self._wait_until_idle():
            return self._known()
        session_id = self._kernel.session_id
        text = await self._kernel.evaluate(_expression(), _WAIT_FOR_ANSWER)
        if text is None or session_id is None:
            return self._known()
        found = _parse(text)
        if found is None:
            raise NotAnswered("the kernel cannot tell its variables; is it an IPython kernel?")
        self._last = session_id, found
        return {**found, "kernel_state": self._state(), "stale": False}

    async def _wait_until_idle(self) -> bool:
        ends_at = time.monotonic() + _WAIT_FOR_IDLE
        while self._busy() or not self._kernel.idle:
            if time.monotonic() > ends_at or self._kernel.status is None:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True

    def _known(self) -> dict[str, Any]:
        session_id = self._kernel.session_id
        if session_id is None:
            raise NotAnswered(_NO_KERNEL)
        if self._last is None or self._last[0] != session_id:
            raise NotAnswered(BUSY)
        return {**self._last[1], "kernel_state": self._state(), "stale": True}

    def _state(self) -> str:
        status = self._kernel.status
        return KernelStateName.SHUTDOWN if status is None else status.kernel.execution_state


def _parse(text: str) -> dict[str, Any] | None:
    """Return what the kernel answered, None if that is no answer: it is not to be trusted."""
    if len(text) > _MAX_ANSWER or text[:1] not in ("'", '"'):
        return None
    try:
        answer = json.loads(ast.literal_eval(text))
        variables = [_variable(one) for one in answer["variables"]]
        return {"variables": variables, "total": int(answer["total"])}
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        return None


def _variable(found: dict[str, Any]) -> dict[str, Any]:
    shape, size = found["shape"], found["size_bytes"]
    return {
        "name": str(found["name"]),
        "type": str(found["type"]),
        "shape": None if shape is None else [int(length) for length in shape],
        "size_bytes": None if size is None else int(size),
        "preview": str(found["preview"]),
    }
