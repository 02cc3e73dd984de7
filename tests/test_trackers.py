import io
import os
import pty
import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from rich.console import Console
from stories import began, half_fixed
from test_mlflow import EXPERIMENT, finals, fit_story, told, trial_story, whole_story

from hpsearch import tie_words, verdict_words
from hpsearch.class_report import worst_pairs
from hpsearch.cli.run import _Place
from hpsearch.experiment import Experiment
from hpsearch.glyphs import drawable
from hpsearch.objective import Objective
from hpsearch.paths import Project
from hpsearch.records import AttemptBegan, Comparison, Finalist, Verdict
from hpsearch.trackers import mlflow_verdict
from hpsearch.trackers.board import Board
from hpsearch.trackers.board_state import BoardState
from hpsearch.trackers.curve_picture import draw_curves
from hpsearch.trackers.pictures import draw_confusion
from hpsearch.trackers.plain_lines import PlainLines
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status, Trial, TrialResult


def lines_of(story: list[Any], before: int = 0) -> list[str]:
    out = io.StringIO()
    tracker = PlainLines(Objective.parse("max val_accuracy"), out, before=before)
    for news in story:
        tracker.hear(news)
    tracker.close()
    return out.getvalue().splitlines()


def drawn(story: list[Any], width: int, experiment: Experiment = EXPERIMENT) -> str:
    out = io.StringIO()
    board = Board(experiment, 2, Console(file=out, width=width, height=40, force_terminal=False, color_system=None))
    for news in story:
        board.hear(news)
    board.close()
    return out.getvalue()


def test_plain_lines_say_how_each_trial_ended_and_mark_the_leaders():
    lines = lines_of(told([*trial_story(0, [0.5, 0.8]), *trial_story(1, [0.4]), *trial_story(2, [0.9])]))

    assert len(lines) == 3
    assert ["★" in line for line in lines] == [True, False, True]
    assert "0.8000" in lines[0]
    assert "epoch 2" in lines[0]
    assert "rate=0.1" in lines[0]


def test_plain_lines_let_no_pruned_trial_lead():
    pruned = trial_story(0, [0.9], Status.PRUNED)

    lines = lines_of(told([*pruned, *trial_story(1, [0.8]), *trial_story(2, [0.7])]))

    assert ["★" in line for line in lines] == [False, True, False]


def test_plain_lines_name_failures_finals_and_the_winner():
    text = "\n".join(lines_of(whole_story()))

    assert "ValueError: too deep" in text
    assert "finals: trial 0, trial 1 on fresh seeds" in text
    assert "winner: trial 0" in text
    assert "depth" not in text


def test_plain_lines_and_board_name_the_part_of_a_final_alike():
    experiment = EXPERIMENT.model_copy(update={"data": EXPERIMENT.data.model_copy(update={"folds": 3})})
    attempt = Attempt(Fit(0, 7, "final", fold=2, repeat=1))
    story = told([*began(experiment), AttemptBegan(attempt), AttemptEnd(attempt, How.LOST, 1.0, reason="killed")])

    assert "seed 2 fold 3/3" in drawn(story[:-1], 100, experiment)
    assert lines_of(story) == ["final    0  seed 2 fold 3/3     killed                 1.0 s"]


def test_what_one_branch_fixes_and_another_searches_is_shown_of_every_trial():
    story = told(half_fixed())

    for shown in ("\n".join(lines_of(story)), drawn(story, 120)):
        assert all(f"units={value}" in shown for value in (128, 96, 256))
        assert "depth" not in shown


def test_plain_lines_hear_a_record_only_once():
    story = told(trial_story(0, [0.5]))

    assert lines_of([*story, *story]) == lines_of(story)


def test_plain_lines_of_a_resumed_study_are_silent_about_what_was_before():
    story = told([*trial_story(0, [0.9]), *trial_story(1, [0.5]), *trial_story(2, [0.95])])
    later = next(
        news.number for news in story if isinstance(news.body, AttemptBegan) and news.body.attempt.fit.trial == 1
    )

    lines = lines_of(story, before=later)

    assert ["★" in line for line in lines] == [False, True]


