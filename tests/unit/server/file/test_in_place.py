"""A file that is changed where it is, and a server that ends in the midst of that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.server.file.access import write_atomically
from rtu_magics.server.file.in_place import finish, finish_all, is_torn, overwrite

DIES = """
import os, signal, sys
from pathlib import Path
from rtu_magics.server.file import in_place

def put(file, content):
    file.seek(0)
    file.write(content[: int(sys.argv[3])])
    os.kill(os.getpid(), signal.SIGKILL)

in_place._put = put
in_place.overwrite(Path(sys.argv[1]), b"n" * 9000, None, Path(sys.argv[2]))
"""


@given(old=st.binary(max_size=40), new=st.binary(max_size=40), data=st.data())
def test_every_state_of_an_interrupted_write_is_known_for_one(
    old: bytes, new: bytes, data: st.DataObject
) -> None:
    done = data.draw(st.integers(0, len(new)))
    taken = data.draw(st.booleans())  # the space for it, before
    before = old.ljust(len(new), b"\0") if taken else old
    assert is_torn(new[:done] + before[done:], old, new)


@given(old=st.binary(min_size=9, max_size=9), new=st.binary(min_size=9, max_size=9))
def test_anything_else_is_not(old: bytes, new: bytes) -> None:
    other = bytes(next(b for b in range(3) if b not in pair) for pair in zip(old, new, strict=True))
    for found in (other, other + old, old + other, new[:4] + other[4:5] + old[5:]):
        assert not is_torn(found, old, new)


@pytest.mark.skipif(sys.platform == "win32", reason="it kills as only POSIX can")
@pytest.mark.parametrize("old", [5, 3000, 9000, 20_000])
@pytest.mark.parametrize("done", [0, 1, 4096, 8999])
def test_killed_in_the_midst(tmp_path: Path, old: int, done: int) -> None:
    path, journals = tmp_path / "n", tmp_path / "writes"
    path.write_bytes(b"o" * old)
    os.link(path, tmp_path / "m")
    file_id = uuid4()
    journal = journals / file_id.hex
    command = [sys.executable, "-c", DIES, str(path), str(journal), str(done)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    path = path.rename(tmp_path / "renamed")
    finish_all(journals, {file_id: path}.get)
    whole = b"o" * old if done == 0 and old >= 9000 else b"n" * 9000
    assert path.read_bytes() == (tmp_path / "m").read_bytes() == whole
    assert not list(journals.iterdir())


def test_what_somebody_wrote_after_that_stays(tmp_path: Path) -> None:
    path, journal = tmp_path / "n", tmp_path / "writes" / uuid4().hex
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        overwrite(path, b"new", None, _Dying(journal))
    path.write_bytes(b"theirs")
    finish(journal, path)
    assert path.read_bytes() == b"theirs"
    assert not journal.exists()


@pytest.mark.parametrize("content", [b"", b"3 3\nold", b"x y\n", b"\xff"])
def test_a_note_that_is_none_changes_nothing(tmp_path: Path, content: bytes) -> None:
    path, journals = tmp_path / "n", tmp_path / "writes"
    path.write_bytes(b"old")
    journals.mkdir()
    journal = journals / uuid4().hex
    journal.write_bytes(content)
    (journals / f"{uuid4().hex}.tmp").write_bytes(content)
    (journals / uuid4().hex).write_bytes(b"1 1\nab")  # of a notebook that is no more
    finish_all(journals, {UUID(journal.name): path}.get)
    assert path.read_bytes() == b"old"
    assert not list(journals.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files as Linux does")
def test_without_room_for_the_note_nothing_is_touched(tmp_path: Path) -> None:
    path, journal = tmp_path / "n", tmp_path / "writes" / uuid4().hex
    path.write_bytes(b"old")
    os.link(path, tmp_path / "m")
    source = (
        "import resource, sys; from pathlib import Path\n"
        "from rtu_magics.server.file.access import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_atomically(Path(sys.argv[1]), b'n' * 4090, None, Path(sys.argv[2]))\n"
        "except OSError as exc: print(exc.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, str(path), str(journal)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "File too large\n", done.stderr
    assert path.read_bytes() == b"old"
    assert not list(journal.parent.iterdir())


def test_nothing_is_left_of_a_write_that_went_well(tmp_path: Path) -> None:
    path, journal = tmp_path / "n", tmp_path / "writes" / uuid4().hex
    path.write_bytes(b"old")
    os.link(path, tmp_path / "m")
    write_atomically(path, b"new", None, journal)
    assert (tmp_path / "m").read_bytes() == b"new"
    assert not list(journal.parent.iterdir())


class _Dying(type(Path())):  # type: ignore[misc]
    """A note after which the process ends."""

    def with_suffix(self, suffix: str) -> Path:
        return Path(self).with_suffix(suffix)

    def unlink(self, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt
