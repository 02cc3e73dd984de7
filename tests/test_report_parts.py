"""What the report works out from a study's story, part by part."""

import base64
import io
import random
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from data_makers import drawings, write_pair
from PIL import Image
from stories import RATE, SPACE, began, fit_story, half_fixed, large_story, told, trial_story

from hpsearch import frames, words
from hpsearch.as_optuna import optuna_study
from hpsearch.class_report import report_text
from hpsearch.datasets.idx import Idx
from hpsearch.datasets.prepared import load
from hpsearch.objective import Objective
from hpsearch.records import NO_FURTHER, Answered, Asked, AttemptBegan, SessionBegan, SessionEnded, SpaceFound
from hpsearch.records import TestLooked as Looked
from hpsearch.report import figures, html, markdown, mistakes, tables, timeline
from hpsearch.report.advice import advice
from hpsearch.report.facts import Facts, TrialFacts, gather
from hpsearch.report.findings import find
from hpsearch.report.importance import Weight, weigh
from hpsearch.space import Parameter
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, How, Measure, Status, Trial, TrialResult


def test_what_mattered_is_told_with_bounds_that_hold_it():
    weights = weigh(gather(large_story(80)))

    assert weights[0].name == "learning_rate"
    assert sum(weight.share for weight in weights) == pytest.approx(1, abs=0.01)
    assert all(0 <= weight.low <= weight.high <= 1 for weight in weights)
    assert all(weight.low <= weight.share <= weight.high for weight in weights[:1])
    assert {weight.name for weight in weights} >= {"units_1"}  # which not every trial has


def test_few_trials_say_nothing_of_what_mattered():
    assert weigh(gather(large_story(8))) == ()
    assert weigh(Facts()) == ()


def test_a_parameter_that_few_trials_had_is_not_weighed():
    facts = gather(large_story(40))
    for place, trial in enumerate(one for one in facts.trials if one.status == Status.COMPLETED):
        trial.values = {**trial.values, **({"rare": place / 7} if place < 9 else {"common": place / 40})}
    facts.parameters += tuple(Parameter(name, "float", 0.5, low=0.0, high=2.0) for name in ("rare", "common"))

    names = {weight.name for weight in weigh(facts)}

    assert "common" in names
    assert "rare" not in names


@pytest.mark.parametrize("better", [0, 3], ids=["all alike", "nearly all alike"])
def test_where_the_best_trials_score_as_the_others_do_nothing_is_said_to_have_mattered(better):
    facts = gather(large_story(40))
    for place, trial in enumerate(one for one in facts.trials if one.status == Status.COMPLETED):
        trial.score = 0.9 if place < better else 0.1

    assert weigh(facts) == ()


@pytest.fixture
def noise():
    """A study of many parameters, whose scores have nothing to do with them."""
    facts, draw = gather(large_story(80)), random.Random(0)
    for trial in facts.trials:
        trial.score = draw.random() if trial.status == Status.COMPLETED else trial.score
    return facts


def test_where_scores_have_nothing_to_do_with_values_the_report_says_that_no_parameter_can_be_told(noise):
    assert weigh(noise) == ()
    for text in (html.page(noise), markdown.page(noise)):
        assert re.search(r"What mattered(</h2>\s*<p>|\n\n)No parameter can be told from chance yet\.", text)


def test_the_same_study_weighs_the_same_twice():
    facts = gather(large_story(80))

    assert weigh(facts) == weigh(facts) != ()


def folds(*scores, ended):
    """A trial of several folds as far as its scores tell, of which so many have ended."""
    bodies = [*began(), Asked(Trial(0))]
    for fold, told_of in enumerate(scores):
        bodies += fit_story(Fit(0, fold, fold=fold), told_of)[: None if fold < ended else -1]
    return bodies


def test_a_fold_that_ended_sooner_keeps_its_last_value_in_the_trials_curve():
    bodies = folds([0.5, 0.9], [0.3, 0.5, 0.6, 0.7], ended=2)
    result = TrialResult(Trial(0), Status.COMPLETED, 0.8, 2, 3.0)

    (trial,) = gather(told([*bodies, result])).trials

    curve = trial.curves["val_accuracy"]
    assert [epoch for epoch, _ in curve] == [1, 2, 3, 4]
    assert [value for _, value in curve] == pytest.approx([0.4, 0.7, 0.75, 0.8])
    table = frames.curves(gather(told(bodies))).query("metric == 'val_accuracy'")
    assert table["value"].tolist() == [value for _, value in curve]
    assert optuna_study(gather(told([*bodies, result]))).trials[0].intermediate_values == dict(curve)