def test_control_signs_from_outside_never_reach_the_terminal():
    evil = "\x1b[2J\x07\u202e"
    result = TrialResult(Trial(0, {f"a{evil}": f"b{evil}"}), Status.COMPLETED, 0.5, 1, 1.0)
    failed = TrialResult(Trial(1, {}), Status.FAILED, failure=Failure("ValueError", evil))
    story = told([result, failed])

    text = "\n".join(lines_of(story)) + drawn(story, 120)

    assert not any(sign in text for sign in evil if sign not in "[2J")


def test_the_board_shows_attempts_under_way_and_the_best_trials_at_any_width():
    attempt = Attempt(Fit(1, 1))
    measured = Measure(attempt, 2, {"val_accuracy": 0.6543}, 0.5)
    story = told([*trial_story(0, [0.5, 0.8]), AttemptBegan(attempt), measured])

    for width in (30, 60, 80, 140):
        text = drawn(story, width)

        assert "2/3" in text
        assert "0.6543" in text
        assert "0.8000" in text
        assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize(
    ("workers", "height", "shown", "more"),
    [(16, 24, 6, "10 more"), (16, 15, 1, "15 more"), (16, 12, 0, ""), (4, 24, 4, ""), (64, 90, 64, "")],
)
def test_where_lines_are_few_the_attempts_give_way_and_the_best_trial_stays(workers, height, shown, more):
    out = io.StringIO()
    console = Console(file=out, width=80, height=height, force_terminal=True, color_system=None)
    board = Board(EXPERIMENT, workers, console)
    trials = [body for number in range(6) for body in trial_story(number, [0.5, 0.8 - number / 100])]
    for news in told([*trials, *(AttemptBegan(Attempt(Fit(100 + number, 1))) for number in range(workers))]):
        board.hear(news)

    board.close()

    last = out.getvalue().split("tiny  max")[-1]
    assert "★ 0.8000" in last
    assert len(re.findall("building", last)) == shown
    assert ("more" in last, more in last) == (bool(more), True)
    assert len(last.splitlines()) <= height


def test_the_boards_last_picture_holds_the_finals_and_the_test_accuracy():
    text = drawn(told([*trial_story(0, [0.5, 0.8]), *trial_story(1, [0.6]), *finals()]), 100)

    assert "finals" in text
    assert "★ 0" in text
    assert "0.7900  0.8100" in text


def test_the_board_shows_a_final_that_failed_in_its_place():
    story = finals()
    diverged = AttemptEnd(Attempt(Fit(1, 7, "final")), How.FINISHED, 0.1, failure=Failure("non-finite", "loss is nan"))

    text = drawn(told([story[0], diverged, *story[1:]]), 100)

    assert re.search(r"^ *1 +failed +0.6900 *$", text, re.MULTILINE)


def test_the_board_forgets_the_failure_of_a_final_that_came_through_later():
    story = finals()
    diverged = AttemptEnd(story[1].attempt, How.FINISHED, 0.1, failure=Failure("non-finite", "loss is nan"))

    text = drawn(told([story[0], diverged, *story[1:]]), 100)

    assert "failed" not in text


def test_the_board_of_a_study_that_was_reopened_shows_a_search_and_no_old_winner():
    done = [*trial_story(0, [0.5, 0.8]), *trial_story(1, [0.6]), *finals()]
    again = [*done, AttemptBegan(Attempt(Fit(2, 2)))]
    state = BoardState(EXPERIMENT, 1)
    for news in told(again):
        state.take(news)

    text, later = drawn(told(again), 100), drawn(told([*again, *trial_story(2, [0.7])[1:], *finals()]), 100)

    assert (state.stage, state.verdict, state.finalists) == ("search", None, ())
    assert state.left() is not None
    assert "searching" in text
    assert "finals" not in text
    assert "0.7900  0.8100" in later


