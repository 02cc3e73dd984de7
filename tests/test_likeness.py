"""What is told of images that are unlike the training data."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_makers import at_hand
from PIL import Image, ImageDraw

from hpsearch.datasets.idx_format import read
from hpsearch.datasets.mnist_5k import MNIST5k
from hpsearch.datasets.prepared import load
from hpsearch.errors import StateDamaged
from hpsearch.predict.likeness import Likeness


def silent(_what, _done, _total):
    pass


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Training images, and those that were held out of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(tmp_path_factory.mktemp("cache")))
        folder = MNIST5k().prepare(silent).folder
        return np.array(load(folder, "train")[0]), np.array(load(folder, "test")[0])


@pytest.fixture(scope="module")
def likeness(digits):
    return Likeness.fit(digits[0])


def scribbles(count):
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(count):
        picture = Image.new("L", (112, 112))
        points = generator.integers(12, 100, (int(generator.integers(14, 30)), 2))
        ImageDraw.Draw(picture).line([tuple(map(int, point)) for point in points], fill=255, width=8)
        drawn.append(np.asarray(picture.resize((28, 28), Image.Resampling.LANCZOS)))
    return np.stack(drawn)


def noise(count):
    return np.random.default_rng(2).integers(0, 256, (count, 28, 28)).astype(np.uint8)


def test_images_of_the_same_making_are_like_the_training_data(digits, likeness):
    scores = likeness.score(digits[1])

    assert scores.dtype == np.float32
    assert (scores > 1).mean() < 0.01
    assert 0 < np.median(scores[scores > 0]) < 1


def test_noise_inverted_images_and_empty_ones_are_unlike_the_training_data(digits, likeness):
    strangers = [
        noise(100),
        255 - digits[1][:100],
        np.zeros((1, 28, 28), np.uint8),
        np.full((1, 28, 28), 255, np.uint8),
    ]

    scores = likeness.score(np.concatenate(strangers))

    assert scores.min() > 1


def test_most_scribbles_are_unlike_digits(likeness):
    assert (likeness.score(scribbles(200)) > 1).mean() > 0.8


def test_many_letters_are_unlike_digits(likeness):
    files = [f"emnist47/emnist47-test-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    folder = at_hand(*files)
    images, labels = read(folder / files[0], 3).transpose(0, 2, 1), read(folder / files[1], 1)

    assert (likeness.score(images[labels >= 10][:500]) > 1).mean() > 0.3


def test_a_likeness_is_the_same_from_its_file_and_from_the_same_images(digits, likeness, tmp_path):
    likeness.save(tmp_path / "likeness.npz")

    kept, again = Likeness.load(tmp_path / "likeness.npz", (28, 28)), Likeness.fit(digits[0])

    some = digits[1][:50]
    assert kept.score(some).tolist() == likeness.score(some).tolist() == again.score(some).tolist()
    assert (tmp_path / "likeness.npz").stat().st_size < 500_000


@pytest.mark.parametrize("rows", [1, 2, 7, 150])
def test_few_images_suffice_and_lie_inside(digits, rows):
    few = digits[0][:rows]

    scores = Likeness.fit(few).score(few)

    assert np.isfinite(scores).all()
    assert Likeness.fit(few).score(noise(1))[0] > 1


@pytest.mark.parametrize(("times", "more"), [(3, 0), (4, 5), (23, 7)])
def test_large_images_are_described_as_well_in_a_file_as_small(digits, tmp_path, times, more):
    def enlarged(rows):
        return np.pad(np.kron(rows, np.ones((times, times), np.uint8)), ((0, 0), (0, more), (0, 2 * more)))

    known, others = enlarged(digits[0][::10]), enlarged(digits[1][::10])
    Likeness.fit(known).save(tmp_path / "likeness.npz")

    kept = Likeness.load(tmp_path / "likeness.npz", known.shape[1:])

    assert (tmp_path / "likeness.npz").stat().st_size < 2_000_000
    assert (kept.score(others) > 1).mean() < 0.1
    assert kept.score(np.concatenate([255 - others[:20], others[:1] * 0])).min() > 1
    assert kept.score(others[:0]).shape == (0,)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells there how much memory a process took")
def test_however_many_large_images_there_are_little_memory_is_taken(tmp_path):
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (8000, 128, 128)).flush()

    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "images.npy"], capture_output=True, text=True, check=True
    )

    assert int(ended.stdout) < 400_000_000


MEASURED = """
import re, sys
from pathlib import Path
import numpy as np
from hpsearch.predict.likeness import Likeness
import scipy.ndimage, sklearn.cluster, sklearn.decomposition
def told(what):
    return 1024 * int(re.search(rf"{what}:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
images = np.load(sys.argv[1], mmap_mode="r")
before = told("VmRSS")
Likeness.fit(images)
print(told("VmHWM") - before - images.nbytes)  # of the file's own pages the system frees what it needs
"""


def test_no_images_get_no_scores(likeness):
    assert likeness.score(np.zeros((0, 28, 28), np.uint8)).shape == (0,)


@pytest.mark.parametrize("spoil", ["text", "half", "objects", "bomb", "misfit"])
def test_a_damaged_file_is_refused_in_words(likeness, tmp_path, spoil):
    file = tmp_path / "likeness.npz"
    likeness.save(file)
    arrays = dict(np.load(file))
    match spoil:
        case "text":
            file.write_text("no archive")
        case "half":
            file.write_bytes(file.read_bytes()[:50_000])
        case "objects":
            np.savez(file, **{**arrays, "ink": np.array([object()])}, allow_pickle=True)
        case "bomb":
            np.savez_compressed(file, **{**arrays, "mean": np.zeros(40_000_000, np.float32)})
        case "misfit":
            np.savez(file, **{**arrays, "mean": arrays["mean"][:-1]})

    with pytest.raises(StateDamaged, match=r"cannot be read \(.+\)\n  delete the file, or export the model again"):
        Likeness.load(file, (28, 28))


def test_a_likeness_of_images_of_another_size_is_refused_in_words(likeness, tmp_path):
    likeness.save(tmp_path / "likeness.npz")

    with pytest.raises(StateDamaged, match=r"cannot be read \(.*it does not describe images of 20 × 28"):
        Likeness.load(tmp_path / "likeness.npz", (20, 28))
