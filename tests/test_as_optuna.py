import math
from dataclasses import replace

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import get_param_importances
from optuna.trial import TrialState
from stories import RATE, began, finals, half_fixed, told, trial_story

from hpsearch.as_optuna import optuna_study
from hpsearch.records import Answered, Asked, AttemptBegan, SpaceFound
from hpsearch.report.facts import gather
from hpsearch.report.importance import weigh
from hpsearch.space import Parameter
from hpsearch.trial import Attempt, Failure, Fit, Status, Trial, TrialResult

SPACE = (
    RATE,
    Parameter("units", "int", 64, low=32, high=100, step=32),
    Parameter("width", "int", 4, low=1, high=64, step=2, sampling="log"),
    Parameter("momentum", "float", 0.9, low=0.5, high=0.99, sampling="reverse_log"),
    Parameter("dropout", "float", 0.1, low=0.0, high=0.35, step=0.1),
    Parameter("activation", "choice", "relu", choices=("relu", "tanh")),
    Parameter("norm", "boolean", default=False),
)
VALUES = {
    "rate": 0.02, "units": 96, "width": 8, "momentum": 0.97, "dropout": 0.3, "activation": "tanh", "norm": True,
}  # fmt: skip


def answers(number, values=VALUES, space=SPACE):
    return [Answered(number, parameter, values[parameter.name]) for parameter in space if parameter.name in values]


def ended(number, status, score=None, values=VALUES):
    failure = Failure("ValueError", "too deep") if status is Status.FAILED else None
    return TrialResult(
        Trial(number, values), status, score, score and 1, 2.0, {"val_accuracy": score or 0.0}, "", failure
    )


def study_of(*bodies):
    return optuna_study(gather(told([*began(), SpaceFound(SPACE), *bodies])))


def test_every_trial_keeps_its_number_its_values_and_how_it_ended():
    scores = {0: [0.5, 0.8, 0.7], 1: [0.4]}
    study = study_of(
        *(Asked(Trial(number)) for number in range(5)),
        *trial_story(0, scores[0]),
        *trial_story(1, scores[1], Status.PRUNED),
        ended(2, Status.FAILED),
        AttemptBegan(Attempt(Fit(3, 3))),
    )

    states = [trial.state for trial in study.trials]
    assert states == [
        TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING,
    ]  # fmt: skip
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.8, 3: 0.7}
    assert study.trials[0].duration.total_seconds() > 0
    assert study.trials[2].user_attrs["failure"] == "ValueError: too deep"
    assert study.best_trial.number == 0
    assert study.best_value == 0.8


def test_values_stand_as_people_know_them_whatever_their_kind():
    trial = study_of(Asked(Trial(0)), *answers(0), ended(0, Status.COMPLETED, 0.9)).trials[0]

    assert trial.params == VALUES
    assert trial.distributions == {
        "rate": FloatDistribution(0.01, 1.0),
        "units": IntDistribution(32, 96, step=32),
        "width": IntDistribution(1, 64, log=True),
        "momentum": FloatDistribution(0.5, 0.99),
        "dropout": FloatDistribution(0.0, 0.3, step=0.1),
        "activation": CategoricalDistribution(("relu", "tanh")),
        "norm": CategoricalDistribution((False, True)),
    }


def test_a_name_asked_in_two_ways_stands_under_two_names():
    wider = replace(SPACE[5], choices=("relu", "tanh", "elu"))
    elu = {"activation": "elu"}
    study = study_of(
        Asked(Trial(0)), *answers(0), ended(0, Status.COMPLETED, 0.9),
        Asked(Trial(1)), Answered(1, wider, "elu"), ended(1, Status.COMPLETED, 0.8, elu),
    )  # fmt: skip

    assert study.trials[0].params["activation"] == "tanh"
    assert study.trials[1].params == {"activation (2)": "elu"}


def test_a_range_that_hangs_on_another_value_is_one_parameter_over_all_of_them():
    bodies, lowest = [], Parameter("end", "float", 1e-6, low=1e-6, high=0.1, sampling="log")
    for number in range(40):
        rate = 0.01 + number / 100
        values = {"rate": rate, "end": rate / 2}
        asked = (RATE, replace(lowest, high=rate))
        bodies += [Asked(Trial(number)), *answers(number, values, asked), ended(number, Status.COMPLETED, rate, values)]
    facts = gather(told([*began()[:1], SpaceFound(asked), *bodies]))

    study = optuna_study(facts)

    assert {tuple(trial.params) for trial in study.trials} == {("rate", "end")}
    assert study.trials[0].distributions["end"] == FloatDistribution(1e-6, 0.4, log=True)
    assert {weight.name for weight in weigh(facts)} == {"rate", "end"}


def test_what_is_fixed_or_outside_its_range_is_left_out():
    outside = {**VALUES, "rate": 7.0, "activation": "gelu", "units": 33, "depth": 2}

    trial = study_of(Asked(Trial(0)), *answers(0, outside), ended(0, Status.COMPLETED, 0.9, outside)).trials[0]

    assert set(trial.params) == {"width", "momentum", "dropout", "norm"}


def test_what_is_fixed_in_one_branch_alone_is_left_out_of_its_trials():
    study = optuna_study(gather(told(half_fixed())))

    assert [trial.params.get("units") for trial in study.trials] == [128, None, 256]


def test_a_completed_trial_without_a_finite_score_counts_as_failed():
    study = study_of(
        Asked(Trial(0)), ended(0, Status.COMPLETED, math.nan), Asked(Trial(1)), ended(1, Status.PRUNED, None)
    )

    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.FAIL]


def test_a_story_that_stops_anywhere_gives_a_study():
    story = [*began(), Asked(Trial(0)), *answers(0), *trial_story(0, [0.5]), Asked(Trial(1)),
             *trial_story(1, [0.4, 0.6]), *finals()]  # fmt: skip

    for end in range(len(story) + 1):
        facts = gather(told(story[:end]))

        assert len(optuna_study(facts).trials) == len(facts.trials)


def test_optuna_finds_what_mattered():
    bodies = []
    for number in range(60):
        rate, dropout = 0.01 + (number * 37 % 60) / 61, number * 17 % 4 / 10
        values = {"rate": rate, "dropout": dropout}
        bodies += [
            Asked(Trial(number)), *answers(number, values), ended(number, Status.COMPLETED, 1 - rate, values)
        ]  # fmt: skip

    weights = get_param_importances(study_of(*bodies))

    assert weights["rate"] > 0.8
