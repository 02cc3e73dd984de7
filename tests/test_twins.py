"""A few of the twins of tests/twins.py, and that it would see a difference."""

import numpy as np
import pytest
import twins

from hpsearch.trial import Attempt, AttemptEnd, Fit, How
from hpsearch.worker import checkpoint


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    twins.lay_out(folder)
    return twins.Twins(folder)


@pytest.mark.promise("3", "P5")
@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 2, 3))])
def test_a_trial_that_is_killed_anywhere_ends_bit_for_bit_like_its_undisturbed_twin(pairs, number):
    found, story = pairs.part(number, seed=2)

    assert found == []
    assert story.kills + story.stops


@pytest.fixture
def two(tmp_path):
    folders = tmp_path / "quiet", tmp_path / "harmed"
    for folder in folders:
        folder.mkdir()
        checkpoint._write(folder / "checkpoint.bin", [np.arange(6.0)], {"epoch": 1})
        checkpoint._write(folder / "best.bin", [np.arange(6.0)], {})
    end = AttemptEnd(Attempt(Fit(0, 1)), How.FINISHED, 0.0, 0.5, 1, 1)
    return [twins.Story({1: {"loss": 1.0}}, end) for _ in folders], folders


def test_twins_that_are_alike_differ_in_nothing(two):
    stories, folders = two

    assert twins.differences(*stories, *folders) == []


def last_bit(folder, name):
    array = np.arange(6.0)
    array[3] = np.nextafter(array[3], 4)
    checkpoint._write(folder / name, [array], {})


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda story, folder: story.measures[1].update(loss=1.0000001), "epoch 1"),
        (lambda story, folder: story.measures.clear(), "epoch 1"),
        (lambda story, folder: setattr(story, "end", None), "the end"),
        (lambda story, folder: last_bit(folder, "best.bin"), "the best weights"),
        (lambda story, folder: last_bit(folder, "checkpoint.bin"), "array 0 of the checkpoint"),
        (lambda story, folder: (folder / "checkpoint.bin").write_bytes(b""), "no checkpoint"),
    ],
)
def test_a_difference_of_a_single_bit_is_seen(two, harm, what):
    stories, folders = two

    harm(stories[1], folders[1])

    assert twins.differences(*stories, *folders)[0].startswith(what)
