"""Processes to which the permissions of files apply, also when the tests run as the superuser."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

__all__ = ["drop_all_rights", "drop_rights", "run_unprivileged"]

_PR_CAPBSET_DROP = 24
_CAPABILITIES_3 = 0x20080522
_CAP_CHOWN, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER = 0, 1, 2, 3


def drop_rights(*, chown: bool = False) -> None:
    """Give up in this process, for good, what makes the superuser's files special.

    Parameters
    ----------
    chown
        Whether the right to give files away, and to change others', goes too.
    """
    if os.geteuid():
        return
    # The superuser without these two capabilities is asked for permission like everybody. Another
    # user might not be able to read the interpreter.
    libc = ctypes.CDLL(None, use_errno=True)
    more = (_CAP_CHOWN, _CAP_FOWNER) if chown else ()
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, *more):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot give up a capability")
        _give_up_now(libc, capability)


def _give_up_now(libc: ctypes.CDLL, capability: int) -> None:
    """Give up what this process has already; the bounding set is for programs that it starts.

    Layout of the two arguments: capget(2), version 3, of which the first half holds these.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "cannot tell what capabilities there are")
    for index in range(3):  # effective, permitted, inheritable
        sets[index] &= ~(1 << capability)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "cannot give up a capability")


def drop_all_rights() -> None:
    """Give up the right to give files away, too."""
    drop_rights(chown=True)


def run_unprivileged(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run Python with some arguments and return what it said."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        preexec_fn=drop_rights,
        **more,
    )
