"""Kernels through Jupyter Server's own managers, bound to a notebook's path.

JupyterLab finds the session of a path there, and so do we: whoever opens a notebook is on the same
kernel. Two plain calls of ``create_session`` would give two kernels, hence the one locked helper
that asks ``session_exists`` first.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jupyter_core.utils import ensure_async
from jupyter_server.gateway.managers import GatewayMappingKernelManager
from tornado.web import HTTPError

from ...errors import KernelError
from ...models import KERNEL_CULLED, installed_name
from .culls import watch_culls
from .gateway import GONE_FROM_GATEWAY, behind_gateway
from .names import choose_kernel

__all__ = ["KernelSessions", "SessionInfo"]


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session of Jupyter Server: a kernel bound to a path.

    Attributes
    ----------
    session_id
        Jupyter's id of the session, which is ours too.
    kernel_id, kernel_name
        The kernel in it.
    """

    session_id: UUID
    kernel_id: str
    kernel_name: str


class KernelSessions:
    """The sessions of one server.

    Parameters
    ----------
    session_manager, kernel_manager, kernel_spec_manager
        Jupyter Server's, of any implementation (a gateway's for example).
    """

    def __init__(self, session_manager: Any, kernel_manager: Any, kernel_spec_manager: Any) -> None:
        self._sessions = session_manager
        self.kernels = kernel_manager
        self._specs = kernel_spec_manager
        self._locks: dict[str, asyncio.Lock] = {}
        self._culls = watch_culls(kernel_manager)

    async def find(self, path: str) -> SessionInfo | None:
        """Return the session of a path, or None."""
        while await ensure_async(self._sessions.session_exists(path=path)):
            model = await ensure_async(self._sessions.get_session(path=path))
            if model["kernel"] is not None:
                return _info(model)
            if not self._forget_gone():
                break
        return None

    async def still(self, session_id: UUID) -> SessionInfo | None:
        """Return a session that is known already, whatever path it is bound to now, or None."""
        try:
            model = await ensure_async(self._sessions.get_session(session_id=str(session_id)))
        except (HTTPError, KeyError):
            return None
        return None if model["kernel"] is None else _info(model)

    def _forget_gone(self) -> bool:
        """Forget the kernels that their gateway does not have any more; return if there were any.

        Jupyter Server keeps their sessions, which could neither be used nor ended.
        """
        gone = [
            kernel_id
            for kernel_id in list(self.kernels.list_kernel_ids())
            if behind_gateway(manager := self.manager(kernel_id)) and manager.kernel is None
        ]
        for kernel_id in gone:
            self.kernels.remove_kernel(kernel_id)
        return bool(gone)

    async def ensure(
        self, path: str, kernel_name: str | None, metadata: Mapping[str, Any]
    ) -> tuple[SessionInfo, str | None, bool]:
        """Return the session of a path, what there is to say of it, and whether it just started.

        Parameters
        ----------
        path
            The notebook, below the server's root.
        kernel_name
            What to start if nothing runs; None for what the notebook says.
        metadata
            The notebook's.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed.
        KernelError
            It did not start.
        """
        async with self._locks.setdefault(path, asyncio.Lock()):
            found = await self.find(path)
            if found is not None:
                return found, None, False
            specs = await self.specs()
            languages = {name: str(one["language"]) for name, one in specs["kernelspecs"].items()}
            default = installed_name(specs["default"], languages) or specs["default"]
            name, note = choose_kernel(kernel_name, metadata, default, languages)
            try:
                with _of_a_gateway():
                    model = await ensure_async(
                        self._sessions.create_session(
                            path=path,
                            name=posixpath.basename(path),
                            type="notebook",
                            kernel_name=name,
                        )
                    )
            except Exception as exc:  # whatever a provisioner raises
                reason = str(exc).partition("\n")[0] or type(exc).__name__
                raise KernelError(f"the kernel {name!r} did not start: {reason}") from exc
            return _info(model), note, True

    async def end(self, session_id: UUID) -> None:
        """Shut a session's kernel down and forget the session."""
        with _of_a_gateway():
            await ensure_async(self._sessions.delete_session(str(session_id)))

    async def end_of(self, path: str) -> None:
        """Shut down the kernel of a path, if it has one."""
        found = await self.find(path)
        if found is not None:
            await self.end(found.session_id)

    async def interrupt(self, kernel_id: str) -> None:
        """Interrupt what a kernel runs."""
        with _of_a_gateway():
            await ensure_async(self.kernels.interrupt_kernel(kernel_id))

    async def restart(self, kernel_id: str) -> None:
        """Restart a kernel; it keeps its id."""
        await ensure_async(self.kernels.restart_kernel(kernel_id))

    async def rename(self, session_id: UUID, path: str) -> None:
        """Bind a session to the new path of its notebook."""
        await ensure_async(
            self._sessions.update_session(str(session_id), path=path, name=posixpath.basename(path))
        )

    def alive(self, kernel_id: str) -> bool:
        """Return whether the server still has a kernel."""
        return kernel_id in self.kernels

    def why_ended(self, kernel_id: str) -> str | None:
        """Return in words who ended a kernel that is no more, None if that was some person.

        A gateway does not say: it may have been its culler.
        """
        if kernel_id in self._culls and not self.alive(kernel_id):
            return KERNEL_CULLED
        return GONE_FROM_GATEWAY if isinstance(self.kernels, GatewayMappingKernelManager) else None

    def connections(self, kernel_id: str) -> int:
        """Return how many connections to a kernel Jupyter counts, those over RTU with them."""
        counted = getattr(self.kernels, "_kernel_connections", None) or {}
        return int(counted.get(kernel_id, 0))

    def manager(self, kernel_id: str) -> Any:
        """Return the manager of one kernel."""
        return self.kernels.get_kernel(kernel_id)

    async def specs(self) -> dict[str, Any]:
        """Return the installed kernels: ``default`` and ``kernelspecs`` by name."""
        with _of_a_gateway():
            found = await ensure_async(self._specs.get_all_specs())
        return {
            "default": self.kernels.default_kernel_name,
            "kernelspecs": {
                name: {
                    "display_name": info.get("spec", {}).get("display_name", name),
                    "language": info.get("spec", {}).get("language", ""),
                }
                for name, info in found.items()
            },
        }


@contextlib.contextmanager
def _of_a_gateway() -> Iterator[None]:
    """Say in words of ours what a gateway refuses: Jupyter Server hands its answers on as they are.

    "Forbidden" for example would sound as if the person who asks had no right to.
    """
    try:
        yield
    except HTTPError as exc:
        if exc.status_code == 404:  # so says a server without a gateway, too
            raise
        if exc.status_code in (401, 403):
            raise KernelError(
                f"the gateway of the kernels refuses access (HTTP {exc.status_code}); set "
                "GatewayClient.auth_token of this server to the gateway's token"
            ) from exc
        raise KernelError(
            f"the gateway of the kernels does not answer as it should (HTTP {exc.status_code}); "
            "see that it runs at GatewayClient.url, and try again"
        ) from exc


def _info(model: dict[str, Any]) -> SessionInfo:
    kernel = model["kernel"]
    return SessionInfo(UUID(str(model["id"])), str(kernel["id"]), str(kernel["name"]))
