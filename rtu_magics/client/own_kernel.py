"""The Jupyter kernel in which this program runs."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import PurePath

from ..models.rtu.files import MOST_WAITING

__all__ = ["own_kernel_id", "waiting_kernels"]


def own_kernel_id() -> str | None:
    """Return the id of the Jupyter kernel that this process is, None if it is none.

    Jupyter Server names a kernel's connection file after its id.
    """
    module = sys.modules.get("ipykernel.kernelapp")  # not loaded: this is no kernel
    app_class = getattr(module, "IPKernelApp", None)
    if app_class is None or not app_class.initialized():
        return None
    name = PurePath(str(getattr(app_class.instance(), "connection_file", ""))).name
    found = re.fullmatch(r"kernel-(.+)\.json", name)
    return found[1] if found else None


def waiting_kernels() -> list[str]:
    """Return the kernels that wait while this thread does.

    These are this one, if the thread runs its cell, and those that wait for that cell.
    """
    own = own_kernel_id()
    if own is None or threading.current_thread() is not threading.main_thread():
        return []
    app = sys.modules["ipykernel.kernelapp"].IPKernelApp.instance()
    try:
        found = app.kernel.get_parent("shell")["metadata"]["rtu_waiting"]
    except (AttributeError, KeyError, LookupError, TypeError):
        found = None  # a cell that nobody waits for who says so
    before = found if isinstance(found, list) else []
    return [own, *(str(one) for one in before)][:MOST_WAITING]
