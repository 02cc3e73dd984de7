"""Opens zip archives that may be anything, if their list of members is short."""

import zipfile
from pathlib import Path

LONGEST = 1_000_000  # bytes; a million members, 562 MB once they are read, take 70 bytes or more each
SIZE = 5  # where zipfile keeps the length of the list


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open an archive for reading; raise zipfile.BadZipFile before a long list of members is read."""
    with path.open("rb") as file:
        # zipfile's own reading of the record, so that both see the same one; it has no public name.
        record = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    if record and record[SIZE] > LONGEST:
        message = f"its list of members takes {record[SIZE]:,} bytes"
        raise zipfile.BadZipFile(message)
    return zipfile.ZipFile(path)
