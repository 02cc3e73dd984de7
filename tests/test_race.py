"""Folds and repeats in a search: which begin when, what they come to, and which trials they have dropped."""

import random
from collections import Counter
from itertools import count as count_up

import numpy as np
import pytest
from chaos import Arena
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from instant import Instant
from test_chaos import failing
from test_search import Dice, Lenient, session

from hpsearch import files, hits, paths
from hpsearch.crew import Crew
from hpsearch.experiment import Experiment
from hpsearch.fits import search_fits
from hpsearch.protocols import Brief
from hpsearch.pruners.asha import ASHA
from hpsearch.pruners.median import Median
from hpsearch.report.facts import gather
from hpsearch.search import search
from hpsearch.shortlist import candidates
from hpsearch.sparing import count
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Measure, Status, TrialResult

ROWS = 2_000
NAMES = count_up()
EASE = np.random.default_rng(5).random(ROWS)  # of each image, to every model


def skill(values):
    """The accuracy of a configuration."""
    return 0.4 + 0.5 * values["x"]


class Marking(Instant):
    """Leaves behind which rows each fit got right: the easiest, as many as the configuration is good for."""

    def __init__(self, fits, **more):
        super().__init__(lambda values, epoch: skill(values), **more)
        self._fits, self.most = fits, Counter()

    def submit(self, order):
        super().submit(order)
        trials = Counter(attempt.fit.trial for attempt in self._running)
        self.most |= trials

    def _end(self, fitting, how, reason=""):
        fit = fitting.order.attempt.fit
        rows = np.load(fitting.order.split)["validation"]
        luck = np.random.default_rng(fit.seed).normal(0, 0.02, len(rows))
        hits.keep(paths.FitFiles(files.make(self._fits / fit.name)).hits, EASE[rows] + luck < skill(fitting.values))
        super()._end(fitting, how, reason)


class Shuffled(Marking):
    """Tells what happened in any order that keeps each attempt's own."""

    def __init__(self, fits, seed, **more):
        super().__init__(fits, **more)
        self._chance = random.Random(seed)

    def events(self, timeout):
        waiting = list(self._news)
        first = {event.attempt: event for event in reversed(waiting)}  # of each attempt, the one that came first
        self._news.clear()
        chosen = self._chance.choice(list(first.values())) if first else None
        self._news.extend([chosen] if chosen else [])
        rest = [event for event in waiting if event is not chosen]
        yield from super().events(timeout)
        self._news.extendleft(reversed(rest))


@pytest.fixture
def begin(tmp_path):
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(ROWS) % 4)

    def begin(name="a", *, trials=8, race=None, **data):
        wanted = {"name": "a", "model": {"build": "m:f"}, "search": {"trials": trials, "race": race}, "data": data}
        study = Study(Experiment.model_validate(wanted), paths.Study(files.make(tmp_path / name)))
        return study, Splits(study.experiment, labels, study.paths.splits)

    return begin


def go(study, splits, executor):
    search(study, tuner := Dice(), Lenient(), Crew(study, executor, splits), lambda: False)
    return tuner


def statuses(study):
    return {result.trial.number: result.status for result in study.state.results}


def fitted(executor):
    return Counter(order.attempt.fit for order in executor.orders)


@pytest.mark.parametrize("data", [{"folds": 5}, {"repeats": 5}, {"folds": 3, "repeats": 2}])
def test_a_trial_that_its_first_fits_show_to_be_worse_is_dropped(begin, data):
    study, splits = begin(**data)

    go(study, splits, executor := Marking(study.paths.fits))

    dropped = study.state.with_status(Status.PRUNED)
    best = max(study.state.results, key=lambda result: skill(result.trial.values))
    whole = len(list(search_fits(study.experiment, 0)))
    assert dropped
    assert best.status is Status.COMPLETED
    assert best is candidates(study)[0]
    assert all(skill(result.trial.values) < skill(best.trial.values) for result in dropped)
    assert not {result.trial.number for result in dropped} & {result.trial.number for result in candidates(study)}
    assert len(executor.orders) < 8 * whole
    for result in dropped:
        assert 1 <= len(result.scores) < whole
        assert result.score == pytest.approx(np.mean(list(result.scores.values())))
        assert f"after {len(result.scores)} of {whole} fits" in result.reason


