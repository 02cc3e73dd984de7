"""A search that starts from the best trials of another study, with real tuners and fits that take no time."""

from contextlib import closing
from statistics import fmean

import numpy as np
import pytest
from instant import KIND, Instant, X
from kept_studies import keep
from stories import EXPERIMENT, began, told
from test_search import go

from hpsearch import files, paths
from hpsearch.errors import ExperimentRefused, Interrupted
from hpsearch.experiment import Experiment
from hpsearch.grid import fits
from hpsearch.loading import load
from hpsearch.parts import make_minds
from hpsearch.records import Asked, SessionBegan, SpaceFound
from hpsearch.space import Parameter
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.warm_start import best_points, plan

UNITS = Parameter("units", "int", 8, low=8, high=64, step=8)
RATE = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
GRID = Parameter("grid", "int", 2, low=2, high=64, step=2, sampling="log")


def experiment(tuner="optuna.tpe", **search):
    return Experiment.model_validate(
        {
            "name": "second", "model": {"build": "m:f"},
            "search": {"tuner": tuner, "trials": 16, "start_from": "tiny", **search},
        }
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A project with a finished study whose best trials are 1 (0.9), 3 (0.8) and 0 (0.5)."""
    keep(tmp_path, [*began(), *_trials()])
    return paths.Project(tmp_path)


def _trials():
    rows = [({"x": 0.1, "kind": "a"}, 0.5), ({"x": 0.7, "kind": "b"}, 0.9), ({"x": 0.2, "kind": "a"}, 0.4)]
    rows += [({"x": 7.0, "kind": "b"}, 0.8), ({"x": 0.99, "kind": "a"}, None)]
    for number, (values, score) in enumerate(rows):
        status = Status.COMPLETED if score else Status.FAILED
        yield from (Asked(Trial(number)), TrialResult(Trial(number, values), status, score, 1, 1.0))


def search(project, wanted, sessions=(None,), place="second"):
    """Search in one session or, each time stopped after so many trials, in several; give the values of all trials."""
    np.save(project.root / "labels.npy", np.arange(200) % 4)
    folder = project.study(place)
    files.make(folder.folder)
    for most in sessions:
        with closing(Study(wanted, folder)) as study:
            if study.state.session is None:
                study.record(SessionBegan("second", wanted.model_dump(mode="json"), {}, (), {}))
                study.record(plan(project, wanted))
                study.record(SpaceFound((X, KIND)))
            tuner, pruner = make_minds(study)
            leave = _after(study, most)
            try:
                go(study, Splits(wanted, project.root / "labels.npy", folder.splits), Instant(), tuner, pruner, leave)
            except Interrupted:
                assert most is not None
            finally:
                tuner.close()
            values = [course.values for course in study.state.courses.values()]
    return values


def _after(study, most):
    return lambda: most is not None and len(study.state.results) >= most


@pytest.mark.parametrize("tuner", ["optuna.tpe", "optuna.random", "keras-tuner.random"])
def test_the_first_trials_are_the_best_of_the_other_study_where_they_fit(project, tuner):
    values = search(project, experiment(tuner))

    assert values[0] == {"x": 0.7, "kind": "b"}
    assert values[1]["kind"] == "b"
    assert 0 <= values[1]["x"] <= 1  # 7.0 lies outside, so the tuner chose
    assert values[2] == {"x": 0.1, "kind": "a"}
    assert values[3] == {"x": 0.2, "kind": "a"}
    assert len(values) == 16
    assert len({value["x"] for value in values}) == 16


def test_a_point_that_was_tried_twice_is_taken_once():
    again = [Asked(Trial(5)), TrialResult(Trial(5, {"x": 0.7, "kind": "b"}), Status.COMPLETED, 0.85, 1, 1.0)]

    points = best_points(told([*began(), *_trials(), *again]), most=3)

    assert [point["x"] for point in points] == [0.7, 7.0, 0.1]


def test_a_trial_that_only_time_cut_short_may_be_among_the_best():
    cut = [Asked(Trial(5)), TrialResult(Trial(5, {"x": 0.6}), Status.PRUNED, 0.95, 1, 1.0, reason="time")]

    points = best_points(told([*began(), *_trials(), *cut]), most=2)

    assert [point["x"] for point in points] == [0.6, 0.7]


def test_a_trial_that_a_race_dropped_comes_before_those_that_it_is_better_than():
    folds = EXPERIMENT.model_copy(update={"data": EXPERIMENT.data.model_copy(update={"folds": 2})})
    reason = "after 1 of 2 fits 2.00 points behind trial 1 on the same 400 images, where chance explains 1.00"
    ends = [((0.5, 0.5), ""), ((0.9, 0.8), ""), ((0.8,), reason)]
    bodies = []
    for number, (scores, why) in enumerate(ends):
        status = Status.PRUNED if why else Status.COMPLETED
        parts = {f"fold_{fold}": score for fold, score in enumerate(scores, 1)}
        trial = Trial(number, {"x": number})
        bodies += [Asked(trial), TrialResult(trial, status, fmean(scores), reason=why, scores=parts)]

    points = best_points(told([*began(folds), *bodies]), most=2)

    assert [point["x"] for point in points] == [1, 2]


@pytest.mark.parametrize("tuner", ["optuna.tpe", "keras-tuner.random"])
@pytest.mark.parametrize("stops", [(2, None), (1, 4, 9, None)])
def test_a_study_that_was_interrupted_goes_on_like_an_undisturbed_one(project, tuner, stops):
    straight = search(project, experiment(tuner), place="straight")

    assert search(project, experiment(tuner), stops, place="stopped") == straight


def test_the_sampler_learns_from_the_points_it_was_given(project):
    wanted = experiment(tuner_options={"startup_trials": 4}, trials=24)

    values = search(project, wanted)

    later = [value["x"] for value in values[8:]]
    assert sum(x > 0.5 for x in later) > len(later) / 2  # the score grows with x


@pytest.mark.parametrize(
    ("parameter", "value", "does"),
    [
        (UNITS, 64, True), (UNITS, 60, False), (UNITS, 72, False), (UNITS, True, False), (RATE, 0.5, True),
        (RATE, 2.0, False), (GRID, 32, True), (GRID, 33, False), (KIND, "b", True), (KIND, "c", False),
    ],
)  # fmt: skip
def test_a_value_fits_a_parameter_that_could_take_it(parameter, value, does):
    assert fits(parameter, value) is does


def test_a_study_that_is_not_there_or_came_to_nothing_is_refused(project, tmp_path):
    keep(tmp_path, began(), "empty")

    with pytest.raises(ExperimentRefused, match="did you mean 'tiny'"):
        plan(project, experiment(start_from="tinny"))
    with pytest.raises(ExperimentRefused, match="no trial of 'empty' completed"):
        plan(project, experiment(start_from="empty"))


def test_a_tuner_with_a_plan_of_its_own_is_refused_with_one_that_can(tmp_path):
    (tmp_path / "m.py").write_text("def f(hp): ...\n")
    file = tmp_path / "a.toml"
    file.write_text(
        'name = "a"\n[model]\nbuild = "m:f"\n[search]\ntrials = 3\ntuner = "keras-tuner.grid"\nstart_from = "tiny"\n'
    )

    with pytest.raises(ExperimentRefused, match="cannot start from those of another study"):
        load(file, paths.Project(tmp_path))
