"""EMNIST balanced: 112,800 + 18,800 handwritten digits and letters in 47 classes (Cohen et al., arXiv:1702.05373)."""

from pathlib import Path

from hpsearch import paths
from hpsearch.claiming import own_folder
from hpsearch.datasets import storing
from hpsearch.datasets.archive import take_out
from hpsearch.datasets.content import About, Content
from hpsearch.datasets.download import RemoteFile, fetch
from hpsearch.datasets.idx_pair import as_positions, read_pair
from hpsearch.datasets.mapping import read_mapping
from hpsearch.protocols import Outline, Prepared, Progress

ARCHIVE = RemoteFile(
    name="gzip.zip",
    addresses=("https://biometrics.nist.gov/cs_links/EMNIST/",),
    checksum="md5:58c8d27c78d21e728a6bc7b3cc06412e",
    most_bytes=600_000_000,
)
MEMBERS = tuple(
    f"gzip/emnist-balanced-{part}.{suffix}"
    for part, suffix in (
        ("train-images-idx3-ubyte", "gz"),
        ("train-labels-idx1-ubyte", "gz"),
        ("test-images-idx3-ubyte", "gz"),
        ("test-labels-idx1-ubyte", "gz"),
        ("mapping", "txt"),
    )
)
MOST_UNPACKED = 200_000_000
LICENCE = "public domain (NIST, United States government work)"


class EMNISTBalanced:
    """The official balanced split, out of NIST's archive, stood upright; the official test split."""

    about = About(112_800, 18_800, 47, LICENCE, "NIST, biometrics.nist.gov; 561 MB to fetch")

    def __init__(self, mirror: str | None = None, *, allow_empty_class: bool = False) -> None:
        """Fetch from `mirror`, a folder or an address, in place of NIST's."""
        self._mirror, self._allow_empty_class = mirror, allow_empty_class

    def outline(self) -> Outline:
        """Tell what the paper says."""
        return Outline(train_rows=112_800, classes=47, shape=(28, 28), smallest=("0", 2_400))

    def prepare(self, progress: Progress) -> Prepared:
        """Fetch, verify and unpack what is missing; raise DataRefused."""
        return storing.keep_once(
            "emnist-balanced", ARCHIVE.checksum, lambda: self._collect(progress),
            allow_empty_class=self._allow_empty_class,
        )  # fmt: skip

    def _collect(self, progress: Progress) -> Content:
        (archive,) = fetch([ARCHIVE], paths.cache() / "downloads" / "emnist", progress, self._mirror)
        return read_archive(archive)


def read_archive(archive: Path) -> Content:
    """Read the balanced split out of NIST's archive; the unpacked members are gone again afterwards."""
    with own_folder(archive.with_name("unpacked")) as folder:
        images, labels, test_images, test_labels, mapping = take_out(archive, MEMBERS, folder, MOST_UNPACKED)
        names = read_mapping(mapping)
        train, test = (
            as_positions(read_pair(*pair, transposed=True), list(names))
            for pair in ((images, labels), (test_images, test_labels))
        )
    return Content("emnist-balanced", tuple(names.values()), train, test, "official", LICENCE)