@pytest.mark.parametrize("ended", [0, 1])
def test_a_trial_under_way_shows_the_folds_that_ended_or_the_first_alone(ended):
    (trial,) = gather(told(folds([0.5, 0.9, 0.8], [0.3, 0.5], ended=ended))).trials

    assert trial.curves["val_accuracy"] == [(1, 0.5), (2, 0.9), (3, 0.8)]


def test_only_what_varies_is_drawn():
    trials = [TrialFacts(0, values={"a": 1, "b": True, "c": 2}), TrialFacts(1, values={"a": 1, "b": 1, "d": 3})]

    assert figures.varying(trials) == ["b", "c", "d"]


def test_columns_hold_numbers_as_numbers_and_choices_as_places_in_their_order():
    columns = figures.columns(gather(large_story(40)), [Weight("batch_size", 1.0, 0.9, 1.0)])

    known = {one["name"]: one for one in columns["parameters"]}
    assert next(iter(known)) == "batch_size"
    assert known["batch_size"]["categories"] == ["64", "128", "256"]
    assert known["batch_norm"]["categories"] == ["no", "yes"]
    assert known["learning_rate"]["log"]
    assert known["layers"]["whole"]
    assert None in known["units_1"]["values"]
    assert all(len(one["values"]) == len(columns["number"]) == 40 for one in known.values())


def test_long_names_of_one_family_are_told_apart_by_their_ends():
    choices = tuple(f"{'convolution_block_' * 4}{number}" for number in range(3))
    trials = [TrialFacts(number, "completed", {"block": one}, 0.5) for number, one in enumerate(choices)]
    facts = gather(large_story(20, classes=3))
    classes = tuple(f"a_class_of_letters_{letter}" for letter in "ABC")
    block = Parameter("block", "choice", choices[0], choices=choices)

    drawn = figures.columns(Facts(trials=trials, parameters=(block,)))
    confused = figures.columns(replace(facts, verdict=replace(facts.verdict, class_names=classes)))

    assert drawn["parameters"][0]["values"] == [0, 1, 2]
    assert [name[-2:] for name in drawn["parameters"][0]["categories"]] == ["_0", "_1", "_2"]
    assert confused["confusion"]["names"] == list(classes)
    assert [words.clean(one, 14) for one in classes] == ["a_class…ters_A", "a_class…ters_B", "a_class…ters_C"]


def test_the_two_that_stand_together_are_the_weightiest_that_most_trials_have():
    trials = [TrialFacts(n, "completed", {"a": n, "b": n} | ({"rare": n} if n < 2 else {}), n / 9) for n in range(9)]

    columns = figures.columns(Facts(trials=trials), [Weight(name, 0.3, 0.2, 0.4) for name in ("rare", "b", "a")])

    assert [columns["parameters"][place]["name"] for place in columns["pair"]] == ["b", "a"]


def test_a_parameter_of_which_one_way_of_asking_matters_stands_among_the_weightiest():
    trials = [TrialFacts(n, "completed", {"a": n, "b": n, "c": n}, n / 9) for n in range(9)]

    columns = figures.columns(Facts(trials=trials), [Weight(name, 0.3, 0.2, 0.4) for name in ("c (2)", "b", "c", "a")])

    assert [one["name"] for one in columns["parameters"]] == ["c", "b", "a"]


def test_a_curve_has_gaps_where_epochs_are_missing_or_no_number():
    trial = TrialFacts(
        0, "completed", score=0.5, curves={"val_accuracy": [(1, 0.123456789), (3, float("nan")), (4, 0.5)]}
    )

    columns = figures.columns(Facts(trials=[trial]))

    assert columns["curves"] == [{"name": "val_accuracy", "falling": False, "lines": [[0.12346, None, None, 0.5]]}]


@pytest.mark.parametrize(
    ("objective", "metric", "falls"),
    [
        ("max val_accuracy", "accuracy", False),
        ("max val_accuracy", "val_logcosh", True),
        ("max val_accuracy", "head_loss", True),
        ("max val_accuracy", "margin", False),
        ("min val_margin", "margin", True),
    ],
)
def test_whether_less_of_a_metric_is_better_is_known_by_the_objective_and_by_its_name(objective, metric, falls):
    assert Objective.parse(objective).falls(metric) == falls


def work(*spans, sessions=((0, 100),)):
    """Facts of attempts as (from, to) in seconds."""
    from hpsearch.report.labour import Work

    done = [Work(number, "search", began, ended, "finished") for number, (began, ended) in enumerate(spans)]
    return Facts(session_spans=list(sessions), work=done)


