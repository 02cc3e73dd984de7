"""MNIST: 60,000 + 10,000 handwritten digits (LeCun, Cortes, Burges, 1998)."""

from hpsearch import paths
from hpsearch.datasets import storing
from hpsearch.datasets.content import About, Content
from hpsearch.datasets.download import RemoteFile, fetch
from hpsearch.datasets.idx_pair import read_pair
from hpsearch.protocols import Outline, Prepared, Progress

ADDRESSES = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
MOST_BYTES = 12_000_000
FILES = tuple(RemoteFile(name, ADDRESSES, checksum, MOST_BYTES) for name, checksum in CHECKSUMS.items())
LICENCE = "CC BY-SA 3.0"


class MNIST:
    """The four official files, fetched once and verified by their checksums; the official test split."""

    about = About(60_000, 10_000, 10, LICENCE, "yann.lecun.com, by its mirrors; 11 MB to fetch")

    def __init__(self, mirror: str | None = None, *, allow_empty_class: bool = False) -> None:
        """Fetch from `mirror`, a folder or an address, in place of the well-known ones."""
        self._mirror, self._allow_empty_class = mirror, allow_empty_class

    def outline(self) -> Outline:
        """Tell what everybody knows of MNIST."""
        return Outline(train_rows=60_000, classes=10, shape=(28, 28), smallest=("5", 5_421))

    def prepare(self, progress: Progress) -> Prepared:
        """Fetch, verify and unpack what is missing; raise DataRefused."""
        return storing.keep_once(
            "mnist", sorted(CHECKSUMS.values()), lambda: self._collect(progress),
            allow_empty_class=self._allow_empty_class,
        )  # fmt: skip

    def _collect(self, progress: Progress) -> Content:
        files = fetch(FILES, paths.cache() / "downloads" / "mnist", progress, self._mirror)
        images, labels, test_images, test_labels = files
        return Content(
            name="mnist",
            class_names=tuple("0123456789"),
            train=read_pair(images, labels),
            test=read_pair(test_images, test_labels),
            test_from="official",
            licence=LICENCE,
        )