def test_a_board_gives_the_terminal_back():
    out = io.StringIO()
    board = Board(EXPERIMENT, 2, Console(file=out, width=80, height=24, force_terminal=True))
    for news in told(fit_story(Fit(0, 0), [0.5])):
        board.hear(news)

    board.close()

    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize(
    ("terminal", "surroundings", "kind"),
    [(True, {"TERM": "xterm"}, Board), (True, {"TERM": "dumb"}, PlainLines), (False, {"FORCE_COLOR": "1"}, PlainLines)],
    ids=["a terminal", "a dumb terminal", "a file with colours"],
)
def test_the_board_is_for_terminals_whose_cursor_goes_back(terminal, surroundings, kind, tmp_path, monkeypatch):
    for name, text in ({"TERM": "xterm"} | surroundings).items():
        monkeypatch.setenv(name, text)
    ours, theirs = pty.openpty()
    with open(theirs, "w") as screen, (tmp_path / "log").open("w") as log:  # noqa: PTH123  # a number, no path
        monkeypatch.setattr(sys, "stdout", screen if terminal else log)

        tracker = _Place(Project(tmp_path), plain=False).watch(EXPERIMENT, 1, 0)

    os.close(ours)
    assert isinstance(tracker, kind)


def test_pictures_are_whole_pngs_even_of_many_odd_classes(tmp_path):
    names = [f"class ${number}_^{{" for number in range(47)]
    counts = [[50 if row == column else (row + column) % 7 == 0 for column in range(47)] for row in range(47)]

    draw_confusion(counts, names, tmp_path / "matrix.png")
    draw_curves({"loss": [(1, 0.5), (2, 0.4)], "val_loss": [(1, 0.6)], "$x": [(1, 1.0)]}, tmp_path / "curves.png")

    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves.png", "matrix.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())


def test_folds_and_repeats_are_lines_in_one_panel_for_each_metric(tmp_path):
    def picture(parts: int, metrics: tuple[str, ...]) -> tuple[int, int]:
        names = [f"repeat_{part % 2}.fold_{part // 2}." if parts > 1 else "" for part in range(parts)]
        curves = {f"{name}{metric}": [(1, 0.5), (2, 0.4)] for name in names for metric in metrics}
        draw_curves(curves, tmp_path / "curves.png")
        return Image.open(tmp_path / "curves.png").size

    metrics = ("loss", "val_loss", "accuracy", "val_accuracy")
    alone, five, many = (picture(parts, metrics) for parts in (1, 5, 30))

    assert alone == many  # of so many, none is named
    assert five[0] == alone[0]
    assert alone[1] < five[1] < 1.2 * alone[1]  # for the names below
    assert picture(5, metrics[:2])[0] < alone[0]


def test_a_class_whose_sign_the_font_lacks_is_named_by_its_code_point(tmp_path):
    draw_confusion([[5, 3], [1, 5]], ["🙂", "お" * 20], tmp_path / "matrix.png")  # matplotlib would warn of each sign

    assert (drawable("ßΩж€"), drawable("🙂a")) == ("ßΩж€", "U+1F642a")


def test_the_worst_pairs_are_those_confused_most_often():
    assert worst_pairs([[5, 3, 0], [1, 5, 0], [0, 4, 5]], 2) == [(2, 1, 4), (0, 1, 3)]


def test_the_board_counts_a_trial_once_that_got_more_time():
    cut, whole = (
        TrialResult(Trial(0), status, score, 1, 1.0, reason=reason)
        for status, score, reason in ((Status.PRUNED, 0.9, "time"), (Status.COMPLETED, 0.7, ""))
    )
    state = BoardState(EXPERIMENT, 1)

    for news in told([cut, TrialResult(Trial(1), Status.FAILED), TrialResult(Trial(2), Status.COMPLETED, 0.8), whole]):
        state.take(news)

    assert [state.counts[status] for status in (Status.COMPLETED, Status.PRUNED, Status.FAILED)] == [2, 0, 1]
    assert [result.trial.number for result in state.leaders(5)] == [2, 0]
    assert state.done == 3


