import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
import pytest
from click.testing import CliRunner, Result
from data_makers import Array, Heard, drawings, flip, idx_bytes, write_idx, write_pair
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hpsearch import plugins
from hpsearch.cli.data import data
from hpsearch.datasets import prepared as stored
from hpsearch.datasets.content import Content, Part
from hpsearch.datasets.emnist import EMNISTBalanced, read_archive
from hpsearch.datasets.held_out import mark_held_out
from hpsearch.datasets.idx import Idx
from hpsearch.datasets.idx_format import read
from hpsearch.datasets.mnist import MNIST
from hpsearch.datasets.mnist_5k import MNIST5k
from hpsearch.datasets.storing import keep_once
from hpsearch.errors import DataRefused, ExperimentRefused, FolderUnusable
from hpsearch.protocols import Prepared

pytestmark = pytest.mark.usefixtures("cache")

Rows = list[tuple[int, int]]


@pytest.fixture
def shared() -> Path:
    folder = Path(os.environ.get("HPSEARCH_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the shared data is not here: {folder} (set HPSEARCH_TEST_DATA)")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of one's own: 40 training and 12 test drawings in 4 classes."""
    folder = write_pair(tmp_path / "own", "train", *drawings())
    return write_pair(folder, "test", *drawings(rows=12, seed=1))


def prepare(**options: Any) -> Prepared:
    return Idx(**options).prepare(Heard())


# --- mnist-5k -----------------------------------------------------------------------------------


def test_mnist_5k_is_4000_and_1000_real_digits() -> None:
    prepared = MNIST5k().prepare(Heard())

    images, labels = stored.load(prepared.folder, "train")
    _, test_labels = stored.load(prepared.folder, "test")
    assert (images.shape, images.dtype.name, labels.dtype.name) == ((4000, 28, 28), "uint8", "int64")
    assert np.bincount(labels).tolist() == [400] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10
    assert prepared.class_names == tuple("0123456789")
    assert prepared.test_from == "content-hash"
    assert MNIST5k().outline().train_rows == len(images)


def test_every_row_of_mnist_5k_is_in_mnist(shared: Path) -> None:
    prepared = MNIST5k(test=0.3).prepare(Heard())
    digits = read(shared / "mnist" / "train-images-idx3-ubyte.gz", 3)
    known = dict(
        zip((d.tobytes() for d in digits), read(shared / "mnist" / "train-labels-idx1-ubyte.gz", 1), strict=True)
    )

    for part in stored.PARTS:
        images, labels = stored.load(prepared.folder, part)
        assert [known[image.tobytes()] for image in images] == labels.tolist()


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ExperimentRefused, match="between 0 and 1"):
        plugins.make("datasets", "mnist-5k", {"test": "t10k"})


# --- mnist, emnist ------------------------------------------------------------------------------


def test_mnist_comes_from_a_mirror_byte_for_byte(shared: Path) -> None:
    prepared = MNIST(mirror=str(shared / "mnist")).prepare(Heard())

    images, labels = stored.load(prepared.folder, "train")
    assert (images.shape, prepared.test_rows, prepared.test_from) == ((60_000, 28, 28), 10_000, "official")
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_mnist_files_put_into_the_cache_by_hand_are_used(shared: Path, cache: Path) -> None:
    downloads = cache / "downloads" / "mnist"
    downloads.mkdir(parents=True)
    for file in (shared / "mnist").iterdir():
        (downloads / file.name).symlink_to(file)

    prepared = MNIST(mirror=str(cache / "nothing here")).prepare(Heard())

    assert prepared.train_rows == 60_000


def test_emnist_without_its_archive_says_which_file_goes_where(cache: Path) -> None:
    with pytest.raises(DataRefused) as refused:
        EMNISTBalanced(mirror=str(cache / "nothing here")).prepare(Heard())

    assert "gzip.zip  md5 58c8d27c78d21e728a6bc7b3cc06412e" in str(refused.value)
    assert str(cache / "downloads" / "emnist") in str(refused.value)