def test_work_at_one_time_lies_in_lanes_of_its_own_and_a_free_lane_is_taken_again():
    laid = timeline.lanes(work((0, 10), (1, 5), (5, 9), (10, 20)))

    assert laid["lanes"] == 2
    assert [row[0] for row in laid["rows"]] == [0, 1, 1, 1]
    assert all(row[1] <= row[2] for row in laid["rows"])


def test_the_timeline_marks_where_a_later_session_began():
    laid = timeline.lanes(work((0, 10), (10, 20), sessions=((0, 10), (10, 30))))

    assert [(row[1], row[2]) for row in laid["rows"]] == [(0, 10), (10, 20)]
    assert laid["sessions"] == [10]


def test_a_night_after_a_kill_and_a_look_on_another_day_belong_to_no_session():
    lost = [Attempt(Fit(number, 0)) for number in (0, 1)]
    story = told([
        *began(), Asked(Trial(0)), Asked(Trial(1)), *map(AttemptBegan, lost),
        *(AttemptEnd(one, How.LOST, 0.0) for one in lost), *began(),
        SessionEnded(finished=True, reason="enough"), Looked({"model": "0" * 64}, "compare", "abc"),
    ])  # fmt: skip
    night = [replace(news, time_ms=news.time_ms + (news.number > 6) * 3_600_000) for news in story]
    night[-1] = replace(night[-1], time_ms=night[-1].time_ms + 3_600_000)

    facts = gather(night)

    assert facts.session_spans == [(0.0, 3.0), (3.0, 4.5)]
    assert [one.ended - one.began for one in facts.work] == [0.5, 0]


@pytest.mark.promise("50")
def test_a_machine_that_sleeps_or_sets_its_clock_back_changes_no_time_of_the_search():
    attempt = Attempt(Fit(0, 0))
    story = told([
        *began(), Asked(Trial(0)), AttemptBegan(attempt), Measure(attempt, 1, {"val_accuracy": 0.5}, 0.5),
        AttemptEnd(attempt, How.FINISHED, 0.5), SessionEnded(finished=True, reason="enough"),
    ])  # fmt: skip
    asked = next(news.number for news in story if isinstance(news.body, Asked))

    gathered = [
        gather([replace(news, time_ms=news.time_ms + jump * (news.number > asked + 1)) for news in story])
        for jump in (0, 3_600_000, -3_600_000)
    ]

    undisturbed, *disturbed = [(facts.session_spans, facts.work, timeline.shares(facts)) for facts in gathered]
    assert disturbed == [undisturbed] * 2


def test_the_shares_of_time_add_up_to_all_of_it():
    facts = gather(large_story(30))

    shares = timeline.shares(facts)

    assert sum(share.part for share in shares) == pytest.approx(1)
    assert "epochs of the finals" in {share.what for share in shares}


def test_an_attempt_that_its_session_did_not_outlive_ends_with_that_session():
    lost = Attempt(Fit(0, 0))
    later = SessionBegan("x", {"search": {}}, {}, (), {})
    story = told([
        *began(), Asked(Trial(0)), AttemptBegan(lost), Built(lost, 1, "", "graph", building=1.0, tracing=2.0),
        Measure(lost, 1, {"val_accuracy": 0.5}, 0.5), SessionEnded(finished=False, reason="interrupted"),
        later, AttemptEnd(lost, How.LOST, 0.0),
    ])  # fmt: skip
    story[-2:] = [replace(news, time_ms=news.time_ms + 3_600_000) for news in story[-2:]]

    (one,) = gather(story).work

    assert one.how == "lost"
    assert one.ended - one.began < 10
    assert (one.building, one.training) == (3.0, 0.5)


def scored(number, score, **values):
    return TrialFacts(number, "completed", values, score, 5, 1.0)


def told_of(trials, *parameters, epochs=20, weights=()):
    ordered = sorted(trials, key=lambda trial: -trial.score)
    facts = Facts(trials=ordered, parameters=parameters, experiment={"train": {"epochs": epochs}})
    return " ".join(advice(facts, weights))


