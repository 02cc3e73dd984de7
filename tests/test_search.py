"""The search loop, desk and crew on a real ledger, with fits that take no time."""

import pickle
import random
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from instant import KIND, Instant, X

from hpsearch import files, ledger, paths, records
from hpsearch.beginning import Beginning
from hpsearch.crew import Crew
from hpsearch.errors import HpsearchError, Interrupted, NothingCompleted, SameFailureRepeated, StudyChanged
from hpsearch.experiment import Experiment, Final
from hpsearch.finale import Finale
from hpsearch.fits import search_fits
from hpsearch.identity import Identity, refuse_if_opened
from hpsearch.keeping import Keeping, let_go_of_finals
from hpsearch.leaving import Leave
from hpsearch.listening import told_again
from hpsearch.protocols import Brief, Prepared, Pruning, Turn
from hpsearch.pruners.none import NoPruner
from hpsearch.records import Answered, Asked, FinalistsChosen, SessionBegan
from hpsearch.search import search
from hpsearch.shortlist import candidates, finalists
from hpsearch.space import Condition, Parameter
from hpsearch.sparing import count
from hpsearch.splits import Splits
from hpsearch.state import OUT_OF_TIME, State
from hpsearch.study import Study
from hpsearch.trial import CUT_OFF, Attempt, AttemptEnd, Built, Fit, How, Measure, Status, Trial, TrialResult
from hpsearch.worker.ending import ChildDied
from hpsearch.worker.failing import MetricMissing
from hpsearch.worker.preflight import Preflight

CHECKPOINT, WEIGHTS = "checkpoint.bin", "best.bin"


class Dice:
    """A tuner that throws dice seeded by the trial's number and the parameter's name."""

    def __init__(self, most=None):
        self.told, self.most = [], most

    def begin(self, brief): ...

    def ask(self, number):
        return Turn.DONE if self.most is not None and number >= self.most else Trial(number)

    def suggest(self, number, parameter):
        dice = random.Random(f"{number}/{parameter.name}")
        return dice.choice(parameter.choices) if parameter.choices else dice.uniform(parameter.low, parameter.high)

    def tell(self, result):
        self.told.append(result)

    def close(self): ...


class Lenient:
    def begin(self, brief): ...

    def hear(self, trial, epoch, score):
        return None


class Impatient(Lenient):
    def __init__(self, after):
        self.after = after

    def hear(self, trial, epoch, score):
        return Pruning(f"enough after {epoch}") if epoch >= self.after else None


@pytest.fixture
def begin(tmp_path):
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(200) % 4)

    def begin(**sections):
        wanted = {"name": "a", "model": {"build": "m:f"}, "search": {"trials": 5}, **sections}
        experiment = Experiment.model_validate(wanted)
        study = Study(experiment, paths.Study(files.make(tmp_path / "a")))
        return study, Splits(experiment, labels, study.paths.splits)

    return begin


def go(study, splits, executor, tuner=None, pruner=None, leave=lambda: False):
    tuner = tuner or Dice()
    return search(study, tuner, pruner or Lenient(), Crew(study, executor, splits), leave)


def test_a_search_ends_after_its_trials_and_ranks_them(begin):
    study, splits = begin()

    reason = go(study, splits, Instant())

    assert reason == "5 trials"
    assert [result.status for result in study.state.results] == [Status.COMPLETED] * 5
    best = candidates(study)
    assert best[0].score == max(result.score for result in study.state.results)
    assert best[0].best_epoch == 4


def test_two_hands_and_one_make_the_same_trials(begin, tmp_path):
    study, splits = begin()
    other = Study(study.experiment, paths.Study(files.make(tmp_path / "b")))

    go(study, splits, Instant(count=1))
    go(other, splits, Instant(count=2))

    assert {r.trial.number: r.score for r in study.state.results} == {
        r.trial.number: r.score for r in other.state.results
    }


@pytest.mark.promise("14")
def test_a_search_that_was_told_to_leave_goes_on_to_the_same_end(begin, tmp_path):
    study, splits = begin()
    straight = Study(study.experiment, paths.Study(files.make(tmp_path / "b")))
    polls = iter(range(10_000))

    with pytest.raises(Interrupted):
        go(study, splits, Instant(), leave=lambda: next(polls) > 20)
    study.close()
    again = Study(study.experiment, study.paths)
    go(again, splits, Instant())
    go(straight, splits, Instant())

    assert [result.trial.number for result in again.state.results] == [0, 1, 2, 3, 4]
    assert [replace(result, seconds=0.0) for result in again.state.results] == [
        replace(result, seconds=0.0) for result in straight.state.results
    ]


@pytest.mark.promise("1", "2")
def test_a_lost_attempt_is_made_again_with_the_same_values(begin):
    study, splits = begin(search={"trials": 1})
    executor = Instant(fate=lambda attempt: "lose" if attempt.number == 1 else "")

    go(study, splits, executor)

    assert [order.attempt.number for order in executor.orders] == [1, 2]
    assert executor.orders[1].values == study.state.results[0].trial.values
    assert study.state.results[0].status is Status.COMPLETED


def cut_off(study, *trials, measured=(), anew=False):
    """What is in the ledger when a session was killed in which these trials were under way."""
    fits = [next(search_fits(study.experiment, trial)) for trial in trials]
    begun = [Attempt(fit, study.state.attempts.get(fit, 0) + 1) for fit in fits]
    for attempt in begun:
        if attempt.fit.trial not in study.state.courses:
            study.record(records.Asked(Trial(attempt.fit.trial)))
        study.record(records.AttemptBegan(attempt))
        if anew:
            study.record(Built(attempt, 1, "a model", "instant", anew=True))
        if attempt.fit.trial in measured:
            epoch = study.state.epochs.get(attempt.fit, 0) + 1
            study.record(Measure(attempt, epoch, {"val_accuracy": 0.5}, 0.01))
    for attempt in begun:
        study.record(AttemptEnd(attempt, How.LOST, 0.0, reason=CUT_OFF))


@pytest.mark.promise("19")
def test_a_trial_that_takes_four_sessions_down_with_it_fails_as_lost_with_the_reason(begin):
    study, splits = begin(search={"trials": 3})
    for _ in range(4):
        cut_off(study, 0)

    go(study, splits, Instant())

    lost, *others = study.state.results
    assert (lost.trial.number, lost.status, lost.failure.kind) == (0, Status.FAILED, "lost")
    assert "4 sessions in a row ended without a word" in lost.failure.message
    assert {result.status for result in others} == {Status.COMPLETED}


