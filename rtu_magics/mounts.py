"""On what kind of file system a path lies: pure, from the system's own table of mounts."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["file_system_of", "is_network", "network_file_system"]

_NETWORK = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "wekafs",
    }
)
# Of user space: those of which the disk is elsewhere. ntfs-3g and the like are not among them.
_NETWORK_FUSE = re.compile(
    r"sshfs|s3|gcsfuse|goofys|rclone|davfs|gluster|ceph|juicefs|blobfuse|glusterfs|cvmfs|"
    r"beegfs|lustre|moosefs|mfs|vmhgfs|afp|smb|nfs|onedriver|seadrive|hdfs|alluxio|jfs"
)


def file_system_of(path: str | os.PathLike[str], table: str) -> str:
    r"""Return the type of the file system that a path lies on, "" if the table does not say.

    Parameters
    ----------
    path
        Absolute, without symbolic links.
    table
        The content of ``/proc/self/mounts``: device, directory, type, options; blanks in names as
        ``\040`` (fstab(5)).

    Examples
    --------
    >>> table = "/dev/sda1 / ext4 rw 0 0\nsrv:/home /home nfs4 rw 0 0\n"
    >>> file_system_of("/home/ann/nb", table), file_system_of("/homes", table)
    ('nfs4', 'ext4')
    """
    wanted = Path(path)
    best, found = -1, ""
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        directory = Path(_unescaped(fields[1]))
        if directory == wanted or directory in wanted.parents:
            depth = len(directory.parts)
            if depth >= best:  # of two at one place the later one is on top
                best, found = depth, fields[2]
    return found


def is_network(kind: str) -> bool:
    """Return whether a type of file system has its disk on another machine.

    Examples
    --------
    >>> [is_network(kind) for kind in ("nfs4", "fuse.sshfs", "ext4", "fuse.ntfs-3g", "tmpfs", "")]
    [True, True, False, False, False, False]
    """
    kind = kind.lower()
    family, _, name = kind.partition(".")
    if family in ("fuse", "fuseblk", "macfuse", "osxfuse"):
        return bool(name and _NETWORK_FUSE.search(name))
    return kind in _NETWORK


def network_file_system(path: str | os.PathLike[str]) -> str:
    """Return the type of the network file system that a path lies on, "" if on none.

    Where the system has no such table nothing is known, and "" is returned.
    """
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
        kind = file_system_of(os.path.realpath(path), table)
    except OSError:
        return ""
    return kind if is_network(kind) else ""


def _unescaped(name: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)
