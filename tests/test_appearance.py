"""What is told of images before a study begins on them, and `data.invert`, which exchanges dark and bright."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import Array, Heard, at_hand, drawings, write_idx, write_pair, write_pictures, write_table

from hpsearch import plugins
from hpsearch.datasets import appearance, held_out, own, storing
from hpsearch.datasets import prepared as stored
from hpsearch.datasets.content import Content
from hpsearch.datasets.idx_format import read
from hpsearch.protocols import Prepared

pytestmark = pytest.mark.usefixtures("cache")

IMAGES, LABELS = drawings(rows=60, height=6, width=6)
Make = Callable[[Path, Array], dict[str, str]]


def as_archive(folder: Path, images: Array) -> dict[str, str]:
    np.savez(folder / "own.npz", x=images, y=LABELS)
    return {"file": str(folder / "own.npz")}


SOURCES: dict[str, Make] = {
    "folder": lambda folder, images: {"folder": str(write_pictures(folder / "own", images, LABELS))},
    "idx": lambda folder, images: {"folder": str(write_pair(folder / "own", "train", images, LABELS))},
    "csv": lambda folder, images: {"file": str(write_table(folder / "own.csv", images, LABELS))},
    "npz": as_archive,
}


def prepare(source: str, options: dict[str, Any]) -> Prepared:
    prepared: Prepared = plugins.make("datasets", source, options).prepare(Heard())
    return prepared


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_dark_becomes_bright_and_the_same_rows_are_held_out(source: str, tmp_path: Path) -> None:
    options = SOURCES[source](tmp_path, IMAGES)

    as_it_is, turned = prepare(source, options), prepare(source, options | {"invert": True})

    for part in stored.PARTS:
        (images, labels), (negatives, same) = (stored.load(one.folder, part) for one in (as_it_is, turned))
        assert np.array_equal(negatives, 255 - images)
        assert np.array_equal(same, labels)
    assert turned.digest != as_it_is.digest
    (split, images, negative), of_turned = map(stored.test_digests, (as_it_is, turned))
    assert of_turned == (negative, images, split)


@pytest.mark.parametrize("source", SOURCES)
def test_test_images_of_their_own_are_turned_too(source: str, tmp_path: Path) -> None:
    images, labels = drawings(rows=12, height=6, width=6, seed=1)
    options: dict[str, Any] = SOURCES[source](tmp_path, IMAGES)
    match source:
        case "folder":
            write_pictures(tmp_path / "tests", images, labels)
            (tmp_path / "own").rename(tmp_path / "train")
            options = {"folder": str(tmp_path), "test": "tests"}
        case "idx":
            write_pair(tmp_path / "own", "t10k", images, labels)
        case "csv":
            write_table(tmp_path / "test.csv", images, labels)
            options["test"] = "test.csv"
        case "npz":
            np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=LABELS, x_test=images, y_test=labels)

    as_it_is, turned = (stored.load(prepare(source, options | {"invert": wish}).folder, "test")[0] for wish in (0, 1))

    assert len(turned) == 12
    assert np.array_equal(turned, 255 - as_it_is)


@pytest.mark.parametrize("source", SOURCES)
def test_a_set_that_is_not_turned_is_the_one_that_was_prepared_before(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, identities, keep_once = SOURCES[source](tmp_path, IMAGES), list[Any](), storing.keep_once

    def heard(name: str, identity: object, collect: Callable[[], Content], **allowed: bool) -> Prepared:
        identities.append(identity)
        return keep_once(name, identity, collect, **allowed)

    monkeypatch.setattr(storing, "keep_once", heard)

    kept = [prepare(source, options | wish) for wish in ({}, {"invert": None}, {"invert": False}, {"invert": True})]

    unasked, *others, turned = identities
    assert "invert" not in unasked  # older versions knew no such key, and a new one would prepare their sets again
    assert others == [unasked, unasked]
    assert turned == unasked | {"invert": True}
    assert kept[0] == kept[1] == kept[2] != kept[3]


@pytest.mark.parametrize("source", SOURCES)
def test_a_set_whose_rows_were_held_out_by_an_earlier_rule_is_prepared_anew(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([IMAGES[:40], np.repeat(IMAGES[40:44], 5, axis=0)])
    options: dict[str, Any] = SOURCES[source](tmp_path, images)
    with monkeypatch.context() as before:
        before.setattr(own, "RULE", 1)
        before.setattr(held_out, "_lowest", lambda members, _rows, _share: members[:2])
        old = prepare(source, options)

    new = prepare(source, options)

    assert new.folder != old.folder
    assert new.test_rows != old.test_rows
    assert prepare(source, options) == new


def test_a_set_with_test_files_is_the_same_whatever_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_pair(tmp_path / "own", "train", IMAGES, LABELS)
    write_pair(folder, "t10k", *drawings(rows=12, height=6, width=6, seed=1))
    before = prepare("idx", {"folder": str(folder)})
    monkeypatch.setattr(own, "RULE", own.RULE + 1)

    assert prepare("idx", {"folder": str(folder)}).folder == before.folder


def test_one_hears_of_paper_before_the_search_and_how_to_turn_it(tmp_path: Path) -> None:
    mnist = "mnist/t10k-images-idx3-ubyte.gz"
    digits = read(at_hand(mnist) / mnist, 3)[:300]
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(300) % 10)
    said = {}
    for name, images in (("paper", 255 - digits), ("ink", digits), ("faint", digits // 16)):
        write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
        prepared = prepare("idx", {"folder": str(tmp_path)})
        said |= {(name, one): "".join(appearance.heed(prepared, invert=one)) for one in (None, False, True)}

    assert "the images show dark ink on bright" in said["paper", False]
    assert "\n  data.invert = true makes them bright on dark" in said["paper", False]
    assert said["paper", True].endswith("leave it out")
    assert said["faint", None] == said["faint", False]
    assert "values from 0 to 15" in said["faint", None]
    assert said["paper", None] == said["ink", None] == said["ink", False] == said["ink", True] == ""


def test_one_hears_of_test_images_that_train_too(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "own", "train", IMAGES, LABELS)
    others, labels = drawings(rows=20, height=6, width=6, seed=1)
    write_pair(folder, "test", np.concatenate([IMAGES[:7], others]), np.concatenate([LABELS[:7], labels]))

    (warning,) = appearance.heed(prepare("idx", {"folder": str(folder)}), invert=False)

    assert "7 of the 27 test images are among the training images, too" in warning
    assert not list(appearance.heed(prepare("idx", {"folder": str(folder), "test": 0.2}), invert=False))


def test_one_hears_of_copies_that_train_and_validate(tmp_path: Path) -> None:
    twice, labels = np.concatenate([IMAGES, IMAGES[:20]]), np.concatenate([LABELS, LABELS[:20]])
    np.savez(tmp_path / "own.npz", x_train=twice, y_train=labels, x_test=255 - IMAGES, y_test=LABELS)

    (warning,) = appearance.heed(prepare("npz", {"file": str(tmp_path / "own.npz")}), invert=False)

    assert "20 of the 80 training images are copies of others" in warning


def test_one_hears_of_copies_that_make_intervals_too_narrow(tmp_path: Path) -> None:
    twice, labels = np.concatenate([IMAGES, IMAGES[:20]]), np.concatenate([LABELS, LABELS[:20]])
    others, theirs = drawings(rows=60, height=6, width=6, seed=2)
    np.savez(tmp_path / "own.npz", x_train=others, y_train=theirs, x_test=twice, y_test=labels)

    (warning,) = appearance.heed(prepare("npz", {"file": str(tmp_path / "own.npz")}), invert=False)

    assert "20 of the 80 test images are copies of others" in warning
    assert "intervals will be too narrow" in warning