def test_a_trial_that_is_given_up_in_a_later_fold_has_the_seconds_of_those_before(begin):
    study, splits = begin(search={"trials": 1}, data={"folds": 2})
    first, second = search_fits(study.experiment, 0)
    study.record(records.Asked(Trial(0)))
    study.record(AttemptEnd(Attempt(first), How.FINISHED, 7.0, 0.5, 1, 1))
    for number in range(1, 5):
        study.record(AttemptEnd(Attempt(second, number), How.LOST, 0.0, reason=CUT_OFF))

    go(study, splits, Instant())

    assert (study.state.results[0].status, study.state.results[0].seconds) == (Status.FAILED, 7.0)


@pytest.mark.promise("8", "19")
def test_a_trial_that_does_an_epoch_between_kills_is_never_given_up(begin):
    study, splits = begin(search={"trials": 1})
    for _ in range(5):
        cut_off(study, 0, measured=[0])

    go(study, splits, Instant(epochs=8))

    assert study.state.results[0].status is Status.COMPLETED


@pytest.mark.promise("8", "19")
def test_a_trial_that_is_begun_anew_each_time_is_given_up_only_if_it_never_did_an_epoch(begin):
    study, splits = begin(search={"trials": 2})
    for times in range(5):
        cut_off(study, 0, measured=[] if times else [0], anew=True)
    for _ in range(4):
        cut_off(study, 1, anew=True)

    go(study, splits, Instant())

    assert [result.status for result in study.state.results] == [Status.COMPLETED, Status.FAILED]


@pytest.mark.promise("8", "19")
def test_a_trial_that_goes_on_from_a_checkpoint_after_it_began_anew_once_is_given_up_too(begin):
    study, splits = begin(search={"trials": 1})
    cut_off(study, 0, measured=[0], anew=True)
    for number in range(2, 6):
        study.record(Built(Attempt(next(search_fits(study.experiment, 0)), number), 1, "a model", "instant"))
        cut_off(study, 0)

    go(study, splits, Instant())

    assert study.state.results[0].status is Status.FAILED


@pytest.mark.promise("8", "19")
def test_what_was_there_when_three_sessions_were_killed_begins_first_and_alone(begin):
    study, splits = begin(search={"trials": 5})
    for _ in range(3):
        cut_off(study, 0, 1, 2, measured=[0])
    beside = {}

    class Watching(Instant):
        def submit(self, order):
            beside[order.attempt.fit.trial] = [attempt.fit.trial for attempt in self._running]
            super().submit(order)

    go(study, splits, Watching(count=3))

    assert list(beside)[:3] == [1, 2, 0]
    assert beside[1] == beside[2] == []
    assert {result.status for result in study.state.results} == {Status.COMPLETED}


@pytest.mark.promise("8", "19")
def test_of_a_trial_with_folds_those_that_were_there_when_three_sessions_were_killed_begin_first_and_alone(begin):
    study, splits = begin(search={"trials": 2}, data={"folds": 3})
    _, *suspected = search_fits(study.experiment, 0)
    study.record(records.Asked(Trial(0)))
    for number in range(1, 4):
        for fit in suspected:
            study.record(AttemptEnd(Attempt(fit, number), How.LOST, 0.0, reason=CUT_OFF))
    beside = []

    class Watching(Instant):
        def submit(self, order):
            beside.append((order.attempt.fit, len(self._running)))
            super().submit(order)

    go(study, splits, Watching(count=8))

    assert [(fit, 0) for fit in suspected] == beside[:2]
    assert {result.status for result in study.state.results} == {Status.COMPLETED}


@pytest.mark.promise("19")
def test_a_fit_that_is_lost_three_times_fails_its_trial_and_the_next_begins(begin):
    study, splits = begin(search={"trials": 2})
    executor = Instant(fate=lambda attempt: "lose" if attempt.fit.trial == 0 else "")

    go(study, splits, executor)

    first, second = study.state.results
    assert (first.status, first.failure.kind, second.status) == (Status.FAILED, "lost", Status.COMPLETED)


RARE = Parameter("rare", "choice", "c", choices=("c", "d"), conditions=(Condition("kind", ("b",)),))


def test_a_wish_that_only_some_trials_show_to_be_impossible_fails_these_alone(begin):
    study, splits = begin(search={"trials": 12}, space={"rare": "e"})

    go(study, splits, Instant(space=(X, KIND, RARE), count=2))

    by_kind = {(one.trial.values["kind"], one.status) for one in study.state.results}
    failure = study.state.failures[0]
    assert by_kind == {("a", Status.COMPLETED), ("b", Status.FAILED)}
    assert failure.kind == "space wish"
    assert failure.message == "space.rare: 'e' is none of its choices\n  known: 'c', 'd'"


@pytest.mark.promise("27")
def test_a_failed_trial_is_data_and_the_tuner_hears_of_it(begin):
    study, splits = begin()

    def fate(attempt):
        if attempt.fit.trial == 2:
            raise ValueError("no such layer")
        return ""

    go(study, splits, Instant(fate=fate), tuner := Dice())

    assert [result.status for result in study.state.results].count(Status.FAILED) == 1
    assert tuner.told[2].failure.message == "no such layer"


LACKING = "the objective is 'val_accuracy', but the model gives only loss, val_acc, val_loss"


@pytest.mark.promise("25", "27")
def test_a_trial_whose_model_lacks_the_objectives_metric_is_data_as_other_failures_are(begin):
    study, splits = begin()

    def fate(attempt):
        if attempt.fit.trial in {0, 3}:
            raise MetricMissing(LACKING)
        return ""

    go(study, splits, Instant(fate=fate), tuner := Dice())

    assert [result.trial.number for result in study.state.with_status(Status.FAILED)] == [0, 3]
    assert tuner.told[3].failure.message == LACKING


@pytest.mark.promise("25", "28")
def test_a_search_whose_trials_all_lack_the_objectives_metric_stops_and_names_those_there_are(begin):
    study, splits = begin(search={"trials": 50})

    def fate(attempt):
        raise MetricMissing(LACKING)

    with pytest.raises(SameFailureRepeated, match=LACKING):
        go(study, splits, Instant(fate=fate, count=2))

    assert len(study.state.results) == 3


