"""The kernels of another server, bound to its notebooks by its own sessions.

Whoever has a notebook open in its JupyterLab is on the same kernel. The kernels are talked to as
those behind a gateway are; they belong to that server, and outlive this one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.gateway.managers import GatewayMappingKernelManager
from tornado.web import HTTPError

from .remote import RemoteServer, Unreachable

__all__ = ["AfarKernels", "RemoteSessions"]

_FRESH = 1.5  # seconds for which a list of sessions is good: each notebook asks every second
_DRIVE = "RTC:"
"""What JupyterLab may put before the path of a notebook that is a live document."""


class AfarKernels(GatewayMappingKernelManager):
    """The kernels of another server; none is ended because this server ends."""

    async def shutdown_all(self, now: bool = False) -> None:  # type: ignore[override]
        """Forget the kernels: others may be at work with them."""
        for kernel_id in list(self._kernels):
            self.remove_kernel(kernel_id)  # type: ignore[no-untyped-call]


class RemoteSessions:
    """The sessions of another server, with what of Jupyter's session manager is used here.

    Parameters
    ----------
    server
        The server.
    kernels
        The manager of its kernels.
    """

    def __init__(self, server: RemoteServer, kernels: Any) -> None:
        self._server, self._kernels = server, kernels
        self._models: list[dict[str, Any]] = []
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def session_exists(self, path: str) -> bool:
        """Whether a notebook has a session."""
        return any(_is_at(model, path) for model in await self._all())

    async def get_session(
        self, path: str | None = None, session_id: str | None = None
    ) -> dict[str, Any]:
        """Return a session by its notebook's path or by its id.

        Raises
        ------
        HTTPError
            404: there is none.
        """
        for model in await self._all():
            if model.get("id") == session_id or (path is not None and _is_at(model, path)):
                return model
        raise HTTPError(404, "no such session")

    async def create_session(
        self, path: str, name: str, type: str, kernel_name: str
    ) -> dict[str, Any]:
        """Start a kernel for a notebook; what runs already is returned."""
        body = {"path": path, "name": name, "type": type, "kernel": {"name": kernel_name}}
        model: dict[str, Any] = await self._server.request("POST", "/api/sessions", body)
        self._asked_at = float("-inf")
        # A page that opens the notebook starts one at the same moment: it knows of its own alone.
        others = [
            one for one in await self._all() if _is_at(one, path) and one["id"] != model["id"]
        ]
        if others:
            await self.delete_session(str(model["id"]))
            return others[0]
        await self._adopt([model])
        return model

    async def delete_session(self, session_id: str) -> None:
        """End a session's kernel."""
        try:
            await self._server.request("DELETE", f"/api/sessions/{session_id}")
        except Unreachable as exc:
            if exc.status != 404:
                raise
        self._asked_at = float("-inf")

    async def update_session(self, session_id: str, path: str, name: str) -> None:
        """Do nothing: JupyterLab renames its sessions itself."""

    async def _all(self) -> list[dict[str, Any]]:
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() - self._asked_at < _FRESH:
                return self._models
            try:
                found = await self._server.request("GET", "/api/sessions")
            except Unreachable:
                self._asked_at = clock()  # what was known may still be so
                return self._models
            models = [one for one in found if isinstance(one, dict) and one.get("kernel")]
            await self._adopt(models)
            self._models, self._asked_at = models, clock()
        return models

    async def _adopt(self, models: list[dict[str, Any]]) -> None:
        """Have a manager of each kernel, as if it had been started from here."""
        there = {str(model["kernel"]["id"]) for model in models}
        for kernel_id in there - set(self._kernels.list_kernel_ids()):
            try:
                await self._kernels.start_kernel(kernel_id=kernel_id)
            except Exception as exc:  # it may just have ended
                raise Unreachable(f"the kernel {kernel_id} cannot be asked ({exc})") from exc


def _is_at(model: dict[str, Any], path: str) -> bool:
    return str(model.get("path", "")).removeprefix(_DRIVE).strip("/") == path
