"""The magics. Importing this loads nothing heavy; the sessions load with the first connect."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .completion import MagicCompleter
    from .magics.help import Slips

__all__ = ["load", "unload"]

_completers: dict[int, MagicCompleter] = {}
_slips: dict[int, Slips] = {}


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    # What the background thread logs would appear in whatever cell runs at the time; what the user
    # has to know, the magics say.
    logging.getLogger("rtu_magics").addHandler(logging.NullHandler())
    from .completion import MagicCompleter
    from .magics.cells import CellMagics
    from .magics.config import RtuMagics
    from .magics.connect import ConnectMagics
    from .magics.help import HelpMagics, Slips
    from .magics.history import HistoryMagics
    from .magics.kernel import KernelMagics
    from .magics.notebooks import NotebookMagics
    from .magics.people import SharingMagics
    from .magics.remote import RemoteMagics
    from .magics.run import RunMagics
    from .magics.runs import RunsMagics
    from .magics.transfer import TransferMagics
    from .magics.widgets import WidgetMagics

    shell.register_magics(
        RtuMagics,
        ConnectMagics,
        NotebookMagics,
        CellMagics,
        RunMagics,
        RunsMagics,
        RemoteMagics,
        KernelMagics,
        SharingMagics,
        HistoryMagics,
        TransferMagics,
        WidgetMagics,
        HelpMagics,
    )
    completer = MagicCompleter(shell)
    completer.register()
    slips = _slips[id(shell)] = Slips(shell)
    slips.register()
    _completers[id(shell)] = completer


def unload(shell: Any) -> None:
    """Close the sessions, give the servers back, end the thread and take the magics away."""
    session = sys.modules.get("rtu_magics.session")
    if session is not None:
        for open_session in list(session.sessions):
            open_session.close()
        session.stop_background()
    widgets = sys.modules.get("rtu_magics.widgets.writer")
    if widgets is not None:
        widgets.writer().stop()  # once the views have left their last picture
    completer = _completers.pop(id(shell), None)
    if completer is not None:
        completer.unregister()
    slips = _slips.pop(id(shell), None)
    if slips is not None:
        slips.unregister()
    remote = shell.magics_manager.registry.get("RemoteMagics")
    if remote is not None:
        remote.mode.off()
    for kind in ("line", "cell"):
        registered = shell.magics_manager.magics[kind]
        for name in [name for name in registered if name.startswith("rtu_")]:
            del registered[name]
    # IPython forgets no magics object by itself, and %config would go on changing the old ones.
    registry = shell.magics_manager.registry
    for name in [name for name, magics in registry.items() if _ours(magics)]:
        del registry[name]
    shell.configurables[:] = [c for c in shell.configurables if not _ours(c)]


def _ours(thing: Any) -> bool:
    return type(thing).__module__.startswith("rtu_magics.")
