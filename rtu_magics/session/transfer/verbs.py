"""Copying plain data between this kernel and the remote one.

What is to be copied is packed (`codec`) and travels in pieces, through code that runs in the
remote kernel without a cell: nobody else sees it, it stands in no history, and whoever may only run
the cells that are there may not copy either.
"""

from __future__ import annotations

import base64
import inspect
import keyword
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ...client.own_kernel import waiting_kernels
from ...errors import RTUError
from ..context import Context, Say
from ..events import OutputAppended
from ..ops.executions import Executions
from ..ops.kernel import Kernel
from . import codec, labels
from .codec import MIMETYPE, Refused

__all__ = ["LIMIT", "Copied", "Transfer", "size_text"]

LIMIT = 100 * 1000 * 1000
"""How many bytes are copied unless the caller allows more."""

_DOWN = 180_000  # bytes of a piece that comes; as base64 it stands inline in an event
_DOWN_RUN = 24 * _DOWN
_UP = 2_000_000  # bytes of a piece that goes: a request may have 16 MiB

_START = """
import sys, types
module = sys.modules.get(name)
if module is None:
    module = types.ModuleType(name)
    for text in texts:
        exec(compile(text, name, "exec"), module.__dict__)
    sys.modules[name] = module
module.serve(call)
"""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes
    ----------
    name, kind, size
        The variable, what it was packed as, and into how many bytes.
    value
        The value, when it came from there.
    replaced
        The type of what had the name there before, None if nothing had.
    """

    name: str
    kind: str
    size: int
    value: Any = None
    replaced: str | None = None


class Transfer:
    """Copies data on the thread that calls, which waits for the remote kernel piece by piece.

    Parameters
    ----------
    context, kernel, executions
        The notebook, its kernel and its runs.
    """

    def __init__(self, context: Context, kernel: Kernel, executions: Executions) -> None:
        self._context = context
        self._kernel = kernel
        self._executions = executions

    def push(self, name: str, value: Any, *, limit: int = LIMIT) -> Copied:
        """Copy a value into a variable of the remote kernel; see `Session.push`."""
        _check_name(name)
        try:
            kind, payload = codec.pack(value)
        except Refused as exc:
            raise RTUError(f"{name} was not sent: {exc}") from None
        self._check_size(name, len(payload), limit)
        self._context.call_with_say(self._need_python)
        key = uuid4().hex
        answer: dict[str, Any] = {}
        for n, start in enumerate(range(0, max(len(payload), 1), _UP)):
            piece = payload[start : start + _UP]
            last = start + _UP >= len(payload)
            call = {"op": "take", "id": key, "n": n, "data": _text(piece), "last": last}
            if last:
                call.update(name=name, kind=kind, sha256=codec.checksum(payload))
            answer = self._one_answer(name, "sent", call)
        return Copied(name, kind, len(payload), replaced=answer.get("replaced"))

    def get(self, name: str, *, limit: int = LIMIT) -> Copied:
        """Copy a variable of the remote kernel; see `Session.get`."""
        _check_name(name)
        if not self._kernel.alive:
            path = self._context.known.path
            raise RTUError(f"no kernel runs for {path}, so there is no variable {name} there")
        self._context.call_with_say(self._need_python)
        key = uuid4().hex
        found = self._one_answer(name, "fetched", _call("offer", key, name=name, limit=limit))
        if "unknown" in found:
            raise RTUError(
                f"there is no variable {name} in the remote kernel; %rtu_vars lists what there is"
            )
        size = int(found["size"])
        self._check_size(name, size, limit)
        payload = bytearray()
        while len(payload) < size or size == 0:
            call = _call("part", key, start=len(payload), stop=len(payload) + _DOWN_RUN, step=_DOWN)
            for answer in self._answers(name, "fetched", call):
                if answer["start"] != len(payload):
                    raise RTUError(f"{name} was not fetched: a piece is missing; try again")
                payload += base64.b64decode(answer["data"])
            if size == 0:
                break
        data = bytes(payload)
        if codec.checksum(data) != found["sha256"]:
            raise RTUError(f"{name} was damaged on the way (its checksum is wrong); try again")
        try:
            value = codec.unpack(str(found["kind"]), data)
        except Refused as exc:
            why = _placed(exc, "in this kernel's environment")
            raise RTUError(f"{name} was not fetched: {why}") from None
        return Copied(name, str(found["kind"]), size, value)

    async def _need_python(self, say: Say) -> None:
        """Start the kernel if none runs, and check that it speaks Python."""
        await self._kernel.ensure(say)
        status = self._context.known.kernel
        if status is None:
            return
        name = status.kernel.name
        _, specs = await self._kernel.specs()
        spoken = str(specs.get(name, {}).get("language", "python"))
        if spoken.lower() != "python":
            raise RTUError(
                f"the remote kernel {name} speaks {spoken}; data can be copied to and from Python "
                "kernels only"
            )

    @staticmethod
    def _check_size(name: str, size: int, limit: int) -> None:
        if size > limit:
            need = -(-size // 1_000_000)
            raise RTUError(
                f"{name} takes {size_text(size)}, more than the {size_text(limit)} that are "
                f"allowed; %rtu_config transfer_limit {need} allows it"
            )

    def _one_answer(self, name: str, done: str, call: dict[str, Any]) -> dict[str, Any]:
        answers = self._answers(name, done, call)
        if len(answers) != 1:
            raise RTUError(f"{name} was not {done}: the remote kernel did not answer; try again")
        return answers[0]

    def _answers(self, name: str, done: str, call: dict[str, Any]) -> list[dict[str, Any]]:
        """Let the remote kernel do one thing; returns what it answers."""
        waiting = waiting_kernels()
        execution = self._context.call_with_say(
            lambda say: self._executions.start_scratch(
                _source(call), say, forget=True, expression=True, waiting=waiting
            )
        )
        answers: list[dict[str, Any]] = []
        try:
            for event in execution:
                if isinstance(event, OutputAppended):
                    answer = (event.output.data or {}).get(MIMETYPE)
                    if isinstance(answer, dict):
                        answers.append(answer)
        finally:
            execution.close()
        execution.raise_for_failure()
        for answer in answers:
            if "refused" in answer:
                why = _placed(answer["refused"], "in the remote kernel's environment")
                raise RTUError(f"{name} was not {done}: {why}")
        return answers


def size_text(size: int) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size_text(999), size_text(2_500_000)
    ('999 bytes', '2.5 MB')
    """
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def _call(op: str, key: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "id": key, **more}


def _source(call: dict[str, Any]) -> str:
    """Return an expression that leaves no name behind in the remote kernel."""
    texts = [inspect.getsource(labels), inspect.getsource(codec)]
    digest = codec.checksum("".join(texts).encode())[:12]
    names = {"name": f"_rtu_transfer_{digest}", "texts": texts}
    return f"exec({_START!r}, {names | {'call': call}!r})"


def _placed(why: object, place: str) -> str:
    """Say where "there" is."""
    return re.sub(r"\b(installed|read) there\b", rf"\1 {place}", str(why), count=1)


def _text(piece: bytes) -> str:
    return base64.b64encode(piece).decode("ascii")


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise RTUError(f"{name!r} is no name of a variable")
