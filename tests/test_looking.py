"""From any picture of a character to the image that a model was trained on."""

import csv
from typing import Any

import numpy as np
import pytest
from data_makers import at_hand
from PIL import Image, ImageChops, ImageOps
from written import PAPER, PEN, file_of, noisy, page, seven

from hpsearch.predict import strokes
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture, Unread

SHAPE = (28, 28)
AXIS = np.arange(28)


def seen(picture: Image.Image | bytes, framing: Framing = Framing.MNIST, **options: Any) -> Picture:
    content = picture if isinstance(picture, bytes) else file_of(picture)
    found = look("a picture", content, framing, SHAPE, **options)
    assert isinstance(found, Picture), found
    return found


def the_image(picture: Image.Image | bytes, framing: Framing = Framing.MNIST) -> Any:
    (character,) = seen(picture, framing).characters
    return character.image


def difference(one: Any, other: Any) -> float:
    """The mean difference of two images, as a share of the range."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean()) / 255


def test_a_character_lies_in_mnists_box_with_its_centre_of_mass_in_the_middle() -> None:
    image = the_image(seven())

    rows, columns = np.nonzero(image > 64)
    assert image.dtype == np.uint8
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert (AXIS @ image / image.sum()).sum() == pytest.approx(14, abs=0.6)
    assert (image @ AXIS / image.sum()).sum() == pytest.approx(14, abs=0.6)
    assert image.max() == 255


def test_a_character_lies_in_the_middle_of_an_emnist_image() -> None:
    image = the_image(seven(), Framing.EMNIST)

    rows, columns = np.nonzero(image > 64)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(23, abs=1)
    assert rows.min() + rows.max() == pytest.approx(27, abs=1)
    assert columns.min() + columns.max() == pytest.approx(27, abs=1)


@pytest.mark.parametrize("framing", list(Framing))
def test_light_on_dark_gives_the_image_of_dark_on_light(framing: Framing) -> None:
    dark, light = seen(seven(), framing), seen(ImageOps.invert(seven()), framing)

    assert (dark.dark_on_light, light.dark_on_light) == (True, False)
    assert difference(dark.characters[0].image, light.characters[0].image) < 0.01


def test_where_on_the_page_it_is_written_makes_no_difference() -> None:
    drawn = seven()

    moved = ImageChops.offset(drawn, 37, -41)

    assert np.array_equal(the_image(drawn), the_image(moved))


@pytest.mark.parametrize("times", [0.25, 0.5, 2, 5])
def test_how_large_it_is_written_makes_little_difference(times: float) -> None:
    drawn = seven(size=(400, 480), pen=22)

    image = the_image(drawn.resize((round(400 * times), round(480 * times)), Image.Resampling.LANCZOS))

    assert difference(image, the_image(drawn)) < 0.02


def test_the_box_is_where_the_character_stands_in_the_picture() -> None:
    (character,) = seen(seven()).characters

    assert character.box == pytest.approx((55, 67, 146, 186), abs=2)


def test_uneven_light_leaves_no_trace() -> None:
    light = Image.linear_gradient("L").resize((200, 240)).point(lambda value: 80 + value * 175 // 255)

    image = the_image(ImageChops.multiply(seven(), light))

    assert difference(image, the_image(seven())) < 0.02


@pytest.mark.parametrize("amount", [5, 20, 40])
def test_noise_is_no_ink(amount: float) -> None:
    image = the_image(noisy(seven(), amount))

    assert difference(image, the_image(seven())) < 0.04


def test_ink_in_the_alpha_channel_alone_is_seen_whatever_its_colour() -> None:
    drawn = seven()
    alpha = drawn.point(lambda value: 255 * (PAPER - value) // (PAPER - PEN))
    for tone in (0, 255):
        glass = Image.merge("LA", (Image.new("L", drawn.size, tone), alpha))

        assert difference(the_image(glass.convert("RGBA")), the_image(drawn)) < 0.01


def test_a_thin_pen_on_a_large_page_becomes_a_stroke_as_in_the_training_images() -> None:
    image = the_image(seven(size=(1200, 1400), pen=6))

    fine = np.asarray(Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)) > 127
    assert 2 < strokes.width(fine) / 4 < 3


def test_real_photographs_scans_and_drawings_show_one_character_each_in_the_right_polarity() -> None:
    folder = at_hand("handwritten/labels.csv") / "handwritten"
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        pictures = {row["file"]: row["polarity"] != "light on dark" for row in csv.DictReader(file)}

    found = {name: seen((folder / name).read_bytes()) for name in pictures}

    assert {name: picture.dark_on_light for name, picture in found.items()} == pictures
    assert {len(picture.characters) for picture in found.values()} == {1}


@pytest.mark.parametrize("amount", [0, 3, 25])
def test_a_blank_page_is_said_to_be_one(amount: float) -> None:
    found = look("blank.png", file_of(noisy(page(), amount)), Framing.MNIST)

    assert found == Unread("blank.png", "nothing is written on it")
