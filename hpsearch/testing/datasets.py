"""What every data set must do: subclass DatasetContract in a module of tests and override the fixture `make`.

class TestMine(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls):
        return functools.partial(Mine, "somewhere")

The set is prepared once a class, in a folder of its own that HPSEARCH_DATA names.
"""

# ruff: noqa: D102, PLR2004 - a test is named by its sentence, and counts are what it says

import dataclasses
import multiprocessing
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hpsearch.datasets.content import per_class
from hpsearch.datasets.prepared import FILES, PARTS, load, read_manifest, verify
from hpsearch.errors import DataRefused
from hpsearch.protocols import Dataset, Prepared

Make = Callable[[], Dataset]


def quiet(what: str, done: int, total: int | None) -> None:
    """A Progress that only makes sure of what it hears: never more done than there is."""
    assert 0 <= done <= (done if total is None else total), what


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path from there."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def die_while_writing(make: Make, most_bytes: int) -> None:
    """Prepare in a process that the system kills as soon as a file grows beyond `most_bytes`."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    make().prepare(quiet)


class DatasetContract:
    """The promises of a data set. `make` goes to another process, so that it must survive pickle."""

    approximate = 0.0
    """By which share of the rows outline() may be wrong."""

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Make:
        """Override: what makes the data set, the same each time."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def cache(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """Where this class prepares its data."""
        folder = tmp_path_factory.mktemp("cache").resolve()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HPSEARCH_DATA", str(folder))
            yield folder

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, make: Make, cache: Path) -> Prepared:
        """The data set, prepared for the first time."""
        prepared = make().prepare(quiet)
        assert prepared.folder.is_relative_to(cache)
        return prepared

    @pytest.fixture
    def copied(self, prepared: Prepared, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
        """The same in a cache of this test's own, to be damaged."""
        shutil.copytree(cache, tmp_path / "cache")
        monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
        return dataclasses.replace(prepared, folder=tmp_path / "cache" / prepared.folder.relative_to(cache))

    def test_preparing_twice_is_as_good_as_once(self, make: Make, prepared: Prepared) -> None:
        written = {file: file.stat().st_mtime_ns for file in prepared.folder.rglob("*")}

        again = make().prepare(quiet)

        assert again == prepared == read_manifest(prepared.folder)
        assert {file: file.stat().st_mtime_ns for file in again.folder.rglob("*")} == written

    def test_another_cache_gets_the_same_bytes(
        self, make: Make, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))

        elsewhere = make().prepare(quiet)

        assert dataclasses.replace(elsewhere, folder=prepared.folder) == prepared
        assert contents(elsewhere.folder) == contents(prepared.folder)

    @pytest.mark.parametrize("file", FILES)
    def test_the_digest_hears_every_array(self, copied: Prepared, file: str) -> None:
        verify(copied)
        array = np.load(copied.folder / file, mmap_mode="r+")

        array.reshape(-1)[-1] ^= 1
        array.flush()

        with pytest.raises(DataRefused):
            verify(copied)

    def test_the_digest_hears_the_class_names(self, prepared: Prepared) -> None:
        renamed = dataclasses.replace(prepared, class_names=(*prepared.class_names[:-1], "another"))

        with pytest.raises(DataRefused):
            verify(renamed)

    @pytest.mark.parametrize("part", PARTS)
    def test_images_and_labels_have_the_promised_types_and_one_length(self, prepared: Prepared, part: str) -> None:
        rows = {"train": prepared.train_rows, "test": prepared.test_rows}[part]

        images, labels = (np.load(prepared.folder / part / f"{kind}.npy") for kind in ("images", "labels"))

        assert (images.dtype, images.shape) == (np.uint8, (rows, *prepared.shape))
        assert (labels.dtype, labels.shape) == (np.int64, (rows,))
        assert len(prepared.shape) == 2
        assert rows > 0

    def test_labels_are_places_among_distinct_class_names(self, prepared: Prepared) -> None:
        names = prepared.class_names

        labels = np.concatenate([load(prepared.folder, part)[1] for part in PARTS])

        assert 0 <= labels.min() <= labels.max() < len(names)
        assert len(set(names)) == len(names)

    def test_rows_held_out_by_content_share_no_image_with_those_that_train(self, prepared: Prepared) -> None:
        if prepared.test_from != "content-hash":
            pytest.skip(f"the test split is {prepared.test_from}: its makers answer for it")

        train, test = ({image.tobytes() for image in load(prepared.folder, part)[0]} for part in PARTS)

        assert not train & test

    def test_a_worker_that_sees_train_sees_nothing_of_the_test_split(self, prepared: Prepared) -> None:
        train, test = prepared.folder / "train", prepared.folder / "test"

        there = {path for path in train.rglob("*") if not path.is_dir() or path.is_symlink()}

        assert there == {train / "images.npy", train / "labels.npy"}
        assert not any(path.is_symlink() or path.samefile(test / path.name) for path in there)

    def test_the_outline_agrees_with_what_is_prepared(self, make: Make, prepared: Prepared) -> None:
        outline = make().outline()

        if outline is None:
            pytest.skip("nothing is known of this set before it is read")
        assert (outline.classes, outline.shape) == (len(prepared.class_names), prepared.shape)
        assert abs(outline.train_rows - prepared.train_rows) <= self.approximate * prepared.train_rows
        if outline.smallest:
            name, fewest = outline.smallest
            counts = per_class(load(prepared.folder, "train")[1], outline.classes)
            for rows in (min(filter(None, counts)), counts[prepared.class_names.index(name)]):
                assert abs(fewest - rows) <= self.approximate * prepared.train_rows

    @pytest.mark.usefixtures("prepared")
    def test_the_outline_needs_no_prepared_data(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = make().outline()
        monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "nothing"))

        assert make().outline() == before
        assert not (tmp_path / "nothing").exists()

    @pytest.mark.parametrize("file", FILES)
    @pytest.mark.parametrize("left", [0.5, None])
    def test_a_cut_or_missing_array_is_not_taken_for_whole(
        self, make: Make, copied: Prepared, file: str, left: float | None
    ) -> None:
        array = copied.folder / file
        data = array.read_bytes()
        array.unlink() if left is None else array.write_bytes(data[: int(left * len(data))])

        mended = make().prepare(quiet)

        assert mended == copied
        assert (mended.folder / file).read_bytes() == data

    @pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
    def test_what_a_killed_process_left_is_not_taken_for_whole(
        self, make: Make, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
        half = max((prepared.folder / file).stat().st_size for file in FILES) // 2
        killed = multiprocessing.get_context("spawn").Process(target=die_while_writing, args=(make, half))
        killed.start()
        killed.join()

        mended = make().prepare(quiet)

        assert killed.exitcode == -signal.SIGXFSZ
        assert contents(mended.folder) == contents(prepared.folder)
        assert sorted(tmp_path.glob("prepared/[!.]*")) == [mended.folder.absolute()]
