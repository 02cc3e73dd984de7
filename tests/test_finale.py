"""The finals on a real ledger, with fits and judgements that take no time: who wins, how surely, and what is kept."""

import os
import random
import signal
from dataclasses import replace

import numpy as np
import pytest
from instant import Instant
from pydantic import TypeAdapter

from hpsearch import files, paths, predictions, records
from hpsearch.crew import Crew
from hpsearch.errors import NothingCompleted, StateDamaged, StudyChanged
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.leaving import AtOnce, Leave, told_to_leave
from hpsearch.predictions import Predictions
from hpsearch.protocols import Prepared
from hpsearch.records import (
    Asked,
    AttemptBegan,
    Comparison,
    Finalist,
    FinalistsChosen,
    SessionBegan,
    SessionEnded,
    Verdict,
)
from hpsearch.splits import Splits
from hpsearch.state import MOST_LOSSES, OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.verdict_words import sentences
from hpsearch.worker.unchanged import Code

ROWS, CLASSES = 400, ("a", "b")
LABELS = np.arange(ROWS) % 2
QUALITY = {0: 0.95, 1: 0.94, 2: 0.6, 3: 0.5}
HARD = np.random.default_rng(0).permutation(ROWS) / ROWS


class Lucky(Instant):
    """Fits whose score is their trial's quality with the luck of their seed, and models that keep the fit's name."""

    def __init__(self, fits, luck=0.002, fate=lambda attempt: ""):
        super().__init__(lambda values, epoch: 0.0, space=(), epochs=2, fate=fate)
        self._fits, self._luck, self.asked = fits, luck, []

    def right(self, fit_name):
        luck = random.Random(fit_name).gauss(0, self._luck)
        return QUALITY[int(fit_name[6:10])] + luck > HARD

    def _end(self, fitting, how, reason=""):
        super()._end(fitting, how, reason)
        fit, end = fitting.order.attempt.fit, self._news.pop()
        luck = random.Random(fit.seed).gauss(0, self._luck)
        whole = fit.kind == "whole"
        self._news.append(replace(end, score=None if whole else QUALITY[fit.trial] + luck, best_epoch=2))
        file = files.make(self._fits / fit.name) / "model.keras"
        file.write_text(fit.name, encoding="utf-8")

    def call(self, function, root, build, data, files):
        self.asked += [file.parent.name for file in files]
        return [self._read(file.parent.name) for file in files]

    def _read(self, name):
        return np.where(self.right(name), LABELS, 1 - LABELS), np.full(ROWS, 0.9, np.float32)


def diverging(fits):
    """The fate of some fits: the loss of these is no number."""

    def fate(attempt):
        if attempt.fit.name in fits:
            raise ValueError("loss is nan")
        return ""

    return fate


def begin_session(study, **final):
    """Begin a session of the study, with these keys of [final] changed."""
    wanted = study.experiment.final.model_copy(update=final)
    study.experiment = study.experiment.model_copy(update={"final": wanted})
    study.record(SessionBegan("a", study.experiment.model_dump(mode="json"), {}, (), {}))


@pytest.fixture
def hold(tmp_path):
    """Hold the finals of a study whose search gave these scores."""
    for part in ("train", "test"):
        np.save(files.make(tmp_path / part) / "labels.npy", LABELS)
        np.save(tmp_path / part / "images.npy", np.zeros((len(LABELS), 2, 2), np.uint8))
    data = Prepared(tmp_path, "made-up", "d" * 64, CLASSES, (2, 2), ROWS, ROWS, "official")

    def hold(
        scores=(0.96, 0.95, 0.7, 0.6),
        luck=0.002,
        seconds=(1.0, 1.0, 1.0, 1.0),
        out_of_time=False,
        pruned=(),
        diverges=(),
        **sections,
    ):
        wanted = {"name": "a", "model": {"build": "m:f"}, "search": {"trials": 4}, **sections}
        experiment = Experiment.model_validate(wanted)
        study = Study(experiment, paths.Study(files.make(tmp_path / "a")))
        begin_session(study)
        for number, score in enumerate(scores):
            study.record(Asked(Trial(number)))
            result = TrialResult(Trial(number, {"x": number}), Status.COMPLETED, score, 2, seconds[number])
            cut = replace(result, status=Status.PRUNED, reason=OUT_OF_TIME, scores={"fold_1": score})
            dropped = replace(result, status=Status.PRUNED, reason="below the median")
            study.record(cut if out_of_time else dropped if number in pruned else result)
        executor = Lucky(study.paths.fits, luck, diverging(diverges))
        splits = Splits(experiment, data.folder / "train" / "labels.npy", study.paths.splits)
        finale = Finale(study, Crew(study, executor, splits), executor, data, Code(tmp_path, {}), Leave())
        verdict = finale.hold()
        study.state.verdict = None  # so that a test can hold them again
        return study, executor, verdict, finale

    return hold