def test_the_balanced_split_leaves_the_archive_upright(shared: Path, tmp_path: Path) -> None:
    archive, source = tmp_path / "gzip.zip", shared / "emnist47"
    with zipfile.ZipFile(archive, "w") as opened:
        for kind in ("images-idx3", "labels-idx1"):
            for part in ("train", "test"):
                file = source / f"emnist47-test-{kind}-ubyte.gz"  # the small one, twice
                opened.write(file, f"gzip/emnist-balanced-{part}-{kind}-ubyte.gz")
        opened.write(source / "emnist47-mapping.txt", "gzip/emnist-balanced-mapping.txt")
        opened.writestr("../escaped.txt", "out")

    content = read_archive(archive)

    lying = read(source / "emnist47-test-images-idx3-ubyte.gz", 3)
    assert np.array_equal(content.train.images, lying.transpose(0, 2, 1))
    assert len(content.class_names) == 47
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["gzip.zip"]


DIES_WHILE_UNPACKING = """
import pathlib, resource, signal, sys
from hpsearch.datasets.emnist import read_archive
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
read_archive(pathlib.Path(sys.argv[1]))
"""


def test_what_a_killed_process_unpacked_is_taken_away_by_the_next(tmp_path: Path) -> None:
    archive, (images, labels) = tmp_path / "archive" / "gzip.zip", drawings()
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as opened:
        for part in ("train", "test"):
            opened.writestr(f"gzip/emnist-balanced-{part}-images-idx3-ubyte.gz", gzip.compress(idx_bytes(images)))
            opened.writestr(f"gzip/emnist-balanced-{part}-labels-idx1-ubyte.gz", gzip.compress(idx_bytes(labels)))
        opened.writestr("gzip/emnist-balanced-mapping.txt", "0 48\n1 49\n2 50\n3 51\n")
    died = subprocess.run([sys.executable, "-c", DIES_WHILE_UNPACKING, archive], check=False)
    left = [path for path in archive.parent.iterdir() if path != archive]

    read_archive(archive)

    assert (died.returncode < 0, len(left)) == (True, 1)
    assert list(archive.parent.iterdir()) == [archive]


def test_transposed_images_stand_upright(shared: Path) -> None:
    folder = shared / "emnist47"

    prepared = Idx(folder, train="emnist47-train", transposed=True).prepare(Heard())

    images, labels = stored.load(prepared.folder, "test")
    ones = images[labels == prepared.class_names.index("1")].astype(float).mean(axis=0)
    height, width = (ones > 100).any(axis=1).sum(), (ones > 100).any(axis=0).sum()
    assert height > width
    assert (prepared.train_rows, prepared.test_rows) == (36_660, 6_110)
    assert prepared.class_names[10:12] == ("A", "B")


# --- idx: what is found ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_own_files_come_back_as_they_were(suffix: str, tmp_path: Path) -> None:
    images, labels = drawings()
    folder = write_pair(tmp_path / "own", "train", images, labels, suffix)
    write_pair(folder, "t10k", images[:8], labels[:8], suffix)

    prepared = prepare(folder=folder)

    kept, named = stored.load(prepared.folder, "train")
    assert np.array_equal(kept, images)
    assert np.array_equal(named, labels)
    assert (prepared.class_names, prepared.shape, prepared.test_rows) == (("0", "1", "2", "3"), (6, 5), 8)


def test_without_test_files_a_share_is_held_out(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "own", "train", *drawings(rows=100))

    prepared = prepare(folder=folder, test=0.25)

    assert (prepared.train_rows, prepared.test_rows, prepared.test_from) == (76, 24, "content-hash")
    assert Idx(folder, test=0.25).outline().train_rows == 76


def test_the_outline_is_what_will_be_prepared(own: Path) -> None:
    outline = Idx(own, transposed=True).outline()

    assert (outline.train_rows, outline.classes, outline.shape) == (40, 4, (5, 6))
    assert prepare(folder=own, transposed=True).shape == (5, 6)


def test_class_names_come_from_a_mapping_that_fits(own: Path) -> None:
    (own / "mapping.txt").write_text("0 65\n1 66 98\n2 67\n3 8364\n", encoding="utf-8")

    assert prepare(folder=own).class_names == ("A", "Bb", "C", "€")