@pytest.mark.parametrize(("race", "kept"), [(False, True), (None, False)])
def test_every_fit_is_made_where_there_is_no_race_or_no_evidence(begin, race, kept):
    study, splits = begin(race=race, folds=5)

    go(study, splits, executor := (Marking(study.paths.fits) if kept else Instant(lambda values, _: skill(values))))

    assert len(executor.orders) == 40
    assert {*statuses(study).values()} == {Status.COMPLETED}


def test_evidence_that_is_damaged_drops_nobody(begin):
    study, splits = begin(folds=5)

    class Careless(Marking):
        def _end(self, fitting, how, reason=""):
            super()._end(fitting, how, reason)
            file = paths.FitFiles(self._fits / fitting.order.attempt.fit.name).hits
            file.write_bytes(file.read_bytes()[:-1] + b"?")

    go(study, splits, executor := Careless(study.paths.fits))

    assert len(executor.orders) == 40


def test_a_dropped_trial_is_told_to_the_tuner_and_its_epochs_are_spared(begin):
    study, splits = begin(folds=5)
    session(study)

    tuner = go(study, splits, executor := Marking(study.paths.fits, epochs=20))

    assert sorted(result.trial.number for result in tuner.told) == list(range(8))
    spared = count(study.ledger.read())
    assert spared.stopped_trials == len(study.state.with_status(Status.PRUNED)) > 0
    assert spared.spared_epochs == 20 * (40 - len(executor.orders))


def test_the_score_of_every_fold_is_in_the_result_and_among_the_facts(begin):
    study, splits = begin(trials=2, race=False, folds=3, repeats=2)

    go(study, splits, Marking(study.paths.fits, count=4))

    ends = {news.body.attempt.fit: news.body for news in study.ledger.read() if isinstance(news.body, AttemptEnd)}
    for result, facts in zip(
        study.state.results, sorted(gather(study.ledger.read()).trials, key=lambda one: one.number), strict=True
    ):
        assert list(result.scores) == [f"repeat_{repeat}.fold_{fold}" for repeat in (0, 1) for fold in (0, 1, 2)]
        assert list(result.scores.values()) == [
            ends[fit].score for fit in search_fits(study.experiment, result.trial.number)
        ]
        assert facts.scores == result.scores


def test_a_trial_of_one_fit_has_no_scores_of_parts(begin):
    study, splits = begin(trials=1)

    go(study, splits, Instant())

    assert study.state.results[0].scores == {}


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_a_trial_has_half_of_the_workers_at_most(begin, workers, most):
    study, splits = begin(folds=10)

    go(study, splits, executor := Marking(study.paths.fits, count=workers))

    assert max(executor.most.values()) == most
    assert len(executor.most) == 8


def test_folds_begin_in_order(begin):
    study, splits = begin(folds=4, repeats=2)

    go(study, splits, executor := Marking(study.paths.fits, count=5))

    for number in range(8):
        began = [order.attempt.fit for order in executor.orders if order.attempt.fit.trial == number]
        assert began == list(search_fits(study.experiment, number))[: len(began)]


@pytest.mark.parametrize("data", [{"folds": 3}, {"repeats": 3}, {"folds": 2, "repeats": 2}])
def test_a_pruner_hears_the_first_fit_only(begin, data):
    study, splits = begin(trials=2, race=False, **data)
    heard, pruner = [], Lenient()
    pruner.hear = lambda trial, epoch, score: heard.append((trial, epoch, score))
    executor = Instant(lambda values, epoch: epoch / (1 + executor.orders[-1].attempt.fit.fold), epochs=2)

    search(study, Dice(), pruner, Crew(study, executor, splits), lambda: False)

    assert heard == [(0, 1, 1.0), (0, 2, 2.0), (1, 1, 1.0), (1, 2, 2.0)]


class Uneven(Instant):
    """Folds that are hard and easy for every trial: a fit scores its trial's quality, less what its fold takes."""

    def __init__(self, takes, **more):
        super().__init__(**more)
        self._takes = takes

    def _step(self, fitting):
        taken = self._takes[fitting.order.attempt.fit.fold]
        self._score = lambda values, epoch: 0.4 + 0.3 * values["x"] - taken
        super()._step(fitting)