def test_the_seconds_of_a_failed_trial_are_those_of_all_its_fits(begin):
    study, splits = begin(search={"trials": 1}, data={"folds": 3})

    go(study, splits, Instant(fate=lambda attempt: "lose" if attempt.fit.fold == 2 else ""))

    assert study.state.results[0].status is Status.FAILED
    assert study.state.results[0].seconds == pytest.approx(0.3)


@pytest.mark.promise("28", "P20")
def test_the_same_failure_from_the_start_stops_the_search(begin):
    study, splits = begin(search={"trials": 50})

    def fate(attempt):
        raise ValueError("tensorboard is missing")

    with pytest.raises(SameFailureRepeated, match="tensorboard is missing"):
        go(study, splits, Instant(fate=fate))

    assert len(study.state.results) == 3


@pytest.mark.promise("27", "28")
def test_trials_that_fail_at_once_and_alike_while_the_first_ones_still_train_do_not_stop_the_search(begin):
    study, splits = begin(search={"trials": 16})

    def fate(attempt):
        if attempt.fit.trial % 2:
            raise ValueError("the loss is nan")
        return ""

    go(study, splits, Instant(fate=fate, count=8))

    assert [result.status for result in study.state.results] == [Status.COMPLETED, Status.FAILED] * 8


@pytest.mark.promise("28", "P20")
def test_the_same_failure_of_the_first_trials_stops_a_search_of_many_hands_too(begin):
    study, splits = begin(search={"trials": 50})

    def fate(attempt):
        raise ValueError("tensorboard is missing")

    with pytest.raises(SameFailureRepeated, match="the first 3 trials failed in the same way\n  ValueError: t"):
        go(study, splits, Instant(fate=fate, count=8))


def test_a_pruner_stops_a_trial_with_its_reason(begin):
    study, splits = begin()

    go(study, splits, Instant(epochs=50), pruner=Impatient(after=2))

    assert {result.status for result in study.state.results} == {Status.PRUNED}
    assert {result.reason for result in study.state.results} == {"enough after 2"}
    assert max(result.best_epoch for result in study.state.results) < 50


def test_a_pruned_trial_is_stopped_in_the_epoch_that_it_had_begun_meanwhile(begin):
    study, splits = begin(search={"trials": 1})
    executor, stops = Instant(epochs=9), []

    def stop(attempt, reason, *, at_once=False):
        stops.append((reason, at_once))
        Instant.stop(executor, attempt, reason, at_once=at_once)

    executor.stop = stop

    go(study, splits, executor, pruner=Impatient(after=3))

    assert stops[0] == ("enough after 3", True)
    assert study.state.results[0].best_epoch == 3


def test_a_pruners_wish_is_let_pass_while_the_trial_warms_up(begin):
    study, splits = begin()

    go(study, splits, Instant(epochs=9, warmup=6), pruner=Impatient(after=2))

    assert {(result.status, result.reason) for result in study.state.results} == {(Status.PRUNED, "enough after 6")}


def test_a_trial_taken_up_in_its_warmup_is_stopped_no_sooner(begin):
    study, splits = begin(search={"trials": 1})
    polls = iter(range(10_000))
    with pytest.raises(Interrupted):
        go(study, splits, Instant(epochs=9, warmup=6), pruner=Impatient(2), leave=lambda: next(polls) > 6)
    reached = max(news.body.epoch for news in study.ledger.read() if isinstance(news.body, Measure))
    study.close()

    again = Study(study.experiment, study.paths)
    go(again, splits, Instant(epochs=9, warmup=6), pruner=Impatient(2))

    assert 2 < reached < 6
    assert again.state.results[0].reason == "enough after 6"


def test_a_pruner_hears_every_epoch_of_a_warmup(begin):
    study, splits = begin(search={"trials": 1})
    heard = []
    pruner = Lenient()
    pruner.hear = lambda trial, epoch, score: heard.append(epoch)

    go(study, splits, Instant(warmup=3), pruner=pruner)

    assert heard == [1, 2, 3, 4]


def test_after_more_time_a_pruner_has_heard_each_epoch_once(begin):
    study, splits = begin(search={"trials": 1, "time": "60s"}, data={"folds": 2})

    def spend(values, epoch):
        if epoch == 2:
            study.clock.set(100.0)
        return 0.9

    go(study, splits, Instant(spend, epochs=4))
    assert study.state.results[0].reason == "time"
    study.close()
    again, pruner, heard = begin(search={"trials": 1}, data={"folds": 2})[0], Lenient(), []
    pruner.hear = lambda trial, epoch, score: heard.append((epoch, score))

    go(again, splits, Instant(lambda values, epoch: 0.5, epochs=4), pruner=pruner)

    assert heard == [(1, 0.9), (2, 0.9), (3, 0.5), (4, 0.5)]


@pytest.mark.parametrize(("pruner", "reads"), [(NoPruner, False), (Lenient, True)])
def test_a_study_that_goes_on_reads_its_measures_once_more_only_for_a_pruner(begin, pruner, reads):
    study, splits = begin()
    go(study, splits, Instant())
    study.close()
    again, run = Study(study.experiment, study.paths), []
    again.ledger._db.set_trace_callback(run.append)

    go(again, splits, Instant(), pruner=pruner())

    assert any("Measure" in statement for statement in run) == reads


def test_the_epochs_that_pruning_spared_are_those_the_ledger_lacks(begin):
    study, splits = begin(search={"trials": 5, "pruner": "median"}, data={"folds": 2}, train={"epochs": 8})
    session(study)

    go(study, splits, Instant(epochs=8, count=2), pruner=Impatient(after=3))

    trained = [news.body for news in study.ledger.read() if isinstance(news.body, Measure)]
    spared = count(study.ledger.read())
    assert (spared.stopped_trials, spared.ended_trials) == (5, 5)
    assert (spared.spared_epochs, spared.asked_epochs) == (80 - len(trained), 80)
    assert len(trained) < 40


@pytest.fixture
def answered():
    """A state that hears of answers as from workers, each of whose messages brings strings of its own."""
    state = State()

    def answered(trial, **values):
        if trial not in state.courses:
            state.take(records.News(1, 0, 0.0, Asked(Trial(trial))))
        for name, value in values.items():
            own = pickle.loads(pickle.dumps(Parameter(name, "float", 0.5, low=0.0, high=1.0)))  # noqa: S301  # our own
            state.take(records.News(1, 0, 0.0, Answered(trial, own, value)))
        return state

    return answered