def test_folders_that_are_named_as_the_files_beside_them_are_no_files(own: Path) -> None:
    """Kaggle's archive of MNIST has train-labels.idx1-ubyte, and beside it a folder train-labels-idx1-ubyte."""
    for file in list(own.iterdir()):
        name = file.name.removesuffix(".gz")
        file.rename(own / name.replace("-idx", ".idx"))
        (own / name).mkdir()

    assert prepare(folder=own).train_rows == 40


@pytest.mark.parametrize("name", ["mapping.txt", "mine-mapping.txt"])
def test_the_companions_that_macos_leaves_are_no_data(name: str, own: Path) -> None:
    (own / name).write_text("0 65\n1 66\n2 67\n3 68\n")
    for file in list(own.iterdir()):
        (own / f"._{file.name}").write_bytes(b"\x00\x05\x16\x07\xff")

    prepared = prepare(folder=own)

    assert (prepared.train_rows, prepared.test_rows, prepared.class_names) == (40, 12, ("A", "B", "C", "D"))


def test_a_mapping_that_lacks_a_label_names_nothing(own: Path) -> None:
    (own / "mapping.txt").write_text("0 65\n1 66\n")

    assert prepare(folder=own).class_names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    "text", ["0 65\nx 66\n", "0 65\n0 66\n", "0\n", "0 99999999999\n", "-1 65\n", "0 10\n", "0 65\n1 65\n"]
)
def test_a_broken_mapping_is_refused_with_its_line(text: str, own: Path) -> None:
    (own / "mapping.txt").write_text(text)

    with pytest.raises(DataRefused, match=r"mapping\.txt, line \d"):
        prepare(folder=own)


def test_labels_that_begin_at_one_are_classes_from_zero(tmp_path: Path) -> None:
    images, labels = drawings()
    folder = write_pair(tmp_path / "letters", "train", images, labels + 1)

    prepared = prepare(folder=folder)

    assert prepared.class_names == ("1", "2", "3", "4")
    assert sorted(set(stored.load(prepared.folder, "train")[1].tolist())) == [0, 1, 2, 3]


def test_several_training_files_are_listed_and_one_can_be_chosen(own: Path) -> None:
    write_pair(own, "small-train", *drawings(rows=20))

    with pytest.raises(DataRefused, match=r"small-train, train\n.*data\.train"):
        prepare(folder=own)
    assert prepare(folder=own, train="small").train_rows == 20
    assert prepare(folder=own, train="train").train_rows == 40


def test_several_test_files_are_listed_and_one_can_be_chosen(own: Path) -> None:
    write_pair(own, "hard-test", *drawings(rows=8))
    write_pair(own, "odd-test", *drawings(rows=8))
    (own / "test-images-idx3-ubyte.gz").unlink()

    with pytest.raises(DataRefused, match=r"hard-test, odd-test\n.*data\.test"):
        prepare(folder=own)
    assert prepare(folder=own, test="odd").test_rows == 8


def test_files_that_are_not_read_are_said_with_what_would_have_them_read(own: Path) -> None:
    write_pair(own, "valid", *drawings(rows=8))
    for beginning in ("emnist-letters-train", "emnist-letters-test", "train-more"):
        write_pair(own, beginning, *drawings(rows=8))

    said, held_out, letters = (
        Idx(own, **options).left_out()
        for options in ({"train": "train"}, {"train": "train", "test": 0.5}, {"train": "emnist-letters-train"})
    )

    assert said.startswith(f"warning: {own}: not read: valid-images-idx3-ubyte.gz\n  images to validate on are taken ")
    assert "not read: test-images-idx3-ubyte.gz, valid-images-idx3-ubyte.gz\n" in held_out
    assert "to validate and to test on are taken from train-images-idx3-ubyte.gz; data.test is the beg" in held_out
    assert letters == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folder": "/nowhere/at/all"}, "no such folder"),
        ({"train": "trian"}, "begins with 'trian'\n  there are: test, train"),
        ({"test": "tset"}, "begins with 'tset'\n  there are: test"),
    ],
)
def test_what_is_not_found_is_said_with_what_there_is(options: dict[str, Any], words: str, own: Path) -> None:
    with pytest.raises(DataRefused) as refused:
        prepare(**{"folder": own} | options)

    assert words in str(refused.value).replace("(such as train-images-idx3-ubyte.gz)", "").replace(" \n", "\n")


