"""How far one configuration is ahead of another, and what chance explains."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.paired import Lead, Shared, lead, margin
from racing import Setting, race, summed

BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def shared(pairs, first=0):
    ahead, behind = (np.array(side, bool) for side in zip(*pairs, strict=True))
    return Shared(np.arange(first, first + len(pairs)), ahead, behind)


def scattered(scatter, fits=5):
    return Lead(0.01, 1e-5, scatter, fits, 1000)


@given(BITS)
def test_the_lead_on_one_fit_is_mcnemars(pairs):
    found = lead([shared(pairs)])

    only_ahead, only_behind = pairs.count((True, False)), pairs.count((False, True))
    rows, gain = len(pairs), only_ahead - only_behind
    assert found.share == pytest.approx(gain / rows)
    assert found.variance == pytest.approx(max(only_ahead + only_behind - gain**2 / rows, 1) / rows**2)
    assert (found.fits, found.images, found.scatter) == (1, rows, 0)


@given(st.lists(BITS, min_size=1, max_size=5))
def test_folds_add_up_in_whatever_order_they_come(parts):
    starts = np.cumsum([0, *map(len, parts)])
    folds = [shared(pairs, int(first)) for pairs, first in zip(parts, starts, strict=False)]

    found, turned = lead(folds), lead(folds[::-1])

    every = [ahead - behind for pairs in parts for ahead, behind in pairs]
    assert found.share == pytest.approx(np.mean(every))
    assert found.images == len(every)
    assert turned.variance == pytest.approx(found.variance)
    assert turned.scatter == pytest.approx(found.scatter)


def test_an_image_that_comes_in_every_repeat_is_one_image():
    once = shared([(True, False)] * 30 + [(True, True)] * 170)

    found = lead([once, once, once])

    assert found.variance == pytest.approx(lead([once]).variance)
    assert found.images == 200


def test_nothing_can_be_said_before_anything_is_known_of_the_scatter():
    assert margin(lead([shared([(True, False)] * 50)]), [], 5, 1) == math.inf


def test_chance_explains_more_where_fits_scatter_more_than_images_do_and_where_many_compete():
    calm, wild, found = [scattered(4.0)] * 9, [scattered(12.0)] * 9, scattered(0.5, 2)

    assert margin(found, wild, 5, 9) > 1.5 * margin(found, calm, 5, 9)
    assert margin(found, calm, 5, 99) > margin(found, calm, 5, 9) > margin(found, calm, 5, 1)
    assert margin(scattered(6.0, 2), calm, 5, 9) > margin(found, calm, 5, 9)
    assert margin(found, [scattered(0.1)] * 9, 5, 9) == margin(found, calm, 5, 9)


def test_in_simulated_studies_bad_trials_are_dropped_and_good_ones_are_not():
    wide, equal = Setting("wide", 12, 5, 2_000, 0.003), Setting("equal", 12, 5, 2_000, 0.003)

    found, tied = (summed(one, [race(one, seed) for seed in range(12)]) for one in (wide, equal))

    assert found["saved"] > 0.1
    assert found["wronged"] == found["best_lost"] == found["winner_lost"] == 0
    assert tied["wronged"] < 0.02
