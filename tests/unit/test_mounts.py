"""Which places lie on another machine: tables of mounts as systems have them."""

from __future__ import annotations

import pytest

from rtu_magics.mounts import file_system_of, is_network, network_file_system

HUB = """\
overlay / overlay rw,relatime,lowerdir=/a 0 0
proc /proc proc rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
10.0.0.5:/export/home/ann /home/jovyan nfs4 rw,vers=4.2,addr=10.0.0.5 0 0
/dev/nvme1n1 /home/jovyan/scratch ext4 rw 0 0
//nas/data /mnt/with\\040blank cifs rw,vers=3.1.1 0 0
ann@host:/srv /home/jovyan/remote fuse.sshfs rw 0 0
s3fs /buckets fuse.s3fs rw 0 0
/dev/sdb1 /media/usb fuseblk rw 0 0
shared /data virtiofs rw 0 0
none /homes 9p rw 0 0
tank/ann /tank zfs rw 0 0
scratch@tcp:/fs /lustre lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/", "overlay", False),
        ("/home/jovyan", "nfs4", True),
        ("/home/jovyan/course/.rtu_magics", "nfs4", True),
        ("/home/jovyan2", "overlay", False),
        ("/home/jovyan/scratch/nb", "ext4", False),
        ("/home/jovyan/remote/x", "fuse.sshfs", True),
        ("/mnt/with blank/x", "cifs", True),
        ("/buckets/b", "fuse.s3fs", True),
        ("/media/usb/x", "fuseblk", False),
        ("/data/x", "virtiofs", True),
        ("/homes/x", "9p", True),
        ("/tank/x", "zfs", False),
        ("/lustre/x", "lustre", True),
    ],
)
def test_places(path: str, kind: str, network: bool) -> None:
    assert file_system_of(path, HUB) == kind
    assert is_network(kind) is network


def test_the_mount_on_top_counts() -> None:
    table = "a /data nfs rw 0 0\nb /data ext4 rw 0 0\nhalf a line\n"
    assert file_system_of("/data/x", table) == "ext4"
    assert file_system_of("/elsewhere", table) == ""


def test_this_machine_can_be_asked(tmp_path) -> None:
    assert isinstance(network_file_system(tmp_path / "not there yet"), str)