def test_a_range_at_whose_end_the_best_lie_is_to_be_widened():
    trials = [scored(number, number / 100, rate=0.01 * 1.2 ** (number / 1.2)) for number in range(30)]

    said = told_of(trials, replace(RATE, high=0.01 * 1.2**25, sampling="log"))

    assert "Widen rate: " in said
    assert "at the upper end" in said


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        (Parameter("x", "float", 0.0, low=0.0, high=0.5), "low"),
        (Parameter("x", "int", 1, low=1, high=30, step=1), "low"),
        (Parameter("x", "int", 1, low=1, high=30, sampling="log"), "low"),
        (Parameter("x", "float", 0.9, low=0.1, high=0.9, step=0.1), "high"),
    ],
    ids=["below nought", "below the number one", "below one on a log scale", "up to one"],
)
def test_a_range_is_not_to_be_widened_to_where_the_next_experiment_would_not(asked, end):
    ratio = asked.high / asked.low if asked.sampling == "log" else 0
    drawn = [
        asked.low * ratio ** (number / 59) if ratio else asked.low + (asked.high - asked.low) * number / 59
        for number in range(60)
    ]
    values = [round(value) if asked.kind == "int" else round(value, 1) if asked.step else value for value in drawn]
    trials = [scored(number, -number, x=x) for number, x in enumerate(values if end == "low" else values[::-1])]

    assert [finding.end for finding in find(Facts(trials=trials, parameters=(asked,)))] == [end]
    assert "Widen" not in told_of(trials, asked)


def test_a_choice_that_was_tried_often_and_never_helped_is_to_be_left_out():
    kinds = ("relu", "elu", "tanh")
    trials = [
        scored(number, 0.9 - 0.3 * (number % 3 == 2) + number / 1e4, act=kinds[number % 3]) for number in range(60)
    ]

    said = told_of(trials, Parameter("act", "choice", "relu", choices=kinds))

    assert "Leave out act = tanh: 20 trials had it, and none of the best 12 that have act." in said
    assert "relu" not in said


def test_nothing_is_said_of_what_chance_alone_would_do():
    draw = np.random.default_rng(0)
    trials = [
        scored(number, score, rate=float(draw.uniform(0.01, 1)), act=str(draw.choice(["relu", "elu"])))
        for number, score in enumerate(draw.uniform(0, 1, 50))
    ]

    said = told_of(trials, RATE, Parameter("act", "choice", "relu", choices=("relu", "elu")))

    assert "Widen" not in said
    assert "Leave out" not in said


def test_training_longer_is_advised_where_the_best_were_at_their_best_in_the_last_epoch():
    trials = [scored(number, number / 100) for number in range(40)]

    assert "Train longer (train.epochs)" in told_of(trials, epochs=5)
    assert "Train longer" not in told_of(trials)


@pytest.mark.parametrize("best", [0, 39])
def test_when_the_best_trial_came_advises_neither_to_search_on_nor_to_stop(best):
    trials = [scored(number, 1 - abs(best - number) / 100) for number in range(40)]

    assert "ore trials" not in told_of(trials)
    assert "earch on" not in told_of(trials)


def test_where_the_tuner_found_no_further_point_nobody_is_told_to_search_on():
    few = [scored(number, number / 100) for number in range(6)]

    said = advice(Facts(trials=few, finished=True, reason=f"{NO_FURTHER} after 6 trials"), ())

    assert said == ["With 6 completed trials nothing can be said of single parameters."]


def test_what_matters_little_is_to_be_fixed_and_few_trials_ask_for_more():
    trials, little = (
        [scored(number, number / 100, l1=number % 7) for number in range(60)],
        [Weight("l1", 0.01, 0, 0.02)],
    )

    assert "Fix what matters little" in told_of(trials, weights=little)
    assert "Fix what matters little" not in told_of(trials[:40], weights=little)
    assert "run 10 or more" in told_of(trials[:3])


def test_where_trials_were_pruned_nobody_is_told_to_run_as_many_as_were_run():
    few = [scored(number, number / 100) for number in range(4)]

    (said,) = advice(Facts(trials=few, counts={"completed": 4, "pruned": 20}), ())

    assert said.endswith("; 10 must come to their end, and 4 of 24 did: raise search.trials.")


def test_what_opens_another_parameter_is_not_to_be_fixed_though_it_matters_little():
    trials = [
        scored(number, number / 100, **({"l1": 1, "deep": 2} if number % 2 else {"l1": 0})) for number in range(60)
    ]

    assert "Fix what matters little" not in told_of(trials, weights=[Weight("l1", 0.01, 0.0, 0.02)])