# --- idx: what is refused -------------------------------------------------------------------------

IMAGES, LABELS = drawings()
RAW = idx_bytes(IMAGES)
ZIPPED = gzip.compress(RAW)


def header(*shape: int) -> bytes:
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)


SPOILED = {
    "a cut archive": (ZIPPED[: len(ZIPPED) // 2], "damaged or cut off"),
    "a flipped bit": (ZIPPED[:200] + bytes([ZIPPED[200] ^ 4]) + ZIPPED[201:], ""),
    "a flipped checksum": (ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:], "damaged or cut off"),
    "a wrong file": (b"<html>404 Not Found</html>", "not an idx file of 3 axes"),
    "labels in place of images": (idx_bytes(LABELS), "not an idx file of 3 axes"),
    "another type": (bytes((0, 0, 13, 3)) + RAW[4:], "not an idx file of 3 axes"),
    "an empty file": (b"", "begins with nothing"),
    "half a header": (RAW[:9], "cut off inside its header"),
    "60,000 promised, 10 there": (header(60_000, 28, 28) + bytes(10 * 784), "header says 60,000 × 28 × 28"),
    "60,000 promised, 10 there, zipped": (gzip.compress(header(60_000, 28, 28) + IMAGES.tobytes() * 50), "header says"),
    "4e9 × 4e9": (header(4_000_000_000, 4_000_000_000, 1), "header says 4,000,000,000 × 4,000,000,000"),
    "4e9 × 4e9, zipped": (gzip.compress(header(4_000_000_000, 4_000_000_000, 1)), "header says 4,000,000,000"),
    "more than promised": (RAW + b"more", "the file holds"),
    "a bomb": (gzip.compress(header(40, 6, 5) + bytes(1 << 26)), "the file holds more"),
}


@pytest.mark.promise("62", "P19", "H41")
@pytest.mark.parametrize("fault", SPOILED)
def test_a_spoiled_file_is_refused_by_name_before_anything_is_stored(fault: str, own: Path, cache: Path) -> None:
    spoiled, words = SPOILED[fault]
    (own / "train-images-idx3-ubyte.gz").write_bytes(spoiled)

    with pytest.raises(DataRefused) as refused:
        prepare(folder=own)

    assert str(own / "train-images-idx3-ubyte.gz") in str(refused.value)
    assert words in str(refused.value)
    assert "\n  " in str(refused.value)
    assert not list(cache.glob("prepared/[!.]*"))


def test_a_pipe_named_like_a_file_is_not_waited_for(own: Path) -> None:
    (own / "train-images-idx3-ubyte.gz").unlink()
    os.mkfifo(own / "train-images-idx3-ubyte.gz")

    with pytest.raises(DataRefused, match="no file of images"):
        prepare(folder=own)


@pytest.mark.promise("64")
def test_a_file_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    rows = psutil.virtual_memory().total // 784
    file = tmp_path / "images"
    file.write_bytes(header(rows, 28, 28))
    os.truncate(file, 16 + rows * 784)  # it takes no room on the disk

    with pytest.raises(DataRefused, match="GB of memory"):
        read(file, 3)


def no_rows(images: Array, labels: Array) -> tuple[Array, Array]:
    return images[:0], labels[:0]


def no_pixels(images: Array, labels: Array) -> tuple[Array, Array]:
    return images[:, :0], labels


def no_class_2(images: Array, labels: Array) -> tuple[Array, Array]:
    return images, np.where(labels == 2, 1, labels)


def fewer_labels(images: Array, labels: Array) -> tuple[Array, Array]:
    return images, labels[:-1]


def always_the_same_image(images: Array, labels: Array) -> tuple[Array, Array]:
    return images * 0, labels


FAULTS = [
    ("test", lambda images, labels: (images, labels * 0), "3 of 4 classes have no rows (1, 2, 3)"),
    ("train", no_rows, "holds no rows"),
    ("train", no_pixels, "without a pixel"),
    ("train", no_class_2, "1 of 4 classes have no rows (2); rows per class: 0: 10, 1: 20, 3: 10"),
    ("train", fewer_labels, "40 images, but 39 labels"),
    ("test", no_rows, "holds no rows"),
    ("test", no_class_2, "classes have no rows (2)"),
    ("test", fewer_labels, "12 images, but 11 labels"),
    (
        "test",
        lambda images, labels: (images, labels + 2),
        "6 labels are none of the 4 classes, 0 … 3 (row 2: 4, row 3: 5",
    ),
    ("test", lambda images, labels: (images[:, 1:], labels), "images of another size"),
]


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize(("part", "spoil", "words"), FAULTS)
def test_faults_of_labels_and_rows_are_refused(part: str, spoil: Callable[..., Any], words: str, own: Path) -> None:
    rows = drawings() if part == "train" else drawings(rows=12, seed=1)
    write_pair(own, part, *spoil(*rows))

    with pytest.raises(DataRefused) as refused:
        prepare(folder=own)

    assert words in str(refused.value)
    assert f"{part}-images-idx3-ubyte.gz" in str(refused.value)


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(("mapping", "name"), [("", "3"), ("0 65\n1 66\n2 67\n3 68\n", "D")])
def test_a_single_class_is_refused_whatever_the_user_says(
    tmp_path: Path, mapping: str, name: str, allowed: bool
) -> None:
    images, labels = drawings()
    folder = write_pair(tmp_path / "own", "train", images, labels * 0 + 3)
    if mapping:
        (folder / "mapping.txt").write_text(mapping)

    with pytest.raises(DataRefused, match=f"all 32 rows are of one class, '{name}'\n  add rows of another class"):
        prepare(folder=folder, allow_empty_class=allowed)


@pytest.mark.promise("63", "P19")
def test_what_was_kept_when_less_was_refused_is_judged_again() -> None:
    part = Part(*no_class_2(*drawings()), "mine")
    content = Content("mine", tuple("0123"), part, part, "official", "")
    keep_once("mine", 1, lambda: content, allow_empty_class=True)

    with pytest.raises(DataRefused, match=r"mine \(train\): 1 of 4 classes have no rows"):
        keep_once("mine", 1, lambda: content)


@pytest.mark.promise("63", "P19")
def test_a_split_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "own", "train", *always_the_same_image(*drawings()))

    with pytest.raises(DataRefused, match="cannot be divided"):
        prepare(folder=folder)


