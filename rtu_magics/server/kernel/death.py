"""Why a kernel's process has ended, as far as its system tells."""

from __future__ import annotations

import signal
from typing import Any

from .gateway import behind_gateway

__all__ = ["BEHIND_GATEWAY", "STILLBORN", "cause_of_death", "has_process", "words_for"]

STILLBORN = 3
"""Deaths in a row without an answer in between, after which a kernel is not started again.

Jupyter tries more often, and for ever where each attempt takes its time (a busy machine); a port
that was taken is another one at the second attempt.
"""

BEHIND_GATEWAY = "the kernel died behind its gateway, whose log may say why"


def cause_of_death(manager: Any) -> str:
    """Return in one line that a kernel died, and why where that is known.

    Parameters
    ----------
    manager
        Jupyter's manager of the kernel. Only that of a process on this machine knows more.
    """
    if behind_gateway(manager):
        return BEHIND_GATEWAY
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    try:
        code = process.poll() if process is not None else None
    except Exception:  # of whatever kind a provisioner's process is
        code = None
    return words_for(code if isinstance(code, int) else None)


def has_process(manager: Any) -> bool:
    """Return whether a manager has a process, dead or alive; it has none while it starts one."""
    return bool(getattr(getattr(manager, "provisioner", None), "has_process", True))


def words_for(code: int | None) -> str:
    """Return the words for an exit code as `subprocess` gives it.

    Examples
    --------
    >>> words_for(-9)
    'the kernel died (SIGKILL: perhaps the memory was not enough)'
    >>> words_for(-11), words_for(3), words_for(None)
    ('the kernel died (SIGSEGV)', 'the kernel died (exit code 3)', 'the kernel died')
    """
    if code is None:
        return "the kernel died"
    if code >= 0:
        return f"the kernel died (exit code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    more = ": perhaps the memory was not enough" if name == "SIGKILL" else ""
    return f"the kernel died ({name}{more})"