def test_while_no_trial_is_completed_the_board_shows_those_that_came_to_a_score():
    state = BoardState(EXPERIMENT, 1)

    for news in told([TrialResult(Trial(0), Status.FAILED), TrialResult(Trial(1), Status.PRUNED, 0.4)]):
        state.take(news)

    assert [result.trial.number for result in state.leaders(5)] == [1]


def test_a_verdict_names_ties_and_those_who_fell_behind_or_did_better():
    finalists = tuple(Finalist(number, (0.9,), (0.9,)) for number in range(4))
    comparisons = (
        Comparison(1, 5, 4, 1.0, 0.001, (-0.01, 0.012)),
        Comparison(2, 50, 4, 0.0, 0.1, (0.05, 0.15)),
        Comparison(3, 4, 50, 0.0, -0.1, (-0.15, -0.05)),
    )
    verdict = Verdict(
        0, "final-0000-r0-f0", finalists, 100, 0.9, {}, (), (), (0.8, 0.95), "configuration", comparisons, (1,)
    )

    said = tie_words.tie(verdict, "val_accuracy").split("; ")

    assert said[0].startswith("a tie with trial 1 (0.0010 behind, 95 % interval -0.0100 to 0.0120):")
    assert said[1] == "trial 2 (0.1000 behind, 95 % interval 0.0500 to 0.1500) fell behind, and not by chance"
    assert said[2] == "trial 3 (0.1000 ahead, 95 % interval 0.0500 to 0.1500) did better on the test split"


@pytest.mark.parametrize(
    ("metric", "other", "said"),
    [
        ("val_accuracy", Finalist(3, (0.97, 0.1, 0.97), (0.969, 0.1, 0.97)), "trial 3 is 0.2903 behind in accuracy"),
        ("val_accuracy", Finalist(3, (0.6,), ()), "trial 3 is 0.3700 behind in val_accuracy"),
        ("val_loss", Finalist(3, (0.98,), ()), "trial 3 is 0.0100 behind in val_loss"),
    ],
    ids=["a seed of it collapsed", "two folds tell nothing apart", "its accuracy is not known"],
)
def test_a_tie_far_behind_the_winner_is_not_said_to_do_as_well(metric, other, said):
    winner = Finalist(0, (0.97,), (0.97, 0.969, 0.971))
    verdict = Verdict(0, "final-0000-r0-f0", (winner, other), 9, 0.97, {}, (), (), interval=(0.96, 0.98), ties=(3,))

    assert tie_words.tie(verdict, metric) == f"{said}, but too unsurely to tell the two apart"


def test_the_figure_that_does_not_decide_stands_beside_a_tie_far_behind():
    finalists = (Finalist(0, (0.97,) * 3, (0.97, 0.969, 0.971)), Finalist(3, (0.97, 0.1, 0.97), (0.969, 0.1, 0.97)))
    compared = (Comparison(3, 9, 8, 1.0, 0.2903, (-0.5, 1.0)),)
    verdict = Verdict(
        0, "final-0000-r0-f0", finalists, 9, 0.97, {}, (), (), interval=(0.96, 0.98), comparisons=compared, ties=(3,)
    )

    said = "trial 3 is 0.2903 behind in accuracy (95 % interval -0.5000 to 1.0000), but too unsurely"
    assert tie_words.tie(verdict, "val_accuracy").startswith(said)


@pytest.mark.parametrize("other", [Finalist(3, (0.96,), (0.961, 0.961)), Finalist(3, (0.961,), ())])
def test_a_tie_within_the_winners_interval_may_be_taken_instead(other):
    winner = Finalist(0, (0.97,), (0.97, 0.97))
    verdict = Verdict(0, "final-0000-r0-f0", (winner, other), 9, 0.97, {}, (), (), interval=(0.96, 0.98), ties=(3,))

    assert tie_words.tie(verdict, "val_accuracy").endswith("so take the one you like")