@pytest.mark.promise("63", "P19")
def test_an_empty_class_passes_when_the_user_says_so(own: Path) -> None:
    write_pair(own, "train", *no_class_2(*drawings()))

    prepared = prepare(folder=own, allow_empty_class=True)

    assert prepared.class_names == ("0", "1", "2", "3")


@pytest.mark.promise("63", "P19")
def test_labels_out_of_range_are_named_by_row(tmp_path: Path) -> None:
    from hpsearch.datasets.soundness import refuse_unsound

    images, labels = drawings()
    bad = Part(images, np.where(np.arange(40) == 7, -1, labels), "mine")
    good = Part(images, labels, "good")

    with pytest.raises(DataRefused, match=r"mine: 1 labels outside 0 … 3 \(row 7: -1\)"):
        refuse_unsound(Content("x", tuple("abcd"), bad, good, "official", ""), allow_empty_class=True)


@pytest.mark.promise("63", "P19")
def test_thousands_of_classes_without_rows_are_refused_in_few_words_with_the_way_to_mend_it() -> None:
    from hpsearch.datasets.soundness import refuse_unsound

    labels = np.arange(0, 9_999, 3)
    part = Part(np.zeros((len(labels), 1, 1), np.uint8), labels, "mine")

    with pytest.raises(DataRefused) as refused:
        refuse_unsound(Content("x", tuple(map(str, range(9_999))), part, part, "official", ""), allow_empty_class=False)

    said = str(refused.value)
    assert "mine: 6,666 of 9,999 classes have no rows (1, 2, 4, 5, 7, …); rows per class: 0: 1, 3: 1, 6: 1" in said
    assert "add rows, number the classes without gaps, as numpy.unique(labels, return_inverse=True)[1] does, or" in said
    assert len(said) < 3_000


