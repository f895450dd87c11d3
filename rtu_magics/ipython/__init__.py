"""The magics. Importing this loads nothing heavy; the sessions load with the first connect."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["load", "unload"]


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    from .cells import CellMagics
    from .connect import ConnectMagics
    from .kernel import KernelMagics
    from .run import RunMagics

    shell.register_magics(ConnectMagics, CellMagics, RunMagics, KernelMagics)


def unload(shell: Any) -> None:
    """Close the sessions, give the servers back, end the thread and take the magics away."""
    session = sys.modules.get("rtu_magics.session")
    if session is not None:
        for open_session in list(session.sessions):
            open_session.close()
        session.stop_background()
    for kind in ("line", "cell"):
        registered = shell.magics_manager.magics[kind]
        for name in [name for name in registered if name.startswith("rtu_")]:
            del registered[name]
