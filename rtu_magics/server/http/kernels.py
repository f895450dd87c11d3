"""Kernels: what is installed, what runs, starting and stopping it."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Literal
from uuid import UUID

from pydantic import Field

from ...errors import KernelError, KernelUnknown
from ...models import KernelSession, Model, RefusalReason
from ..access.people import Action, authorise, refusal
from ..execution.interrupts import Interrupts, NotYours
from ..room import Room
from .base import Handler, fail, signed_in, uuid_of
from .files import FileHandler

__all__ = [
    "FileSession",
    "InterruptSession",
    "KernelSpecs",
    "RestartSession",
    "SessionItem",
    "Sessions",
]

logger = logging.getLogger(__name__)


class KernelSpecs(Handler):
    """The installed kernels."""

    @signed_in(Action.READ)
    async def get(self) -> None:
        """List them."""
        self.answer(await self.service.sessions.specs())


class FileSession(FileHandler):
    """The kernel session of a notebook."""

    @signed_in(Action.READ)
    async def get(self, file_id: str) -> None:
        """Answer with its state, null when no kernel is alive."""
        room = await self.room(file_id)
        await room.kernel.poll()
        self.answer(room.kernel.status)


class _KernelConfig(Model):
    kernel_name: str | None = None
    hardware_size_identifier: str | None = None


class _Launch(Model):
    file_id: UUID
    kernel_config: _KernelConfig = Field(default_factory=_KernelConfig)


class Sessions(FileHandler):
    """All kernel sessions."""

    @signed_in(Action.EXECUTE)
    async def post(self) -> None:
        """Start a notebook's kernel unless one runs; answers while it still starts."""
        wanted = self.body(_Launch)
        room = await self.room(str(wanted.file_id))
        name, metadata = wanted.kernel_config.kernel_name or None, room.chain.builder.nb.metadata
        try:
            status, note = await room.kernel.launch(name, metadata)
        except KernelUnknown as exc:
            raise fail(422, str(exc), RefusalReason.KERNEL_UNKNOWN) from exc
        except KernelError as exc:
            logger.warning("%s", exc, exc_info=exc.__cause__)
            raise fail(503, str(exc)) from exc
        self.answer(KernelSession(id=status.session_id, kernel=status.kernel, note=note), 201)


class _SessionHandler(Handler):
    """Base of handlers of one session."""

    def room_of(self, session_id: str) -> Room:
        """Return the notebook that a session belongs to if the asker may do that there."""
        found = uuid_of(session_id)
        for room in self.service.rooms.values():
            if room.kernel.session_id != found:
                continue
            if authorise(self.person, self.action, room.file_id):
                return room
            if authorise(self.person, Action.READ, room.file_id):
                raise fail(403, refusal(self.person.role_in(room.file_id), self.action))
        raise fail(404, "there is no such kernel session; start a kernel")


class SessionItem(_SessionHandler):
    """One kernel session."""

    @signed_in(Action.EXECUTE)
    async def delete(self, session_id: str) -> None:
        """Shut the kernel down."""
        await self.room_of(session_id).kernel.shutdown()
        self.nothing()


class _Interrupt(Model):
    whose: Literal["mine", "all"] | None = None


class InterruptSession(_SessionHandler):
    """Interrupting a kernel."""

    @signed_in(Action.EXECUTE)
    async def post(self, session_id: str) -> None:
        """Interrupt what runs, or end whole requests (``whose``: mine, all)."""
        room, whose = self.room_of(session_id), self.body(_Interrupt).whose
        runs = Interrupts(room.file_id, room.executor, room.kernel, self.service.people)
        try:
            if whose is None:
                await runs.interrupt(self.person)
                self.nothing()
            else:
                ended = await runs.end_runs(self.person, everybody=whose == "all")
                self.answer(asdict(ended))
        except NotYours as exc:
            raise fail(403, str(exc)) from exc


class RestartSession(_SessionHandler):
    """Restarting a kernel."""

    @signed_in(Action.EXECUTE)
    async def post(self, session_id: str) -> None:
        """Restart the kernel; answers while it still restarts."""
        room = self.room_of(session_id)
        room.kernel.restart()
        status = room.kernel.status
        assert status is not None
        self.answer(status, 202)