def test_the_verdict_says_how_sure_it_is(hold):
    _, _, verdict, _ = hold()

    low, high = verdict.interval
    assert low < verdict.expected_accuracy < high
    assert verdict.interval_of == "configuration"
    assert verdict.winner in {0, 1}
    assert [one.trial for one in verdict.comparisons] == [one.trial for one in verdict.finalists[1:]]
    assert verdict.ties == tuple(one.trial for one in verdict.finalists[1:] if one.trial != 2)
    assert verdict.comparisons[-1].p < 1e-6
    assert verdict.comparisons[-1].interval[0] > 0.2


def test_the_slowest_finalist_is_trained_first_so_that_no_long_fit_is_left_at_the_end(hold):
    study, _, _, _ = hold(seconds=(2.0, 1.0, 30.0, 99.0), final={"finalists": 3, "seeds": 2})

    begun = [news.body.attempt.fit for news in study.ledger.recall((AttemptBegan,))]

    assert [(fit.trial, fit.repeat) for fit in begun] == [(2, 0), (2, 1), (0, 0), (0, 1), (1, 0), (1, 1)]


def test_every_judged_model_keeps_what_it_read(hold):
    study, executor, verdict, _ = hold()

    assert len(list(study.paths.predictions.iterdir())) == 9 == len(study.state.judged)
    kept = predictions.recall(study.paths.predictions / f"{verdict.model_fit}.npz", "d" * 64)
    assert ((kept.predicted == LABELS) == executor.right(verdict.model_fit)).all()
    assert (kept.predicted.dtype, kept.confidence.dtype) == (np.int64, np.float32)
    assert {one.median_fit for one in verdict.finalists} <= {fit.name for fit in study.state.finals}


def test_the_optimism_is_the_best_score_less_its_configurations_mean(hold):
    study, _, verdict, _ = hold()

    finals = [end.score for fit, end in study.state.finals.items() if fit.trial == 0]
    assert verdict.optimism == pytest.approx(0.96 - np.mean(finals))
    assert verdict.bootstrap_optimism == pytest.approx(0, abs=0.004)


def test_trials_that_a_pruner_dropped_are_counted_as_those_of_whose_luck_nothing_is_known(hold):
    _, _, verdict, _ = hold(pruned=(2, 3))

    assert verdict.bootstrap_optimism is not None
    assert verdict.left_out == 2


def test_where_time_let_no_trial_have_all_its_folds_nothing_is_said_of_optimism(hold):
    _, _, verdict, _ = hold(scores=(0.96, 0.95), data={"folds": 2}, out_of_time=True)

    assert verdict.winner in {0, 1}
    assert (verdict.optimism, verdict.bootstrap_optimism) == (None, None)


def test_of_a_best_trial_that_time_cut_short_nothing_is_said_of_optimism(hold):
    study, _, verdict, _ = hold(out_of_time=True)

    assert study.state.finalists[0] == 0
    assert (verdict.optimism, verdict.left_out) == (None, 0)


def test_a_loss_that_is_too_low_is_optimism_too(hold):
    _, _, verdict, _ = hold(scores=(0.4, 0.45, 0.7, 0.8), search={"trials": 4, "objective": "min val_loss"})

    assert verdict.winner == 2  # of the three best losses, whose qualities are losses here
    assert verdict.optimism == pytest.approx(0.95 - 0.4, abs=0.01)


@pytest.mark.parametrize(("seeds", "place"), [(2, 1), (3, 1), (4, 2), (5, 2)])
def test_the_median_seed_is_the_worse_of_the_middle_two(hold, seeds, place):
    study, _, verdict, _ = hold(final={"seeds": seeds})

    own = {fit.name: end.score for fit, end in study.state.finals.items() if fit.trial == verdict.winner}
    assert verdict.model_fit == sorted(own, key=own.get, reverse=True)[place]
    assert verdict.finalists[0].median_fit == verdict.model_fit


