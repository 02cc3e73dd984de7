"""An archive may be anything: what was asked for comes out of it, or one line that says why not; nothing else."""

import io
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hpsearch.datasets.archive import take_out
from hpsearch.errors import DataRefused

WANTED = "gzip/wanted.txt"
CLIMBING = (
    "../evil.txt",
    "/evil.txt",
    "a\\..\\evil.txt",
    "C:\\evil.txt",
    "gzip/../../evil.txt",
    "wanted.txt/../evil.txt",
)
Spoil = Callable[[Path], None]


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)


def take(archive: Path, most_bytes: int = 1000) -> list[Path]:
    folder = archive.parent / "out"
    folder.mkdir()
    return take_out(archive, [WANTED], folder, most_bytes)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "inner" / "deep" / "a.zip"


@pytest.fixture(autouse=True)
def place(archive: Path) -> None:
    archive.parent.mkdir(parents=True)


@pytest.mark.promise("P23", "H20", "H31", "H32")
def test_members_with_paths_leave_nothing_outside(archive: Path, tmp_path: Path) -> None:
    zipped(archive, *((name, name.encode()) for name in CLIMBING), (WANTED, b"wanted"))

    taken = take(archive)

    assert [file.read_bytes() for file in taken] == [b"wanted"]
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["wanted.txt"]


@pytest.mark.promise("H33", "H35", "H36")
@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o666, stat.S_IFREG | 0o6777, stat.S_IFCHR])
def test_a_member_that_says_it_is_a_link_a_pipe_or_a_program_is_a_plain_file(archive: Path, mode: int) -> None:
    member = zipfile.ZipInfo(WANTED)
    member.create_system, member.external_attr = 3, mode << 16
    zipped(archive, (member, b"/etc/passwd"))

    (taken,) = take(archive)

    assert taken.read_bytes() == b"/etc/passwd"
    assert taken.is_file()
    assert not taken.is_symlink()
    assert taken.stat().st_mode & 0o7111 == 0


def tar(path: Path) -> None:
    """Links, paths and devices, in the one format of archive that is never opened."""
    with tarfile.open(path, "w") as opened:
        for name, kind in (("../evil.txt", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            opened.addfile(member, io.BytesIO())


def encrypted(path: Path) -> None:
    zipped(path, (WANTED, b"wanted"))
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)


def bomb(path: Path) -> None:
    zipped(path, (WANTED, bytes(1 << 26)), how=zipfile.ZIP_DEFLATED)


def bomb_that_lies(path: Path) -> None:
    """Its directory says ten bytes, its stream is of 64 MB."""
    bomb(path)
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\x01\x02") + 24
    raw[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(raw)


def one_stream_for_many(path: Path) -> None:
    """Two thousand names in the directory for one stream of 64 MB (Fifield's better zip bomb)."""
    bomb(path)
    raw = path.read_bytes()
    start, end = raw.rindex(b"PK\x01\x02"), raw.rindex(b"PK\x05\x06")
    entry, last = raw[start:end], bytearray(raw[end:])
    last[8:12] = (2000).to_bytes(2, "little") * 2
    last[12:16] = (2000 * len(entry)).to_bytes(4, "little")
    path.write_bytes(raw[:start] + entry * 2000 + bytes(last))


def a_million_names(path: Path) -> None:
    """No more than the end of such an archive: the directory's length is read before the directory."""
    zipped(path, (WANTED, b"wanted"))
    raw = path.read_bytes()
    start, end = raw.rindex(b"PK\x01\x02"), raw.rindex(b"PK\x05\x06")
    entry, last = raw[start:end], bytearray(raw[end:])
    last[12:16] = (100_000 * len(entry)).to_bytes(4, "little")
    path.write_bytes(raw[:start] + entry * 100_000 + bytes(last))


def an_archive_in_itself(path: Path) -> None:
    """What a quine looks like from outside: the wanted member is not there, but an archive is."""
    zipped(path, ("r/r.zip", b"PK\x03\x04"))


def cut(path: Path) -> None:
    zipped(path, (WANTED, b"wanted" * 100))
    path.write_bytes(path.read_bytes()[:200])


def flipped(path: Path) -> None:
    zipped(path, (WANTED, b"wanted" * 20))
    raw = bytearray(path.read_bytes())
    raw[80] ^= 1
    path.write_bytes(raw)


@pytest.mark.promise("P23", "62", "H21", "H31", "H32", "H33", "H34", "H35", "H37", "H38")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (tar, "not a zip archive"),
        (encrypted, "is encrypted"),
        (bomb, "more than 1,000 bytes"),
        (bomb_that_lies, "damaged"),
        (one_stream_for_many, "more than 1,000 bytes"),
        (a_million_names, "its list of members takes"),
        (an_archive_in_itself, "has no member 'gzip/wanted.txt'"),
        (cut, "damaged"),
        (flipped, "damaged"),
        (lambda path: path.write_bytes(b"not a zip"), "not a zip archive"),
        (lambda path: path.write_bytes(b""), "not a zip archive"),
    ],
)
def test_a_hostile_archive_is_refused_soon_and_leaves_nothing_outside(
    archive: Path, tmp_path: Path, spoil: Spoil, words: str
) -> None:
    spoil(archive)
    began, before = time.monotonic(), psutil.Process().memory_info().rss

    with pytest.raises(DataRefused, match=words) as refused:
        take(archive)

    assert str(archive) in str(refused.value)
    assert time.monotonic() - began < 10
    assert psutil.Process().memory_info().rss - before < 200_000_000
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file() and path != archive) < 2000
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
