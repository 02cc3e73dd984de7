"""Whom the finals train again, where a race dropped trials after their first folds."""

import pytest

from hpsearch import paths
from hpsearch.experiment import Experiment
from hpsearch.objective import Objective
from hpsearch.records import Asked
from hpsearch.search import candidates
from hpsearch.shortlist import finalists, ranked
from hpsearch.study import Study
from hpsearch.trial import Status, Trial, TrialResult

DROPPED = "after {} of 3 fits 2.00 % behind trial 2 on the same 400 images, where chance explains 1.00 %"


def result(number, *folds, reason=None):
    scores = {f"fold_{place}": score for place, score in enumerate(folds, 1)}
    status = Status.COMPLETED if reason is None else Status.PRUNED
    return TrialResult(Trial(number), status, sum(folds) / len(folds), 1, scores=scores, reason=reason or "")


def dropped(number, *folds):
    return result(number, *folds, reason=DROPPED.format(len(folds)))


LEADER, EARLY, WORST = result(2, 0.99, 0.90, 0.93), result(0, 0.93, 0.84, 0.87), result(1, 0.80, 0.70, 0.75)


@pytest.fixture
def study(tmp_path):
    wanted = {"name": "a", "model": {"build": "m:f"}, "data": {"folds": 3}, "final": {"finalists": 3}}
    study = Study(Experiment.model_validate(wanted), paths.Study(paths.make(tmp_path / "a")))

    def tell(*results):
        for one in results:
            study.record(Asked(one.trial))
            study.record(one)
        return study

    yield tell
    study.close()


def test_a_dropped_trial_comes_before_earlier_ones_that_it_is_better_than(study):
    told = study(EARLY, WORST, LEADER, dropped(3, 0.97, 0.87))

    assert finalists(told) == [2, 3, 0]
    assert [one.trial.number for one in candidates(told)] == [2, 0, 1]


def test_a_dropped_trial_is_judged_by_the_folds_that_it_had_and_not_by_its_mean():
    easy = dropped(3, 0.92)  # its mean is above that of trial 0, but the first fold is easy for all

    assert ranked(Objective.parse("max val_accuracy"), [LEADER, EARLY, WORST], [easy]) == [2, 0, 3, 1]


def test_what_a_pruner_or_the_clock_stopped_is_not_taken_for_dropped(study):
    told = study(
        EARLY,
        WORST,
        LEADER,
        result(3, 0.98, reason="epoch 3: below the median"),
        TrialResult(Trial(4), Status.PRUNED, reason="time"),
    )

    assert finalists(told) == [2, 0, 1]


def test_without_a_completed_trial_there_is_nobody_to_compare_with(study):
    assert finalists(study(dropped(3, 0.97))) == []