def test_of_more_than_ten_seeds_scores_and_test_accuracies_stand_seed_by_seed(hold):
    study, executor, verdict, _ = hold(final={"seeds": 12, "finalists": 2}, luck=0.02)

    ends = {(fit.trial, fit.repeat): (fit, end) for fit, end in study.state.finals.items()}
    for one in verdict.finalists:
        fits = [ends[one.trial, repeat] for repeat in range(12)]
        assert one.scores == tuple(end.score for _, end in fits)
        assert one.test_accuracies == tuple(executor.right(fit.name).mean() for fit, _ in fits)


def test_one_seed_gives_the_interval_of_one_model(hold):
    _, _, verdict, _ = hold(final={"seeds": 1})

    assert verdict.interval_of == "model"
    assert verdict.comparisons[0].interval is None
    assert verdict.bootstrap_optimism is None
    assert verdict.interval[0] < verdict.model_accuracy < verdict.interval[1]


TWO_SEEDS_OF_THE_BEST = ("final-0000-r1-f0", "final-0000-r2-f0")


def test_a_finalist_that_failed_under_some_seeds_ranks_behind_those_that_did_not_and_it_is_told(hold):
    _, _, verdict, _ = hold(diverges=TWO_SEEDS_OF_THE_BEST)

    assert [(one.trial, len(one.scores), one.failed_seeds) for one in verdict.finalists] == [
        (1, 3, 0),
        (2, 3, 0),
        (0, 1, 2),
    ]
    assert 0 not in verdict.ties
    said = sentences(verdict, "val_accuracy", {}, 1)
    assert "trial 0 failed under 2 of 3 seeds; who failed under fewer ranks first" in "\n".join(said)
    assert "trial 0 fell behind" not in "\n".join(said)


def test_a_winner_that_failed_under_some_seeds_as_all_did_says_so(hold):
    every = [f"final-{trial:04d}-r{seed}-f0" for trial in range(3) for seed in (0, 2)]

    _, _, verdict, _ = hold(diverges=every)

    assert (verdict.winner, verdict.finalists[0].failed_seeds, verdict.interval_of) == (0, 2, "model")
    assert "trial 0 failed under 2 of 3 seeds" in "\n".join(sentences(verdict, "val_accuracy", {}, 1))


def test_a_finalist_that_failed_under_every_seed_is_named_too(hold):
    _, _, verdict, _ = hold(diverges=[f"final-0000-r{seed}-f0" for seed in range(3)])

    assert verdict.finalists[-1] == records.Finalist(0, (), (), failed_seeds=3)
    assert "trial 0 failed under all 3 seeds" in "\n".join(sentences(verdict, "val_accuracy", {}, 1))


def test_with_folds_a_seed_that_failed_in_one_fold_has_failed(hold):
    _, _, verdict, _ = hold(data={"folds": 2}, diverges=("final-0000-r1-f1",))

    assert [(one.trial, one.failed_seeds) for one in verdict.finalists] == [(1, 0), (2, 0), (0, 1)]


def test_the_winners_trainings_on_all_rows_that_failed_are_told(hold):
    _, executor, verdict, _ = hold(data={"folds": 2}, diverges=("whole-0000-r1-f0", "whole-0001-r1-f0"))

    assert len(executor.asked) == 2
    assert "1 of its 3 trainings on all rows failed" in "\n".join(sentences(verdict, "val_accuracy", {}, 1))


@pytest.mark.parametrize("more", [[], ["final-0000-r0-f1"]], ids=["no fold in common", "one"])
def test_finalists_that_failed_under_different_seeds_are_not_told_apart(hold, more):
    fell = [f"final-0000-r1-f{fold}" for fold in (0, 1)] + [f"final-0001-r0-f{fold}" for fold in (0, 1)]
    shared = fell[:3] if more else fell  # one fold of trial 1's failed seed came through

    _, _, verdict, _ = hold(
        data={"folds": 2}, final={"finalists": 2, "seeds": 2}, diverges=[*shared], scores=(0.96, 0.95)
    )

    assert [one.failed_seeds for one in verdict.finalists] == [1, 1]
    assert len(verdict.ties) == 1


def test_with_folds_the_figure_that_tells_finalists_apart_stands_beside_them(hold):
    _, _, verdict, _ = hold(data={"folds": 2})

    assert [one.trial for one in verdict.fold_comparisons] == [one.trial for one in verdict.finalists[1:]]
    for one in verdict.fold_comparisons:
        low, high = one.interval
        assert low < one.difference < high
        assert (low <= 0 <= high) == (one.trial in verdict.ties)
        figure = f"{one.difference:.4f} behind"
        assert figure in "\n".join(sentences(verdict, "val_accuracy", {}, 1))


