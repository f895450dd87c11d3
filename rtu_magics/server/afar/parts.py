"""What a server of ours has in other places when its notebooks live on another server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..kernel.sessions import KernelSessions
from .identities import Identities
from .remote import RemoteServer
from .sessions import RemoteSessions
from .stays import AfarHolders, Stays

if TYPE_CHECKING:
    from ..service import Service

__all__ = ["MARK", "put_in", "sessions_of"]

MARK = "afar.json"
"""In the directory of the server's state: which server the notebooks are copies from.

`embedded.start` knows it by this name.
"""


def sessions_of(url: str, serverapp: Any) -> KernelSessions:
    """Return the kernel sessions of another server."""
    kernels = serverapp.kernel_manager
    sessions = RemoteSessions(RemoteServer(url), kernels)
    return KernelSessions(sessions, kernels, serverapp.kernel_spec_manager)


def put_in(service: Service, url: str, state: Path) -> None:
    """Let a service's notebooks stand on live documents of another server.

    Parameters
    ----------
    service
        The service, not started yet.
    url
        The server's base URL, without a slash at the end.
    state
        The directory of this server's state.
    """
    workspace = service.workspace
    stays = Stays(
        service.collections,
        RemoteServer(url),
        workspace,
        Identities(state / MARK, url),
        follow=service.relocation.follow_elsewhere,
        unload=service.unload_unused,
    )
    service.bridges, service.renew = stays, stays.renew
    workspace.holders = AfarHolders(workspace.root, stays)
