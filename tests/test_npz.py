"""One's own images in NumPy archives: what is found in them, and which numbers are images."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import Array, Heard, at_hand, drawings, write_pictures

from hpsearch import plugins
from hpsearch.datasets import npz_archive, npz_format
from hpsearch.datasets import prepared as stored
from hpsearch.datasets.folder import Folder
from hpsearch.datasets.idx_format import read
from hpsearch.datasets.npz import Npz
from hpsearch.datasets.npz_values import height_width
from hpsearch.errors import DataRefused, ExperimentRefused
from hpsearch.protocols import Prepared

pytestmark = pytest.mark.usefixtures("cache")

IMAGES, LABELS = drawings()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.npz"


def prepare(file: Path, **options: Any) -> Prepared:
    return Npz(file, **options).prepare(Heard())


def kept(file: Path, images: Array, labels: Array = LABELS, **options: Any) -> tuple[Array, Array]:
    """What comes back of images that are stored with eight of their own for testing."""
    np.savez_compressed(file, x_train=images, y_train=labels, x_test=images[:8], y_test=labels[:8])
    return stored.load(prepare(file, **options).folder, "train")


# --- what is found -----------------------------------------------------------------------------------


def test_an_archive_as_keras_has_mnist_comes_back_as_it_was(file: Path) -> None:
    images, labels = kept(file, IMAGES)

    assert np.array_equal(images, IMAGES)
    assert np.array_equal(labels, LABELS)
    assert prepare(file).test_from == "official"


def test_the_real_mnist_is_the_same_from_an_archive_and_from_idx_files(file: Path) -> None:
    folder = at_hand("mnist/train-images-idx3-ubyte.gz") / "mnist"
    parts = {"train": "train", "test": "t10k"}
    arrays = {}
    for part, stem in parts.items():
        arrays[f"x_{part}"] = read(folder / f"{stem}-images-idx3-ubyte.gz", 3)
        arrays[f"y_{part}"] = read(folder / f"{stem}-labels-idx1-ubyte.gz", 1)
    np.savez(file, **arrays)

    digest = prepare(file).digest

    assert digest == plugins.make("datasets", "mnist", {"mirror": str(folder)}).prepare(Heard()).digest


def test_a_test_split_is_known_from_pictures_and_from_an_archive_alike(file: Path, tmp_path: Path) -> None:
    shuffled = np.random.default_rng(1).permutation(len(IMAGES))
    np.savez(file, x=IMAGES[shuffled], y=LABELS[shuffled])
    write_pictures(tmp_path / "pictures", IMAGES, LABELS, "0123")

    archive, pictures = prepare(file), Folder(tmp_path / "pictures").prepare(Heard())

    (split, images, _), (other_split, same_images, _) = map(stored.test_digests, (archive, pictures))
    assert (images, archive.class_names) == (same_images, pictures.class_names)
    assert split != other_split
    np.savez(file, x=IMAGES[shuffled], y=(LABELS[shuffled] + 1) % 4)
    assert stored.test_digests(prepare(file))[1] != images


@pytest.mark.parametrize(
    ("images", "labels"), [("x", "y"), ("images", "labels"), ("X", "Y"), ("train_images", "train_labels")]
)
def test_common_names_are_known(images: str, labels: str, file: Path) -> None:
    np.savez(file, **{images: IMAGES, labels: LABELS})

    assert (prepare(file).train_rows, prepare(file).test_from) == (32, "content-hash")


def test_other_names_can_be_told(file: Path) -> None:
    np.savez(file, pictures=IMAGES, digits=LABELS, more=IMAGES[:8], others=LABELS[:8])

    with pytest.raises(DataRefused, match=r"it has pictures, digits, more, others\n.*data\.train"):
        prepare(file)
    prepared = prepare(file, train="pictures, digits", test="more,others")
    assert (prepared.train_rows, prepared.test_rows, prepared.test_from) == (40, 8, "official")


def test_a_name_that_is_not_there_is_refused_with_the_nearest(file: Path) -> None:
    np.savez(file, pictures=IMAGES, digits=LABELS)

    with pytest.raises(DataRefused, match=r"has no array 'picture'\n  did you mean 'pictures'"):
        prepare(file, train="picture, digits")


def test_what_macos_adds_to_an_archive_is_none_of_its_arrays(file: Path) -> None:
    np.savez(file, pictures=IMAGES, digits=LABELS)
    with zipfile.ZipFile(file, "a") as opened:
        opened.writestr("__MACOSX/._pictures.npy", b"\0\5\x16\7")

    with pytest.raises(DataRefused, match="it has pictures, digits\n"):
        prepare(file)


def test_a_share_leaves_the_test_arrays_alone(file: Path) -> None:
    np.savez(file, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:8], y_test=LABELS[:8])

    assert prepare(file, test=0.5).test_rows == 20


def test_images_that_are_not_read_are_said_with_what_would_have_them_read(file: Path) -> None:
    train = {"train_images": IMAGES, "train_labels": LABELS}
    val = {"val_images": IMAGES[:8], "val_labels": LABELS[:8], "made_by": np.array(["me"])}
    np.savez(file, **train, **val)

    said = Npz(file).left_out()

    assert said.startswith(
        f"warning: {file}: not read: val_images\n  images to validate and to test on are taken from "
    )
    assert "train_images" in said
    assert "data.test names images and labels to test on" in said
    assert Npz(file, test="val_images, val_labels").left_out() == ""
    np.savez(file, **train, **val, test_images=IMAGES[:8], test_labels=LABELS[:8])
    assert "not read: val_images\n  images to validate on are taken from train_images" in Npz(file).left_out()
    assert "not read: val_images, test_images" in Npz(file, test=0.3).left_out()
    np.savez(file, **train)
    assert Npz(file).left_out() == ""


def test_class_names_come_from_a_mapping_beside_the_archive(file: Path) -> None:
    file.with_name("own-mapping.txt").write_text("0 65\n1 66\n2 67\n3 68\n")

    kept(file, IMAGES)

    assert prepare(file).class_names == ("A", "B", "C", "D")


@pytest.mark.parametrize("options", [{"train": "x_train"}, {"test": "a,b,c"}, {"size": [28]}, {"size": [0, 1]}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], file: Path) -> None:
    with pytest.raises(ExperimentRefused, match=next(iter(options))):
        plugins.make("datasets", "npz", {"file": str(file)} | options)


# --- shapes --------------------------------------------------------------------------------------------

SHAPES = {
    "a channel behind": IMAGES[..., None],
    "a channel in front": IMAGES[:, None],
    "columns first": np.asfortranarray(IMAGES),
    "other bytes first": IMAGES.astype(">i2"),
}


@pytest.mark.parametrize("how", SHAPES)
def test_images_may_be_stored_in_several_ways(how: str, file: Path) -> None:
    assert np.array_equal(kept(file, SHAPES[how])[0], IMAGES)


def test_an_image_that_would_fill_the_memory_is_refused_unread(file: Path) -> None:
    huge = npz_format.Member(file, "x", (2, 30_000, 30_000), np.dtype("u1"), columns_first=False)

    with pytest.raises(DataRefused, match="more than 16,777,216 pixels an image"):
        height_width(huge, None)


def test_labels_may_be_a_column(file: Path) -> None:
    assert np.array_equal(kept(file, IMAGES, LABELS[:, None])[1], LABELS)


def test_rows_of_pixels_are_squares_unless_a_size_is_given(file: Path) -> None:
    rows = IMAGES.reshape(len(IMAGES), -1)

    with pytest.raises(DataRefused, match=r"30 pixels a row are no square image\n.*data\.size"):
        kept(file, rows)
    assert np.array_equal(kept(file, rows, size=[6, 5])[0], IMAGES)


def test_a_size_cuts_the_pixels_as_they_lie_and_then_they_are_stood_up(file: Path) -> None:
    images, _ = kept(file, IMAGES.reshape(len(IMAGES), -1), size=[6, 5], transposed=True)

    assert np.array_equal(images, IMAGES.transpose(0, 2, 1))
    assert Npz(file, size=[6, 5], transposed=True).outline().shape == (5, 6)


def test_transposed_images_are_stood_up(file: Path) -> None:
    assert np.array_equal(kept(file, IMAGES, transposed=True)[0], IMAGES.transpose(0, 2, 1))
    assert Npz(file, transposed=True).outline().shape == (5, 6)


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (np.zeros((40, 6, 5, 3), np.uint8), {}, "hpsearch trains on grey ones\n  turn them grey: of values from 0"),
        (np.zeros((40, 6, 5, 9), np.uint8), {}, "is 40 × 6 × 5 × 9, not rows × height × width"),
        (np.zeros(40, np.uint8), {}, "is 40, not rows × height × width"),
        (IMAGES, {"size": [5, 6]}, "its images are 6 × 5, data.size says 5 × 6"),
        (IMAGES[:, None], {"size": [5, 6]}, "its images are 6 × 5, data.size says 5 × 6"),
        (IMAGES[..., None], {"size": [5, 6]}, "its images are 6 × 5, data.size says 5 × 6"),
        (np.zeros((40, 3, 6, 5), np.uint8), {}, "grey ones\n  bring the colours to the end, x = numpy.moveaxis("),
    ],
)
def test_what_is_no_stack_of_grey_images_is_refused(
    images: Array, options: dict[str, Any], words: str, file: Path
) -> None:
    with pytest.raises(DataRefused) as refused:
        kept(file, images, **options)

    assert words in str(refused.value)


# --- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "uint16", "float16", "float32", "float64"])
def test_numbers_that_are_whole_and_in_range_are_taken(dtype: str, file: Path) -> None:
    assert np.array_equal(kept(file, IMAGES.astype(dtype))[0], IMAGES)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_images_divided_by_255_come_back_exactly(dtype: str, file: Path) -> None:
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(32, 6, 4)

    assert np.array_equal(kept(file, (images / 255).astype(dtype), LABELS[:32])[0], images)


def test_truth_values_are_black_and_white(file: Path) -> None:
    assert np.array_equal(kept(file, IMAGES > 99)[0], (IMAGES > 99) * 255)


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (np.nan, "float32", "x_train[7, 2, 3]: nan is not whole and from 0 to 255"),
        (np.inf, "float64", "x_train[7, 2, 3]: inf is not whole"),
        (256, "int16", "x_train[7, 2, 3]: 256 is not whole and from 0 to 255"),
        (-1, "int8", "x_train[7, 2, 3]: -1 is not"),
        (17.5, "float32", "x_train[7, 2, 3]: 17.5 is not whole"),
    ],
)
def test_a_pixel_that_is_none_is_named_by_its_place(value: float, dtype: str, words: str, file: Path) -> None:
    images = (IMAGES // 3).astype(dtype)
    images[7, 2, 3] = value

    with pytest.raises(DataRefused) as refused:
        kept(file, images)

    assert words in str(refused.value)
    assert "1 fault" in str(refused.value)


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "float64"), (0.3, "float16")])
def test_fractions_that_are_no_255ths_are_not_rounded_in_silence(value: float, dtype: str, file: Path) -> None:
    with pytest.raises(DataRefused, match=r"first 5 faults\n  x_train\[0, 0, 0\]: 0\.\d+ is no 255th(.|\n)*\.round\("):
        kept(file, np.full((40, 6, 5), value, dtype))


def test_arrays_that_train_are_not_taken_for_a_test_split(file: Path) -> None:
    kept(file, IMAGES)

    assert prepare(file, train="x_train, y_train", test=0.2).test_from == "content-hash"
    assert prepare(file, train="x_test, y_test").test_from == "content-hash"
    with pytest.raises(DataRefused, match="'x_test' would both train and test"):
        prepare(file, train="x_test, y_test", test="x_test, y_test")


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.where(np.arange(40) == 7, -1, LABELS), "y_train[7]: -1 is not whole and from 0 to 9999"),
        (np.where(np.arange(40) == 7, 1e9, LABELS), "y_train[7]: 1000000000.0 is not whole and from 0"),
        (LABELS[:-1], "40 in x_train and 39 in y_train"),
        (np.eye(4)[LABELS], "is 40 × 4, not one class number a row"),
        (np.array(list("abcd"))[LABELS], "y_train holds <U1, not numbers\n  save class numbers"),
        (LABELS * 0, "all 40 rows are of one class, '0'"),
        (LABELS * 2, "3 of 7 classes have no rows (1, 3, 5)"),
    ],
)
def test_labels_that_name_no_classes_are_refused(labels: Array, words: str, file: Path) -> None:
    with pytest.raises(DataRefused) as refused:
        kept(file, IMAGES, labels)

    assert words in str(refused.value)


def test_an_empty_class_passes_when_the_user_says_so(file: Path) -> None:
    kept(file, IMAGES, LABELS * 2, allow_empty_class=True)

    assert prepare(file, allow_empty_class=True).class_names == tuple("0123456")


# --- archives ------------------------------------------------------------------------------------------


def member(content: bytes, name: str = "x_train.npy", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr(name, content)
    return archive.getvalue()


def npy(header: dict[str, Any], content: bytes = b"") -> bytes:
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, header)
    return text.getvalue() + content


HUGE = {"descr": "|u1", "fortran_order": False, "shape": (4_000_000_000, 4_000_000_000)}
SMALL = {"descr": "|u1", "fortran_order": False, "shape": (2, 3)}
ARCHIVES = {
    "no archive": (b"<html>404</html>", "damaged, or no NumPy archive"),
    "an empty file": (b"", "damaged, or no NumPy archive"),
    "no arrays": (member(b"text", "readme.txt"), "holds no NumPy arrays"),
    "no header": (member(b"text"), "damaged, or no NumPy archive"),
    "a huge header": (member(npy(HUGE)), "its header says 4,000,000,000 × 4,000,000,000 of uint8"),
    "fewer values than promised": (member(npy(SMALL, b"12345")), "6 bytes, the file holds 5"),
    "more values than promised": (member(npy(SMALL, b"1234567")), "6 bytes, the file holds 7"),
    "a negative length": (member(npy(SMALL | {"shape": (-2, -3)}, b"123456")), "its header says -2 × -3"),
    "a header that is a program": (
        member(npy(SMALL).replace(b"(2, 3)", b"exit()"), "x_train.npy"), "damaged, or no NumPy archive",
    ),
    "a later format": (member(b"\x93NUMPY\x03\x00" + b"\xff\xff\xff\x7f" + bytes(100)), "in a format for records"),
    "records": (member(npy(SMALL | {"descr": [("a", "<i4")]}, bytes(24))), "not numbers"),
    "dates": (member(npy(SMALL | {"descr": "<M8[s]"}, bytes(48))), "not numbers"),
    "a method of its own": (member(npy(SMALL, b"123456"), method=zipfile.ZIP_LZMA), "in a way that NumPy does not use"),
}  # fmt: skip


@pytest.mark.promise("62", "P19")
@pytest.mark.parametrize("fault", ARCHIVES)
def test_an_archive_that_is_not_what_it_claims_is_refused(fault: str, file: Path) -> None:
    content, words = ARCHIVES[fault]
    file.write_bytes(content)

    with pytest.raises(DataRefused) as refused:
        npz_format.member(file, npz_archive.names(file)[0])

    assert words in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n  " in str(refused.value)


@pytest.mark.promise("62", "P19")
@pytest.mark.parametrize("fortran", [False, True])
def test_a_flipped_bit_is_found(fortran: bool, file: Path) -> None:
    np.savez(file, x_train=np.asfortranarray(IMAGES) if fortran else IMAGES, y_train=LABELS)
    content = bytearray(file.read_bytes())
    content[content.index(b"x_train.npy") + 600] ^= 1
    file.write_bytes(content)

    with pytest.raises(DataRefused, match=r"Bad CRC-32 for file 'x_train\.npy'"):
        prepare(file)


class Canary:
    """Unpickled, it leaves a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


@pytest.mark.promise("H28", "H29", "P23")
def test_an_array_of_objects_is_refused_and_never_unpickled(file: Path, tmp_path: Path) -> None:
    objects = np.array([Canary(tmp_path / "ran")] * 40, object)
    np.savez(file, x_train=objects, y_train=LABELS)

    with pytest.raises(DataRefused, match="x_train holds Python objects, that is a pickle"):
        prepare(file)

    assert not (tmp_path / "ran").exists()