def test_with_folds_the_winner_is_trained_on_all_rows_under_each_seed(hold):
    study, executor, verdict, _ = hold(data={"folds": 2})

    assert executor.asked == [f"whole-{verdict.winner:04d}-r{seed}-f0" for seed in range(3)]
    assert verdict.model_fit == executor.asked[0]
    assert verdict.interval_of == "configuration"
    assert verdict.comparisons == ()
    assert 2 not in verdict.ties
    assert len(study.state.judged) == 3


def test_a_model_trained_on_validation_rows_too_is_exported_and_marked(hold):
    study, _, verdict, _ = hold(final={"refit": "all"})

    assert verdict.refit
    assert verdict.model_fit == f"whole-{verdict.winner:04d}-r0-f0"
    assert len(verdict.finalists[0].test_accuracies) == 3
    assert len(study.state.judged) == 10
    assert "a model of all rows, validation too" in sentences(verdict, "val_accuracy", {"digits": 10}, 1)[1]


def test_a_training_on_all_rows_that_was_asked_for_and_fails_keeps_the_test_split_closed_until_it_comes_through(hold):
    study, executor, verdict, finale = hold(final={"refit": "all"})
    whole = next(fit for fit in study.state.finals if fit.kind == "whole")
    study.state.opened = None
    del study.state.finals[whole]
    executor._fate = diverging([whole.name])

    with pytest.raises(NothingCompleted, match=r"run the experiment again to retry, or without final\.refit"):
        finale.hold()
    opened, executor._fate = study.state.opened, diverging(())
    again = finale.hold()

    assert opened is None
    assert again == verdict


@pytest.mark.parametrize("sections", [{"data": {"folds": 2}}, {"final": {"refit": "all"}}], ids=["folds", "refit"])
def test_a_training_on_all_rows_that_is_missing_when_the_test_split_was_opened_is_not_made_again(hold, sections):
    study, executor, verdict, finale = hold(**sections)
    whole = [fit for fit in study.state.finals if fit.kind == "whole"][-1]
    del study.state.finals[whole], study.state.opened.models[whole.name]
    executor.orders.clear()

    again = finale.hold()

    assert executor.orders == []
    assert again.finalists[0].scores == verdict.finalists[0].scores
    assert not again.refit


def test_finals_that_were_killed_before_the_verdict_end_alike_and_open_the_test_split_once(hold):
    study, _, verdict, finale = hold()
    for file in study.paths.predictions.iterdir():
        file.unlink()

    again = finale.hold()

    assert again == verdict
    assert study.state.openings == 1
    assert len(list(study.paths.predictions.iterdir())) == 9


def test_models_that_are_gone_are_made_again_before_the_test_split_is_opened_and_not_after(hold):
    study, _, verdict, finale = hold()
    opened, study.state.opened = study.state.opened, None
    gone = [study.paths.fits / name / "model.keras" for name in sorted(opened.models)[:2]]
    for file in gone:
        file.unlink()

    again = finale.hold()

    assert again == verdict
    assert all(file.exists() for file in gone)
    study.state.verdict = None
    gone[0].unlink()
    with pytest.raises(StateDamaged, match="the model is missing"):
        finale.hold()


@pytest.mark.parametrize(("seeds", "made"), [(2, 0), (5, 6)])
def test_finals_held_again_on_other_seeds_count_these_alone_and_train_what_is_not_there(hold, seeds, made):
    study, executor, verdict, finale = hold()
    study.state.verdict = verdict
    executor.orders.clear()

    begin_session(study, seeds=seeds)
    again = finale.hold()

    assert len(executor.orders) == made
    assert (
        {len(one.scores) for one in again.finalists} == {len(one.test_accuracies) for one in again.finalists} == {seeds}
    )
    assert {one.failed_seeds for one in again.finalists} == {0}
    assert study.state.openings == 2


def test_another_final_table_before_the_test_split_is_opened_chooses_the_finalists_by_it(hold):
    study, executor, _, finale = hold()
    study.state.opened, study.state.openings = None, 0  # as after Ctrl-C in the finals

    begin_session(study, finalists=2, seeds=2)
    verdict = finale.hold()

    assert [(len(one.scores), len(one.test_accuracies)) for one in verdict.finalists] == [(2, 2), (2, 2)]
    assert len(executor.asked) == 9 + 4
    assert study.state.openings == 1


