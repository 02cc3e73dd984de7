"""Whom the finals train again, where a race dropped trials after their first folds, or time cut them short."""

from dataclasses import replace

import pytest

from hpsearch import files, paths
from hpsearch.experiment import Experiment
from hpsearch.objective import Objective
from hpsearch.records import Asked
from hpsearch.shortlist import candidates, finalists, ranked
from hpsearch.study import Study
from hpsearch.trial import Status, Trial, TrialResult

DROPPED = "after {} of 3 fits 2.00 points behind trial 2 on the same 400 images, where chance explains 1.00"


def result(number, *folds, reason=None):
    scores = {f"fold_{place}": score for place, score in enumerate(folds, 1)}
    status = Status.COMPLETED if reason is None else Status.PRUNED
    return TrialResult(
        Trial(number, {"x": number}), status, sum(folds) / len(folds), 1, scores=scores, reason=reason or ""
    )


def dropped(number, *folds):
    return result(number, *folds, reason=DROPPED.format(len(folds)))


def cut(number, *folds, half):
    """A trial that time ended in the midst of its next fold, which had come to the score `half`."""
    return replace(result(number, *folds, half, reason="time"), scores=result(number, *folds).scores if folds else {})


LEADER, EARLY, WORST = result(2, 0.99, 0.90, 0.93), result(0, 0.93, 0.84, 0.87), result(1, 0.80, 0.70, 0.75)


@pytest.fixture
def study(tmp_path):
    wanted = {"name": "a", "model": {"build": "m:f"}, "data": {"folds": 3}, "final": {"finalists": 3}}
    study = Study(Experiment.model_validate(wanted), paths.Study(files.make(tmp_path / "a")))

    def tell(*results, folds=3):
        data = study.experiment.data.model_copy(update={"folds": folds})
        study.experiment = study.experiment.model_copy(update={"data": data})
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
        TrialResult(Trial(4, {"x": 4}), Status.PRUNED, reason="time"),
    )

    assert finalists(told) == [2, 0, 1]


def test_a_trial_that_time_cut_short_is_judged_by_its_finished_folds_beside_the_leader(study):
    lucky = cut(3, 0.92, half=0.99)  # its mean is above that of trial 0, but its one fold was easy for all

    told = study(EARLY, WORST, LEADER, lucky, cut(4, half=0.99))

    assert finalists(told) == [2, 0, 3]
    assert [one.trial.number for one in candidates(told)] == [2, 0, 1]


def test_when_time_let_no_trial_complete_those_with_most_folds_lead(study):
    told = study(cut(0, 0.90, half=0.99), cut(1, 0.91, 0.80, half=0.2), cut(2, 0.95, half=0.95), cut(3, half=0.99))

    assert finalists(told) == [2, 1, 0]
    assert candidates(told) == []


def test_a_trial_of_one_fit_that_time_cut_short_is_judged_by_its_best_epoch(study):
    told = study(*(replace(one, scores={}) for one in (EARLY, cut(1, half=0.95), LEADER)), folds=None)

    assert finalists(told) == [1, 2, 0]


def test_where_no_fold_came_to_its_end_there_is_nobody_to_choose(study):
    assert finalists(study(cut(0, half=0.97))) == []


def test_trials_of_the_same_values_are_one_finalist(study):
    twins = [replace(result(number, *folds), trial=Trial(number, {"x": 2})) for number, folds in (
        (3, (0.98, 0.90, 0.92)), (4, (0.97, 0.90, 0.92)),
    )]  # fmt: skip

    assert finalists(study(EARLY, WORST, LEADER, *twins)) == [2, 0, 1]
