"""Which notebook a file is, once other programs have renamed some.

A name is no identity. A rename leaves the inode as it is, so a room that finds another file at its
path looks for its own one first; of a notebook that is not open the hash of its content is known.
What is decided here are moves only, all those that belong together (two names swapped, a chain of
renames) at once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from .format import hash_of
from .io import Stamp, notebooks_below, stamp_of
from .regular import read_regular

__all__ = ["Known", "cell_ids_in", "moves_of", "snapshot_of"]


@dataclass(frozen=True, slots=True)
class Known:
    """A notebook as the server knows it.

    Attributes
    ----------
    path
        Where it was last seen, below the root.
    stamp
        Of its file, None where that is not known: it is not open.
    disk_hash
        Of what its file held, None where that is not known.
    cell_ids
        Of the cells that it held, where that is known.
    """

    path: str
    stamp: Stamp | None = None
    disk_hash: str | None = None
    cell_ids: frozenset[str] = frozenset()

    @property
    def inode(self) -> int | None:
        """The inode of its file."""
        return None if self.stamp is None else self.stamp[2]


def moves_of(
    wanted: UUID,
    known: Mapping[UUID, Known],
    inodes: Mapping[str, int],
    hashes: Mapping[str, str],
) -> tuple[dict[UUID, str], set[UUID]]:
    """Return where a notebook went, and every other one that went with it.

    Parameters
    ----------
    wanted
        The notebook that is not at its path any more.
    known
        Every notebook that the server knows.
    inodes, hashes
        What lies below the root now, by path: the inodes of those files that are for sure what
        some open notebook had, and the hashes that were looked for.

    Returns
    -------
    moves, replaced
        New paths by notebook, empty if it did not move; and those that are no more, since a
        notebook that moved took the place of theirs.

    Examples
    --------
    >>> from uuid import UUID
    >>> a, b = UUID(int=1), UUID(int=2)
    >>> known = {a: Known("a.ipynb", (0, 0, 10)), b: Known("b.ipynb", (0, 0, 20))}
    >>> moves, _ = moves_of(a, known, {"a.ipynb": 20, "b.ipynb": 10}, {})
    >>> sorted(moves.values())
    ['a.ipynb', 'b.ipynb']
    """
    holders = {one.path: file_id for file_id, one in known.items()}

    def is_at_home(one: Known) -> bool:
        if one.inode is not None:
            return inodes.get(one.path) == one.inode
        return one.disk_hash is not None and hashes.get(one.path) == one.disk_hash

    def home_of(one: Known, taken: Collection[str]) -> str | None:
        free = [
            path
            for path in {**inodes, **hashes}
            if path not in taken and (path not in holders or not is_at_home(known[holders[path]]))
        ]
        by_inode = (p for p in free if one.inode is not None and inodes.get(p) == one.inode)
        by_hash = (p for p in free if one.disk_hash and hashes.get(p) == one.disk_hash)
        return next(by_inode, None) or next(by_hash, None)

    moves: dict[UUID, str] = {}
    file_id = wanted
    while True:
        one = known[file_id]
        home = home_of(one, moves.values())
        if home is None or home == one.path:
            if file_id == wanted or one.stamp is not None:
                return {}, set()  # somebody is in a notebook whose file is no more: it lives on
            return moves, {file_id}
        moves[file_id] = home
        holder = holders.get(home)
        if holder is None or holder in moves:
            return moves, set()
        file_id = holder


def snapshot_of(
    root: Path, known: Collection[Known], wanted_hashes: Collection[str] = ()
) -> tuple[dict[str, int], dict[str, str]]:
    """Return what lies below a directory, as `moves_of` takes it.

    Parameters
    ----------
    root
        The directory.
    known
        The notebooks that are looked for by inode. A deleted file's number is soon another one's,
        so the file has to be as it was, too, or to have cells of the notebook.
    wanted_hashes
        Those that are looked for; files are read only if there are some.
    """
    suspects = {one.inode: one for one in known if one.inode is not None}
    inodes: dict[str, int] = {}
    hashes: dict[str, str] = {}
    for path in notebooks_below(root):
        relative = path.relative_to(root).as_posix()
        stamp = stamp_of(path)
        one = None if stamp is None else suspects.get(stamp[2])
        if stamp and one and (stamp == one.stamp or cell_ids_in(path) & one.cell_ids):
            inodes[relative] = stamp[2]
        if wanted_hashes:
            with contextlib.suppress(OSError):  # unreadable, or gone meanwhile
                found = hash_of(read_regular(path))
                if found in wanted_hashes:
                    hashes[relative] = found
    return inodes, hashes


def cell_ids_in(path: Path) -> set[str]:
    """Return the ids that the cells in a file have, none if it is no notebook."""
    try:
        return {str(cell["id"]) for cell in json.loads(read_regular(path))["cells"] if "id" in cell}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