def test_a_long_study_has_one_string_for_each_name_and_one_set_of_values_for_each_trial(answered):
    answered(0, x=0.1)
    state = answered(1, x=0.2)

    state.take(records.News(1, 0, 0.0, TrialResult(state.courses[0].trial, Status.COMPLETED)))

    (first,), (second,) = state.courses[0].values, state.courses[1].values
    assert first is second
    assert state.courses[0].result.trial.values is state.courses[0].values


def test_what_is_answered_after_time_cut_a_trial_short_does_not_change_that_result(answered):
    state = answered(0, x=0.1)
    state.take(records.News(1, 0, 0.0, TrialResult(state.courses[0].trial, Status.PRUNED, reason=OUT_OF_TIME)))

    answered(0, y=0.2)

    assert state.courses[0].result.trial.values == {"x": 0.1}
    assert state.courses[0].values == {"x": 0.1, "y": 0.2}


def test_folds_of_a_trial_share_its_values_and_its_score_is_their_mean(begin):
    study, splits = begin(data={"folds": 4}, search={"trials": 2})

    go(study, splits, executor := Instant(lambda values, epoch: float(values["x"]), count=3))

    assert len(executor.orders) == 8
    assert len({str(order.split) for order in executor.orders}) == 4
    for result in study.state.results:
        assert result.score == pytest.approx(result.trial.values["x"])


def test_the_splits_of_folds_cover_every_row_once(begin):
    study, splits = begin(data={"folds": 4}, search={"trials": 1})

    go(study, splits, executor := Instant())

    parts = [np.load(order.split) for order in executor.orders]
    assert sorted(np.concatenate([part["validation"] for part in parts])) == list(range(200))
    assert all(set(part["train"]).isdisjoint(part["validation"]) for part in parts)


def test_a_narrowed_space_is_what_the_tuner_sees_and_a_fixed_value_is_not_asked(begin):
    study, splits = begin(space={"kind": "b", "x": {"min": 0.2, "max": 0.3}})

    go(study, splits, Instant())

    assert {result.trial.values["kind"] for result in study.state.results} == {"b"}
    assert all(0.2 <= result.trial.values["x"] <= 0.3 for result in study.state.results)


@pytest.mark.promise("34")
def test_a_tuner_that_finds_no_further_point_ends_the_search_with_the_count(begin):
    study, splits = begin(search={"trials": 50})

    reason = go(study, splits, Instant(), Dice(most=3))

    assert reason == "the tuner found no further point after 3 trials"


def test_a_spent_time_budget_cuts_trials_short_and_more_time_takes_them_up(begin):
    study, splits = begin(search={"time": "60s"})

    def spend(values, epoch):
        if epoch == 2 and len(study.state.courses) == 3:
            study.clock.set(100.0)
        return float(values["x"])

    reason = go(study, splits, Instant(spend, epochs=4), tuner := Dice())

    assert reason == "60s of searching"
    assert [(result.status, result.reason) for result in study.state.results] == [
        (Status.COMPLETED, ""),
        (Status.COMPLETED, ""),
        (Status.PRUNED, "time"),
    ]
    assert [result.trial.number for result in tuner.told] == [0, 1]
    assert len(candidates(study)) == 3
    study.close()
    search_on = study.experiment.search.model_copy(update={"time": None, "trials": 3})
    again = Study(study.experiment.model_copy(update={"search": search_on}), study.paths)
    go(again, splits, Instant())
    assert {result.status for result in again.state.results} == {Status.COMPLETED}


def test_a_trial_that_got_more_time_and_was_interrupted_stands_by_its_best_epoch_where_that_time_is_taken_back(begin):
    study, splits = begin(search={"time": "60s"})
    study.listen(lambda news: study.clock.set(100.0) if getattr(news.body, "epoch", 0) == 3 else None)
    go(study, splits, Instant(epochs=9))
    study.close()
    search_on = study.experiment.search.model_copy(update={"time": "200s"})
    more = Study(study.experiment.model_copy(update={"search": search_on}), study.paths)
    with pytest.raises(Interrupted):
        go(more, splits, Instant(epochs=9), leave=lambda: max(more.state.epochs.values()) > 6)
    more.close()
    again = Study(study.experiment, study.paths)

    for _ in range(2):
        go(again, splits, Instant())

    assert [(result.reason, result.best_epoch) for result in study.state.results] == [("time", 4)]
    assert [(result.reason, result.best_epoch) for result in again.state.results] == [("time", 8)]
    assert len(list(again.ledger.recall((TrialResult,)))) == 2


def test_what_a_fit_that_began_anew_came_to_by_time_stands_although_more_was_measured_before(begin):
    study, splits = begin(search={"time": "60s"})
    study.listen(lambda news: study.clock.set(100.0) if getattr(news.body, "epoch", 0) == 3 else None)
    go(study, splits, Instant(epochs=9))
    (fit,), (result,) = study.state.attempts, study.state.results
    study.record(records.AttemptBegan(Attempt(fit, 2)))
    study.record(replace(result, score=0.1, best_epoch=1), durable=True)

    go(study, splits, Instant())

    assert [(one.score, one.best_epoch) for one in study.state.results] == [(0.1, 1)]


def test_a_trial_that_time_catches_between_two_folds_stands_by_those_it_has_until_it_gets_more_time(begin):
    study, splits = begin(search={"time": "60s"}, data={"folds": 3})
    study.listen(lambda news: study.clock.set(100.0) if getattr(news.body, "epoch", 0) == 4 else None)

    go(study, splits, Instant(epochs=4), tuner := Dice())

    assert [(result.reason, list(result.scores)) for result in study.state.results] == [("time", ["fold_0"])]
    assert finalists(study) == [0]
    assert tuner.told == []
    study.close()
    search_on = study.experiment.search.model_copy(update={"time": "200s"})
    again = Study(study.experiment.model_copy(update={"search": search_on}), study.paths)
    again.listen(lambda news: again.clock.set(300.0) if getattr(news.body, "epoch", 0) == 4 else None)
    go(again, splits, Instant(epochs=4))
    assert [list(result.scores) for result in again.state.results] == [["fold_0", "fold_1"]]


