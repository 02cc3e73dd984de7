"""Tells which file systems several machines share: SQLite's write-ahead log cannot be used there.

Its index lies in memory that all who have the file open share, which only processes of one machine can
(sqlite.org/wal.html). A virtual machine, as Docker has one on macOS and Windows, and its host are two.
"""

from pathlib import Path

IN_USER_SPACE = "fuse."  # before the names of those that no kernel has: fuse.glusterfs, fuse.ceph-fuse
SHARED = (
    "nfs", "cifs", "smb", "9p", "afs", "afpfs", "ceph", "lustre", "gluster", "gpfs", "beegfs", "sshfs", "webdav",
    "wekafs", "panfs", "pvfs2", "orangefs", "dvs", "gfs2", "ocfs2",  # of clusters
    "juicefs", "quobyte", "mfs", "s3fs", "gcsfuse", "blobfuse", "rclone",  # in user space
    "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "fakeowner", "grpcfuse", "osxfs",  # by a host with its virtual machine
)  # fmt: skip


def kind(path: Path) -> str:
    """The kind of file system that a file is on, such as "ext4" or "nfs4"; "" where the system does not say."""
    import psutil

    mounted = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    return next((mounted[folder] for folder in path.resolve().parents if folder in mounted), "")


def is_shared(kind: str) -> bool:
    """Whether several machines may have a file system of this kind."""
    return kind.removeprefix(IN_USER_SPACE).startswith(SHARED)
