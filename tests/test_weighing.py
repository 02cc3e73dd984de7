"""Class weights come by name or by how rare a class is, and a class that is not there is named."""

import numpy as np
import pytest

from hpsearch.errors import ExperimentRefused
from hpsearch.weighing import class_weights

NAMES = ("cat", "dog", "emu")


@pytest.fixture
def labels(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([0, 0, 0, 1]))
    return tmp_path / "labels.npy"


def test_without_a_wish_there_are_no_weights(labels):
    assert class_weights(None, NAMES, labels) == ()


def test_a_class_that_is_not_named_weighs_one(labels):
    assert class_weights({"dog": 2.5}, NAMES, labels) == (1.0, 2.5, 1.0)


def test_balanced_makes_every_class_weigh_the_same_in_sum(labels):
    cat, dog, emu = class_weights("balanced", NAMES, labels)

    assert (3 * cat, dog, emu) == pytest.approx((2.0, 2.0, 1.0))


@pytest.mark.parametrize("names", [NAMES, tuple(map(str.upper, NAMES))])
def test_an_unknown_class_is_refused_with_the_nearest_one(labels, names):
    with pytest.raises(ExperimentRefused, match=rf"no class 'dogg'.*\n.*did you mean '{names[1]}'"):
        class_weights({"dogg": 2.0}, names, labels)


def test_a_class_is_known_in_whichever_form_its_folder_and_the_experiment_spell_it(labels):
    composed, parted = "Caf\u00e9", "Cafe\u0301"

    assert class_weights({composed: 2.0}, (parted, "Tea"), labels) == (2.0, 1.0)
    assert class_weights({parted: 2.0}, (composed, "Tea"), labels) == (2.0, 1.0)