def test_an_interrupted_trial_for_which_no_time_is_left_stands_by_its_folds(begin):
    study, splits = begin(search={"time": "60s"}, data={"folds": 3})
    with pytest.raises(Interrupted):
        go(study, splits, Instant(), leave=lambda: any(course.ends for course in study.state.courses.values()))
    study.clock.set(100.0)

    go(study, splits, executor := Instant())

    assert executor.orders == []
    assert finalists(study) == [0]


@pytest.mark.parametrize("sections", [{}, {"data": {"folds": 3}}], ids=["one fit", "folds"])
def test_interrupted_trials_for_which_no_time_is_left_stand_by_their_best_epochs(begin, sections):
    study, splits = begin(search={"time": "60s"}, **sections)

    def best_in_the_second(values, epoch):
        return float(values["x"]) / (1 + abs(epoch - 2))

    executor = Instant(best_in_the_second, epochs=9, count=2)
    with pytest.raises(Interrupted):
        go(study, splits, executor, leave=lambda: sum(study.state.epochs.values()) > 6)
    study.close()
    again = Study(study.experiment, study.paths)
    again.clock.set(100.0)

    go(again, splits, executor := Instant())

    assert executor.orders == []
    assert [(result.reason, result.best_epoch) for result in again.state.results] == [("time", 2)] * 2
    assert [result.score for result in again.state.results] == [one.trial.values["x"] for one in again.state.results]


def test_a_trial_left_over_for_which_no_hand_gets_free_in_time_gets_a_result_too(begin):
    study, splits = begin(search={"time": "60s"})
    with pytest.raises(Interrupted):
        go(study, splits, Instant(count=3), leave=lambda: len(study.state.epochs) > 2)

    go(study, splits, Instant(lambda values, epoch: study.clock.set(100.0) or 0.5))

    assert [result.reason for result in study.state.results] == ["time"] * 3


def test_trials_whose_next_fold_waits_for_a_hand_when_time_is_out_stand_by_those_they_have(begin):
    study, splits = begin(search={"time": "60s"}, data={"folds": 3})

    def spend(values, epoch):
        if epoch == 2 and any(fit.fold for fit in study.state.running):
            study.clock.set(100.0)
        return float(values["x"])

    go(study, splits, Instant(spend, count=4))

    assert len(study.state.results) == 4
    assert {(result.reason, *result.scores) for result in study.state.results} == {("time", "fold_0")}


def test_all_folds_of_a_trial_that_are_under_way_come_to_the_end_of_their_epoch_when_time_is_out(begin):
    study, splits = begin(search={"time": "60s"}, data={"folds": 5})
    executor, stops = Instant(lambda values, epoch: 0.5, count=4), set()

    def hear(news):
        if any(fit.fold == 2 for fit in study.state.epochs):
            study.clock.set(100.0)

    def stop(attempt, reason, *, at_once=False):
        stops.add((reason, at_once))
        Instant.stop(executor, attempt, reason, at_once=at_once)

    executor.stop = stop
    study.listen(hear)
    go(study, splits, executor)

    assert stops == {("time", False)}
    made = Counter(order.attempt.fit.trial for order in executor.orders)
    assert made[0] == 3
    assert {one.trial.number: round(10 * one.seconds) for one in study.state.results} == made


def test_everything_the_tuner_needs_to_remember_is_in_the_story(begin):
    study, splits = begin(search={"trials": 2})

    go(study, splits, Instant())
    study.close()

    history = Study(study.experiment, study.paths).hand_over()
    brief = Brief(study.experiment.objective, 0, 2, 4, (X, KIND), history)
    assert [type(record).__name__ for record in brief.history] == ["Asked", "Answered", "Answered", "TrialResult"] * 2


def test_a_trial_whose_result_was_not_written_before_a_kill_is_closed_without_another_fit(begin, tmp_path):
    study, splits = begin(search={"trials": 2}, data={"repeats": 2})
    go(study, splits, Instant())
    cut_off = Study(study.experiment, paths.Study(files.make(tmp_path / "cut-off")))
    for news in study.ledger.read():
        if not isinstance(news.body, TrialResult):
            cut_off.record(news.body)

    go(cut_off, splits, executor := Instant(), tuner := Dice())

    assert executor.orders == []
    assert [result.score for result in cut_off.state.results] == [result.score for result in study.state.results]
    assert [result.trial.number for result in tuner.told] == [0, 1]


def test_a_pruned_trial_begins_no_further_fold(begin):
    study, splits = begin(search={"trials": 1}, data={"folds": 5})

    go(study, splits, executor := Instant(epochs=3), pruner=Impatient(after=3))

    assert len(executor.orders) == 1
    assert study.state.results[0].status is Status.PRUNED


def test_an_attempt_that_dies_while_it_is_stopped_is_not_begun_again(begin):
    study, splits = begin(search={"trials": 1})

    go(study, splits, executor := Instant(epochs=9, dies_of_stop=True), pruner=Impatient(after=2))

    assert len(executor.orders) == 1
    assert (study.state.results[0].status, study.state.results[0].reason) == (Status.PRUNED, "enough after 2")


def test_a_pruned_trial_that_heeds_its_stop_too_late_has_the_result_of_one_that_heeds_it(begin, tmp_path):
    study, splits = begin(search={"trials": 2}, data={"folds": 2})
    other = Study(study.experiment, paths.Study(files.make(tmp_path / "b")))

    def best_in_the_second(values, epoch):
        return float(values["x"]) / (1 + abs(epoch - 2))

    go(study, splits, Instant(best_in_the_second, epochs=9), pruner=Impatient(after=4))
    go(other, splits, Instant(best_in_the_second, epochs=9, dies_of_stop=True), pruner=Impatient(after=4))

    assert [result.best_epoch for result in study.state.results] == [2, 2]
    for heeds, dies in zip(study.state.results, other.state.results, strict=True):
        assert replace(dies, seconds=heeds.seconds, metrics={}) == replace(heeds, metrics={})
        assert dies.metrics["val_accuracy"] == heeds.score


def test_a_trial_taken_up_again_and_killed_by_its_stop_keeps_the_best_of_both_sessions(begin):
    study, splits = begin(search={"trials": 1})
    polls = iter(range(10_000))
    with pytest.raises(Interrupted):
        go(study, splits, Instant(epochs=9), leave=lambda: next(polls) > 6)
    study.close()

    again = Study(study.experiment, study.paths)
    falling = Instant(lambda values, epoch: -float(epoch), epochs=9, dies_of_stop=True)
    go(again, splits, falling, pruner=Impatient(after=5))

    told = [news.body for news in again.ledger.read() if isinstance(news.body, Measure)]
    assert again.state.results[0].score == max(measure.metrics["val_accuracy"] for measure in told) > 0


