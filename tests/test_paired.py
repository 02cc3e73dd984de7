"""How far one configuration is ahead of another, and what chance explains."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.paired import Lead, Shared, lead, margin
from racing import Repeated, Setting, race, summed

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
    assert found.scatter == pytest.approx(2)  # as of three fits on images of their own that only images part


def scatter(rows, spread, random):
    """Pearson's X² of two configurations that are alike, on these rows of each fit, over its degrees of freedom."""
    tastes, fits = random.normal(size=(2, 5_000)), []
    for own in rows:
        luck = spread * random.normal(size=(2, 1)) + random.normal(size=(2, len(own)))
        fits.append(Shared(own, *(tastes[:, own] + luck + 1.5 > 0)))
    return lead(fits).scatter / (len(fits) - 1)


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_fits_on_the_same_images_tell_as_much_of_seeds_as_fits_on_others(spread):
    random = np.random.default_rng(0)
    others, same = np.split(np.arange(5_000), 5), [np.arange(1_000)] * 5

    apart, together = (np.mean([scatter(rows, spread, random) for _ in range(200)]) for rows in (others, same))

    assert together == pytest.approx(apart, rel=0.1)


def test_nothing_can_be_said_before_anything_is_known_of_the_scatter():
    assert margin(lead([shared([(True, False)] * 50)]), [], 5, 1, 5) == math.inf


def test_chance_explains_more_where_fits_scatter_more_than_images_do_and_where_many_compete():
    calm, wild, found = [scattered(4.0)] * 9, [scattered(12.0)] * 9, scattered(0.5, 2)

    assert margin(found, wild, 5, 9, 5) > 1.5 * margin(found, calm, 5, 9, 5)
    assert margin(found, calm, 5, 99, 5) > margin(found, calm, 5, 9, 5) > margin(found, calm, 5, 1, 5)
    assert margin(scattered(6.0, 2), calm, 5, 9, 5) > margin(found, calm, 5, 9, 5)
    assert margin(found, [scattered(0.1)] * 9, 5, 9, 5) == margin(found, calm, 5, 9, 5)


def test_the_leaders_luck_does_not_even_out_over_fits_on_the_same_rows():
    found, calm = scattered(0.5, 2), [scattered(4.0)] * 9

    assert margin(found, calm, 5, 9, 1) > margin(found, calm, 5, 9, 5)
    assert margin(found, calm, 5, 1, 1) == margin(found, calm, 5, 1, 5)


def test_in_simulated_studies_bad_trials_are_dropped_and_good_ones_are_not():
    wide, equal = Setting("wide", 12, 5, 2_000, 0.003), Setting("equal", 12, 5, 2_000, 0.003)

    found, tied = (summed(one, [race(one, seed) for seed in range(12)]) for one in (wide, equal))

    assert found["saved"] > 0.1
    assert found["wronged"] == found["best_lost"] == found["winner_lost"] == 0
    assert tied["wronged"] < 0.02


def test_repeats_on_the_same_images_drop_bad_trials_and_no_good_ones():
    wide, equal = Repeated("wide", 20, 3, 5_000, 0.003), Repeated("equal", 20, 3, 5_000, 0.003)

    found, tied = (summed(one, [race(one, seed) for seed in range(60)]) for one in (wide, equal))

    assert found["saved"] > 0.2
    assert found["best_lost"] == found["winner_lost"] == 0
    assert tied["wronged"] < 0.002