def test_the_same_final_table_chooses_no_finalists_again(hold):
    study, _, _, finale = hold()

    begin_session(study)
    finale.hold()

    assert len(list(study.ledger.recall((FinalistsChosen,)))) == 1


def test_trainings_on_all_rows_are_made_again_where_the_finals_call_for_other_epochs(hold):
    study, executor, verdict, finale = hold(data={"folds": 2})
    finals = [fit for fit in study.state.finals if (fit.trial, fit.kind) == (verdict.winner, "final")]
    more = {fit: replace(study.state.finals[fit], best_epoch=1) for fit in finals if fit.repeat < 2}
    study.state.finals |= more
    executor.orders.clear()

    begin_session(study, seeds=2)
    finale.hold()

    assert [(order.attempt.fit.name, order.until) for order in executor.orders] == [
        (f"whole-{verdict.winner:04d}-r{seed}-f0", 1) for seed in range(2)
    ]


def test_a_training_on_all_rows_that_fails_when_it_is_made_again_leaves_no_model_of_other_epochs(hold):
    study, executor, verdict, finale = hold(data={"folds": 2})
    finals = [fit for fit in study.state.finals if (fit.trial, fit.kind) == (verdict.winner, "final")]
    study.state.finals |= {fit: replace(study.state.finals[fit], best_epoch=1) for fit in finals if fit.repeat < 2}
    executor._fate = diverging([f"whole-{verdict.winner:04d}-r1-f0"])
    executor.asked.clear()

    begin_session(study, seeds=2)
    finale.hold()

    assert executor.asked == [f"whole-{verdict.winner:04d}-r0-f0"]


def test_a_training_on_all_rows_that_ended_by_itself_is_not_made_again(hold):
    study, executor, _, finale = hold(data={"folds": 2})
    whole = {fit: end for fit, end in study.state.finals.items() if fit.kind == "whole"}
    study.state.finals |= {fit: replace(end, epochs=1, reason="it ended by itself") for fit, end in whole.items()}
    study.state.opened = None  # as after Ctrl-C in the finals
    executor.orders.clear()

    finale.hold()

    assert executor.orders == []


def give_up_a_final_of_trial_0(study):
    """As if it had taken four sessions down with it; give back the fit."""
    fit = next(fit for fit in study.state.finals if fit.trial == 0)
    study.state.opened = None
    del study.state.finals[fit]
    study.state.cut_off[fit] = MOST_LOSSES + 1
    return fit


def test_a_final_that_took_four_sessions_down_with_it_is_not_begun_again_and_its_seed_has_failed(hold):
    study, executor, _, finale = hold()
    give_up_a_final_of_trial_0(study)
    executor.orders.clear()

    verdict = finale.hold()

    assert executor.orders == []
    assert {one.trial: one.failed_seeds for one in verdict.finalists}[0] == 1


def test_a_final_that_was_given_up_is_tried_once_more_by_the_next_session(hold):
    study, executor, _, finale = hold()
    fit = give_up_a_final_of_trial_0(study)
    executor.orders.clear()

    study.record(SessionEnded(finished=False, reason="trial 0 won, but training its model failed"))
    verdict = finale.hold()

    assert [order.attempt.fit for order in executor.orders] == [fit]
    assert {one.trial: one.failed_seeds for one in verdict.finalists}[0] == 0


def test_finals_that_were_there_when_three_sessions_were_killed_begin_first_and_alone(hold):
    study, executor, _, finale = hold()
    *others, one, other = study.state.finals
    study.state.opened, executor.count = None, 3
    study.state.finals.clear()
    study.state.cut_off |= {one: MOST_LOSSES, other: MOST_LOSSES}
    beside, submit = [], executor.submit

    def watched(order):
        beside.append((order.attempt.fit, len(executor._running)))
        submit(order)

    executor.submit = watched

    finale.hold()

    assert beside[:2] == [(one, 0), (other, 0)]
    assert {fit for fit, _ in beside[2:]} == set(others)


def test_ctrl_c_while_models_are_judged_ends_the_finals_at_once_and_they_go_on_to_the_same_verdict(hold):
    study, executor, verdict, finale = hold()
    judge, executor.call = executor.call, lambda *_: os.kill(os.getpid(), signal.SIGINT)

    with told_to_leave() as leave:
        leave.politely, finale.leave = True, leave
        with pytest.raises(AtOnce):
            finale.hold()
    finale.leave, executor.call = Leave(), judge
    again = finale.hold()

    assert again == verdict
    assert study.state.openings == 1


