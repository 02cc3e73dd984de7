"""Gives multiprocessing a folder of a short path for its sockets, where that for temporary files has a long one.

On Linux the path of a socket takes 108 bytes at most (unix(7)), and of these Python's own names take 32.
"""

import multiprocessing
import multiprocessing.util
import os
import shutil
import tempfile

from hpsearch.errors import FolderUnusable

LONGEST = 108 - 1 - len("/pymp-12345678/listener-12345678")  # bytes of the folder for temporary files
SHORT = "/tmp"  # noqa: S108  # what is made in it has a name of its own, and is for its owner alone


def have_short_place() -> None:
    """See to it that a socket can be made; raise FolderUnusable where there is no folder for one."""
    known = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001  # no public way
    try:
        if known.get("tempdir") or len(os.fsencode(tempfile.gettempdir())) <= LONGEST:
            return
        folder = tempfile.mkdtemp(prefix="pymp-", dir=SHORT)
    except OSError as error:
        mend = "set TMPDIR to one of a short path that you can write to"
        message = f"no process can be started: there is no folder for temporary files ({error})\n  {mend}"
        raise FolderUnusable(message) from error
    multiprocessing.util.Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=-100)
    known["tempdir"] = folder
