"""One's own pictures in folders: what is found and how it becomes grey, and what is refused."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import Heard, at_hand, drawings, write_pictures
from PIL import Image
from written import many_scans, png

from hpsearch.__main__ import main
from hpsearch.datasets import prepared as stored
from hpsearch.datasets.folder import Folder
from hpsearch.datasets.idx_format import read
from hpsearch.datasets.own import marks_of_many
from hpsearch.datasets.pictures import NotRead, grey
from hpsearch.errors import DataRefused
from hpsearch.natural import natural
from hpsearch.protocols import Prepared

pytestmark = pytest.mark.usefixtures("cache")

IMAGES, LABELS = drawings()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """40 training and 12 test drawings in the classes a to d."""
    write_pictures(tmp_path / "own" / "train", IMAGES, LABELS)
    write_pictures(tmp_path / "own" / "test", *drawings(rows=12, seed=1))
    return tmp_path / "own"


def prepare(folder: Path, **options: Any) -> Prepared:
    return Folder(folder, **options).prepare(Heard())


def by_class(labels: Any = LABELS) -> Any:
    """The rows of the drawings in the order in which folders are read."""
    return np.argsort(labels, kind="stable")


# --- what is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "PNG"])
def test_pictures_come_back_as_they_were(ending: str, tmp_path: Path) -> None:
    for side in ("train", "test"):
        write_pictures(tmp_path / "own" / side, IMAGES, LABELS, ending=ending)

    prepared = prepare(tmp_path / "own")

    images, labels = stored.load(prepared.folder, "train")
    assert np.array_equal(images, IMAGES[by_class()])
    assert np.array_equal(labels, LABELS[by_class()])
    assert (prepared.class_names, prepared.test_from) == (tuple("abcd"), "official")


def test_real_digits_are_the_same_from_pictures_and_from_idx_files(tmp_path: Path) -> None:
    folder = at_hand("mnist/t10k-images-idx3-ubyte.gz") / "mnist"
    digits = read(folder / "t10k-images-idx3-ubyte.gz", 3)[:300]
    labels = read(folder / "t10k-labels-idx1-ubyte.gz", 1)[:300]
    for side in ("train", "test"):
        write_pictures(tmp_path / side, digits, labels, "0123456789")

    images, _ = stored.load(prepare(tmp_path).folder, "train")

    assert np.array_equal(images, digits[by_class(labels)])


def test_folders_of_classes_alone_have_a_share_held_out(own: Path) -> None:
    prepared = prepare(own / "train", test=0.5)

    assert (prepared.train_rows, prepared.test_rows, prepared.test_from) == (20, 20, "content-hash")


def test_other_sides_can_be_chosen(own: Path) -> None:
    prepared = prepare(own, train="test", test="train")

    assert (prepared.train_rows, prepared.test_rows) == (12, 40)


def test_classes_and_pictures_are_counted_as_people_do(tmp_path: Path) -> None:
    for name in ("10", "9", "B", "a", "1x"):
        write_pictures(tmp_path, IMAGES, LABELS * 0, [name])  # type: ignore[arg-type]

    assert prepare(tmp_path).class_names == ("1x", "9", "10", "a", "B")
    assert sorted(["a10", "a9", "A1"], key=natural) == ["A1", "a9", "a10"]


def test_what_systems_leave_in_folders_is_skipped(own: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "thumbs.db", "Desktop.ini", "Icon\r", "._0.png"):
        (own / "train" / "a" / name).write_bytes(b"left")
    for name in (".git", "__MACOSX", "@eaDir"):
        (own / "train" / name).mkdir()
    (own / "train" / "labels.txt").write_text("mine")

    assert (prepare(own).train_rows, Folder(own).outline().train_rows) == (40, 40)


def test_a_picture_that_changed_or_went_is_noticed(own: Path) -> None:
    first = prepare(own)
    (own / "train" / "a" / "0.png").rename(own / "train" / "b" / "0.png")

    assert prepare(own).digest != first.digest


def test_a_link_that_was_moved_to_another_class_is_noticed(own: Path) -> None:
    store = (own / "train").rename(own / "store")
    for file in store.glob("*/*"):
        link = own / "train" / file.relative_to(store)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    first, last = prepare(own), max((own / "train" / "a").iterdir(), key=lambda link: natural(link.name))
    last.rename(own / "train" / "b" / "0.png")  # so that all links come in the order in which they came before

    assert prepare(own).digest != first.digest


def test_a_folder_of_trains_is_a_class_and_no_side(tmp_path: Path) -> None:
    write_pictures(tmp_path, IMAGES, LABELS, ["car", "plane", "test", "train"])  # type: ignore[arg-type]

    prepared = prepare(tmp_path)

    assert (prepared.class_names, prepared.test_from) == (("car", "plane", "test", "train"), "content-hash")


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Validation", "TEST"), ("val", "valid")])
def test_parts_without_folders_of_classes_are_not_taken_for_classes(names: tuple[str, ...], tmp_path: Path) -> None:
    write_pictures(tmp_path, IMAGES, LABELS % len(names), names)  # type: ignore[arg-type]

    with pytest.raises(DataRefused, match=r"put the pictures into a folder for each class: .*/CLASS/") as refused:
        prepare(tmp_path)

    (tmp_path / names[0]).rename(tmp_path / "trains")
    assert "where they are the classes, name one of them otherwise" in str(refused.value)
    assert "trains" in prepare(tmp_path).class_names


def test_pictures_that_train_are_not_taken_for_a_test_split(own: Path) -> None:
    assert prepare(own, train="test").test_from == "content-hash"
    with pytest.raises(DataRefused, match="'test' would both train and test"):
        prepare(own, train="test", test="test")


def test_pictures_of_several_sizes_are_scaled_when_asked(own: Path) -> None:
    Image.new("L", (99, 7)).save(own / "train" / "a" / "0.png")

    prepared = prepare(own, size=[8, 4])

    assert (prepared.shape, Folder(own, size=[8, 4]).outline().shape) == ((8, 4), (8, 4))


def test_handwriting_is_scaled_and_stays_dark_on_white(tmp_path: Path) -> None:
    folder = at_hand("handwritten/photo_5.jpg") / "handwritten"

    pictures = [grey(file, (28, 28), scaled=True) for file in sorted(folder.glob("*_*g"))]

    assert {picture.shape for picture in pictures} == {(28, 28)}
    assert np.median(grey(folder / "transparent_4.png", None)) == 255


# --- how a picture becomes grey ------------------------------------------------------------------------


def saved(picture: Image.Image, file: Path, **how: Any) -> Any:
    picture.save(file, **how)
    return grey(file, None)


def test_colours_become_grey_by_their_luma(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)

    found = saved(Image.fromarray(colours), tmp_path / "a.png")

    assert found.tolist() == [[76, 150, 29, 255]]


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    ink = np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)

    assert saved(Image.fromarray(ink), tmp_path / "a.png").tolist() == [[255, 0]]
    assert saved(Image.fromarray(ink), tmp_path / "a.webp", lossless=True, exact=True).tolist() == [[255, 0]]


def test_one_and_sixteen_bits_become_eight(tmp_path: Path) -> None:
    assert saved(Image.fromarray(np.array([[True, False]])), tmp_path / "a.png").tolist() == [[255, 0]]
    assert saved(Image.fromarray(np.array([[65535, 256]], np.uint16)), tmp_path / "b.png").tolist() == [[255, 1]]


def test_sixteen_bits_that_would_all_be_black_in_eight_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotRead, match="16 bits a pixel, and none above 255"):
        saved(Image.fromarray(np.array([[200, 0]], np.uint16)), tmp_path / "a.png")


@pytest.mark.parametrize(
    ("bits", "photometric", "raw"), [(12, 1, b"\xff\xf0\x10"), (16, 1, b"\xff\xff\x00\x01"), (16, 0, b"\0\0\xff\xfe")]
)
def test_deep_tiffs_keep_their_greys(tmp_path: Path, bits: int, photometric: int, raw: bytes) -> None:
    """Two pixels, white and nearly black; 0 may be white (TIFF 6.0, PhotometricInterpretation)."""
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1, 278: 1, 279: len(raw)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHIHxx", tag, 3, 1, value) for tag, value in tags.items())
    file = tmp_path / "a.tif"
    file.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + raw)

    assert grey(file, None).tolist() == [[255, 1]]


def test_a_photograph_is_turned_as_its_camera_noted(tmp_path: Path) -> None:
    standing, exif = np.zeros((40, 24), np.uint8), Image.Exif()
    standing[:20] = 255
    exif[0x0112] = 6  # to be turned right by a quarter

    found = saved(Image.fromarray(np.rot90(standing)), tmp_path / "a.jpg", exif=exif, quality=95)

    assert found.shape == (40, 24)
    assert found[:16].min() > 200
    assert found[24:].max() < 50


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_a_picture_without_loss_is_turned_to_the_last_pixel(tmp_path: Path, ending: str) -> None:
    standing, exif = np.arange(40 * 24).reshape(40, 24).astype(np.uint8), Image.Exif()
    exif[0x0112] = 6

    Image.fromarray(np.rot90(standing)).save(tmp_path / f"a.{ending}", exif=exif)

    found = grey(tmp_path / f"a.{ending}", (40, 24))

    assert np.array_equal(found, standing)


# --- what is refused -----------------------------------------------------------------------------------


def pages(file: Path) -> None:
    Image.new("L", (5, 6)).save(file, format="TIFF", save_all=True, append_images=[Image.new("L", (5, 6))])


def white_on_glass(file: Path) -> None:
    picture = Image.new("LA", (5, 6), (255, 0))
    picture.putpixel((2, 2), (255, 255))
    picture.save(file)


ODD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda file: file.write_text("not a picture"), "no PNG, JPEG, BMP, WEBP or TIFF, whatever its name"),
    "nothing": (lambda file: file.write_bytes(b""), "the file is empty"),
    "white on glass": (white_on_glass, "white on transparent, of which nothing is left on white"),
    "a drawing that runs programs": (lambda file: file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "no PNG, JPEG, BMP"),
    "a cut picture": (lambda file: file.write_bytes(png(5, 6, os.urandom(36))[:60]), "damaged or not readable"),
    "fewer pixels than promised": (lambda file: file.write_bytes(png(5, 6, bytes(9))), "damaged or not readable"),
    "a bomb": (lambda file: file.write_bytes(png(13_000, 13_000)), "13,000 × 13,000, more than 64,000,000 pixels"),
    "a large bomb": (lambda file: file.write_bytes(png(60_000, 60_000)), "more than 64,000,000 pixels"),
    "another size": (lambda file: Image.new("L", (5, 7)).save(file), "7 × 5, the first picture is 6 × 5"),
    "several pages": (pages, "more than one picture in a file"),
    "many scans": (lambda file: file.write_bytes(many_scans()), "a JPEG of more than 100 scans; save it again"),
    "32 bits": (lambda file: Image.new("F", (5, 6)).save(file, format="TIFF"), "32 bits a pixel"),
    "a huge file": (lambda file: (file.touch(), os.truncate(file, 1 << 31)), "larger than 200,000,000 bytes"),
}


@pytest.mark.promise("P19", "62")
@pytest.mark.parametrize("what", ODD)
def test_an_odd_picture_is_named_with_what_is_wrong(what: str, own: Path, cache: Path) -> None:
    make, words = ODD[what]
    (own / "train" / "c" / "6.png").unlink()
    make(own / "train" / "c" / "6.png")

    with pytest.raises(DataRefused) as refused:
        prepare(own)

    assert f"{own} (train): 1 fault\n  c/6.png: {words}" in str(refused.value)
    assert "pictures per class: a: 10, b: 10, c: 10, d: 10" in str(refused.value)
    assert not list(cache.glob("prepared/[!.]*"))


def test_a_picture_that_goes_while_its_folder_is_read_is_told(own: Path) -> None:
    there = own / "train" / "a" / "0.png"
    gone = own / "train" / "a" / "gone.png"

    with pytest.raises(DataRefused, match=r"gone\.png: changed while it was read\n  try again when"):
        marks_of_many([there, gone])


@pytest.mark.promise("P19", "63")
def test_the_first_five_odd_files_are_listed(own: Path) -> None:
    for number in range(7):
        (own / "train" / "b" / f"{number}.txt").write_text("note")

    with pytest.raises(DataRefused, match=r"the first 5 faults\n  b/0\.txt: no picture") as refused:
        prepare(own)

    assert "b/5.txt" not in str(refused.value)


@pytest.mark.promise("P19", "63")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: os.mkfifo(own / "train/a/pipe.png"), "a/pipe.png: no file that can be read"),
        (lambda own: (own / "train/a/more").mkdir(), "a/more: a folder within the folder of a class"),
        (lambda own: Image.new("L", (5, 6)).save(own / "train/x.png"), "x.png: lies beside the folders"),
        (lambda own: (own / "train/e").mkdir(), "1 of 5 classes have no rows (e)"),
        (lambda own: (own / "test/e").mkdir(), "classes that train has not: e"),
        (
            lambda own: [(own / f"train/{e}").mkdir() for e in ("é", "e\u0301")],
            "two folders are named so, in two forms",
        ),
        (lambda own: [side.rename(side.with_name("accuracy")) for side in own.glob("*/a")], "a class named 'accuracy'"),
        (lambda own: (own / "train/e\x1b[2J").mkdir(), r"e\x1b[2J: can be the name of no class"),
        (lambda own: [file.unlink() for file in own.rglob("*.png")], "holds no pictures"),
    ],
)
def test_folders_that_are_not_laid_out_as_they_should_be_are_refused(spoil: Any, words: str, own: Path) -> None:
    spoil(own)

    with pytest.raises(DataRefused) as refused:
        prepare(own)

    assert words in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_classes_whose_names_two_systems_spell_in_two_forms_are_the_same(own: Path) -> None:
    (own / "train/a").rename(own / "train/é")
    (own / "test/a").rename(own / "test/e\u0301")

    prepared = prepare(own)

    assert prepared.class_names == ("b", "c", "d", "é")
    assert np.bincount(stored.load(prepared.folder, "test")[1]).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": "trian"}, "has no folder 'trian'\n  there are: test, train; mend data.train"),
        ({"test": "tset"}, "has no folder 'tset'"),
        ({"train": "train/a"}, "holds no folders\n  put the pictures into a folder for each class, named by it"),
        ({"test": "test/a"}, "class, named by it, or hold out a share of those that train: data.test = 0.2"),
    ],
)
def test_sides_that_are_not_there_are_said_with_what_there_is(options: dict[str, Any], words: str, own: Path) -> None:
    with pytest.raises(DataRefused) as refused:
        prepare(own, **options)

    assert words in str(refused.value)


def test_a_folder_that_is_not_read_is_said_with_what_would_have_it_read(own: Path) -> None:
    (own / "test").rename(own / "val")
    (own / "notes.txt").write_text("mine")

    said = Folder(own).left_out()

    assert said.startswith(f"warning: {own}: not read: val\n  images to validate and to test on are taken from train")
    assert 'data.test = "val" would test on val' in said
    assert Folder(own, test="val").left_out() == ""
    assert prepare(own, test="val").test_rows == 12


@pytest.mark.parametrize(
    ("colour", "told"), [((200, 40, 40), True), ((250, 240, 215), False), ((90, 90, 90), False)], ids=str
)
def test_pictures_in_colour_are_told_to_become_grey(own: Path, colour: tuple[int, int, int], *, told: bool) -> None:
    for file in (own / "train").glob("*/*.png"):
        Image.new("RGB", (5, 6), colour).save(file)

    assert ("in colour, their brightness alone is read" in Folder(own).left_out()) is told


def test_a_folder_beside_both_parts_is_said_too_and_no_class_is(own: Path) -> None:
    write_pictures(own / "valid", IMAGES, LABELS)

    assert "not read: valid\n  images to validate on are taken from train" in Folder(own).left_out()
    assert "not read: test, valid" in Folder(own, test=0.3).left_out()
    assert Folder(own / "train").left_out() == ""


def test_preparing_says_which_folders_it_does_not_read(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "test").rename(own / "val")

    code = main(["data", "get", "folder", "--folder", str(own)])

    assert code == 0
    assert "not read: val" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("Training", "Testing"), 'data.train = "Training", data.test = "Testing"'),
        (("TRAIN", "Validation"), 'data.train = "TRAIN", data.test = "Validation"'),
        (("more", "still more"), 'data.train = "…"'),
    ],
)
def test_parts_under_other_names_are_refused_with_the_keys_that_name_them(
    names: tuple[str, str], keys: str, own: Path
) -> None:
    for side, name in zip(("train", "test"), names, strict=True):
        (own / side).rename(own / name)

    with pytest.raises(DataRefused) as refused:
        prepare(own)

    assert f"say so: {keys}\n" in str(refused.value)
    assert prepare(own, train=names[0], test=names[1]).train_rows == 40


def test_a_picture_says_itself_why_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotRead, match="No such file"):
        grey(tmp_path / "gone.png", None)