def test_a_measure_that_is_told_again_is_written_once(begin):
    study, splits = begin(search={"trials": 1})

    go(study, splits, Instant(tells=2))

    epochs = [news.body.epoch for news in study.ledger.read() if isinstance(news.body, Measure)]
    assert epochs == [1, 2, 3, 4]


def test_a_tuner_that_waits_for_nothing_is_named_as_the_cause(begin):
    study, splits = begin()
    tuner = Dice()
    tuner.ask = lambda number: Turn.WAIT

    with pytest.raises(HpsearchError, match="the tuner waits"):
        go(study, splits, Instant(), tuner)


def test_a_tuner_whose_process_dies_whatever_is_done_ends_the_search_with_the_cause(begin):
    study, splits = begin()

    class Deadly(Dice):
        def ask(self, number):
            raise ChildDied("its process was killed")

    with pytest.raises(ChildDied, match="its process was killed"):
        go(study, splits, Instant(), Deadly())


@pytest.mark.parametrize("answer", [np.float32(0.5), 1.5, float("nan"), "0.5", True, None, [0.5], np.zeros(2)])
def test_a_value_that_its_parameter_does_not_take_ends_the_search_and_names_the_tuner(begin, answer):
    study, splits = begin()
    tuner = Dice()
    tuner.suggest = lambda number, parameter: answer

    said = rf"the tuner '.*' answered {re.escape(repr(answer))} for 'x', which is a number of Python's own"
    with pytest.raises(HpsearchError, match=said):
        go(study, splits, Instant(), tuner)

    assert not any(isinstance(news.body, Answered) for news in study.ledger.read())


@pytest.mark.parametrize("answer", [None, Trial(7), 0])
def test_a_tuner_that_answers_neither_its_trial_nor_a_turn_ends_the_search_and_is_named(begin, answer):
    study, splits = begin()
    tuner = Dice()
    tuner.ask = lambda number: answer

    with pytest.raises(
        HpsearchError, match=r"the tuner 'keras-tuner\.random' answered .* for trial 0, which is Trial\(0\)"
    ):
        go(study, splits, Instant(), tuner)


def test_a_pruner_that_answers_no_pruning_ends_the_search_and_is_named(begin):
    study, splits = begin()
    pruner = Lenient()
    pruner.hear = lambda trial, epoch, score: "stop it"

    with pytest.raises(HpsearchError, match="the pruner 'none' answered 'stop it' to an epoch"):
        go(study, splits, Instant(), pruner=pruner)


def session(study, **searched):
    wanted = study.experiment.model_copy(update={"search": study.experiment.search.model_copy(update=searched)})
    study.record(SessionBegan("a", wanted.model_dump(mode="json"), {}, (), {}))
    return wanted


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        ({"trials": 5}, {"trials": 5}, False),
        ({"trials": 5}, {"trials": 3}, False),
        ({"trials": 5}, {"trials": 6}, True),
        ({"trials": 30, "time": "1m"}, {"trials": 30, "time": "1m"}, False),
        ({"trials": 30, "time": "1m"}, {"trials": 30, "time": "2m"}, True),
        ({"trials": None, "time": "1m"}, {"trials": None, "time": "90s"}, True),
    ],
)
def test_only_a_larger_budget_is_refused_after_the_test_split_was_opened(begin, before, now, refused):
    study, _ = begin()
    session(study, **before)
    study.record(records.TestOpened({"final-0000-r0-f0": "abc"}))
    wanted = study.experiment.model_copy(update={"search": study.experiment.search.model_copy(update=now)})

    if refused:
        with pytest.raises(StudyChanged, match="--reopen"):
            refuse_if_opened(study.state, wanted)
    else:
        refuse_if_opened(study.state, wanted)


def test_a_larger_budget_is_refused_until_a_session_that_may_have_it_came_to_its_end(begin):
    study, _ = begin()
    session(study, trials=5)
    study.record(records.TestOpened({"final-0000-r0-f0": "abc"}))
    more = session(study, trials=40)  # with --reopen, and killed before its first trial

    with pytest.raises(StudyChanged, match="--reopen"):
        refuse_if_opened(study.state, more)
    session(study, trials=40)
    study.record(records.SessionEnded(finished=True, reason="the tuner found no further point after 5 trials"))
    refuse_if_opened(study.state, more)


def test_another_final_table_is_refused_by_its_keys_after_the_test_split_was_opened_and_free_before(begin):
    study, _ = begin()
    session(study)
    study.record(FinalistsChosen((0,)))
    other = Final(seeds=study.experiment.final.seeds + 2, refit="all")
    wanted = study.experiment.model_copy(update={"final": other})
    refuse_if_opened(study.state, wanted)
    study.record(records.TestOpened({"final-0000-r0-f0": "abc"}))

    with pytest.raises(StudyChanged, match=r"final\.seeds: 3 -> 5\n  final\.refit: nothing -> 'all'\n.*--reopen"):
        refuse_if_opened(study.state, wanted)
    refuse_if_opened(study.state, study.experiment)


@pytest.mark.parametrize(("data", "final"), [({}, {"keep_epochs": True}), ({"folds": 2}, {"refit": "all"})])
def test_a_key_of_the_final_table_that_decides_nothing_is_free_after_the_test_split_was_opened(begin, data, final):
    study, _ = begin(data=data)
    session(study)
    study.record(FinalistsChosen((0,)))
    study.record(records.TestOpened({"final-0000-r0-f0": "abc"}))
    other = study.experiment.final.model_copy(update=final)

    refuse_if_opened(study.state, study.experiment.model_copy(update={"final": other}))


def test_more_trials_after_the_finals_began_choose_the_finalists_again(begin):
    study, splits = begin(search={"trials": 2})
    go(study, splits, Instant())
    study.record(FinalistsChosen((0, 1)))

    more = study.experiment.model_copy(update={"search": study.experiment.search.model_copy(update={"trials": 3})})
    study.experiment = more
    go(study, splits, Instant())

    assert study.state.finalists == ()