def test_plain_lines_tell_of_finalists_that_failed_under_some_seeds():
    *story, verdict = finals()
    fell = replace(verdict, finalists=(verdict.finalists[0], replace(verdict.finalists[1], failed_seeds=2)))

    said = lines_of(told([*story, fell]))

    assert "trial 1 failed under 2 of 3 seeds; who failed under fewer ranks first" in said


def test_of_finalists_of_one_seed_it_is_their_models_that_are_said_to_differ():
    finalists = tuple(Finalist(number, (0.9,), (0.9,)) for number in range(4))
    compared = (Comparison(1, 4, 5, 1.0), Comparison(2, 50, 4, 1e-4), Comparison(3, 4, 50, 1e-4))  # of six pairs
    verdict = Verdict(0, "final-0000-r0-f0", finalists, 100, 0.9, {}, (), (), (0.8, 0.95), "model", compared, (1,))

    said = tie_words.tie(verdict, "val_accuracy").split("; ")

    assert said[0].startswith("a tie with trial 1 (McNemar's p = 1):")
    assert said[1] == (
        "the model of trial 2 (McNemar's p = 0.0006) reads fewer of these images, which another seed may turn"
    )
    assert said[2] == "trial 3 (McNemar's p = 0.0006) did better on the test split"


@pytest.mark.parametrize(("optimism", "told"), [(-0.002, "0.0020 worse than"), (0.0, "as good as")])
def test_a_search_that_was_not_too_hopeful_is_told_of_as_well(optimism, told):
    verdict = Verdict(0, "f", (), 9, 0.9, {}, (), (), optimism=optimism, bootstrap_optimism=None)

    assert f"was {told} its configuration's mean" in verdict_words.luck(verdict)


def test_of_one_seed_there_is_no_mean_to_tell_of():
    verdict = Verdict(0, "f", (Finalist(0, (0.9,), (0.9,)),), 9, 0.9, {}, (), (), optimism=0.002)

    assert verdict_words.luck(verdict).endswith("was 0.0020 better than its configuration's score under a fresh seed")


def test_luck_that_came_out_below_none_is_none():
    verdict = Verdict(0, "f", (), 9, 0.9, {}, (), (), optimism=0.0005, bootstrap_optimism=-0.0001)

    assert verdict_words.luck(verdict).endswith("; no luck was to be expected")


@pytest.mark.parametrize(
    ("expected", "told"), [(0.002, "; at least 0.0020 of luck was to be expected"), (0.0, " over fresh seeds")]
)
def test_where_trials_were_dropped_the_luck_told_is_the_least(expected, told):
    verdict = Verdict(0, "f", (), 9, 0.9, {}, (), (), optimism=0.003, bootstrap_optimism=expected, left_out=2)

    assert verdict_words.luck(verdict).endswith(told)


def test_in_mlflow_an_interval_has_the_name_of_that_of_which_it_is_one():
    of_one = Verdict(0, "f", (), 9, 0.9, {}, (), (), (0.8, 0.95), "model")

    found = [
        set(mlflow_verdict.headline(verdict)) for verdict in (of_one, replace(of_one, interval_of="configuration"))
    ]

    assert [one - {"model_accuracy", "expected_accuracy"} for one in found] == [
        {"one_model_accuracy_low", "one_model_accuracy_high"},
        {"expected_accuracy_low", "expected_accuracy_high"},
    ]


def test_small_scores_are_told_in_digits_that_show_something_of_them():
    finalists = (Finalist(0, (3.1e-5, 3.3e-5), (0.9, 0.91)), Finalist(1, (4.0e-5,), ()))
    verdict = Verdict(0, "f", finalists, 9, 0.9, {}, (), (), optimism=2.5e-6, bootstrap_optimism=1e-6)

    assert "was 2.50e-06 better than its configuration's mean" in verdict_words.luck(verdict)
    assert "| 0 ★ | 3.200e-05 | 0.9050 |\n| 1 | 4.000e-05 | – |" in mlflow_verdict.note(EXPERIMENT, verdict, {}, {}, "")
