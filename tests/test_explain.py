"""What a study's trials say of its parameters, and the experiment that follows from it."""

import itertools
import json
import math
import random
import re
import shutil
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_studies import keep, trial
from stories import EXPERIMENT, began

from hpsearch import paths
from hpsearch.__main__ import main
from hpsearch.cli.explain import _show_weights
from hpsearch.experiment import Experiment
from hpsearch.explaining import explain
from hpsearch.loading import load
from hpsearch.narrowing import narrow
from hpsearch.next_experiment import next_experiment
from hpsearch.provenance import public
from hpsearch.records import Answered, Asked, SpaceFound
from hpsearch.report.advice import advice
from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.findings import BoundHit, Gathered, NeverHelped, find
from hpsearch.report.idle import idle
from hpsearch.report.importance import Weight, weigh
from hpsearch.space import Parameter
from hpsearch.study import set_aside
from hpsearch.trial import Status, Trial, TrialResult

UNITS = Parameter("units", "int", 64, low=32, high=512, step=32)
RATE = Parameter("rate", "float", 1e-3, low=1e-4, high=1e-1, sampling="log")
DROPOUT = Parameter("dropout", "float", 0.0, low=0.0, high=0.5, step=0.1)
KIND = Parameter("kind", "choice", "a", choices=("a", "b", "c"))
NOISE = Parameter("noise", "float", 0.5, low=0.0, high=1.0)
WING = Parameter("wing", "choice", "x", choices=("x", "y", "z"))
RARE = Parameter("rare", "float", 0.5, low=0.0, high=1.0)
SPACE = (UNITS, RATE, DROPOUT, KIND, NOISE)


def facts_of(rows, space=SPACE):
    """Facts of completed trials with these (values, score) pairs."""
    trials = [TrialFacts(number, "completed", values, score) for number, (values, score) in enumerate(rows)]
    trials.sort(key=lambda one: -one.score)
    return Facts(name="s", trials=trials, parameters=space)


