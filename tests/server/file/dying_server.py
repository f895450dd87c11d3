"""A server that ends in the midst of a write: ``python -m tests.server.file.dying_server``.

It does so once there is a file ``die`` in its directory, which says when: ``before`` the
notebook's file is touched, ``after``, or after that many bytes of a write in place. It waits a
second first, so that more is acknowledged meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

DIE = "die"


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
    from rtu_magics.server.file import in_place, sync

    replace, put = sync.replace, in_place._put

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

    sync.replace, in_place._put = replace_and_die, put_some


if __name__ == "__main__":
    prepare()

    from rtu_magics.server.process.launch import main

    sys.exit(main())
