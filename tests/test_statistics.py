"""Laws that the finals' figures keep, beside brute force and SciPy, and how often they hold in small simulations."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from hpsearch import conclusions, statistics
from hpsearch.conclusions import Standing
from hpsearch.luck import SHARES, luck_of_the_best, pooled_deviation
from hpsearch.objective import Objective
from hpsearch.trial import Fit, Status, Trial, TrialResult
from interval_coverage import run
from simulated_finals import Setting, simulate

sizes, few = some.integers(2, 40), some.integers(2, 6)


@some.composite
def rights(draw, rows=sizes, seeds=few):
    random = np.random.default_rng(draw(some.integers(0, 2**32)))
    shape = draw(rows), draw(seeds)
    easy = random.normal(size=shape[0])[:, None] + draw(some.floats(0, 1)) * random.normal(size=shape[1])
    return easy + random.normal(size=shape) + draw(some.floats(-2, 3)) > 0


def by_pairs(right):
    """The variance of the mean, from the covariances of all pairs of cells that share an image, a seed, or neither."""
    rows, seeds = right.shape
    cells = right - right.mean()
    total = {"image": [], "seed": [], "neither": [], "same": []}
    for (i, j), (k, n) in ((a, b) for a in np.ndindex(rows, seeds) for b in np.ndindex(rows, seeds)):
        kind = "same" if (i, j) == (k, n) else "image" if i == k else "seed" if j == n else "neither"
        total[kind].append(cells[i, j] * cells[k, n])
    mean = {kind: np.mean(products) for kind, products in total.items()}
    image, seed = mean["image"] - mean["neither"], mean["seed"] - mean["neither"]
    return image, seed, mean["same"] - mean["image"] - mean["seed"] + mean["neither"]


@given(rights(rows=some.integers(2, 6), seeds=some.integers(2, 4)))
def test_the_parts_of_the_variance_are_those_of_all_pairs_of_cells(right):
    rows, seeds = right.shape
    image, seed, rest = by_pairs(right)

    found = statistics.parts(right)

    assert found.images == pytest.approx(max(image / rows, 0), abs=1e-9)
    assert found.seeds == pytest.approx(seed / seeds + rest / (rows * seeds), abs=1e-9)
    assert found.luck == pytest.approx(max(seed / seeds, 0), abs=1e-9)


@given(rights(), some.lists(rights(), max_size=3))
def test_an_interval_holds_the_mean_and_stays_between_nought_and_one(right, others):
    low, high = statistics.expected_accuracy(right, others)

    assert 0 <= low <= right.mean() + 1e-12
    assert right.mean() - 1e-12 <= high <= 1


@given(rights(), some.randoms())
def test_neither_the_order_of_images_nor_of_seeds_matters(right, random):
    images, seeds = list(range(right.shape[0])), list(range(right.shape[1]))
    random.shuffle(images)
    random.shuffle(seeds)

    assert statistics.expected_accuracy(right[images][:, seeds]) == pytest.approx(statistics.expected_accuracy(right))


@given(some.integers(10, 300), some.integers(0, 300), some.integers(2, 5))
def test_seeds_that_agree_on_every_image_are_worth_one_model(rows, right, seeds):
    one = np.arange(rows) < right

    found = statistics.expected_accuracy(np.repeat(one[:, None], seeds, axis=1))

    low, high = stats.binomtest(int(one.sum()), rows).proportion_ci(method="wilson")
    assert found == pytest.approx((low, high), abs=2 / rows**1.5)  # variances by n - 1 and by n


@given(rights(), rights())
def test_another_finalist_never_makes_the_interval_reach_less_far_down_than_the_winners_variance_does(right, other):
    alone, beside = statistics.expected_accuracy(right), statistics.expected_accuracy(right, [right])

    assert beside[0] >= 0
    if statistics.parts(right).luck == 0:
        assert beside[1] <= alone[1] + 1e-12  # more degrees of freedom for the same variance
    assert statistics.expected_accuracy(right, [other])[0] <= right.mean()


def test_a_finalist_that_failed_under_a_seed_says_as_much_of_a_seeds_luck_as_one_that_did_not():
    random, found = np.random.default_rng(4), []
    for _ in range(300):
        three = random.random((400, 3)) < 0.9 + 0.03 * random.normal(size=3)
        found.append((statistics.parts(three).seeds, statistics.parts(three[:, :2], wanted=3).seeds))

    every, left = np.mean(found, axis=0)
    assert left == pytest.approx(every, rel=0.1)


@given(rights(), some.integers(2, 9))
def test_only_the_seeds_part_depends_on_how_many_seeds_a_mean_is_over(right, wanted):
    found, over = statistics.parts(right), statistics.parts(right, wanted)

    share = right.shape[1] / wanted
    assert over.images == found.images
    assert (over.seeds, over.rest, over.luck) == pytest.approx(
        (share * found.seeds, share * found.rest, share * found.luck)
    )


def test_a_finalist_with_a_seed_that_diverged_does_not_widen_the_winners_interval():
    random = np.random.default_rng(3)
    winner = random.random((2000, 3)) < [0.95, 0.953, 0.951]
    wild = random.random((2000, 3)) < [0.95, 0.1, 0.95]

    low, high = statistics.expected_accuracy(winner, [wild])

    below, above = statistics.expected_accuracy(winner)
    assert high - low < 1.3 * (above - below)


@given(some.integers(0, 60), some.integers(0, 60))
def test_mcnemars_test_is_a_fair_coins(only_one, only_other):
    images, more = only_one + only_other, max(only_one, only_other)

    p = statistics.mcnemar(only_one, only_other)

    tail = sum(math.comb(images, heads) for heads in range(more, images + 1)) / 2**images
    assert p == pytest.approx(min(1.0, 2 * tail))
    assert p == statistics.mcnemar(only_other, only_one)


@given(some.integers(0, 200), some.integers(1, 200))
def test_one_models_interval_is_wilsons(right, more):
    rows = right + more
    z = stats.norm.ppf(0.975)
    share = right / rows
    centre, reach = share + z**2 / (2 * rows), z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))

    low, high = statistics.accuracy_of_one(right, rows)

    assert (low, high) == pytest.approx(((centre - reach) / (1 + z**2 / rows), (centre + reach) / (1 + z**2 / rows)))


@given(rights(rows=some.just(30)), rights(rows=some.just(30)))
def test_a_difference_turned_round_is_its_opposite(one, other):
    gap, (low, high) = statistics.difference(one, other)
    back, (below, above) = statistics.difference(other, one)

    assert (gap, low, high) == pytest.approx((-back, -above, -below))
    assert low <= gap <= high
    assert gap == pytest.approx(one.mean() - other.mean())


@given(rights(rows=some.just(30)), rights(rows=some.just(30)), some.integers(2, 10))
def test_more_comparisons_make_each_interval_wider(one, other, pairs):
    _, (low, high) = statistics.difference(one, other)
    _, (lower, higher) = statistics.difference(one, other, pairs)

    assert higher - lower >= high - low


@given(rights(rows=some.just(30)), rights(rows=some.just(30)))
def test_a_difference_is_sure_only_where_no_seed_reads_an_image_otherwise_than_another(one, other):
    _, (low, high) = statistics.difference(one, other)

    unsure = max(statistics.parts(one).rest, statistics.parts(other).rest) > 0
    assert high > low or not unsure


def test_seeds_that_are_equally_right_by_chance_do_not_make_a_difference_sure():
    winner = np.ones((359, 3), bool)
    other = winner.copy()
    other[[7, 70, 300], [0, 1, 2]] = False  # each seed misses another image

    gap, (low, high) = statistics.difference(winner, other)

    assert low < 0 < gap < high


def test_a_seed_that_collapsed_makes_no_difference_larger_than_a_difference_can_be():
    random = np.random.default_rng(5)
    winner, other = (random.random((2000, 3)) < accuracies for accuracies in ([0.97] * 3, [0.97, 0.1, 0.97]))

    assert statistics.difference(winner, other, pairs=3)[1] == (-1.0, 1.0)


@given(some.lists(some.floats(-1, 1), min_size=4, max_size=30))
def test_folds_that_share_rows_make_a_wider_interval_than_a_plain_t_test(gaps):
    mean, (low, high) = statistics.fold_difference(gaps, folds=5)

    plain = stats.t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / math.sqrt(len(gaps))
    assert high - mean == pytest.approx(plain * math.sqrt(1 + len(gaps) / 4), abs=1e-12)
    assert mean - low == pytest.approx(high - mean)


def test_accuracies_that_differ_alike_in_every_fold_are_not_taken_for_certain():
    _, (low, high) = statistics.fold_difference([0.05] * 5, folds=5, image=1 / 20)
    _, sure = statistics.fold_difference([0.05] * 5, folds=5, image=1 / 1000)

    assert low < 0 < high
    assert 0 < sure[0] < 0.05 < sure[1]


def test_by_one_test_image_no_two_configurations_are_told_apart():
    def read(trial, *rights):
        by_fit = {Fit(trial, seed, "final"): np.array([right]) for seed, right in enumerate(rights)}
        return Standing(trial, tuple(map(float, rights)), rights=by_fit, median=list(by_fit)[1])

    standings = [read(0, False, True, True), read(1, True, False, True)]

    (compared,) = conclusions.comparisons(standings)

    assert (compared.p, compared.difference, compared.interval) == (1.0, None, None)
    assert conclusions.ties(standings, [compared], None) == (1,)
    assert conclusions.interval(standings) == statistics.accuracy_of_one(1, 1)


def test_the_deviation_within_groups_lets_their_means_differ():
    assert pooled_deviation([[1.0, 3.0], [11.0, 13.0], [7.0]]) == pytest.approx(math.sqrt(2))
    assert pooled_deviation([[1.0], [2.0]]) is None


@pytest.mark.parametrize(
    ("goal", "wild"), [("max", (0.969, 0.1, 0.97)), ("min", (0.1, 2.3, 0.1))], ids=["accuracy", "loss"]
)
@pytest.mark.parametrize("equal", [False, True], ids=["seeds differ", "the winner's are equal by chance"])
def test_a_finalist_with_a_seed_that_diverged_does_not_make_the_luck_that_is_told_large(goal, wild, equal):
    level = wild[0]
    searched = level + np.random.default_rng(0).normal(0, 0.002, 30)
    results = [TrialResult(Trial(number), Status.COMPLETED, score) for number, score in enumerate(searched)]
    scores = [(level,) * 3 if equal else (level, level - 0.001, level + 0.001), (level, level + 0.002, level - 0.002)]
    tame = [Standing(trial, one) for trial, one in enumerate(scores)]
    objective = Objective(goal, "val_metric")

    told = conclusions.luck(objective, results, [*tame, Standing(2, wild)], 0)

    assert told == conclusions.luck(objective, results, tame, 0)
    assert 0 < told < 0.005


def test_a_finalist_whose_seeds_differ_somewhat_more_counts_in_the_luck_that_is_told():
    assert statistics.alike([[0.970, 0.971, 0.972], [0.960, 0.964, 0.968], [0.9]]) == [
        [0.970, 0.971, 0.972],
        [0.960, 0.964, 0.968],
        [0.9],
    ]
    assert statistics.alike([[0.97], [0.9]]) == [[0.97], [0.9]]


def test_among_equals_all_that_the_best_score_is_ahead_is_luck():
    random = np.random.default_rng(0)
    true = []
    told = []
    for study in range(40):
        luck = random.normal(0, 0.01, 25)
        true.append(luck.max())
        told.append(luck_of_the_best(0.9 + luck, 0.01, study))

    assert np.mean(told) == pytest.approx(np.mean(true), rel=0.1)


def test_where_each_score_is_a_mean_over_repeats_less_luck_is_told():
    random, found = np.random.default_rng(0), []
    for study in range(40):
        searched = 0.8 + random.normal(0, 0.01, (25, 4)).mean(axis=1)
        results = [TrialResult(Trial(number), Status.COMPLETED, score) for number, score in enumerate(searched)]
        finals = [Standing(trial, tuple(0.8 + random.normal(0, 0.01, 10))) for trial in range(3)]
        told = conclusions.luck(Objective("max", "val_accuracy"), results, finals, study, repeats=4)
        found.append((searched.max() - 0.8, told))

    true, told = np.mean(found, axis=0)
    assert told == pytest.approx(true, rel=0.15)


@given(some.lists(some.floats(0, 1), min_size=1, max_size=30), some.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_luck_does_not_depend_on_where_nought_is(scores, shift):
    moved = [score + shift for score in scores]

    luck = luck_of_the_best(scores, 0.02, 1)

    assert luck == pytest.approx(luck_of_the_best(moved, 0.02, 1), abs=0.004)
    assert luck >= -0.002


def test_a_trial_that_leads_by_far_needed_no_luck():
    assert luck_of_the_best([0.5, 0.51, 0.9], 0.001, 0) == pytest.approx(0, abs=1e-4)


def test_luck_near_one_is_told_on_a_scale_that_ends_there():
    best = luck_of_the_best(
        [0.97, 0.98, 1.0], pooled_deviation([SHARES.of(np.asarray([0.97, 1.0])).tolist()]), 1, SHARES
    )

    assert 0 < best < 0.03


@pytest.mark.parametrize("seeds", [3, pytest.param(5, marks=pytest.mark.long), 10])
def test_the_interval_of_the_chosen_one_holds_the_truth(seeds):
    found = run(Setting(0.9, 400, 0.15, seeds, validation=400, trials=12), 250)

    assert found["held"] > 0.92  # of 250 studies; docs/statistics.md has the figures of more
    assert found["below"] < 0.06
    assert found["wrong"] < 0.03
    assert found["one_model_held"] < found["held"]


def test_the_interval_of_one_that_its_seeds_did_not_choose_holds_the_truth_too():
    found = run(Setting(0.9, 400, 0.15, 3, finalists=1, validation=400, trials=12), 250)

    assert found["held"] > 0.92


def test_the_finals_find_the_best_more_often_than_the_best_validation_score_does():
    random = np.random.default_rng(3)
    kinds = [Setting(0.9, 200, deviation, 5, validation=400, trials=12) for deviation in (0.1, 0.3)]
    studies = [simulate(kind, random) for kind in kinds for _ in range(300)]

    by_finals = np.array([one.truth.max() - one.truth[one.winner] for one in studies])
    by_score = np.array([one.truth.max() - one.truth[one.naive] for one in studies])
    assert (by_finals == 0).sum() > (by_score == 0).sum()
    assert by_finals.sum() < by_score.sum()


@pytest.mark.parametrize(("differ", "unlike"), [(0.15, 0.0), (0.3, 0.0), (0.3, 0.5)])
def test_the_bootstrap_tells_about_how_much_of_the_best_score_was_luck(differ, unlike):
    objective, random, told = Objective("max", "val_accuracy"), np.random.default_rng(4), []
    for number in range(200):
        study = simulate(Setting(0.9, 200, differ, 5, validation=400, unlike=unlike), random)
        results = [TrialResult(Trial(trial), Status.COMPLETED, score) for trial, score in enumerate(study.searched)]
        by_finals = conclusions.optimism(objective, results[study.naive], study.standings)
        by_bootstrap = None if number % 4 else conclusions.luck(objective, results, study.standings, number)
        told.append((study.searched.max() - study.fair, by_finals, by_bootstrap))

    true, by_finals, by_bootstrap = ([one for one in found if one is not None] for found in zip(*told, strict=True))
    assert np.mean(by_bootstrap) == pytest.approx(np.mean(true), rel=0.2)
    assert np.mean(by_finals) == pytest.approx(np.mean(true), rel=0.2)


def test_all_pairs_of_finalists_are_allowed_for():
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        images = random.normal(size=(300, 1))
        models = [images + 0.3 * random.normal(size=(1, 4)) + random.normal(size=(300, 4)) + 1.5 > 0 for _ in range(3)]
        gaps = [statistics.difference(one, other, pairs=3)[1] for one, other in combinations(models, 2)]
        wrong += any(low > 0 or high < 0 for low, high in gaps)

    assert wrong / 300 < 0.06