def searched(count, score, seed=0):
    """Random trials of the whole space, scored by a formula."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        values = {
            "units": draw.randrange(32, 513, 32), "rate": 10 ** draw.uniform(-4, -1),
            "dropout": draw.randrange(6) / 10, "kind": draw.choice("abc"), "noise": draw.random(),
        }  # fmt: skip
        rows.append((values, score(values)))
    return facts_of(rows)


def test_a_range_is_found_whose_end_the_best_trials_lie_at():
    found = find(searched(60, lambda values: values["units"]))

    assert [(one.parameter.name, one.end) for one in found if isinstance(one, BoundHit)] == [("units", "high")]


def test_a_lower_bound_is_found_on_the_scale_of_the_parameter():
    found = find(searched(60, lambda values: -values["rate"]))

    assert [(one.parameter.name, one.end) for one in found if isinstance(one, BoundHit)] == [("rate", "low")]


def test_a_choice_is_found_that_many_had_and_none_of_the_best():
    found = find(searched(90, lambda values: {"a": 2, "b": 1, "c": 0}[values["kind"]] + values["noise"] / 2))

    assert {one.choice for one in found if isinstance(one, NeverHelped)} == {"b", "c"}


def branching(count, score):
    """Random trials, of which those of kind b have a wing too."""
    draw, rows = random.Random(0), []
    for _ in range(count):
        kind = draw.choice("ab")
        values = {"kind": kind, "noise": draw.random()} | ({"wing": draw.choice("xyz")} if kind == "b" else {})
        rows.append((values, score(values)))
    return facts_of(rows, (Parameter("kind", "choice", "a", choices=("a", "b")), WING, NOISE))


def test_a_branch_that_none_of_the_best_took_says_nothing_of_the_choices_within_it():
    found = find(branching(90, lambda values: (values["kind"] == "a") + values["noise"] / 9))

    assert [(one.parameter.name, one.choice) for one in found if isinstance(one, NeverHelped)] == [("kind", "b")]


def test_a_choice_within_a_branch_is_held_against_the_trials_that_took_it():
    found = find(branching(200, lambda values: (values.get("wing") in {"x", "y"}) + values["noise"] / 9))

    (wing,) = [one for one in found if isinstance(one, NeverHelped) and one.parameter == WING]
    assert (wing.choice, wing.best) == ("z", 40)
    assert 20 < wing.tried < 50


def test_the_part_of_a_range_is_found_in_which_the_best_trials_lie():
    found = find(searched(80, lambda values: -abs(math.log10(values["rate"]) + 2.5)))

    (together,) = [one for one in found if isinstance(one, Gathered) and one.parameter.name == "rate"]
    assert 1e-3 < together.low < 10**-2.5 < together.high < 1e-2


def test_chance_alone_is_rarely_a_finding():
    found = [len(find(searched(50, lambda values: random.Random(str(values)).random(), seed))) for seed in range(100)]

    assert sum(found) / 100 < 5 * 2 * 0.01 * 2  # five parameters, two claims of each, and room for luck


def drawn(low, high, sampling, draw):
    """An integer on a logarithmic scale, as Optuna draws it."""
    number = round(math.exp(draw.uniform(math.log(low - 0.5), math.log(high + 0.5))))
    return low + high - number if sampling == "reverse_log" else number


@pytest.mark.parametrize("sampling", ["log", "reverse_log"])
@pytest.mark.parametrize(("low", "high"), [(1, 4), (1, 8), (1, 100), (8, 512)])
def test_small_integers_that_a_logarithm_draws_often_are_no_finding(low, high, sampling):
    layers, found = Parameter("layers", "int", low, low=low, high=high, sampling=sampling), []
    for seed in range(200):
        draw = random.Random(seed)
        rows = [({"layers": drawn(low, high, sampling, draw)}, draw.random()) for _ in range(50)]
        found += find(facts_of(rows, (layers,)))

    assert len(found) / 200 < 3 * 0.01 * 2  # two bounds and one part of the range, and room for luck


def test_a_bound_on_a_logarithmic_scale_of_integers_is_found():
    units, draw = Parameter("units", "int", 8, low=8, high=512, sampling="log"), random.Random(0)
    rows = [({"units": (number := drawn(8, 512, "log", draw))}, number) for _ in range(60)]

    (found,) = find(facts_of(rows, (units,)))

    assert (found.parameter, found.end) == (units, "high")


def test_a_range_of_three_values_is_not_hit_by_chance():
    layers = Parameter("layers", "int", 1, low=1, high=3)
    rows = [({"layers": number % 3 + 1}, 1 if number in {2, 5, 8, 0, 1} else 0.5) for number in range(25)]

    assert find(facts_of(rows, (layers,))) == ()


def test_of_what_stood_still_in_a_grid_under_way_nothing_is_said():
    points = itertools.product([256], [number / 10 for number in range(11)], [number / 10 for number in range(6)])
    rows = [({"units": units, "noise": noise, "dropout": one}, noise) for units, noise, one in points]
    facts = facts_of(rows[:60], (replace(UNITS, default=256, low=256), NOISE, DROPOUT))

    said = explain(facts)

    advised = advice(facts, said.weights)
    assert {one.parameter.name for one in said.findings} == {"noise"}
    assert {one.name for one in said.weights} == {"noise", "dropout"}
    assert "units" not in {*said.idle, *said.unweighed}
    assert not any("units" in line for line in advised)


def test_a_range_is_not_narrowed_towards_where_nothing_was_tried():
    rows = [({"units": (units := (256, 288)[number % 2])}, (units == 256) + number / 100) for number in range(80)]

    (found,) = find(facts_of(rows, (UNITS,)))

    assert (type(found), found.low, found.high) == (Gathered, 32, 256)
    assert space_of(found)["units"] == {"min": 32, "max": 384, "step": 32}


def test_where_a_tuner_gathered_it_takes_more_than_that_the_best_lie_there_too():
    draw = random.Random(0)
    rows = [({"noise": draw.uniform(0.9, 1) if number % 10 else draw.random()}, draw.random()) for number in range(60)]

    assert find(facts_of(rows, (NOISE,))) == ()


def test_what_was_tried_in_a_part_of_its_range_is_not_fixed():
    rows = [
        ({"units": 32 + 32 * (number % 8), "kind": "ab"[number % 2], "noise": number / 60}, 1) for number in range(60)
    ]
    weights = [Weight(name, 0.01, 0.0, 0.02) for name in ("units", "kind", "noise")]

    assert list(idle(facts_of(rows), weights)) == ["noise"]


def test_the_order_of_trials_that_score_alike_is_no_finding():
    def grid(score):
        return facts_of(
            [({"units": units, "kind": kind}, score(kind)) for kind in "abc" for units in range(32, 513, 32)]
        )

    assert find(grid(lambda kind: 1.0)) == ()
    assert {one.choice for one in find(grid(lambda kind: kind != "c")) if isinstance(one, NeverHelped)} == {"c"}


def test_where_all_trials_score_alike_no_parameter_is_said_to_have_had_few():
    found = explain(searched(40, lambda values: 1.0))

    assert (found.weights, found.unweighed) == ((), ())


def test_few_trials_say_nothing():
    assert find(searched(9, lambda values: values["units"])) == ()


def test_a_name_asked_for_in_several_ways_is_left_out():
    facts = searched(60, lambda values: values["units"])
    other = Parameter("units", "int", 8, low=8, high=16)
    facts.parameters = (*SPACE, other)

    assert "units" not in {one.parameter.name for one in find(facts)}


def test_a_bound_that_thousands_of_the_best_trials_lie_at_is_found():
    found = find(searched(8000, lambda values: values["units"] + 300 * values["noise"]))

    assert [type(one) for one in found if one.parameter.name == "units"] == [BoundHit]


def space_of(*findings, **idle):
    return next_experiment(EXPERIMENT, findings, idle, "next").get("space", {})


def test_a_range_is_widened_by_half_on_its_own_scale_and_grid():
    assert space_of(BoundHit(UNITS, "high", 5, 5))["units"] == {"min": 32, "max": 768, "step": 32}
    assert space_of(BoundHit(RATE, "high", 5, 5))["rate"]["max"] == pytest.approx(3.16)
    assert space_of(BoundHit(RATE, "low", 5, 5))["rate"] == {"min": 3.16e-6, "max": 0.1, "sampling": "log"}


@pytest.mark.parametrize(
    ("asked", "wish"),
    [
        (UNITS, {"min": 32, "max": 512, "step": 1}),
        (RATE, {"min": 1e-4, "max": 1e-1, "sampling": "linear"}),
        (UNITS, {"min": 32, "max": 512, "step": 1, "sampling": "linear"}),
    ],
)
def test_what_the_experiment_wants_of_step_and_sampling_goes_on_beside_a_new_range(asked, wish):
    experiment = Experiment.model_validate(EXPERIMENT.model_dump() | {"space": {asked.name: wish}})
    searched = narrow(asked, experiment.wishes)

    said = next_experiment(experiment, [BoundHit(searched, "high", 5, 5)], {}, "next")

    after = narrow(asked, Experiment.model_validate(EXPERIMENT.model_dump() | {"space": said["space"]}).wishes)
    assert (after.step, after.sampling) == (searched.step, searched.sampling)
    assert after.high > searched.high


def test_a_share_is_not_widened_up_to_one_nor_below_nought():
    assert space_of(BoundHit(DROPOUT, "high", 5, 5))["dropout"]["max"] < 1
    assert space_of(BoundHit(DROPOUT, "low", 5, 5))["dropout"]["min"] == 0.0


def test_choices_are_left_out_and_the_last_is_fixed():
    assert space_of(NeverHelped(KIND, "c", 20, 5))["kind"] == ["a", "b"]
    assert space_of(NeverHelped(KIND, "c", 20, 5), NeverHelped(KIND, "a", 20, 5))["kind"] == "b"


def test_of_choices_that_were_all_of_no_help_none_is_left_out():
    assert space_of(*(NeverHelped(KIND, choice, 20, 5) for choice in KIND.choices)) == {}


def test_what_matters_little_is_fixed_to_the_best_trials_value():
    assert space_of(BoundHit(UNITS, "high", 5, 5), units=96)["units"] == 96


def test_a_searched_batch_size_stays_in_train():
    experiment = EXPERIMENT.model_copy(update={"train": EXPERIMENT.train.model_copy(update={"batch_size": [32, 64]})})
    batch = Parameter("batch_size", "choice", 32, choices=(32, 64), ordered=True)

    said = next_experiment(experiment, [NeverHelped(batch, 32, 20, 5)], {}, "next")

    assert said["train"]["batch_size"] == 64
    assert "space" not in said


def test_a_choice_of_no_matter_is_fixed_but_not_one_that_opens_another_parameter():
    draw, rows = random.Random(0), []
    for _ in range(80):
        kind, rate = draw.choice("ab"), draw.random()
        opened = {"momentum": draw.random()} if kind == "a" else {}
        rows.append(({"kind": kind, "rate": rate, "flavour": draw.choice("xy"), **opened}, rate))
    numbers = [Parameter(name, "float", 0.5, low=0.0, high=1.0) for name in ("rate", "momentum")]
    flavour = Parameter("flavour", "choice", "x", choices=("x", "y"))

    idle = explain(facts_of(rows, (KIND, flavour, *numbers))).idle
    young = explain(facts_of(rows[:40], (KIND, flavour, *numbers))).idle

    assert list(idle) == ["flavour"]
    assert young == {}


def test_a_name_asked_for_in_several_ways_is_not_fixed_to_what_one_of_them_took():
    draw, rows = random.Random(0), []
    for _ in range(200):
        kind = draw.choice("ab")
        rows.append(({"kind": kind, "units": draw.randrange(32, 513, 32)}, (kind == "a") + draw.random() / 9))
    facts = facts_of(rows, (KIND, UNITS, replace(UNITS, high=1024)))
    for one in facts.trials:
        one.variants = {"units": 1} if one.values["kind"] == "a" else {}

    said, advised = explain(facts), advice(facts, weigh(facts))

    assert [one.high < 0.05 for one in said.weights if one.name == "units"] == [True]
    assert "units" not in said.idle
    assert not any("units" in line for line in advised if line.startswith("Fix"))


def test_a_name_of_which_one_way_of_asking_is_weighed_is_not_said_to_have_had_few_trials():
    facts = facts_of([({"units": 32 * (number % 16 + 1), "noise": number / 60}, number % 16) for number in range(60)])
    facts.parameters = (replace(UNITS, high=1024), UNITS, NOISE)
    for one in facts.trials:
        one.variants = {"units": 1} if one.number > 4 else {}

    said = explain(facts)

    assert [one.name for one in said.weights] == ["units (2)", "noise"]
    assert said.unweighed == ()


def test_a_parameter_that_is_alone_has_no_share_and_is_named(capsys):
    rare = [({"units": 32, "rare": number / 5}, 0.0) for number in range(5)]
    said = explain(facts_of([*rare, *(({"units": 32 * (number % 16 + 1)}, number % 7) for number in range(60))]))

    _show_weights(said)

    assert (said.weights, said.alone, said.unweighed) == ((), "units", ("rare",))
    assert (
        "units alone varies in enough trials, so that there is nothing to weigh it against" in capsys.readouterr().out
    )


NUMBERS = st.floats(1e-6, 1e4, allow_nan=False)


@given(st.data())
def test_every_range_that_follows_is_one_that_the_parameter_takes(data):
    kind = data.draw(st.sampled_from(["int", "float"]))
    sampling = data.draw(st.sampled_from(["linear", "log", "reverse_log"]))
    low, high = sorted(data.draw(st.lists(st.integers(1, 1000) if kind == "int" else NUMBERS, min_size=2, max_size=2)))
    if high <= low * (1 + 1e-6):
        return
    steps = {"linear": st.integers(1, 50) if kind == "int" else st.none(), "log": st.none(), "reverse_log": st.none()}
    parameter = Parameter("x", kind, low, low=low, high=high, step=data.draw(steps[sampling]), sampling=sampling)
    inner = sorted(data.draw(st.lists(st.floats(low, high), min_size=2, max_size=2)))
    finding = data.draw(
        st.sampled_from(
            [BoundHit(parameter, "low", 5, 5), BoundHit(parameter, "high", 5, 5), Gathered(parameter, *inner, 5)]
        )
    )

    said = space_of(finding)

    wish = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "space": said}).wishes
    narrowed = narrow(parameter, wish)
    assert narrowed.low <= narrowed.high
    if isinstance(finding, BoundHit):
        assert narrowed.low <= parameter.low < parameter.high <= narrowed.high
    if isinstance(finding, Gathered):
        assert narrowed.contains(narrowed.default)


@given(st.data())
def test_a_range_moves_at_one_end_by_half_of_its_width_however_narrow_it_is(data):
    centre, width = data.draw(st.floats(1e-3, 1e5)), data.draw(st.floats(1e-6, 0.5))
    low, high, end = centre, centre * (1 + width), data.draw(st.sampled_from(["low", "high"]))
    parameter = Parameter("x", "float", low, low=low, high=high, sampling=data.draw(st.sampled_from(["linear", "log"])))

    said = space_of(BoundHit(parameter, end, 5, 5))["x"]

    still, moved = ("max", "min") if end == "low" else ("min", "max")
    assert said[still] == {"min": low, "max": high}[still]
    half = {"min": low - said["min"], "max": said["max"] - high}[moved] / (high - low)
    if parameter.sampling == "linear" and end == "high" and high < 1:
        assert high < said["max"] < 1
    else:
        assert 0.4 * (1 - width) <= half <= 0.52 * (1 + width)


@given(st.floats(1e-6, 0.9), st.floats(0.9, 1, exclude_max=True), st.sampled_from(["linear", "reverse_log"]))
def test_a_share_stays_below_one_and_its_other_bound_where_it_was(low, high, sampling):
    parameter = Parameter("x", "float", low, low=low, high=high, sampling=sampling)

    up, down = (space_of(BoundHit(parameter, end, 5, 5))["x"] for end in ("high", "low"))

    assert high <= up["max"] < 1
    assert (up["min"], down["max"]) == (parameter.low, high)


@given(st.floats(1e-3, 1e5), st.floats(1e-6, 0.5), st.floats(0, 1), st.floats(0, 1))
def test_a_narrowed_range_holds_what_the_best_covered_and_stays_within_the_old_one(low, width, one, other):
    high = low * (1 + width)
    inner = sorted(low + share * (high - low) for share in (one, other))
    covered = [min(max(number, low), high) for number in inner]
    parameter = Parameter("x", "float", low, low=low, high=high)

    said = space_of(Gathered(parameter, *covered, 5))["x"]

    assert low <= said["min"] <= covered[0] <= covered[1] <= said["max"] <= high
    assert said["max"] - said["min"] <= max(2 * (covered[1] - covered[0]), 0.2 * (high - low)) * 1.05


@pytest.mark.parametrize(
    ("low", "high", "end", "said"),
    [
        (0.5, 0.9995, "high", {"min": 0.5, "max": 0.9998}),
        (0.9, 0.9999, "low", {"min": 0.85, "max": 0.9999}),
        (10000.0, 12345.0, "low", {"min": 8830.0, "max": 12345.0}),
        (0.9991, 0.9994, "high", {"min": 0.9991, "max": 0.99955}),
    ],
)
def test_a_bound_has_as_many_digits_as_its_range_needs(low, high, end, said):
    parameter = Parameter("x", "float", low, low=low, high=high)

    assert space_of(BoundHit(parameter, end, 5, 5))["x"] == said


def test_a_bound_off_the_grid_stays_where_the_other_end_moves():
    parameter = Parameter("x", "float", 0.1, low=0.1, high=0.95, step=0.1)

    assert space_of(BoundHit(parameter, "high", 5, 5))["x"]["max"] == 0.95
    assert space_of(BoundHit(parameter, "low", 5, 5))["x"]["max"] == 0.95


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose study has ninety trials: more units are better, kind c never helps, noise does not matter."""
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "small.py").write_text("def build(hp): ...\n")
    keep(tmp_path, ninety_trials())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ninety_trials(**more):
    """The story of such a study, whose experiment has these tables, too."""
    said = {"model": {"build": "spaces.small:build"}, "search": {"trials": 3, "tuner": "optuna.tpe"}} | more
    experiment = Experiment.model_validate(EXPERIMENT.model_dump() | said)
    draw, bodies = random.Random(1), [*began(experiment)[:1], SpaceFound((UNITS, KIND, NOISE))]
    for number in range(90):
        values = {"units": draw.randrange(32, 513, 32), "kind": draw.choice("abc"), "noise": draw.random()}
        score = values["units"] / 1000 - (0.4 if values["kind"] == "c" else 0)
        values |= {"rare": number / 5} if number < 5 else {}
        answers = [Answered(number, one, values[one.name]) for one in (UNITS, KIND, NOISE, RARE) if one.name in values]
        bodies += [Asked(Trial(number)), *answers, TrialResult(Trial(number, values), Status.COMPLETED, score, 1, 1.0)]
    return bodies


