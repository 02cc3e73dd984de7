"""What is told of a picture's characters."""

import json
from string import ascii_uppercase

import numpy as np
import pytest

from hpsearch.cli.answers import AsJson
from hpsearch.predict.reading import CLOSE_CALL, UNLIKE, Guess, Reading, readings
from hpsearch.predict.sights import Character, Picture

BALANCED = [*"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"]


def written(*lines):
    """A reading with a letter in each box of each line, from A on."""
    boxes = [(box, number) for number, line in enumerate(lines) for box in line]
    guesses = [Guess(box, ((chr(65 + place), 0.9), ("x", 0.1)), 0.5, line) for place, (box, line) in enumerate(boxes)]
    return Reading(Picture("a.png", (900, 300), (), dark_on_light=True), tuple(guesses))


def at(left, top=0, width=20, height=30):
    return left, top, left + width, top + height


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], ""),
        ([[at(0)]], "A"),
        ([[at(0), at(25), at(50)]], "ABC"),
        ([[at(0), at(25), at(80), at(105)]], "AB CD"),
        ([[at(0), at(50), at(100), at(240)]], "ABC D"),  # wide apart, all of them
        ([[at(0), at(100)]], "A B"),
        ([[at(0), at(30)]], "AB"),
        ([[at(0), at(25)], [at(0, top=60), at(25, top=60)]], "AB\nCD"),
        ([[at(0)], [at(2, top=60)], [at(0, top=120)]], "A\nB\nC"),
        ([[at(0), at(25, top=30), at(50, top=60)], [at(0, top=60), at(80, top=130)]], "ABC\nD E"),  # both slope
    ],
)
def test_words_and_lines_are_parted_as_they_are_written(lines, text):
    assert written(*lines).text == text


def named(*names, classes):
    """A reading of so many characters in two words, each of which is surely of the class of this name."""
    boxes = [at(25 * place + 60 * (place > 1)) for place in range(len(names))]
    ranked = [((name, 0.9), *((other, 0.0) for other in classes if other != name)) for name in names]
    guesses = tuple(Guess(box, order, 0.5) for box, order in zip(boxes, ranked, strict=True))
    return Reading(Picture("a.png", (900, 300), (), dark_on_light=True), guesses)


@pytest.mark.parametrize(
    ("names", "classes", "text"),
    [
        (["10", "3", "46"], [str(number) for number in range(47)], "10 3 46"),
        (["3", "3", "7"], [str(number) for number in range(47)], "3 3 7"),
        (["alpha", "beta", "alpha"], ["alpha", "beta"], "alpha beta alpha"),
        (["either/or", "I/O", "1/1"], ["either/or", "I/O", "1/1"], "either/or I/O 1/1"),
        (["C", "a", "1"], BALANCED, "Ca 1"),
    ],
)
def test_names_longer_than_a_sign_are_written_whole_with_spaces_between(names, classes, text):
    assert named(*names, classes=classes).text == text


def test_only_close_calls_and_strange_images_are_doubted():
    sure = (("1", 0.9), ("7", 0.1))
    close = (("1", 0.5), ("7", 0.4))

    assert Guess(at(0), sure, 0.9).doubts == ()
    assert Guess(at(0), sure, None).doubts == ()
    assert Guess(at(0), sure, 1.1).doubts == (UNLIKE,)
    assert Guess(at(0), close, 1.1).doubts == (UNLIKE, CLOSE_CALL)


def test_answers_go_to_the_characters_they_were_asked_for():
    image = np.zeros((2, 2), np.uint8)
    pictures = [
        Picture(name, (9, 9), tuple(Character(at(place), image, place) for place in range(count)), dark_on_light=True)
        for name, count in (("one", 1), ("none", 0), ("two", 2))
    ]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)

    found = readings(pictures, probabilities, np.array([0.5, np.nan, 2], np.float32), ("a", "b"))

    assert [[guess.name for guess in one.guesses] for one in found] == [["a"], [], ["b", "a"]]
    assert [guess.unlike for one in found for guess in one.guesses] == [0.5, None, 2.0]
    assert found[2].guesses[0].ranked[1][0] == "a"
    assert found[2].text == "b\na"


def test_answers_for_other_characters_are_not_taken():
    with pytest.raises(ValueError, match="more answers than characters"):
        readings([], np.zeros((1, 2), np.float32), np.zeros(1, np.float32), ("a", "b"))


def shown(names):
    return [name for name, _ in Guess(at(0), tuple((name, 0.0) for name in names), None).shown]


def test_a_letter_of_emnist_that_stands_for_both_of_its_forms_shows_both():
    both = [f"{letter}/{letter.lower()}" for letter in "CIJKLMOPSUVWXYZ"]

    assert [name for name in shown(BALANCED) if "/" in name] == both


@pytest.mark.parametrize("names", [["A", "B"], ["Aa", "Bb", "cat"], [*ascii_uppercase, "a", "b"], [*BALANCED, "c"]])
def test_no_letter_shows_a_form_that_was_never_trained(names):
    assert shown(names) == names


def test_programs_are_told_the_names_that_the_model_has(capsys):
    AsJson().show(named("C", "a", classes=BALANCED))

    told = json.loads(capsys.readouterr().out)
    assert (told["text"], [one["class"] for one in told["characters"]]) == ("Ca", ["C", "a"])
    assert set(told["characters"][0]["probabilities"]) == set(BALANCED)
