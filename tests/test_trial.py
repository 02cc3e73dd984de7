"""One trial in full, and what a second training of it is compared by; test_results.py replays a real one."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from instant import KIND, Instant, X
from kept_studies import asked_bodies, four_trials, keep
from stories import EXPERIMENT, began, told

from hpsearch import paths
from hpsearch.__main__ import main
from hpsearch.orders import Question
from hpsearch.records import Answered, Asked, AttemptBegan
from hpsearch.replay import Replay
from hpsearch.sameness import Difference, Sameness
from hpsearch.space import Parameter
from hpsearch.splits import Splits
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status, Trial, TrialResult
from hpsearch.trial_story import tell


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = keep(tmp_path, asked_bodies())
    log = folder.fits / "search-0000-r0-f0" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "the \x1b[31mlast\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_trial_is_shown_in_full(project, capsys):
    assert main(["trial", "tiny", "0"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("trial 0 of tiny: completed, val_accuracy 0.8000 at epoch 2, 1.5 s of training")
    assert "final-0000-r1-f0" in out
    assert next(line.split() for line in out.splitlines() if line.startswith("    2")) == ["2", "0.8", "0.5"]
    assert "1,234 weights, loop graph" in out
    assert "line 82\n" in out
    assert "line 80\n" not in out
    assert r"the \x1b[31mlast" in out


def test_a_failed_trial_is_shown_with_its_traceback(project, capsys):
    assert main(["trial", "tiny", "2"]) == 0

    out = capsys.readouterr().out
    assert "trial 2 of tiny: failed" in out
    assert "ValueError: too deep\n  Traceback" in out


def test_a_program_is_told_of_every_epoch(project, capsys):
    assert main(["trial", "tiny", "0", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["epochs"]["search-0000-r0-f0"][1] == {"epoch": 2, "val_accuracy": 0.8, "loss": 0.5}
    assert said["attempts"][0]["end"]["score"] == 0.8
    assert said["model"]["parameters"] == 1234
    assert said["log"]["search-0000-r0-f0"][-1] == "the \x1b[31mlast"


def test_a_long_curve_is_shown_in_steps_with_its_first_and_last_epoch(project, capsys):
    from hpsearch.cli.trial import _show_curve

    _show_curve({epoch: {"loss": 1 / epoch} for epoch in range(1, 101)})

    epochs = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert epochs == [1, *range(4, 101, 4)]


@pytest.mark.parametrize("number", ["3", "99"])
def test_a_trial_that_is_not_there_is_refused_with_those_that_are(project, capsys, number):
    assert main(["trial", "tiny", number]) == 2

    assert "they are numbered from 0 to 2" in capsys.readouterr().err


def test_a_trial_without_an_epoch_has_nothing_to_replay(tmp_path, monkeypatch, capsys):
    keep(tmp_path, four_trials())
    monkeypatch.chdir(tmp_path)

    assert main(["trial", "tiny", "0", "--replay"]) == 2

    assert "no epoch yet to compare with" in capsys.readouterr().err


FOLDS = EXPERIMENT.model_copy(update={"data": EXPERIMENT.data.model_copy(update={"folds": 4})})


def folds(*stories):
    """The beginning of a study with folds, and a trial whose fits went as told."""
    answers = [Answered(0, X, 0.1), Answered(0, KIND, "a")]
    return [*began(FOLDS), Asked(Trial(0)), *answers, *(body for story in stories for body in story)]


def fold(number, scores=(), **end):
    """A fold that has these scores, and ended as told, if it did."""
    attempt = Attempt(Fit(0, number, fold=number))
    measures = [Measure(attempt, epoch, {"val_accuracy": one, "loss": 1 / epoch}, 0.5) for epoch, one in scores]
    return [AttemptBegan(attempt), *measures, *([AttemptEnd(attempt, seconds=1.0, **end)] if end else [])]


def replayed(root, bodies, executor):
    """A replay of the trial by an executor that takes no time."""
    keep(root, bodies)
    np.save(root / "labels.npy", np.arange(200) % 4)
    splits = Splits(FOLDS, root / "labels.npy", root / "splits")
    replay = Replay(paths.Project(root), "tiny", 0, hear=lambda _: None, progress=lambda *_: None)
    return replay._compare(tell(told(bodies), 0), executor, splits).told([])


def test_folds_that_had_no_epoch_are_left_alone_and_one_that_failed_fails_again(tmp_path):
    def fate(attempt):
        if attempt.fit.fold == 1:
            message = "too deep"
            raise ValueError(message)
        return ""

    executor = Instant(epochs=4, fate=fate)
    bodies = folds(
        fold(0, [(epoch, 0.1 * epoch) for epoch in (1, 2, 3, 4)], how=How.FINISHED, score=0.4, best_epoch=4, epochs=4),
        fold(1, how=How.FINISHED, failure=Failure("ValueError", "too deep")),
        fold(2, how=How.INTERRUPTED, reason="the trial has ended"),
        fold(3),
    )

    came = replayed(tmp_path, bodies, executor)

    assert [order.attempt.fit.fold for order in executor.orders] == [0, 1]
    assert (came.same, came.epochs) == (True, 4)


def test_a_fold_that_was_lost_is_trained_to_the_epoch_that_it_had_come_to(tmp_path):
    full = Failure("FolderUnusable", "the disk is full")
    executor = Instant(epochs=4)

    came = replayed(tmp_path, folds(fold(0, [(1, 0.1), (2, 0.2)], how=How.LOST, failure=full)), executor)

    assert (came.same, came.epochs) == (True, 2)


def test_a_trial_that_was_lost_before_its_first_epoch_has_nothing_to_replay(tmp_path, monkeypatch, capsys):
    lost = TrialResult(Trial(0, {"x": 0.1}), Status.FAILED, failure=Failure("lost", "was killed by SIGKILL"))
    keep(tmp_path, [*folds(fold(0, how=How.LOST, reason="was killed by SIGKILL")), lost])
    monkeypatch.chdir(tmp_path)

    assert main(["trial", "tiny", "0", "--replay"]) == 2

    assert "no epoch yet to compare with" in capsys.readouterr().err


def heard(change=lambda event: [event]):
    """What sameness makes of the trial's own events, changed."""
    bodies = asked_bodies()
    sameness = Sameness(tell(told(bodies), 0))
    for body in bodies:
        if isinstance(body, Measure | AttemptEnd) and body.attempt.fit.name == "search-0000-r0-f0":
            for event in change(body):
                sameness.hear(event)
    return sameness.told([])


