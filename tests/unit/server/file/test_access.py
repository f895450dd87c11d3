"""Writing a file's bytes in place, where a new file would lose its other names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtu_magics.server.file.access import write_atomically

FULL = """
import os, resource, sys
from pathlib import Path
from rtu_magics.server.file.access import write_atomically
if sys.argv[2] == "without":
    del os.posix_fallocate  # as on macOS
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path(sys.argv[1]), b"n" * int(sys.argv[3]))
except OSError as exc:
    print(exc.strerror)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files as Linux does")
@pytest.mark.parametrize("space", ["taken first", "without"])
@pytest.mark.parametrize("before", [0, 100, 4096])
def test_no_room_for_the_new_bytes_leaves_the_old(tmp_path: Path, space: str, before: int) -> None:
    path, other = tmp_path / "n", tmp_path / "m"
    path.write_bytes(b"o" * before)
    os.link(path, other)
    command = [sys.executable, "-c", FULL, str(path), space, "100000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n", done.stderr
    assert other.read_bytes() == b"o" * before
    assert path.stat().st_nlink == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m", "n"]


@pytest.mark.parametrize("size", [0, 3, 50_000])
def test_all_names_of_a_file_have_the_new_bytes(tmp_path: Path, size: int) -> None:
    path, other = tmp_path / "n", tmp_path / "m"
    path.write_bytes(b"old" * 1000)
    os.link(path, other)
    write_atomically(path, b"n" * size)
    assert other.read_bytes() == path.read_bytes() == b"n" * size
    assert path.samefile(other)
