"""The images of characters are made as the makers of the training images made theirs."""

import tracemalloc
from functools import cache
from typing import Any

import numpy as np
import pytest
from data_makers import at_hand, drawings
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps
from written import file_of, page

from hpsearch.datasets.idx_format import read
from hpsearch.polarity import Polarity
from hpsearch.predict.framing import Framing, frame, recipe_of
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture

MNIST, EMNIST = "mnist/t10k-images-idx3-ubyte.gz", "emnist47/emnist47-test-images-idx3-ubyte.gz"


@cache
def mnist() -> Any:
    return read(at_hand(MNIST) / MNIST, 3)


@cache
def emnist() -> Any:
    return read(at_hand(EMNIST) / EMNIST, 3).transpose(0, 2, 1)


@pytest.mark.parametrize(("rows", "starts"), [(20, (0, 500, 2000)), (3000, (500,))])
def test_the_recipe_of_real_training_images_is_found(rows: int, starts: tuple[int, ...]) -> None:
    for start in starts:
        assert recipe_of(mnist()[start : start + rows])[0] is Framing.MNIST
        assert recipe_of(emnist()[start : start + rows])[0] is Framing.EMNIST


@pytest.mark.parametrize(
    ("side", "framing", "as_made"),
    [(22, "emnist", True), (24, "emnist", True), (28, "emnist", False), (12, None, False)],
)
def test_of_characters_that_stand_in_the_middle_the_nearer_recipe_is_found(
    side: int, framing: str | None, as_made: bool
) -> None:
    images = np.stack([in_the_middle(image, side) for image in mnist()[:100]])

    found = recipe_of(images)

    assert found == (framing or found[0], as_made)
    assert recipe_of(255 - images, Polarity.DARK_ON_BRIGHT) == found


def in_the_middle(image: Any, side: int) -> Any:
    """A digit with this longest side, whose box is in the middle."""
    whole = Image.fromarray(image)
    small = ImageOps.contain(whole.crop(whole.getbbox()), (side, side))
    paper = Image.new("L", (28, 28))
    paper.paste(small, ((28 - small.width) // 2, (28 - small.height) // 2))
    return np.asarray(paper)


def test_images_without_ink_are_framed_as_mnist() -> None:
    assert recipe_of(np.zeros((3, 28, 28), np.uint8))[0] is Framing.MNIST


def test_the_recipe_of_large_images_is_found_without_copies_of_them_all() -> None:
    one = np.zeros((512, 512), np.uint8)
    one[200:300, 220:270] = 255
    images = np.broadcast_to(one, (200, *one.shape))

    tracemalloc.start()
    try:
        recipe_of(images)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < images.nbytes / 2


def test_framing_a_mnist_image_again_gives_it_back_unless_its_strokes_are_thin() -> None:
    images = mnist()[:300]

    again = np.stack([frame(image, Framing.MNIST) for image in images])

    differences = np.abs(again.astype(int) - images).mean((1, 2))
    assert np.median(differences) == 0
    assert (differences < 1).mean() > 0.85


def test_digits_framed_as_emnist_look_like_emnists_digits() -> None:
    ours = np.stack([frame(np.kron(image, np.ones((4, 4), np.uint8)), Framing.EMNIST) for image in mnist()[:300]])
    theirs = emnist()[:3000]

    assert recipe_of(ours)[0] is Framing.EMNIST
    assert longest_sides(ours) == pytest.approx(longest_sides(theirs), abs=1)
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.15)


def longest_sides(images: Any) -> float:
    """The mean over the images of the longest side of what is drawn, at half of the range."""
    sides = [max(np.ptp(rows), np.ptp(columns)) + 1 for rows, columns in (np.nonzero(image > 127) for image in images)]
    return float(np.mean(sides))


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("shape", [(28, 28), (32, 32), (20, 30), (64, 48), (8, 8)])
def test_images_of_any_shape_are_made_in_proportion(framing: Framing, shape: tuple[int, int]) -> None:
    image = frame(drawings(1, height=50, width=30)[0][0], framing, shape)

    rows, columns = np.nonzero(image > 64)
    assert (image.shape, image.dtype, image.max()) == (shape, np.uint8, 255)
    expected = min(shape) * (20 if framing is Framing.MNIST else 24) / 28
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(expected, abs=0.06 * min(shape) + 1)


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("ink", [np.zeros((9, 9), np.float32), np.zeros((0, 5), np.float32)])
def test_no_ink_gives_an_empty_image(ink: Any, framing: Framing) -> None:
    image = frame(ink, framing)

    assert image.shape == (28, 28)
    assert not image.any()


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (3, 900)])
def test_a_bar_or_a_dot_becomes_an_image(shape: tuple[int, int], framing: Framing) -> None:
    assert frame(np.ones(shape, np.float32), framing).max() == 255


POINT = st.tuples(st.floats(0.25, 0.75), st.floats(0.25, 0.75))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    stroke=st.lists(POINT, min_size=3, max_size=6),
    right=st.integers(-40, 40),
    down=st.integers(-40, 40),
    framing=st.sampled_from(Framing),
)
def test_the_place_on_the_page_and_the_polarity_change_nothing(
    stroke: Any, right: int, down: int, framing: Framing
) -> None:
    drawn = page(stroke, size=(240, 240), pen=9)

    first, moved, inverted = (
        look("page", file_of(picture), framing, one=True)
        for picture in (drawn, ImageChops.offset(drawn, right, down), ImageOps.invert(drawn))
    )

    assert isinstance(first, Picture)
    assert isinstance(moved, Picture)
    assert isinstance(inverted, Picture)
    left, top, *_ = first.characters[0].box
    assert moved.characters[0].box[:2] == (left + right, top + down)
    for other in (moved, inverted):
        assert np.abs(first.characters[0].image.astype(int) - other.characters[0].image).mean() < 255 * 0.02
