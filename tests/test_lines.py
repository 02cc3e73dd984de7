"""Which characters stand on one line, and in which order lines are read."""

import math
import random

import pytest

from hpsearch.predict.lines import in_lines


def lines_of_digits(seed, slope, count=3):
    """Boxes of hand-written digits, line by line: no two of a height, near and far apart, all lines sloping alike."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        left, line = chance.uniform(0, 30), []
        for _ in range(chance.randint(2, 10)):
            wide, high = chance.uniform(14, 24), 30 * chance.gauss(1, 0.08)
            top = 48 * number + math.tan(math.radians(slope)) * left + chance.gauss(0, 2)
            line.append((left, top, left + wide, top + high))
            left += wide + chance.uniform(4, 10) + (chance.random() < 0.2) * chance.uniform(20, 45)
        lines.append(line)
    return lines


def found(lines):
    """The same boxes, shuffled, as they are found to stand in lines."""
    boxes = [box for line in lines for box in line]
    random.Random(0).shuffle(boxes)
    return [[boxes[place] for place in line] for line in in_lines(boxes)]


@pytest.mark.parametrize("slope", [-15, -8, 0, 8, 15])
def test_lines_may_slope_by_fifteen_degrees(slope):
    pages = [lines_of_digits(seed, slope) for seed in range(20)]

    assert [found(page) for page in pages] == pages


@pytest.mark.parametrize("lefts", [(0,), (0, 2, 0), (2, 0, 2), (0, 2, 4), (0, 20, 0, 20)])
def test_characters_below_each_other_are_lines_though_they_do_not_stand_exactly_so(lefts):
    column = [[(left, 60 * line, left + 20, 60 * line + 30)] for line, left in enumerate(lefts)]

    assert found(column) == column


def test_a_line_that_begins_where_the_one_above_ends_is_a_line():
    page = [[(0, 0, 20, 30), (25, 0, 45, 30)], [(60, 45, 80, 75), (85, 45, 105, 75)]]

    assert found(page) == page


def test_what_is_not_there_has_no_lines():
    assert in_lines([]) == []