@pytest.mark.promise("43")
def test_the_test_split_stays_shut_until_the_code_is_again_that_of_the_session(hold, tmp_path):
    study, _, verdict, finale = hold()
    study.state.opened, study.state.openings = None, 0  # as after Ctrl-C in the finals
    finale.code = Code(tmp_path, {"space.py": b"UNITS = 4\n"})

    with pytest.raises(StudyChanged, match=r"while the study ran, in space\.py"):
        finale.hold()
    shut = study.state.opened is None
    (tmp_path / "space.py").write_text("UNITS = 4\n")
    again = finale.hold()

    assert shut
    assert (again, study.state.openings) == (verdict, 1)


@pytest.mark.promise("43")
def test_code_that_changes_while_models_are_judged_brings_no_verdict_and_costs_none(hold, tmp_path):
    study, executor, verdict, finale = hold()
    (space := tmp_path / "space.py").write_text("UNITS = 4\n")
    finale.code = Code.read(tmp_path, ["space.py"])
    judge, executor.call = executor.call, lambda *given: space.write_text("UNITS = 5\n") and judge(*given)

    with pytest.raises(StudyChanged):
        finale.hold()
    executor.call = judge
    space.write_text("UNITS = 4\n")
    again = finale.hold()

    assert (again, study.state.openings) == (verdict, 1)


def test_a_seed_that_failed_before_the_test_split_was_opened_changes_no_winner_afterwards(hold):
    study, executor, verdict, finale = hold(diverges=TWO_SEEDS_OF_THE_BEST)
    executor._fate = diverging(())  # it would come through now, and its mean is the best

    again = finale.hold()

    assert again == verdict
    assert len(study.state.finals) == 7


def test_each_model_that_saw_the_test_split_counts_once(hold):
    study, *_ = hold(final={"finalists": 2, "seeds": 2})
    known = next(iter(study.state.judged))

    study.record(records.TestLooked({"search-0003-r0-f0": "a" * 64, "again": known}, "hpsearch compare"))

    assert len(study.state.judged) == 5
    assert study.state.openings == 1


def test_predictions_of_other_data_or_damaged_ones_are_not_taken(tmp_path):
    file = tmp_path / "p" / "fit.npz"
    predictions.keep(file, Predictions(np.arange(5), np.ones(5, np.float32), "x"))

    with pytest.raises(StateDamaged, match="other data"):
        predictions.recall(file, "y")
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(StateDamaged, match="missing or damaged"):
        predictions.recall(file, "x")


def test_a_verdict_without_intervals_claims_nothing_of_them():
    plain = {
        "winner": 1, "model_fit": "final-0001-r0-f0", "test_rows": 10, "model_accuracy": 0.9,
        "finalists": [{"trial": 1, "scores": [0.8, 0.9], "test_accuracies": [0.7, 0.9]}],
        "report": {}, "confusion": [], "class_names": [],
    }  # fmt: skip

    verdict = TypeAdapter(Verdict).validate_python(plain)

    assert TypeAdapter(Verdict).validate_json(TypeAdapter(Verdict).dump_json(verdict)) == verdict
    assert verdict.expected_accuracy == pytest.approx(0.8)
    assert sentences(verdict, "val_accuracy", {}, 1) == [
        "winner: trial 1, expected accuracy 0.8000 over 2 seeds",
        "exported: its median seed's model; model accuracy 0.9000, on 10 test images that no search saw",
    ]


def test_a_verdict_names_what_was_searched_for_where_that_is_no_accuracy():
    finalists = (Finalist(1, (0.8, 0.9), (0.7, 0.9)), Finalist(2, (0.7, 0.8), (0.7, 0.9)))
    compared = (Comparison(2, 1, 1, 1.0, 0.0, (-0.1, 0.1)),)
    verdict = Verdict(
        1, "final-0001-r0-f0", finalists, 10, 0.9, {}, (), (), interval=(0.7, 0.9), comparisons=compared, ties=(2,)
    )

    said = sentences(verdict, "val_f1", {}, 1)

    assert said[0] == (
        "winner: trial 1, val_f1 0.8500, expected accuracy 0.8000 over 2 seeds "
        "(95 % interval 0.7000 to 0.9000, of their mean; seeds differ by 0.1414)"
    )
    assert said[2] == (
        "a tie with trial 2 (0.0000 behind, 95 % interval -0.1000 to 0.1000) in accuracy "
        "(by val_f1 the winner ranks first; how surely is not tested)"
    )
    assert "so take the one you like" in sentences(verdict, "val_accuracy", {}, 1)[2]