def test_a_class_without_test_rows_is_shown_with_dashes_and_is_not_the_weakest():
    facts = gather(large_story(20, classes=12))
    name, weakest = facts.verdict.class_names[3], min(row["f1"] for row in tables.classes(facts)[:12])
    facts.verdict.report[name].update({"precision": None, "recall": None, "f1-score": None, "support": 0.0})

    rows = {row["name"]: row for row in tables.classes(facts)}

    assert [rows[name][key] for key in ("precision", "recall", "f1", "rows", "weak")] == ["–", "–", "–", "0", False]
    assert weakest in {row["f1"] for row in rows.values() if row["weak"]}
    assert f"{name:>14}          –       –         –        0" in report_text(facts.verdict)


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Facts of a study on real prepared images, and predictions of its winner that are wrong in rows 3, 7 and 8."""
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    images, labels = drawings(rows=40, classes=2)
    folder = write_pair(tmp_path / "images", "train", images, labels)
    data = Idx(write_pair(folder, "test", images[:12], labels[:12])).prepare(lambda *_: None)
    facts = gather(large_story(2, classes=2))
    facts.provenance = {"data_digest": data.digest}
    predicted, confidence = load(data.folder, "test")[1].copy(), np.full(12, 0.5, "float32")
    for row, sure in ((3, 0.9), (7, 0.99), (8, 0.6)):
        predicted[row], confidence[row] = 1 - predicted[row], sure
    folder = tmp_path / "predictions"
    folder.mkdir()

    def keep(digest=data.digest, predicted=predicted):
        np.savez(folder / f"{facts.verdict.model_fit}.npz", predicted=predicted, confidence=confidence, digest=digest)

    keep()
    return SimpleNamespace(facts=facts, folder=folder, data=data, keep=keep)


def test_the_surest_mistakes_come_first_as_upright_pictures(judged):
    found = mistakes.surest(judged.facts, judged.folder)

    assert [one.row for one in found] == [7, 3, 8]
    assert (found[0].true, found[0].read) == ("1", "0")
    picture = Image.open(io.BytesIO(base64.b64decode(found[0].picture.partition(",")[2])))
    assert (np.asarray(picture) == load(judged.data.folder, "test")[0][7]).all()


def test_without_predictions_of_these_very_images_there_are_no_pictures(judged, tmp_path):
    assert mistakes.surest(judged.facts, tmp_path / "nowhere") == ()

    judged.keep(digest="of other data")
    assert mistakes.surest(judged.facts, judged.folder) == ()

    judged.keep(predicted=np.zeros(3, "int64"))
    assert mistakes.surest(judged.facts, judged.folder) == ()

    (judged.folder / f"{judged.facts.verdict.model_fit}.npz").write_bytes(b"PK no zip")
    assert mistakes.surest(judged.facts, judged.folder) == ()


def test_what_was_asked_stands_once_whatever_its_default_was():
    again = replace(RATE, default=0.25)
    asked = [SpaceFound((RATE,)), Asked(Trial(0)), Answered(0, again, 0.5), *trial_story(0, [0.5])]

    facts = gather(told([*began(), *asked]))

    assert [one for one in facts.parameters if one.name == "rate"] == [RATE]
    assert facts.trials[0].variants == {}


def test_choices_stand_once_in_whatever_order_they_were_asked():
    kind = Parameter("kind", "choice", "a", choices=("a", "b"))
    asked = [SpaceFound((kind,)), Asked(Trial(0)), Answered(0, replace(kind, choices=("b", "a")), "b")]

    facts = gather(told([*began(), *asked, *trial_story(0, [0.5])]))

    assert [one for one in facts.parameters if one.name == "kind"] == [kind]
    assert facts.trials[0].variants == {}


def test_what_was_asked_stands_once_for_each_way_of_asking():
    wider = replace(RATE, high=2.0)
    asked = [SpaceFound((SPACE[0],)), Asked(Trial(0)), Answered(0, wider, 1.5), *trial_story(0, [0.5])]
    result = TrialResult(Trial(1, {"rate": 0.5}), Status.COMPLETED, 0.5)

    facts = gather(told([*began(), *asked, Asked(Trial(1)), Answered(1, RATE, 0.5), result]))

    assert facts.parameters == (RATE, wider, SPACE[0])
    assert {trial.number: trial.variants for trial in facts.trials} == {0: {"rate": 1}, 1: {}}


def test_what_one_branch_fixes_and_another_searches_is_told_of_every_trial_and_concluded_from_none():
    facts = gather(told(half_fixed()))

    assert {trial.number: trial.values["units"] for trial in facts.trials} == {0: 128, 1: 96, 2: 256}
    assert {trial.number: trial.variants for trial in facts.trials} == {0: {}, 1: {"units": None}, 2: {}}
    assert facts.fixed == {"depth": 2}
    assert facts.several == {"units"}