def test_the_same_events_are_the_same():
    replayed = heard()

    assert replayed.same
    assert replayed.epochs == 3


def test_one_bit_of_one_metric_is_a_difference():
    def change(event):
        if isinstance(event, Measure) and event.epoch == 2:
            event = replace(event, metrics={**event.metrics, "loss": math.nextafter(event.metrics["loss"], 1)})
        return [event]

    replayed = heard(change)

    (difference,) = replayed.differences
    assert (difference.epoch, difference.metric, difference.before) == (2, "loss", 0.5)
    assert not replayed.same


def test_an_epoch_that_is_missing_is_a_difference():
    replayed = heard(lambda event: [] if isinstance(event, Measure) and event.epoch == 3 else [event])

    assert Difference("search-0000-r0-f0", 3, "val_accuracy", 0.7, None) in replayed.differences


def test_another_end_and_a_new_question_are_surprises():
    def change(event):
        if isinstance(event, AttemptEnd):
            return [Question(event.attempt, Parameter("x", "int", 1)), replace(event, failure=Failure("oom", ""))]
        return [event]

    replayed = heard(change)

    assert replayed.surprises == (
        "search-0000-r0-f0: build_model asks for 'x', as it did not before",
        "search-0000-r0-f0: it failed: oom; before: it went through",
    )
