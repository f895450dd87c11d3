"""A server that ends in the midst of a write: ``-m tests.scenarios.server.file.dying_server``.

It does so once there is a file ``die`` in its directory, which says when: ``before`` the
notebook's file is touched, ``after``, or after that many bytes of a write in place. It waits a
second first, so that more is acknowledged meanwhile.

Where there is a file ``meddle``, its content is written over the notebook's after that was looked
at and before it is replaced, once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

DIE, MEDDLE = "die", "meddle"


def _end() -> None:
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _how(path: Path) -> str:
    try:
        return (path.parent / DIE).read_text()
    except OSError:
        return ""


def prepare() -> None:
    """Replace what writes."""
    from rtu_magics.server.file import access, in_place, sync

    replace, put, keep = sync.replace, in_place._put, access._keep

    def replace_and_die(path: Path, *arguments: Any) -> Any:
        if _how(path) == "before":
            _end()
        stamp = replace(path, *arguments)
        if _how(path) == "after":
            _end()
        return stamp

    def put_some(file: Any, content: bytes) -> None:
        how = _how(Path(os.readlink(f"/proc/self/fd/{file.fileno()}")))
        if how.isdigit():
            file.seek(0)
            file.write(content[: int(how)])
            _end()
        put(file, content)

    def keep_and_meddle(path: Path, *arguments: Any) -> None:
        keep(path, *arguments)
        theirs = path.with_name(MEDDLE)
        if theirs.exists():
            theirs.replace(path)

    sync.replace, in_place._put, access._keep = replace_and_die, put_some, keep_and_meddle


if __name__ == "__main__":
    prepare()

    from rtu_magics.server.process.launch import main

    sys.exit(main())
