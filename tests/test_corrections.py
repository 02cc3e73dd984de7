"""What is kept of corrected answers is a data set that a study can read."""

import resource

import numpy as np
import pytest
from PIL import Image

from hpsearch.__main__ import main
from hpsearch.datasets.folder import Folder
from hpsearch.datasets.prepared import load
from hpsearch.errors import FolderUnusable
from hpsearch.play.corrections import Corrections, folder_name


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def test_kept_images_come_back_as_a_data_set_with_their_classes_and_every_grey_value(tmp_path, cache):
    corrections = Corrections(tmp_path / "corrections")
    for seed in range(12):
        corrections.keep(image(seed), "37"[seed % 2])

    prepared = Folder(corrections.folder).prepare(lambda *_: None)

    rows, labels = (
        np.concatenate(parts)
        for parts in zip(load(prepared.folder, "train"), load(prepared.folder, "test"), strict=True)
    )
    assert prepared.class_names == ("3", "7")
    assert {(row.tobytes(), label) for row, label in zip(rows, labels, strict=True)} == {
        (image(seed).tobytes(), seed % 2) for seed in range(12)
    }


def test_the_command_for_data_draws_what_was_kept(tmp_path, cache):
    corrections = Corrections(tmp_path / "corrections")
    for seed in range(6):
        corrections.keep(image(seed), "37"[seed % 2])

    code = main(["data", "show", "folder", "--folder", str(corrections.folder), "--out", str(tmp_path / "seen.png")])

    assert code == 0
    assert Image.open(tmp_path / "seen.png").size[0] > 28


def test_an_image_that_is_kept_again_is_kept_once_under_the_class_said_last(tmp_path):
    corrections = Corrections(tmp_path / "corrections")

    corrections.keep(image(1), "3")
    corrections.keep(image(1), "3")
    last = corrections.keep(image(1), "8")

    assert corrections.count() == 1
    assert [file.name for file in corrections.folder.iterdir()] == ["8"]
    assert last.exists()


def test_a_class_whose_only_image_goes_leaves_no_folder_though_the_system_left_something_in_it(tmp_path):
    corrections = Corrections(tmp_path / "corrections")
    first = corrections.keep(image(1), "3")
    (first.parent / ".DS_Store").write_text("how the Finder shows it")

    corrections.keep(image(1), "8")

    assert [file.name for file in corrections.folder.iterdir()] == ["8"]


def test_a_class_whose_first_image_cannot_be_written_has_no_folder(tmp_path):
    corrections = Corrections(tmp_path / "corrections")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))

    try:
        with pytest.raises(FolderUnusable):
            corrections.keep(image(1), "3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not list(corrections.folder.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/",
        "..",
        ".",
        "a/b",
        "C:",
        "nul",
        "con.x",
        "<img>",
        "x" * 300,
        " ",
        "%41",
        "a\x00b",
        "\u202ea",
        "Thumbs.db",
        "",
    ],
)
def test_whatever_a_class_is_called_its_images_stay_in_the_folder_and_can_be_read(tmp_path, name):
    corrections = Corrections(tmp_path / "corrections")

    file = corrections.keep(image(1), name)

    assert file.parent.parent == corrections.folder
    assert file.resolve().is_relative_to(corrections.folder.resolve())
    assert Folder(corrections.folder).outline().classes == 1


def test_no_two_classes_share_a_folder():
    names = ["a", "A", "%61", "/", "%2F", "%%2F", "..", ".", "con", "%con", "CON", "x" * 300, "x" * 301, "a.", "a "]

    assert len({folder_name(name) for name in names}) == len(names)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "corrections").write_text("a file")

    with pytest.raises(FolderUnusable, match="corrections"):
        Corrections(tmp_path / "corrections").keep(image(1), "3")

    assert [file.name for file in tmp_path.iterdir()] == ["corrections"]