def test_an_interrupted_write_is_undone_and_the_next_one_goes_through(begin):
    study, _ = begin()
    study.record(FinalistsChosen((0,)), durable=True)
    study.ledger.write(FinalistsChosen((1,)))

    study.ledger.recover()

    study.record(FinalistsChosen((2,)), durable=True)
    assert [news.body.trials for news in study.ledger.read()] == [(0,), (2,)]


@pytest.mark.promise("16")
def test_a_late_word_of_an_attempt_that_was_replaced_is_refused(begin):
    study, splits = begin(search={"trials": 1})
    executor = Instant(fate=lambda attempt: "lose" if attempt.number == 1 else "")
    timely = executor.events

    def events(timeout):
        for event in timely(timeout):
            yield event
            if event.attempt.number == 2 and isinstance(event, Measure):
                first = Attempt(event.attempt.fit, 1)
                yield Measure(first, 9, {"val_accuracy": 9.0}, 0.0)
                yield AttemptEnd(first, How.FINISHED, 0.0, 9.0, 9, 9)

    executor.events = events

    go(study, splits, executor)

    ends = [news.body for news in study.ledger.read() if isinstance(news.body, AttemptEnd)]
    assert [(end.attempt.number, end.how) for end in ends] == [(1, How.LOST), (2, How.FINISHED)]
    assert study.state.results[0].score < 9


def test_every_attempt_ends_exactly_once_in_the_ledger(begin):
    study, splits = begin(search={"trials": 6})

    go(study, splits, Instant(count=3, fate=lambda attempt: "lose" if attempt.number == 1 else ""))

    kinds = [type(news.body).__name__ for news in study.ledger.read()]
    ends = [news.body.how for news in study.ledger.read() if type(news.body).__name__ == "AttemptEnd"]
    assert kinds.count("AttemptBegan") == kinds.count("AttemptEnd") == 12
    assert ends.count(How.LOST) == 6


def test_finals_without_a_candidate_say_where_to_look(begin):
    study, splits = begin(search={"trials": 1})
    executor = Instant(fate=lambda attempt: "lose")
    go(study, splits, executor)
    finale = Finale(study, Crew(study, executor, splits), executor, None, None, Leave())

    with pytest.raises(NothingCompleted, match="hpsearch show a"):
        finale.hold()


def test_finals_where_time_let_no_fold_come_to_its_end_ask_for_more_time(begin):
    study, splits = begin(search={"time": "60s"}, data={"folds": 2})
    study.clock.set(59.0)
    executor = Instant(lambda values, epoch: study.clock.set(100.0) or 0.9)
    go(study, splits, executor)
    finale = Finale(study, Crew(study, executor, splits), executor, None, None, Leave())

    with pytest.raises(NothingCompleted, match=r"more search\.time"):
        finale.hold()


def transactions(study):
    """The statements that make something durable, as they are run from now on."""
    run = []
    study.ledger._begin()  # the file is opened for writing with the first record
    study.ledger._db.set_trace_callback(lambda statement: run.append(statement) if statement == "COMMIT" else None)
    return run


def test_a_trial_waits_for_the_disk_twice_once_before_its_fit_and_once_with_its_result(begin, monkeypatch):
    monkeypatch.setattr(ledger, "GROUP_SECONDS", float("inf"))  # measures are committed by the clock
    study, splits = begin(search={"trials": 20})
    run = transactions(study)

    go(study, splits, Instant())

    assert len(run) == 2 * 20


def test_what_is_kept_of_ended_trials_does_not_grow_with_their_epochs(begin, tmp_path):
    short, splits = begin(search={"trials": 20})
    long = Study(short.experiment, paths.Study(files.make(tmp_path / "long")))

    go(short, splits, Instant(lambda values, epoch: 0.5, epochs=4))
    go(long, splits, Instant(lambda values, epoch: 0.5, epochs=100))

    kept = [{name: len(pickle.dumps(part)) for name, part in vars(study.state).items()} for study in (short, long)]
    assert {name for name in kept[0] if kept[0][name] != kept[1][name]} == {"last"}  # the number of the last record


def test_what_a_tuner_has_to_remember_is_handed_over_once_and_not_kept(begin):
    study, splits = begin(search={"trials": 2})
    go(study, splits, Instant())
    study.close()
    again = Study(study.experiment, study.paths)

    first, second = again.hand_over(), again.hand_over()

    assert len(first) == 2 * 4
    assert second == ()


def test_what_the_finals_answer_for_an_ended_trial_is_nothing_a_tuner_has_to_remember(begin):
    study, splits = begin(search={"trials": 2})
    go(study, splits, Instant())
    study.record(Answered(0, Parameter("late", "int", 1, low=1, high=2), 1))
    study.record(Asked(Trial(2)))
    study.record(Answered(2, X, 0.5))
    study.close()

    past = Study(study.experiment, study.paths).hand_over()

    assert [record.trial for record in past if isinstance(record, Answered)] == [0, 0, 1, 1, 2]


def test_a_watcher_hears_again_how_trials_ended_and_what_this_session_wrote(begin):
    study, splits = begin(search={"trials": 2})
    go(study, splits, Instant())
    study.close()
    again = Study(study.experiment, study.paths)
    again.record(FinalistsChosen((0, 1)))

    told = [type(news.body).__name__ for news in told_again(again) if not isinstance(news.body, records.Answered)]

    assert told == ["AttemptEnd", "TrialResult", "AttemptEnd", "TrialResult", "FinalistsChosen"]


def test_a_watcher_hears_once_of_each_name_that_it_was_searched_or_fixed_in_earlier_sessions(begin):
    study, _ = begin(search={"trials": 3})
    rate = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
    for number, asked in enumerate((rate, rate.fixed_to(0.5), rate, rate.fixed_to(0.5))):
        study.record(records.Asked(Trial(number)))
        study.record(records.Answered(number, asked, 0.5))
    study.close()

    told = [news.body.parameter.kind for news in told_again(Study(study.experiment, study.paths))]

    assert told == ["float", "fixed"]


def weighed(study, number, score, reason=""):
    """A trial that ended, with the files its fit leaves behind."""
    result = TrialResult(Trial(number), Status.PRUNED if reason else Status.COMPLETED, score, reason=reason)
    if number not in study.state.courses:
        study.record(records.Asked(Trial(number)))
    study.record(result)
    for fit in search_fits(study.experiment, number):
        for name in (WEIGHTS, CHECKPOINT):
            (files.make(study.paths.fits / fit.name) / name).touch()
    return result


