"""Which kernels Jupyter's own culler has ended: it tells nobody but its log."""

from __future__ import annotations

from collections import deque
from typing import Any

from jupyter_core.utils import ensure_async

__all__ = ["watch_culls"]

_REMEMBERED = 1000


def watch_culls(kernels: Any) -> deque[str]:
    """Return the ids of the kernels that are culled from now on, while and after they are.

    Parameters
    ----------
    kernels
        Jupyter's kernel manager; one of another kind may cull in a way that cannot be seen.
    """
    culled: deque[str] = deque(maxlen=_REMEMBERED)
    cull = getattr(kernels, "cull_kernel_if_idle", None)
    if cull is None:
        return culled

    async def watched(kernel_id: str) -> None:
        culled.append(kernel_id)
        try:
            await ensure_async(cull(kernel_id))
        finally:
            if kernel_id in kernels:  # it was not idle
                culled.remove(kernel_id)

    kernels.cull_kernel_if_idle = watched
    return culled