# --- the split by content -------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=2, max_size=60),
    st.randoms(),
    st.floats(0.05, 0.9),
)
def test_the_split_hears_the_content_alone(rows: Rows, random: Random, share: float) -> None:
    shuffled = random.sample(rows, len(rows))

    def sides(order: Rows) -> set[tuple[int, bool]]:
        images = np.array([[[pixel]] for pixel, _ in order], np.uint8)
        marks = mark_held_out(images, np.array([label for _, label in order]), share)
        return {(pixel, bool(mark)) for (pixel, _), mark in zip(order, marks, strict=True)}

    once = sides(rows)
    assert once == sides(shuffled)
    assert len(once) == len({pixel for pixel, _ in rows})  # every image is on one side only


def test_the_split_keeps_the_shares_of_the_classes() -> None:
    images, _ = drawings(rows=1000)
    labels = np.repeat([0, 1, 2], [700, 250, 50])

    marks = mark_held_out(images, labels, 0.2)

    assert np.bincount(labels[marks]).tolist() == [140, 50, 10]


def test_images_that_occur_once_are_held_out_from_the_lowest_hash_on() -> None:
    marks = mark_held_out(np.arange(200, dtype=np.uint8)[:, None, None], np.repeat([0, 1], [150, 50]), 0.2)

    hashes = [sha256(b"hpsearch test split 1" + bytes([pixel])).digest() for pixel in range(200)]
    lowest = [sorted(rows, key=hashes.__getitem__)[: len(rows) // 5] for rows in (range(150), range(150, 200))]
    assert set(marks.nonzero()[0].tolist()) == {row for rows in lowest for row in rows}


@pytest.mark.parametrize("seed", range(5))
def test_beside_an_image_that_fills_most_of_a_class_a_share_of_the_others_is_held_out(seed: int) -> None:
    images, _ = drawings(rows=100, seed=seed)
    images[:80] = 0

    marks = mark_held_out(images, np.zeros(100, np.int64), 0.2)

    assert (marks.sum(), marks[:80].any()) == (4, False)


def test_an_image_that_every_class_has_costs_none_its_share() -> None:
    images, _ = drawings(rows=1000)
    labels = np.repeat(np.arange(10), 100)
    images[np.arange(1000) % 100 < 9] = 0

    marks = mark_held_out(images, labels, 0.2)

    assert np.bincount(labels[marks]).min() >= 18


@pytest.mark.parametrize("mislabelled", [1, 90])
def test_an_image_counts_in_the_class_that_has_most_of_it(mislabelled: int) -> None:
    images, _ = drawings(rows=200)
    labels = np.repeat([0, 1], 100)
    images[:mislabelled] = images[100:180] = 0

    marks = mark_held_out(images, labels, 0.2)

    assert np.bincount(labels[marks]).tolist() == [20 if mislabelled == 1 else 2, 4]


def test_of_images_that_all_occur_too_often_the_rarest_is_held_out() -> None:
    images = np.repeat(np.array([1, 2, 3], np.uint8), [40, 20, 40])[:, None, None]

    assert (mark_held_out(images, np.zeros(100, np.int64), 0.05) == (images[:, 0, 0] == 2)).all()


# --- storing --------------------------------------------------------------------------------------


def test_twice_is_once(own: Path) -> None:
    first = prepare(folder=own)
    written = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}

    second = prepare(folder=own)

    assert second == first == stored.read_manifest(first.folder)
    assert {path: path.stat().st_mtime_ns for path in second.folder.rglob("*")} == written


def test_a_changed_file_is_prepared_anew(own: Path) -> None:
    first = prepare(folder=own)
    kept = (own / "train-images-idx3-ubyte.gz").stat()
    images, labels = drawings()
    images[0, 0, 0] ^= 1
    write_pair(own, "train", images, labels)
    os.utime(own / "train-images-idx3-ubyte.gz", ns=(kept.st_atime_ns, kept.st_mtime_ns))

    second = prepare(folder=own)

    assert second.digest != first.digest


def test_the_digest_hears_the_content_alone(own: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for part, rows in (("train", drawings()), ("test", drawings(rows=12, seed=1))):
        write_pair(copy, part, *rows, suffix="")

    assert prepare(folder=copy).digest == prepare(folder=own).digest


def test_files_that_were_moved_are_kept_once(own: Path, tmp_path: Path) -> None:
    first = prepare(folder=own)

    second = prepare(folder=own.rename(tmp_path / "moved"))

    assert second.folder != first.folder
    assert all((second.folder / file).samefile(first.folder / file) for file in stored.FILES)
    shutil.rmtree(first.folder)
    stored.verify(second)


def test_files_that_were_moved_are_kept_anew_where_what_was_kept_is_damaged(own: Path, tmp_path: Path) -> None:
    images = prepare(folder=own).folder / "train" / "images.npy"
    images.write_bytes(images.read_bytes()[:-1] + b"!")

    second = prepare(folder=own.rename(tmp_path / "moved"))

    stored.verify(second)


@pytest.mark.parametrize("lost", ["manifest.json", "test/labels.npy"])
def test_a_folder_that_lacks_something_is_not_taken_for_a_whole_one(lost: str, own: Path) -> None:
    first = prepare(folder=own)
    (first.folder / lost).unlink()

    with pytest.raises(DataRefused, match="not a whole"):
        stored.read_manifest(first.folder)
    assert prepare(folder=own) == first
    stored.verify(first)


def test_a_cut_array_is_prepared_anew(own: Path) -> None:
    first = prepare(folder=own)
    images = first.folder / "train" / "images.npy"
    images.write_bytes(images.read_bytes()[:-1])

    prepare(folder=own)

    stored.verify(first)


DIES_WHILE_WRITING = """
import resource, signal, sys
from hpsearch.datasets.idx import Idx
if sys.argv[2] == "killed":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1300, 1300))  # enough for 40 images, and not for their file
Idx(sys.argv[1]).prepare(lambda what, done, total: None)
"""


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_taken_for_whole(own: Path, cache: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIES_WHILE_WRITING, own, "killed"], check=False)
    left = list(cache.glob("prepared/.*.tmp-*"))

    prepared = prepare(folder=own)

    assert died.returncode < 0
    assert len(left) == 1
    assert not left[0].exists()
    stored.verify(prepared)


def test_a_full_disk_is_said_with_the_folder(own: Path, cache: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_WRITING, own, "told"], check=False, capture_output=True, text=True
    ).stderr

    assert f"{FolderUnusable.__name__}: {cache}" in said
    assert "HPSEARCH_DATA" in said


