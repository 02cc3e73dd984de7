"""What counts as spared by pruning, and what does not."""

from dataclasses import replace

import pytest
from test_mlflow import began, fit_story, pruning, told, trial_story

from hpsearch.sparing import Spared, count
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status, Trial, TrialResult


def stopped(number, scores):
    *before, end, result = trial_story(number, scores, Status.PRUNED)
    return [*before, replace(end, how=How.INTERRUPTED), replace(result, reason="place 3 of 3")]


def counted(*bodies, experiment=None):
    spared = count(told([*began(experiment or pruning("asha")), *bodies]))
    return spared.stopped_trials, spared.ended_trials, spared.spared_epochs, spared.asked_epochs


def test_early_stopping_a_spent_budget_and_failures_are_no_pruning():
    by_time = [*stopped(2, [0.4])[:-1], TrialResult(Trial(2), Status.PRUNED, 0.4, 1, reason="time")]
    failed = TrialResult(Trial(3), Status.FAILED, failure=Failure("oom", "too wide"))

    spared = counted(*trial_story(0, [0.5]), *stopped(1, [0.4]), *by_time, failed)

    assert spared == (1, 4, 2, 12)


def test_a_trial_that_only_time_cut_short_counts_as_it_ends_at_last():
    by_time = [*stopped(0, [0.4])[:-1], TrialResult(Trial(0), Status.PRUNED, 0.4, 1, reason="time")]
    taken_up = Measure(Attempt(Fit(0, 0), 2), 2, {"val_accuracy": 0.3}, 0.1)

    spared = counted(*by_time, taken_up, TrialResult(Trial(0), Status.PRUNED, 0.4, 1, reason="place 3 of 3"))

    assert spared == (1, 1, 1, 3)


def test_folds_that_never_began_are_spared_and_those_that_ended_by_themselves_are_not():
    ended_early = fit_story(Fit(0, 1, fold=0), [0.5, 0.4])
    *begun, end = fit_story(Fit(0, 2, fold=1), [0.3])
    result = TrialResult(Trial(0), Status.PRUNED, 0.4, 1, reason="place 3 of 3")

    spared = counted(
        *ended_early, *begun, replace(end, how=How.INTERRUPTED), result, experiment=pruning("asha", folds=4)
    )

    assert spared == (1, 1, 12 - 3 - 1, 12)


def test_an_epoch_that_is_told_again_counts_once():
    again = [Measure(Attempt(Fit(0, 0), 2), epoch, {}, 0.1) for epoch in (1, 2)]
    lost = AttemptEnd(Attempt(Fit(0, 0)), How.LOST, 0.0)

    assert counted(*stopped(0, [0.4])[:-2], lost, *again, stopped(0, [0.4])[-1]) == (1, 1, 1, 3)


@pytest.mark.parametrize("story", [[], [*began(), *stopped(0, [0.4])]])
def test_without_a_pruner_there_is_nothing_to_count(story):
    assert count(told(story)) is None


def test_a_pruner_that_stopped_nobody_says_so():
    assert str(Spared(0, 30, 0, 360)) == "0 of 30 trials were stopped early; 0 of 360 epochs were not trained (0 %)"
