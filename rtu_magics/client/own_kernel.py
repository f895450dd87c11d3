"""The Jupyter kernel in which this program runs."""

from __future__ import annotations

import re
import sys
from pathlib import PurePath

__all__ = ["own_kernel_id"]


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
