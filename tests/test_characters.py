"""Which marks make a character, and in which order characters are read."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from written import PAPER, file_of, noisy, page, seven

from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Character, Picture, Unread

Stroke = list[tuple[float, float]]
ONE = [(0.5, 0.3), (0.5, 0.7)]
RING = [(0.5 + 0.2 * np.sin(angle), 0.5 + 0.2 * np.cos(angle)) for angle in np.linspace(0, 6.3, 40)]


def seen(picture: Image.Image, *, one: bool = False) -> tuple[Character, ...]:
    found = look("a picture", file_of(picture), Framing.MNIST, one=one)
    assert isinstance(found, Picture), found
    return found.characters


def boxes(picture: Image.Image, *, one: bool = False) -> list[tuple[int, int, int, int]]:
    return [character.box for character in seen(picture, one=one)]


def placed(stroke: Stroke, left: float, top: float, size: float) -> Stroke:
    """The stroke as it is in a cell of the page."""
    return [(left + x * size, top + y * size) for x, y in stroke]


def text(*lines: list[tuple[float, float]], size: float = 0.2) -> Image.Image:
    """Ones and rings at these places, line by line: a ring where the place is the second, the fourth, …"""
    strokes = [
        placed(RING if number % 2 else ONE, left, top, size)
        for line in lines
        for number, (left, top) in enumerate(line)
    ]
    return page(*strokes, size=(900, 900), pen=9)


@pytest.mark.parametrize(
    "strokes",
    [
        [[(0.5, 0.45), (0.5, 0.8)], [(0.5, 0.3), (0.5, 0.31)]],  # i
        [[(0.55, 0.4), (0.55, 0.8), (0.4, 0.85)], [(0.57, 0.25), (0.57, 0.26)]],  # j
        [[(0.4, 0.3), (0.4, 0.5), (0.6, 0.6), (0.4, 0.8)], [(0.43, 0.25), (0.65, 0.24)]],  # a 5 with its bar apart
        [placed(RING, 0, 0.1, 1), [(0.42, 0.25), (0.42, 0.26)], [(0.58, 0.25), (0.58, 0.26)]],  # ö
        [placed(RING, 0, 0, 1), [(0.48, 0.5), (0.52, 0.5)]],  # a 0 with a dot in it
        [[(0.5, 0.2), (0.5, 0.49)], [(0.5, 0.53), (0.5, 0.8)]],  # a broken stroke
    ],
)
def test_dots_bars_and_broken_strokes_belong_to_their_character(strokes: list[Stroke]) -> None:
    assert len(boxes(page(*strokes, size=(400, 400), pen=14))) == 1


def test_lines_are_read_from_top_to_bottom_and_each_from_left_to_right() -> None:
    found = boxes(text([(0, 0), (0.25, 0.02), (0.5, -0.01), (0.75, 0.01)], [(0.1, 0.4), (0.4, 0.41)], [(0, 0.7)]))

    rows = [round(3 * (top + bottom) / 2 / 900 - 0.5) for _, top, _, bottom in found]
    assert rows == [0, 0, 0, 0, 1, 1, 2]
    assert [left for left, *_ in found[:4]] == sorted(left for left, *_ in found[:4])


def test_a_line_may_slope() -> None:
    upper = [(0.16 * number, 0.06 * number) for number in range(5)]
    lower = [(left, top + 0.3) for left, top in upper]

    found = seen(text(upper, lower))

    assert [character.line for character in found] == [0] * 5 + [1] * 5
    lefts = [character.box[0] for character in found]
    assert lefts[:5] == sorted(lefts[:5])
    assert lefts[5:] == sorted(lefts[5:])


def test_characters_close_to_each_other_stay_apart() -> None:
    found = boxes(text([(0.1, 0.3), (0.18, 0.3), (0.28, 0.3), (0.36, 0.3)]))

    assert len(found) == 4


def test_what_is_asked_to_be_one_character_is_one() -> None:
    apart = text([(0.1, 0.3), (0.4, 0.3)])

    assert len(boxes(apart)) == 2
    assert len(boxes(apart, one=True)) == 1


def test_dust_is_no_character_and_moves_none() -> None:
    dusty = seven(size=(600, 700), pen=30)
    clean = boxes(dusty)
    draw = ImageDraw.Draw(dusty)
    for x, y in np.random.default_rng(1).uniform(0, 600, (60, 2)):
        draw.ellipse((x, y, x + 6, y + 6), 90)

    for one in (False, True):
        (box,) = boxes(dusty, one=one)
        assert box == pytest.approx(clean[0], abs=8)


def test_the_desk_beside_the_paper_is_no_character() -> None:
    photograph = seven(size=(800, 900), pen=30)
    (clean,) = boxes(photograph)
    ImageDraw.Draw(photograph).polygon([(700, 0), (800, 0), (800, 900), (640, 900)], 60)

    assert boxes(photograph) == [pytest.approx(clean, abs=3)]


def test_a_page_of_marks_that_is_no_writing_is_refused() -> None:
    dots = Image.new("L", (1500, 1500), PAPER)
    draw = ImageDraw.Draw(dots)
    for x in range(10, 1500, 20):
        for y in range(10, 1500, 20):
            draw.rectangle((x, y, x + 8, y + 8), 30)

    found = look("halftone.png", file_of(dots), Framing.MNIST)

    assert found == Unread("halftone.png", "5,625 separate marks; that is no writing")


def test_what_is_smaller_than_a_letter_can_be_is_refused() -> None:
    small = Image.new("L", (300, 300), PAPER)
    ImageDraw.Draw(small).rectangle((100, 100, 102, 102), 30)

    found = look("small.png", file_of(small), Framing.MNIST)

    assert found == Unread("small.png", "nothing is written on it that is 5 pixels large")


def test_a_noisy_line_keeps_its_characters() -> None:
    line = [(0.0, 0.3), (0.2, 0.3), (0.4, 0.3), (0.6, 0.3)]

    assert len(boxes(noisy(text(line), 30))) == 4