@pytest.mark.parametrize("hands", [1, 4])
@pytest.mark.parametrize("pruner", [ASHA, Median])
def test_a_pruner_stops_the_same_trials_however_hard_each_fold_is(begin, pruner, hands):
    found = []

    for takes in ([0.0] * 5, [0.2, 0.0, -0.1, 0.1, -0.2]):
        study, splits = begin(f"{next(NAMES)}", trials=40, race=False, folds=5)
        judge = pruner()
        judge.begin(Brief(study.experiment.objective, seed=0, trials=40, epochs=8))
        search(study, Dice(), judge, Crew(study, Uneven(takes, epochs=8, count=hands), splits), lambda: False)
        found.append(statuses(study))

    best = max(study.state.results, key=lambda result: result.trial.values["x"])
    assert found[0] == found[1]
    assert best.trial.number > 5
    assert best.status is Status.COMPLETED
    assert study.state.with_status(Status.PRUNED)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1000), workers=st.integers(1, 6), folds=st.integers(2, 5), repeats=st.integers(1, 2),
    race=st.sampled_from([None, False]),
)  # fmt: skip
def test_in_any_order_of_events_each_fit_is_made_once_and_the_score_is_their_mean(
    begin, seed, workers, folds, repeats, race
):
    study, splits = begin(f"{next(NAMES)}", trials=4, race=race, folds=folds, repeats=repeats)

    go(study, splits, executor := Shuffled(study.paths.fits, seed, count=workers, epochs=2))

    made = fitted(executor)
    assert set(made.values()) == {1}
    assert max(executor.most.values()) <= max(1, workers // 2)
    for result in study.state.results:
        assert result.score == pytest.approx(skill(result.trial.values))
        if result.status is Status.COMPLETED:
            assert {fit for fit in made if fit.trial == result.trial.number} == {
                *search_fits(study.experiment, result.trial.number)
            }
    assert race is None or len(made) == 4 * folds * repeats


def test_a_study_cut_off_at_any_record_drops_the_same_trials(begin):
    study, splits = begin(folds=4, trials=6)
    go(study, splits, Marking(study.paths.fits, epochs=2))
    story = [news.body for news in study.ledger.read()]
    drops = [number for number, body in enumerate(story) if isinstance(body, TrialResult)]
    around = {number + away for number in drops for away in (-1, 0, 1)}

    for cut in sorted({*range(0, len(story), 13), *around} & {*range(len(story))}):
        again, _ = begin(f"cut-{cut}", folds=4, trials=6)
        for body in story[:cut]:
            again.record(body)
        again.close()
        again, splits = begin(f"cut-{cut}", folds=4, trials=6)
        again.paths.fits.symlink_to(study.paths.fits)
        go(again, splits, Marking(study.paths.fits, epochs=2))

        assert [(one.trial.number, one.status, one.reason, one.scores) for one in again.state.results] == [
            (one.trial.number, one.status, one.reason, one.scores) for one in study.state.results
        ]
        again.close()


def test_a_race_taken_up_reads_no_evidence_of_trials_that_have_ended(begin, monkeypatch):
    study, splits = begin(folds=4)
    go(study, splits, Marking(study.paths.fits))
    read = []
    monkeypatch.setattr(hits, "read", read.append)

    go(study, splits, Marking(study.paths.fits))

    assert read == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    arena = Arena(tmp_path_factory.mktemp("undisturbed"), trials=6, epochs=3, folds=4, workers=1)
    assert arena.finish() == 0
    return arena


@pytest.mark.parametrize(
    "failpoints",
    [
        ["epoch.told=kill@8", "hits.kept=kill@6", "AttemptEnd.written=kill@9"],
        pytest.param(["fit.ended=kill@6"], marks=pytest.mark.long),
        pytest.param(["AttemptEnd.written=kill@5"], marks=pytest.mark.long),
        pytest.param(["TrialResult.written=kill@3"], marks=pytest.mark.long),
        pytest.param(["TrialResult.durable=kill@2"], marks=pytest.mark.long),
    ],
)
def test_kills_in_mid_fold_change_neither_scores_nor_who_is_dropped(undisturbed, tmp_path, failpoints):
    arena = failing(tmp_path, failpoints, trials=6, epochs=3, folds=4, workers=1)

    assert arena.finish() == 0

    assert arena.wrong(undisturbed) == []
    assert len(list((tmp_path / "counts").iterdir())) == len(failpoints)


def test_the_undisturbed_study_dropped_somebody(undisturbed):
    results = [news.body for news in undisturbed.story() if isinstance(news.body, TrialResult)]

    assert {result.status for result in results} == {Status.COMPLETED, Status.PRUNED}
    assert [news for news in undisturbed.story() if isinstance(news.body, Measure)]
