"""The remote kernel's verbs, and the refusal to wait for oneself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from ...client.own_kernel import own_kernel_id
from ...errors import KernelDied, KernelError, KernelNotStarted, KernelUnknown, RTUError
from ...models import (
    KERNEL_ALIVE_STATES,
    KERNEL_CULLED,
    KernelStateName,
    KernelStatusUpdate,
    NBMetadataUpdate,
    NBMetadataUpdateProperties,
    installed_name,
)
from ..context import SessionBase
from ..events import Event, KernelChanged

__all__ = ["KernelVerbs", "own_kernel_id"]

START_TIMEOUT = 90.0  # seconds; a kernel with a large environment on a slow disk takes long
READY_STATES = frozenset({"idle", "busy"})


class KernelVerbs(SessionBase):
    """The part of a `Session` that deals with the remote kernel."""

    @property
    def kernel_alive(self) -> bool:
        """Whether a kernel runs or is about to."""
        return self.client.kernel_state in KERNEL_ALIVE_STATES

    @property
    def kernel_ready(self) -> bool:
        """Whether a kernel takes executions."""
        return self.client.kernel_state in READY_STATES

    @property
    def kernel_culled(self) -> bool:
        """Whether the last kernel was ended for idleness, and none has run since."""
        return self.client.kernel_state == KernelStateName.CULLED

    @property
    def culled_words(self) -> str:
        """What people are told of a kernel that was culled."""
        status = self.client.kernel_status
        why = status.reason if status is not None and status.reason else KERNEL_CULLED
        return f"{why}; its variables are gone"

    def kernel_status(self) -> KernelStatusUpdate | None:
        """Return the kernel session's state as the server has it, None if no kernel runs."""
        return self.call(self._kernel_status())

    async def _kernel_status(self) -> KernelStatusUpdate | None:
        self.kernel_session = await self.api.get_session(self.file.id)
        return self.kernel_session

    def kernel_names(self) -> tuple[str, dict[str, str]]:
        """Return the default kernel's name, and the names and titles of all that are installed."""

        async def names() -> tuple[str, dict[str, str]]:
            found: Any = await self.api.get_kernelspecs()
            specs = found["kernelspecs"]
            self.known_kernels = tuple(sorted(specs))
            titles = {n: str(spec.get("display_name", n)) for n, spec in specs.items()}
            return str(found["default"]), titles

        return self.call(names())

    def ensure_kernel(self) -> None:
        """Start the kernel if none runs, and say so; check that it is not this very process.

        Raises
        ------
        KernelUnknown
            The notebook's kernel is not installed on the server.
        KernelError
            It does not start, or it is the kernel that would wait for it.
        """
        self.refuse_own_kernel()  # first: it is not ready as long as this cell runs
        if not self.kernel_ready:
            self.kernel_start()
            self.refuse_own_kernel()

    def kernel_start(self, kernel_name: str | None = None) -> KernelStatusUpdate:
        """Start the kernel, or wait until the one that starts is ready.

        Parameters
        ----------
        kernel_name
            Name of the kernelspec; None for the notebook's own, or else the server's default.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed on the server.
        KernelError
            It does not start, or one of another name runs.
        """
        self.refuse_own_kernel("it runs")
        began = time.monotonic()
        alive = self.kernel_alive
        if alive:
            running = self.kernel_status()
            runs = running.kernel.name if running is not None else ""
            if running is not None and kernel_name and not installed_name(kernel_name, [runs]):
                raise KernelError(
                    f"the kernel {running.kernel.name} runs already; %rtu_kernel restart --name "
                    f"{kernel_name} changes it, and its variables go"
                )
        if not self.kernel_ready:
            if self.kernel_culled:
                self.say(self.culled_words)
            self.say(f"{'waiting for' if alive else 'starting'} the remote kernel …")
            notes: list[str] = []
            status = self.call(self._launch(kernel_name, notes), START_TIMEOUT + 5)
            for note in notes:
                self.say(note)
            self.say(f"kernel {status.kernel.name} ready in {time.monotonic() - began:.1f} s")
            return status
        status_now = self.kernel_status()
        if status_now is None:
            raise KernelNotStarted("the kernel just ended; %rtu_kernel start starts it")
        return status_now

    async def _launch(
        self, kernel_name: str | None, notes: list[str] | None = None
    ) -> KernelStatusUpdate:
        async def launch() -> None:
            try:
                found = await self.api.launch_kernel(self.file.id, kernel_name=kernel_name)
                if found.note and notes is not None:
                    notes.append(found.note)
            except KernelUnknown as exc:
                raise KernelUnknown(f"{exc}; choose: %rtu_kernel start --name NAME") from None

        return await self._until_ready(launch)

    async def _until_ready(
        self, act: Callable[[], Coroutine[Any, Any, None]], *, leaves_first: bool = False
    ) -> KernelStatusUpdate:
        """Do something and wait until the kernel is ready after it.

        Parameters
        ----------
        act
            What to do.
        leaves_first
            Whether a ready state counts only after another one was seen (a restart).
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[KernelStatusUpdate] = loop.create_future()
        left = not leaves_first

        def watch(event: Event) -> None:
            nonlocal left
            if not isinstance(event, KernelChanged) or ready.done():
                return
            state = event.status.kernel.execution_state
            if state in READY_STATES and left:
                ready.set_result(event.status)
            elif state not in READY_STATES:
                left = True
                if state not in KERNEL_ALIVE_STATES and state != "shutting down":
                    ready.set_exception(KernelDied(_not_started(event.status)))

        stop = self.hub.subscribe(watch)
        try:
            await act()
            if not leaves_first and not ready.done():
                status = await self._kernel_status()
                if status is not None and status.kernel.execution_state in READY_STATES:
                    return status
            return await asyncio.wait_for(ready, START_TIMEOUT)
        except (asyncio.TimeoutError, TimeoutError):
            raise KernelError(
                f"the remote kernel is not ready after {START_TIMEOUT:.0f} s; "
                f"%rtu_kernel status shows what it does"
            ) from None
        finally:
            stop()
            if ready.done() and not ready.cancelled():
                ready.exception()  # looked at: no complaint when nobody waited for it

    def _session_id(self) -> UUID:
        status = self.kernel_status()
        if status is None:
            raise KernelNotStarted("no remote kernel runs; %rtu_kernel start starts one")
        return status.session_id

    def kernel_interrupt(self, whose: str | None = "mine") -> str:
        """End what this person asked for, running and waiting; returns what was done, in one line.

        If there is nothing of theirs, what runs is interrupted, as far as their role allows.

        Parameters
        ----------
        whose
            ``all`` ends everybody's, which is for owners; None only interrupts the cell that runs.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        return self.call(self.api.interrupt_kernel(self._session_id(), whose))

    def kernel_restart(self) -> KernelStatusUpdate:
        """Restart the kernel and wait until it is ready; its variables are gone.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        self.refuse_own_kernel("restart it from the front end's menu")
        session_id = self._session_id()

        async def restart() -> None:
            await self.api.restart_kernel(session_id)

        return self.call(self._until_ready(restart, leaves_first=True), START_TIMEOUT + 5)

    def kernel_change(self, kernel_name: str) -> KernelStatusUpdate:
        """Run the notebook on a kernel of another name from now on; all variables are gone.

        The notebook's metadata name it then, for everybody who starts it later.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed on the server; the one that runs goes on.
        """
        self.refuse_own_kernel("change it from the front end's menu")
        _, names = self.kernel_names()
        name = installed_name(kernel_name, names)
        if name is None:
            installed = ", ".join(sorted(names)) or "none"
            raise KernelUnknown(f"no kernel named {kernel_name[:80]!r}; installed: {installed}")
        kernel_name = name
        running = self.kernel_status()
        if running is not None and running.kernel.name == kernel_name:
            return self.kernel_restart()
        if running is not None:
            self.kernel_stop()
        status = self.kernel_start(kernel_name)
        spec = {"name": kernel_name, "display_name": names[kernel_name]}
        delta = NBMetadataUpdate(
            file_id=self.client.file_id,
            properties=NBMetadataUpdateProperties(path=["kernelspec"], value=spec),
        )
        self.call(self.client.new_delta_request(delta))
        return status

    def kernel_stop(self) -> None:
        """End the kernel.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        self.refuse_own_kernel("end it from the front end's menu")
        self.call(self.api.shutdown_kernel(self._session_id()))

    @property
    def own_kernel(self) -> bool:
        """Whether the notebook's kernel is this very process, as far as its server tells."""
        own = own_kernel_id()
        if own is None:
            return False  # a terminal is nobody's remote kernel
        # Another kernel may have taken its place while nobody followed it.
        status = self.kernel_session
        if status is None or status.kernel.execution_state not in KERNEL_ALIVE_STATES:
            status = self.kernel_status()
        if status is None or self._own_kernel_checked == status.session_id:
            return False
        theirs = status.kernel_id
        if theirs is None:  # a server that does not say
            try:
                theirs = self.call(self._kernel_id(status.session_id))
            except (RTUError, ValueError, KeyError, TypeError):
                return False  # another kind of server, which cannot be asked
        if theirs == own:
            return True
        self._own_kernel_checked = status.session_id
        return False

    def refuse_own_kernel(self, instead: str = "run the cell in place") -> None:
        """Refuse to wait for the kernel that waits: it would do so for ever.

        Parameters
        ----------
        instead
            What to do instead, besides the same from another notebook.

        Raises
        ------
        KernelError
            The notebook's kernel is this process.
        """
        if self.own_kernel:
            raise KernelError(
                f"{self.file.path} runs on this very kernel, which would wait for itself; "
                f"{instead}, or connect from another notebook"
            )

    async def _kernel_id(self, session_id: UUID) -> str:
        """Return the id of a session's kernel, which only Jupyter Server's own API tells."""
        from ...client.http import RestClient

        rest = RestClient(self.server_url, self.api.authorization_token)
        try:
            response = await rest.request("GET", f"/api/sessions/{session_id}")
            return str(response.json()["kernel"]["id"])
        finally:
            await rest.aclose()


def _not_started(status: KernelStatusUpdate) -> str:
    why = status.reason or status.kernel.execution_state
    return (
        f"the remote kernel {status.kernel.name} did not start: {why}; "
        "see that the command of its kernelspec runs there (jupyter kernelspec list), or start "
        "another one: %rtu_kernel start --name NAME"
    )
