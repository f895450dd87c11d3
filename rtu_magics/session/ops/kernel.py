"""The remote kernel, and the refusal to wait for oneself; see the verbs of `Session`."""

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
from ..context import Context, Say
from ..events import Event, KernelChanged

__all__ = ["READY_STATES", "Kernel"]

START_TIMEOUT = 90.0  # seconds; a kernel with a large environment on a slow disk takes long
READY_STATES = frozenset({"idle", "busy"})


class Kernel:
    """The kernel of one notebook.

    Parameters
    ----------
    context
        The notebook.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._not_own: UUID | None = None  # the kernel session that is known not to be this process

    # ------------------------------------------------------------------ what it is

    @property
    def alive(self) -> bool:
        """Whether a kernel runs or is about to."""
        return self._client.kernel_state in KERNEL_ALIVE_STATES

    @property
    def ready(self) -> bool:
        """Whether a kernel takes executions."""
        return self._client.kernel_state in READY_STATES

    @property
    def culled(self) -> bool:
        """Whether the last kernel was ended for idleness, and none has run since."""
        return self._client.kernel_state == KernelStateName.CULLED

    @property
    def culled_words(self) -> str:
        """What people are told of a kernel that was culled."""
        status = self._client.kernel_status
        why = status.reason if status is not None and status.reason else KERNEL_CULLED
        return f"{why}; its variables are gone"

    async def status(self) -> KernelStatusUpdate | None:
        """Return the kernel session's state as the server has it, None if no kernel runs."""
        self._context.known.kernel = await self._context.api.get_session(self._context.file_id)
        return self._context.known.kernel

    async def specs(self) -> tuple[str, dict[str, dict[str, Any]]]:
        """Return the default kernel's name, and the specs of all that are installed by name."""
        found: Any = await self._context.api.get_kernelspecs()
        self._context.known.kernels = tuple(sorted(found["kernelspecs"]))
        return str(found["default"]), found["kernelspecs"]

    async def names(self) -> tuple[str, dict[str, str]]:
        """Return the default kernel's name, and the names and titles of all."""
        default, specs = await self.specs()
        return default, {n: str(spec.get("display_name", n)) for n, spec in specs.items()}

    async def session_id(self) -> UUID:
        """Return the id of the kernel's session.

        Raises
        ------
        KernelNotStarted
            No kernel runs.
        """
        status = await self.status()
        if status is None:
            raise KernelNotStarted("no remote kernel runs; %rtu_kernel start starts one")
        return status.session_id

    # ------------------------------------------------------------------ starting

    async def ensure(self, say: Say) -> None:
        """Start the kernel if none runs; check that it is not this very process."""
        await self.refuse_own()  # first: it is not ready as long as this cell runs
        if not self.ready:
            await self.start(None, say)
            await self.refuse_own()
        died, self._context.known.kernel_died = self._context.known.kernel_died, ""
        if died:
            say(f"{died}; it was started again, its variables are gone")

    async def start(self, name: str | None, say: Say) -> KernelStatusUpdate:
        """Start the kernel, or wait until the one that starts is ready."""
        await self.refuse_own("it runs")
        began = time.monotonic()
        alive = self.alive
        if alive:
            await self._check_name(name)
        if not self.ready:
            if self.culled:
                say(self.culled_words)
            say(f"{'waiting for' if alive else 'starting'} the remote kernel …")
            notes: list[str] = []
            status = await self.launch(name, notes.append)
            for note in notes:
                say(note)
            say(f"kernel {status.kernel.name} ready in {time.monotonic() - began:.1f} s")
            return status
        status_now = await self.status()
        if status_now is None:
            raise KernelNotStarted("the kernel just ended; %rtu_kernel start starts it")
        return status_now

    async def _check_name(self, name: str | None) -> None:
        running = await self.status()
        if running is not None and name and not installed_name(name, [running.kernel.name]):
            await self._installed(name)
            raise KernelError(
                f"the kernel {running.kernel.name} runs already; %rtu_kernel restart --name "
                f"{name} changes it, and its variables go"
            )

    async def _installed(self, wanted: str) -> tuple[str, dict[str, str]]:
        """Return the name of the kernel that is meant, and the titles of all by name."""
        _, names = await self.names()
        name = installed_name(wanted, names)
        if name is None:
            installed = ", ".join(sorted(names)) or "none"
            raise KernelUnknown(f"no kernel named {wanted[:80]!r}; installed: {installed}")
        return name, names

    async def launch(
        self, name: str | None = None, say: Say = lambda line: None
    ) -> KernelStatusUpdate:
        """Start the kernel and wait until it is ready; `say` gets what the server notes."""

        async def launch() -> None:
            try:
                found = await self._context.api.launch_kernel(
                    self._context.file_id, kernel_name=name
                )
                if found.note:
                    say(found.note)
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

        async def acted() -> KernelStatusUpdate:
            await act()
            if not leaves_first and not ready.done():
                status = await self.status()
                if status is not None and status.kernel.execution_state in READY_STATES:
                    return status
            return await ready

        stop = self._context.hub.subscribe(watch)
        try:
            return await asyncio.wait_for(acted(), START_TIMEOUT)
        except (asyncio.TimeoutError, TimeoutError):
            raise KernelError(
                f"the remote kernel is not ready after {START_TIMEOUT:.0f} s; "
                f"%rtu_kernel status shows what it does"
            ) from None
        finally:
            stop()
            if ready.done() and not ready.cancelled():
                ready.exception()  # looked at: no complaint when nobody waited for it

    # ------------------------------------------------------------------ stopping

    async def interrupt(self, whose: str | None = "mine") -> str:
        """End what this person asked for; returns what was done, in one line."""
        return await self._context.api.interrupt_kernel(await self.session_id(), whose)

    async def restart(self) -> KernelStatusUpdate:
        """Restart the kernel and wait until it is ready."""
        await self.refuse_own("restart it from the front end's menu")
        session_id = await self.session_id()

        async def restart() -> None:
            await self._context.api.restart_kernel(session_id)

        return await self._until_ready(restart, leaves_first=True)

    async def change(self, wanted: str, say: Say) -> KernelStatusUpdate:
        """Run the notebook on a kernel of another name from now on."""
        await self.refuse_own("change it from the front end's menu")
        name, names = await self._installed(wanted)
        running = await self.status()
        if running is not None and running.kernel.name == name:
            return await self.restart()
        if running is not None:
            await self.stop()
        status = await self.start(name, say)
        delta = NBMetadataUpdate(
            file_id=self._client.file_id,
            properties=NBMetadataUpdateProperties(
                path=["kernelspec"], value={"name": name, "display_name": names[name]}
            ),
        )
        await self._client.new_delta_request(delta)
        return status

    async def stop(self) -> None:
        """End the kernel."""
        await self.refuse_own("end it from the front end's menu")
        await self._context.api.shutdown_kernel(await self.session_id())

    # ------------------------------------------------------------------ oneself

    @property
    def may_be_own(self) -> bool:
        """Whether this process is a kernel at all; without asking anybody."""
        return own_kernel_id() is not None

    async def is_own(self) -> bool:
        """Whether the kernel is this very process, as far as its server tells."""
        own = own_kernel_id()
        if own is None:
            return False  # a terminal is nobody's remote kernel
        # Another kernel may have taken its place while nobody followed it.
        status = self._context.known.kernel
        if status is None or status.kernel.execution_state not in KERNEL_ALIVE_STATES:
            status = await self.status()
        if status is None or self._not_own == status.session_id:
            return False
        theirs = status.kernel_id
        if theirs is None:  # a server that does not say
            try:
                theirs = await self.kernel_id(status.session_id)
            except (RTUError, ValueError, KeyError, TypeError):
                return False  # another kind of server, which cannot be asked
        if theirs == own:
            return True
        self._not_own = status.session_id
        return False

    async def refuse_own(self, instead: str = "run the cell in place") -> None:
        """Refuse to wait for the kernel that waits: it would do so for ever."""
        if await self.is_own():
            raise KernelError(
                f"{self._context.known.path} runs on this very kernel, which would wait for "
                f"itself; {instead}, or connect from another notebook"
            )

    async def kernel_id(self, session_id: UUID) -> str:
        """Return the id of a session's kernel, which only Jupyter Server's own API tells."""
        from ...client.http import RestClient

        rest = RestClient(self._context.server_url, self._context.api.authorization_token)
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