def test_a_study_is_explained_with_what_mattered_first(project, capsys):
    assert main(["explain", "tiny"]) == 0

    out = capsys.readouterr().out
    weights = [line.split()[0] for line in out.splitlines() if " to " in line and "%" in line]
    assert weights[0] in {"units", "kind"}
    assert re.search(r"units: all of the best 18 trials that have it lie between \d+ and 512", out)
    assert "kind = c" in out
    assert "too few trials to weigh: rare\n" in out


def test_a_program_is_told_the_findings(project, capsys):
    assert main(["explain", "tiny", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert {"kind": "NeverHelped", "parameter": "kind", "choice": "c"}.items() <= said["findings"][-1].items()
    assert sum(one["share"] for one in said["weights"]) == pytest.approx(1)


def test_the_next_experiment_is_one_that_check_passes(project, capsys):
    assert main(["explain", "tiny", "--write", "experiments/next.toml"]) == 0
    assert main(["check", "experiments/next.toml"]) == 0

    said = tomllib.loads((project / "experiments" / "next.toml").read_text())
    assert said["name"] == "tiny-next"
    assert said["space"]["units"] == {"min": 256, "max": 512, "step": 32}
    assert said["space"]["kind"] == ["a", "b"]
    assert load(project / "experiments" / "next.toml", paths.Project(project)).search.trials == 3


def test_an_address_that_held_a_secret_is_to_be_said_anew_in_the_next_experiment(project):
    addresses = {
        "tracking": {"mlflow": "postgresql://me:pw@db/mlflow"},
        "data": {"source": "mnist", "mirror": "https://host/x?key=pw"},
    }
    secret = Experiment.model_validate(EXPERIMENT.model_dump() | addresses)
    keep(project, ninety_trials(**{table: public(secret)[table] for table in addresses}), "secret")

    assert main(["explain", "secret", "--write", "next.toml"]) == 0

    text = (project / "next.toml").read_text()
    assert "***" not in text
    assert tomllib.loads(text)["data"] == {"source": "mnist"}
    assert "# tracking.mlflow held a secret, which is not kept: set MLFLOW_TRACKING_URI, or write it anew" in text
    assert "# data.mirror held a secret, which is not kept: write it anew" in text


def test_a_next_experiment_that_would_be_refused_where_it_lies_is_not_kept(project, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert main(["explain", "tiny", "--write", str(elsewhere / "next.toml")]) == 2

    assert f"so it was not kept: its project would be {elsewhere}" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_in_another_project_the_next_experiment_starts_from_no_study(project, tmp_path_factory):
    followed = EXPERIMENT.model_dump()["search"] | {"start_from": "earlier"}
    keep(project, ninety_trials(search=followed), "follower")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(project / "spaces", elsewhere / "spaces")
    (elsewhere / "experiments").mkdir()

    assert main(["explain", "follower", "--write", str(elsewhere / "experiments" / "next.toml")]) == 0

    assert "start_from" not in tomllib.loads((elsewhere / "experiments" / "next.toml").read_text())["search"]


def test_a_link_to_the_project_is_no_other_project(project, tmp_path_factory, capsys):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(project)

    assert main(["explain", "tiny", "--write", str(link / "next.toml")]) == 0
    (project / "spaces" / "small.py").write_text("")
    assert main(["explain", "tiny", "--write", str(link / "refused.toml")]) == 2

    assert tomllib.loads((project / "next.toml").read_text())["search"]["start_from"] == "tiny"
    assert capsys.readouterr().err.endswith("so it was not kept\n")


def test_the_command_for_the_next_experiment_can_be_copied_into_a_shell(project, capsys):
    assert main(["explain", "tiny", "--write", "the next one.toml"]) == 0

    assert "hpsearch run 'the next one.toml'\n" in capsys.readouterr().out
    assert "# Run it:  hpsearch run 'the next one.toml'\n" in (project / "the next one.toml").read_text()


def test_a_study_that_was_set_aside_is_explained_and_followed_by_its_own_trials(project, capsys):
    set_aside(paths.Project(project).study("tiny"))
    keep(project, [*began(), *trial(0, 0.5, kind="a")])

    assert main(["explain", "tiny.before-1", "--write", "next.toml"]) == 0

    said = tomllib.loads((project / "next.toml").read_text())
    assert (said["name"], said["search"]["start_from"]) == ("tiny.before-1-next", "tiny.before-1")
    assert said["model"]["build"] == "spaces.small:build"
    assert "in tiny.before-1's 90 completed trials" in capsys.readouterr().out


def test_a_file_that_is_there_is_not_written_over(project, capsys):
    (project / "mine.toml").write_text("mine")

    assert main(["explain", "tiny", "--write", "mine.toml"]) == 2
    assert (project / "mine.toml").read_text() == "mine"


def test_a_young_study_says_that_it_says_nothing(tmp_path, monkeypatch, capsys):
    keep(tmp_path, [*began(), *trial(0, 0.5, kind="a")])
    monkeypatch.chdir(tmp_path)

    assert main(["explain", "tiny"]) == 0
    assert "tiny has 1 completed trial; with fewer than 10 nothing can be said" in capsys.readouterr().out
    assert main(["explain", "tiny", "--write", "next.toml"]) == 1
