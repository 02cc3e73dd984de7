"""The measurement of pruners: what a replay counts, and that a result can be judged again."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import chaos
import pytest
from kept_studies import keep
from stories import EXPERIMENT, began, fit_story
from test_search import Impatient, Lenient

from hpsearch import paths
from hpsearch.objective import Objective
from hpsearch.protocols import Pruning
from hpsearch.pruners.asha import ASHA
from hpsearch.pruners.median import Median
from hpsearch.records import Asked, SessionEnded
from hpsearch.trial import AttemptEnd, Fit, How, Status, Trial, TrialResult
from pruning_replay import Curve, judge, replay
from pruning_trials import curves

UP, DOWN = Objective.parse("max val_accuracy"), Objective.parse("min val_loss")
PROGRAM = Path(__file__).parent.parent / "benchmarks" / "pruning.py"
TRAIN = f"""
import sys
sys.path.insert(0, {str(PROGRAM.parent)!r})
from pathlib import Path
from hpsearch import paths
from hpsearch.errors import Interrupted
from hpsearch.loading import load
from pruning_trials import train
project = paths.Project(Path.cwd())
try:
    train(load(Path("tiny.toml"), project, []), project)
except Interrupted as told:
    sys.exit(told.exit_code)
"""


def straight(count, epochs=8, warmup=0):
    """Curves that never cross: trial n is the better, the larger n."""
    return [Curve(tuple((n + 1) * (1 + epoch / 10) for epoch in range(epochs)), warmup) for n in range(count)]


class Unjust(Lenient):
    """Stops whoever comes over a score at the third epoch."""

    def hear(self, trial, epoch, score):
        return Pruning("too good to be true") if epoch == 3 and score > 11.5 else None


def once(pruner, curves, objective=UP):
    return replay(pruner, curves, objective, random.Random(1))


def test_a_search_without_pruning_saves_and_loses_nothing():
    outcome = once(Lenient(), straight(10))

    assert (outcome.saved, outcome.stopped, outcome.loss) == (0.0, False, 0.0)


def test_the_epochs_after_a_stop_are_saved_and_a_warmup_is_not():
    pruner = Impatient(after=2)
    patient = pruner.hear
    pruner.hear = lambda trial, epoch, score: patient(trial, epoch, score) if trial < 2 else None

    outcome = once(pruner, straight(1) + straight(1, warmup=6) + straight(1))

    assert outcome.saved == pytest.approx((6 + 2) / 24)


def test_the_loss_is_what_the_best_had_over_the_best_that_was_left():
    outcome = once(Unjust(), straight(10))

    assert outcome.stopped
    assert outcome.saved == pytest.approx(5 / 80)
    assert outcome.loss == pytest.approx(1.7)
    assert outcome.loss_by_fewer == pytest.approx(1.7)  # nine trials were paid for, and the tenth is the best


def test_a_loss_that_falls_is_judged_downwards():
    falling = [Curve(tuple(1 / score for score in curve.scores)) for curve in reversed(straight(10))]

    outcome = once(ASHA(), falling, DOWN)

    assert not outcome.stopped
    assert outcome.saved > 0.2


@pytest.mark.parametrize("pruner", [ASHA, Median])
def test_where_curves_never_cross_no_shipped_pruner_ever_stops_the_best(pruner):
    figures = judge(pruner, straight(12), UP)

    assert figures.best_stopped == figures.loss == 0.0
    assert figures.saved_interval[0] <= figures.saved <= figures.saved_interval[1]
    assert figures.saved > 0


def test_with_folds_a_trials_curve_is_that_of_its_first_fit_which_a_pruner_hears(tmp_path):
    folds = [*fit_story(Fit(0, 1), [0.5, 0.6, 0.7]), *fit_story(Fit(0, 1, fold=1), [0.1, 0.2, 0.3])]
    ended = TrialResult(Trial(0), Status.COMPLETED, 0.5, 3, 1.5, {"val_accuracy": 0.5})
    final = fit_story(Fit(0, 2, "final"), [0.9, 0.9, 0.9])
    keep(tmp_path, [*began(), Asked(Trial(0)), *folds, ended, *final])

    found, _ = curves(EXPERIMENT, paths.Project(tmp_path))

    assert found == [Curve((0.5, 0.6, 0.7))]


@pytest.mark.long
def test_a_result_is_judged_again_from_its_curves(tmp_path):
    curves = [{"scores": one.scores, "warmup": one.warmup} for one in straight(20, epochs=5)]
    result = {
        "experiment": "a", "objective": "max val_accuracy", "epochs": 5, "rows": {"train": 80, "validation": 20},
        "provenance": {}, "curves": curves,
    }  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(result))

    words = [sys.executable, PROGRAM, "--read", tmp_path / "old.json", "--out", tmp_path]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout

    again = json.loads((tmp_path / "pruning-a.json").read_text())
    assert (tmp_path / "pruning-a.png").stat().st_size > 0
    assert [(rung["epoch"], rung["spearman"]) for rung in again["rungs"]] == [(3, 1.0)]
    assert set(again["pruners"]) >= {"asha", "median"}
    assert "| 3 | 1.00 |" in said


def test_ctrl_c_gives_the_trials_of_the_measurement_time_to_stop(tmp_path):
    arena = chaos.Arena(tmp_path, trials=500)
    training = arena.start("-c", TRAIN)
    arena.wait_for(3)

    training.send_signal(signal.SIGINT)

    assert training.wait(30) == 130
    *_, last = story = [news.body for news in arena.story()]
    assert isinstance(last, SessionEnded)
    assert last.reason.startswith("interrupted")
    assert How.LOST not in {body.how for body in story if isinstance(body, AttemptEnd)}
    assert arena.left_over() == []
