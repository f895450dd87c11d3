"""``%load_ext`` loads nothing heavy, and takes everything away again."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "httpx",
    "websockets",
    "pydantic",
    "ipywidgets",
    "anywidget",
    "jupyter_server",
    "sqlalchemy",
    "diff_match_patch",
    "nest_asyncio",
    "ipywidgets",
    "anywidget",
    "rich",
    "rtu_magics.widgets",
    "rtu_magics.models",
    "rtu_magics.session",
    "rtu_magics.client",
    "rtu_magics.server",
)

PROGRAM = """
import json, sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
before = set(sys.modules)
shell.run_line_magic("load_ext", "rtu_magics")
loaded = sorted(set(sys.modules) - before)
magics = shell.magics_manager.magics
names = sorted(n for kind in magics.values() for n in kind if n.startswith("rtu_"))
shell.run_line_magic("reload_ext", "rtu_magics")
shell.run_line_magic("unload_ext", "rtu_magics")
left = sorted(n for kind in magics.values() for n in kind if n.startswith("rtu_"))
threads = [t.name for t in threading.enumerate() if t.name.startswith("rtu")]
print(json.dumps({"loaded": loaded, "names": names, "left": left, "threads": threads}))
"""


def test_load_and_unload() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in found["loaded"] if name.startswith(HEAVY)] == []
    assert found["names"] == sorted(
        [
            "rtu_add",
            "rtu_attach",
            "rtu_cells",
            "rtu_clear",
            "rtu_config",
            "rtu_connect",
            "rtu_delete",
            "rtu_disconnect",
            "rtu_edit",
            "rtu_exec",
            "rtu_exec",
            "rtu_follow",
            "rtu_get",
            "rtu_help",
            "rtu_history",
            "rtu_kernel",
            "rtu_ls",
            "rtu_mirror",
            "rtu_move",
            "rtu_new",
            "rtu_pull",
            "rtu_push",
            "rtu_remote",
            "rtu_remote",
            "rtu_rename",
            "rtu_replay",
            "rtu_restore",
            "rtu_result",
            "rtu_revoke",
            "rtu_runs",
            "rtu_save",
            "rtu_sessions",
            "rtu_share",
            "rtu_show",
            "rtu_status",
            "rtu_type",
            "rtu_undo",
            "rtu_vars",
            "rtu_versions",
            "rtu_wait",
            "rtu_who",
        ]
    )
    assert found["left"] == []
    assert found["threads"] == []