def with_weights(study):
    return sorted(int(file.parent.name.split("-")[1]) for file in study.paths.fits.glob(f"*/{WEIGHTS}"))


def test_only_the_best_few_keep_their_weights_also_after_a_restart(begin):
    study, _ = begin(train={"keep": 2})
    keeping = Keeping(study)
    for number, score in enumerate((0.5, 0.3, 0.6, None, 0.4)):
        keeping.tidy(weighed(study, number, score))
    study.close()
    again = Study(study.experiment, study.paths)

    Keeping(again).tidy(weighed(again, 5, 0.55))

    assert with_weights(again) == [2, 5]
    assert not list(again.paths.fits.glob(f"*/{CHECKPOINT}"))


def test_a_folder_of_a_persons_own_among_those_of_trials_is_let_be(begin):
    study, _ = begin()
    own = study.paths.fits / "search-old" / CHECKPOINT
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    Keeping(study)

    assert own.read_text() == "mine"


def test_a_trial_that_got_more_time_has_one_place_among_the_best(begin):
    study, _ = begin(train={"keep": 2})
    keeping = Keeping(study)
    keeping.tidy(weighed(study, 0, 0.5, "time"))
    keeping.tidy(weighed(study, 1, 0.4))

    keeping.tidy(weighed(study, 0, 0.6))

    assert with_weights(study) == [0, 1]


def test_a_trial_that_may_get_more_time_keeps_its_weights_until_it_ends_for_good(begin):
    study, _ = begin(train={"keep": 1})
    keeping = Keeping(study)
    keeping.tidy(weighed(study, 0, 0.5, "time"))
    keeping.tidy(weighed(study, 1, 0.6))  # puts trial 0 behind
    keeping.tidy(weighed(study, 2, 0.4, "time"))  # comes in behind
    keeping.tidy(weighed(study, 3, None, "time"))
    assert with_weights(study) == [0, 1, 2, 3]
    study.close()
    again = Study(study.experiment, study.paths)

    keeping = Keeping(again)
    for number, score in ((0, 0.5), (2, 0.7), (3, None)):
        keeping.tidy(weighed(again, number, score))

    assert with_weights(again) == [2]


def test_what_a_kill_after_a_trials_end_left_and_weights_beyond_a_lower_keep_go_at_the_next_start(begin):
    study, _ = begin(train={"keep": 2})
    for number, score in enumerate((0.5, 0.3, 0.6)):
        weighed(study, number, score)  # and is killed before it tidies up
    weighed(study, 3, 0.1, "time")
    study.close()
    fewer = study.experiment.model_copy(update={"train": study.experiment.train.model_copy(update={"keep": 1})})

    again = Study(fewer, study.paths)
    Keeping(again)

    assert with_weights(again) == [2, 3]
    assert [file.parent.name[:11] for file in again.paths.fits.glob(f"*/{CHECKPOINT}")] == ["search-0003"]


def test_what_a_worker_left_half_written_goes_with_its_trial(begin):
    study, _ = begin()
    ended = weighed(study, 0, 0.5)
    (fit,) = search_fits(study.experiment, 0)
    (files.make(study.paths.fits / fit.name / f".{CHECKPOINT}.killed.part") / CHECKPOINT).touch()

    Keeping(study).tidy(ended)

    assert [file.name for file in (study.paths.fits / fit.name).iterdir()] == [WEIGHTS]


def test_the_finals_leave_no_checkpoints_and_keep_their_weights(begin):
    study, _ = begin()
    final = Fit(0, 1, "final")
    study.record(records.Asked(Trial(0)))
    study.record(records.AttemptBegan(Attempt(final)))
    for name in (WEIGHTS, CHECKPOINT):
        (files.make(study.paths.fits / final.name) / name).touch()

    let_go_of_finals(study)

    assert [file.name for file in (study.paths.fits / final.name).iterdir()] == [WEIGHTS]


class Finding(Instant):
    """Its sample builds find a space."""

    where = ""

    def call(self, function, *arguments, patience=None):
        return Preflight((X,), ())


class Barren(Finding):
    """On a machine that starts no process."""

    def call(self, function, *arguments, patience=None):
        raise ChildDied("no process could be started (too many)")


@pytest.fixture
def left(tmp_path):
    """Makes a study whose session was left after its first records, and opens its next one."""
    np.save(files.make(tmp_path / "train") / "labels.npy", np.repeat([0, 1], 10))
    data = Prepared(tmp_path, "made-up", "d" * 64, ("a", "b"), (2, 2), 20, 20, "official")
    train = {"compile": False, "precision": "float32"}

    def left(*bodies, executor=Finding, modules=(), **search):
        wanted = {"name": "a", "model": {"build": "m:f"}, "search": {"trials": 4, **search}, "train": train}
        experiment = Experiment.model_validate(wanted)
        study = Study(experiment, paths.Study(files.make(tmp_path / "a")))
        identity = Identity(experiment, data, tmp_path)
        study.record(SessionBegan("a", experiment.model_dump(mode="json"), identity.digests(modules), modules, {}))
        for body in bodies:
            study.record(body)
        Beginning(study, identity, executor(), print).open()
        return study

    return left


def test_a_study_that_was_left_before_its_space_was_written_down_looks_for_it_again(left):
    assert left().state.space == (X,)


def test_where_no_process_can_be_started_for_sample_builds_the_cause_is_told_and_not_build_model(left):
    with pytest.raises(ChildDied, match=r"^no process could be started \(too many\)$"):
        left(executor=Barren)


@pytest.mark.promise("43")
def test_code_that_changes_while_a_session_begins_is_refused(left, tmp_path):
    (tmp_path / "space.py").write_text("UNITS = 4\n")

    class Slow(Finding):
        def call(self, function, *arguments, patience=None):
            (tmp_path / "space.py").write_text("UNITS = 5\n")

    with pytest.raises(StudyChanged, match=r"the code of the search space, in space\.py"):
        left(records.SpaceFound((X,)), executor=Slow, modules=("space.py",))


def test_a_study_that_has_its_plan_goes_on_without_the_study_it_was_made_from(left):
    planned = records.Planned("renamed", ({"x": 0.5},))

    study = left(planned, records.SpaceFound((X,)), start_from="renamed")

    assert study.state.planned == planned
