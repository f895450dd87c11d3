"""The kernel of one notebook as its room sees it, whoever started or stops it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from ...models import EndReason, KernelDetails, KernelStateName, KernelStatusUpdate
from ...tasks import TaskSet
from .asked import AskedRequest, OnMessage, OnQuestion
from .channels import KernelLink
from .death import STILLBORN, cause_of_death
from .gateway import GONE_FROM_GATEWAY, behind_gateway
from .sessions import KernelSessions, SessionInfo

__all__ = ["KernelListener", "NotebookKernel"]

logger = logging.getLogger(__name__)


class KernelListener(Protocol):
    """What a room wants to know."""

    def kernel_status(self, status: KernelStatusUpdate) -> None:
        """The state changed."""

    def kernel_ready(self) -> None:
        """Requests are taken now."""

    def kernel_lost(self, cause: str, reason: str) -> None:
        """The kernel's memory is gone: nothing that was queued can run as it was meant."""


class NotebookKernel:
    """Follows the kernel session of one path.

    Parameters
    ----------
    sessions
        Jupyter Server's sessions.
    path
        Returns the notebook's path below the server's root.
    listener
        Is told what happens.
    """

    def __init__(
        self, sessions: KernelSessions, path: Callable[[], str], listener: KernelListener
    ) -> None:
        self._sessions = sessions
        self._path = path
        self._listener = listener
        self._info: SessionInfo | None = None
        self._link: KernelLink | None = None
        self._state = KernelStateName.SHUTDOWN
        self._reason: str | None = None
        self._last_activity = datetime.now(timezone.utc)
        self._held = False
        self._fresh = False  # the process only just starts
        self._stillborn = 0  # deaths since it has last answered
        self._seen = KernelStateName.IDLE
        self._lock = asyncio.Lock()
        self._tasks = TaskSet()

    @property
    def status(self) -> KernelStatusUpdate | None:
        """The session's state, None when no kernel is alive."""
        return None if self._info is None else self._status(self._info)

    @property
    def session_id(self) -> UUID | None:
        """The id of the session, None when no kernel is alive."""
        return None if self._info is None else self._info.session_id

    @property
    def kernel_id(self) -> str | None:
        """The kernel's id, None when none is alive."""
        return None if self._info is None else self._info.kernel_id

    @property
    def ready(self) -> bool:
        """Whether executions are taken."""
        return self._link is not None and self._link.ready

    @property
    def idle(self) -> bool:
        """Whether it waits for something to do, as far as it has told."""
        return self.ready and not self._held and self._seen == KernelStateName.IDLE

    @property
    def manager(self) -> Any:
        """Jupyter's manager of the kernel, None when no kernel is alive."""
        info = self._info
        if info is None or not self._sessions.alive(info.kernel_id):
            return None
        return self._sessions.manager(info.kernel_id)

    def _status(self, info: SessionInfo) -> KernelStatusUpdate:
        return KernelStatusUpdate(
            session_id=info.session_id,
            kernel=KernelDetails(
                name=info.kernel_name,
                execution_state=self._state,
                last_activity=self._last_activity,
            ),
            reason=self._reason,
            kernel_id=info.kernel_id,
        )

    # Asked for by people

    async def launch(
        self, kernel_name: str | None, metadata: Mapping[str, Any]
    ) -> tuple[KernelStatusUpdate, str | None]:
        """Start a kernel unless one runs; returns its state while it still starts.

        Parameters and what is told beside the state are those of `choose_kernel`.

        Raises
        ------
        KernelError
            There is no such kernel (`KernelUnknown`), or it did not start.
        """
        async with self._lock:  # one that has died may only just be cleaned up
            info, note, started = await self._sessions.ensure(self._path(), kernel_name, metadata)
            await self._follow(info, fresh=started)
        return self._status(info), note

    async def interrupt(self, still: Callable[[], bool] = lambda: True) -> bool:
        """Interrupt what runs; a kernel that only just starts runs nothing, and would die of it.

        Parameters
        ----------
        still
            Whether what runs now may be interrupted, asked once it has begun: some time may have
            passed since.

        Returns
        -------
        Whether what was to be interrupted is still there.
        """
        link = self._link
        late = None if link is None else await link.wait_begun()
        if not still():
            return False
        if self._info is None or self._fresh or self._link is not link:
            return True
        if late is not None:
            self._tasks.spawn(self._interrupt_begun(late, self._info.kernel_id))
        manager = self._sessions.manager(self._info.kernel_id)
        state = getattr(manager, "execution_state", None)
        # What is known of a kernel behind a gateway is old: it is "starting" for long. And who
        # watches the kernel for Jupyter may have come too late to hear that it has started.
        working = self._link is not None and self._link.executing
        if working or behind_gateway(manager) or state not in ("starting", "restarting"):
            if self._link is not None:
                self._link.interrupted()
            await self._sessions.interrupt(self._info.kernel_id)
        return True

    async def _interrupt_begun(self, run: AskedRequest, kernel_id: str) -> None:
        await run.begun()  # before, the kernel ignores it
        if not run.ended and self.kernel_id == kernel_id:
            run.interrupted()
            await self._sessions.interrupt(kernel_id)

    async def shutdown(self) -> None:
        """End the kernel."""
        async with self._lock:
            info = self._info
            if info is None:
                return
            self._set_state(KernelStateName.SHUTTING_DOWN)
            self._lose("the kernel was shut down")
            await self._drop_link()
            try:
                await self._sessions.end(info.session_id)
            finally:
                self._forget(KernelStateName.SHUTDOWN, None)

    def restart(self) -> None:
        """Restart the kernel, in the background."""
        self._tasks.spawn(self._restart())

    # Used by the executor

    def start_run(
        self, code: str, on_message: OnMessage, on_question: OnQuestion | None = None, **how: Any
    ) -> AskedRequest:
        """Ask the kernel to run code; see `KernelLink.start_run`."""
        if self._link is None:
            return AskedRequest.lost("the kernel is not running")
        return self._link.start_run(code, on_message, on_question, **how)

    def forget(self, place: str) -> None:
        """Take nothing more for a place; see `KernelLink.forget`."""
        if self._link is not None:
            self._link.forget(place)

    def answer(self, value: str) -> None:
        """Answer what the code that runs has asked."""
        if self._link is not None:
            self._link.answer(value)

    def refuse_question(self, run: AskedRequest) -> None:
        """End what asks for input that nobody can give any more: the kernel waits for it."""
        run.asked_nobody()
        if (link := self._link) is not None and (info := self._info) is not None:
            interrupt = partial(self._sessions.interrupt, info.kernel_id)
            self._tasks.spawn(run.end_question(interrupt, link.answer))

    async def evaluate(self, expression: str, timeout: float) -> str | None:
        """Return the value of an expression as text; see `KernelLink.evaluate`."""
        return None if self._link is None else await self._link.evaluate(expression, timeout)

    def begin_run(self) -> None:
        """A cell begins: the state is busy until `end_run`, whatever the kernel says."""
        self._held = True
        self._last_activity = datetime.now(timezone.utc)
        if self.ready:
            self._set_state(KernelStateName.BUSY)

    def end_run(self) -> None:
        """The cell has ended, with all that belongs to it."""
        self._held = False
        self._last_activity = datetime.now(timezone.utc)
        if self.ready:
            self._set_state(self._seen)

    # Watching

    async def poll(self) -> None:
        """See whether somebody else started, stopped or exchanged the kernel."""
        if self._lock.locked():
            return
        async with self._lock:
            info = await self._sessions.find(self._path())
            ours = None if self._info is None else self._info.session_id
            if ours is not None and (info is None or info.session_id != ours):
                # JupyterLab renames the session together with the file, which we notice later.
                info = await self._sessions.still(ours) or info
            if info is None:
                if self._info is not None:
                    # Jupyter also drops the session of a kernel that dies again and again.
                    died = self._reason if self._state == KernelStateName.RESTARTING else None
                    culled = None if died else self._sessions.why_ended(self._info.kernel_id)
                    reason = EndReason.CULLED if culled else EndReason.KERNEL_GONE
                    self._lose(died or culled or "the kernel was shut down", reason)
                    await self._drop_link()
                    state = KernelStateName.CULLED if culled else KernelStateName.SHUTDOWN
                    self._forget(KernelStateName.FAILED if died else state, died or culled)
            else:
                await self._follow(info)

    async def close(self) -> None:
        """Stop watching; the kernel itself goes on."""
        self._tasks.cancel()
        await self._drop_link()

    async def _follow(self, info: SessionInfo, *, fresh: bool = False) -> None:
        if self._info == info and self._link is not None:
            return
        self._fresh, self._stillborn = fresh, 0
        if self._info is not None and self._info != info:
            self._lose("the notebook got another kernel")
        await self._drop_link()
        self._info = info
        self._reason = None
        self._open_link(KernelStateName.STARTING)

    def _open_link(self, state: str, reason: str | None = None) -> None:
        assert self._info is not None
        kernel_id = self._info.kernel_id
        self._seen = KernelStateName.IDLE
        self._set_state(state, reason)
        kernels = self._sessions.kernels
        if hasattr(kernels, "add_restart_callback"):
            kernels.add_restart_callback(kernel_id, self._on_autorestart, "restart")
            kernels.add_restart_callback(kernel_id, self._on_given_up, "dead")
        self._link = KernelLink(
            self._sessions.manager(kernel_id),
            on_status=self._on_status,
            on_ready=self._on_ready,
            on_dead=self._on_dead,
            on_unanswerable=self.refuse_question,
            on_started_again=self._on_autorestart,
        )
        self._link.start()

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        kernels = self._sessions.kernels
        kernel_id = self._info.kernel_id if self._info is not None else ""
        if hasattr(kernels, "remove_restart_callback") and self._sessions.alive(kernel_id):
            kernels.remove_restart_callback(kernel_id, self._on_autorestart, "restart")
            kernels.remove_restart_callback(kernel_id, self._on_given_up, "dead")
        await link.close()

    async def _restart(self) -> None:
        async with self._lock:
            info = self._info
            if info is None:
                return
            self._fresh, self._stillborn = True, 0
            self._lose("the kernel was restarted", EndReason.RESTARTED)
            self._set_state(KernelStateName.RESTARTING)
            await self._drop_link()
            try:
                await self._sessions.restart(info.kernel_id)
            except Exception as exc:
                logger.warning("restart failed: %s", exc)
                self._forget(KernelStateName.FAILED, "the kernel did not restart")
                return
            self._open_link(KernelStateName.RESTARTING)

    async def _reconnect(self, reason: str) -> None:
        async with self._lock:
            if self._info is None:
                return
            await self._drop_link()
            if self._sessions.alive(self._info.kernel_id):
                self._open_link(KernelStateName.RESTARTING, reason)

    def _on_status(self, state: str) -> None:
        self._seen = state
        self._last_activity = datetime.now(timezone.utc)
        if not self._held and self.ready:
            self._set_state(state)

    def _on_ready(self) -> None:
        self._fresh, self._stillborn = False, 0
        self._set_state(KernelStateName.BUSY if self._held else KernelStateName.IDLE)
        self._listener.kernel_ready()

    def _on_dead(self, reason: str) -> None:
        if self._info is None:
            return
        kernel_id = self._info.kernel_id
        manager = self._sessions.manager(kernel_id) if self._sessions.alive(kernel_id) else None
        # A gateway has told already if it starts the kernel again.
        again = not behind_gateway(manager) and bool(getattr(manager, "autorestart", False))
        self._stillborn += 1
        again = again and self._stillborn < STILLBORN
        self._listener.kernel_lost(reason, EndReason.KERNEL_GONE)
        if again:
            self._set_state(KernelStateName.RESTARTING, reason)
        else:
            self._tasks.spawn(self._end_dead(reason))

    def _on_autorestart(self) -> None:
        # Called right before the process is started again under the same id and ports: by Jupyter,
        # or by the link when a gateway says so.
        link_reason = self._link.lost if self._link is not None else None
        manager = self._sessions.manager(self._info.kernel_id) if self._info is not None else None
        reason = link_reason or cause_of_death(manager)
        self._fresh = True
        self._lose(reason)
        self._set_state(KernelStateName.RESTARTING, reason)
        self._tasks.spawn(self._reconnect(reason))

    def _on_given_up(self) -> None:
        self._tasks.spawn(self._end_dead(self._reason or "the kernel keeps dying"))

    async def _end_dead(self, reason: str) -> None:
        async with self._lock:
            info = self._info
            if info is None:
                return
            self._lose(reason)
            await self._drop_link()
            culled = reason == GONE_FROM_GATEWAY
            self._forget(KernelStateName.CULLED if culled else KernelStateName.FAILED, reason)
            try:
                if self._sessions.alive(info.kernel_id):
                    await self._sessions.end(info.session_id)
            except Exception:
                logger.debug("a dead kernel could not be cleaned up", exc_info=True)

    def _lose(self, cause: str, reason: str = EndReason.KERNEL_GONE) -> None:
        if self._link is not None:
            self._link.lose(cause, reason)
        self._listener.kernel_lost(cause, reason)

    def _forget(self, state: str, reason: str | None) -> None:
        if self._info is not None:
            self._set_state(state, reason)
        self._info = None

    def _set_state(self, state: str, reason: str | None = None) -> None:
        if self._info is None or (state == self._state and reason == self._reason):
            return
        self._state, self._reason = state, reason
        self._listener.kernel_status(self._status(self._info))