def test_without_a_home_folder_it_is_told_what_to_set(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    for variable in ("HPSEARCH_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)  # as in a container that runs as some other number

    with pytest.raises(FolderUnusable, match="no home folder to keep data in\n  set HOME, or HPSEARCH_DATA"):
        prepare(folder=own)


PREPARES = "import sys; from hpsearch.datasets.idx import Idx; print(Idx(sys.argv[1]).prepare(lambda *_: None).folder)"


def test_who_waits_for_another_process_to_prepare_hears_of_it(own: Path) -> None:
    folder = prepare(folder=own).folder
    shutil.rmtree(folder)

    with FileLock(folder.with_name(f".{folder.name}.lock")):
        waits = subprocess.Popen([sys.executable, "-c", PREPARES, own], stderr=subprocess.PIPE, text=True)
        said = waits.stderr and waits.stderr.readline()

    assert said == "another process prepares idx; waiting for it\n"
    assert waits.wait() == 0


def test_two_processes_prepare_one_set_between_them(own: Path, cache: Path) -> None:
    words = [sys.executable, "-c", PREPARES, own]
    hands = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    said = {hand.communicate()[0].strip() for hand in hands}

    assert said == {str(folder) for folder in cache.glob("prepared/[!.]*")}
    assert len(said) == 1


# --- the commands -----------------------------------------------------------------------------------


def ask(*words: str) -> Result:
    return CliRunner().invoke(data, words)


def test_the_list_says_what_is_prepared() -> None:
    ask("get", "mnist-5k")

    rows = {row["name"]: row for row in json.loads(ask("list", "--json").stdout)}

    assert sorted(rows) == ["csv", "emnist-balanced", "folder", "idx", "mnist", "mnist-5k", "npz"]
    assert (len(rows["mnist-5k"]["prepared"]), rows["mnist"]["prepared"]) == (1, [])
    assert "mnist-5k" in ask("list").stdout


def test_check_counts_the_rows_of_each_class(own: Path) -> None:
    ask("get", "idx", "--folder", str(own))

    (found,) = json.loads(ask("check", "idx", "--json").stdout)

    assert found["rows_per_class"] == {str(label): [10, 3] for label in range(4)}
    assert "whole, sha256" in ask("check", "idx", "--folder", str(own)).stdout


def test_check_finds_a_flipped_byte(own: Path) -> None:
    folder = Path(json.loads(ask("get", "idx", "--folder", str(own), "--json").stdout)["folder"])
    flip(folder / "train" / "images.npy", 500)

    result = ask("check", "idx")

    assert isinstance(result.exception, DataRefused)
    assert "hpsearch data get idx" in str(result.exception)


def test_check_of_what_is_not_prepared_says_how_to_get_it() -> None:
    result = ask("check", "mnist")

    assert isinstance(result.exception, DataRefused)
    assert "hpsearch data get mnist" in str(result.exception)


def test_show_draws_ten_of_each_class_upright(own: Path, tmp_path: Path) -> None:
    images, labels = drawings()
    images[:, 3:] = 0  # the lower half is dark
    write_pair(own, "train", images, labels)
    sheet = tmp_path / "sheet.png"

    said = ask("show", "idx", "--folder", str(own), "--out", str(sheet))

    assert said.stdout == f"{sheet}: 10 of each class\n"
    drawn = np.asarray(Image.open(sheet))
    first = drawn[4:60, -51:-4]  # an image is 56 high and 47 wide, then comes a gap
    assert first[29:].max() == 0
    assert first[:28].max() > 0
    assert drawn.shape[0] == 4 + 4 * 60


def test_show_letters_each_class_with_its_own_sign(own: Path, tmp_path: Path) -> None:
    (own / "mapping.txt").write_text("0 223\n1 233\n2 937\n3 12362\n")
    sheet = tmp_path / "sheet.png"

    ask("show", "idx", "--folder", str(own), "--out", str(sheet))

    drawn = np.asarray(Image.open(sheet))
    letters = {drawn[line * 60 + 4 : line * 60 + 24, 4:40].tobytes() for line in range(4)}
    assert len(letters) == 4  # and not one box four times


def test_show_writes_over_nothing_unasked_but_its_own_sheet(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, again = (ask("show", "idx", "--folder", str(own)).stdout for _ in range(2))
    Path("idx.png").write_bytes(b"a person's own")

    refused = ask("show", "idx", "--folder", str(own))

    assert first == again == "idx.png: 10 of each class\n"
    assert "idx.png: this file is there already" in str(refused.exception)
    assert Path("idx.png").read_bytes() == b"a person's own"


def test_show_of_one_set_among_several_asks_which(own: Path, tmp_path: Path) -> None:
    for share in ("0.2", "0.5"):
        ask("get", "idx", "--folder", str(own), "--test", share)

    refused = ask("show", "idx", "--out", str(tmp_path / "sheet.png"))

    assert isinstance(refused.exception, ExperimentRefused)
    assert "2 sets idx are prepared\n  say which with --folder" in str(refused.exception)
    assert not (tmp_path / "sheet.png").exists()


def test_show_marks_what_it_leaves_out(tmp_path: Path) -> None:
    images, labels = drawings(rows=442, classes=221)
    folder = write_pair(tmp_path / "many", "train", images, labels)

    said = ask("show", "idx", "--folder", str(folder), "--out", str(tmp_path / "sheet.png"))

    assert said.stdout.endswith("the first 200 of 221\n")


def test_the_share_for_testing_is_taken_as_a_number_or_a_name(own: Path) -> None:
    share = json.loads(ask("get", "idx", "--folder", str(own), "--test", "0.5", "--json").stdout)
    name = json.loads(ask("get", "idx", "--folder", str(own), "--test", "test", "--json").stdout)

    assert (share["test_rows"], share["test_from"]) == (20, "content-hash")
    assert (name["test_rows"], name["test_from"]) == (12, "official")


def test_images_may_lie_in_a_folder_without_gzip(own: Path) -> None:
    write_idx(own / "train-images.idx3-ubyte", IMAGES)
    (own / "train-images-idx3-ubyte.gz").unlink()

    assert prepare(folder=own).train_rows == 40
