"""What every tuner keeps to in any small space, drawn at random."""

import dataclasses
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from drawn_spaces import Space, numbers, size, spaces, values_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles_here import Grid, Random

from hpsearch import plugins
from hpsearch.protocols import Tuner, Turn
from hpsearch.records import Answered, Asked
from hpsearch.space import Parameter, Value, Values
from hpsearch.testing.tuners import Bench, brief
from hpsearch.trial import Status, TrialResult
from hpsearch.tuners.via_optuna import TPE

LAWS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRIALS = 12


def modelling() -> TPE:
    """A TPE that models from its fourth trial on."""
    return TPE(startup_trials=3)


MAKERS = {
    "keras-tuner.random": Random,
    "keras-tuner.grid": Grid,
    "optuna.random": plugins.part("tuners", "optuna.random"),
    "optuna.tpe": modelling,
}
every_tuner = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def bench(make: Callable[[], Tuner], space: Space, seed: int = 7, history: Any = ()) -> Bench:
    given_brief = dataclasses.replace(brief(space.known, seed), history=tuple(history))
    return Bench(make(), given_brief, space.wants)


def answers(made: Bench) -> list[tuple[Parameter, Value]]:
    return [(record.parameter, record.value) for record in made.history if isinstance(record, Answered)]


def of_its_type(parameter: Parameter, value: Value) -> bool:
    if parameter.kind in {"int", "float", "boolean"}:
        return type(value) is {"int": int, "float": float, "boolean": bool}[parameter.kind]
    return any(type(value) is type(one) for one in values_of(parameter))


def go_on(made: Bench, steps: list[int]) -> None:
    """Do as the steps say, one after another: ask, or answer a question or end one of the trials under way."""
    for step in steps:
        ended = {record.trial.number for record in made.history if isinstance(record, TrialResult)}
        running = [number for number in made.values if number not in ended]
        if step == 0 or not running:
            made.begin()
        elif step % 2:
            made.build(running[step % len(running)], questions=1)
        else:
            number = running[step % len(running)]
            made.build(number)
            made.tell(number, [Status.COMPLETED, Status.COMPLETED, Status.PRUNED, Status.FAILED][number % 4])


@every_tuner
@LAWS
@given(space=spaces())
def test_every_value_is_inside_the_space_on_its_grid_and_of_its_type(make: Any, space: Space) -> None:
    made = bench(make, space)

    made.run(TRIALS)

    for parameter, value in answers(made):
        assert of_its_type(parameter, value), (parameter, value)


STEPS = st.lists(st.sampled_from([0, 0, 1, 2, 3, 4]), min_size=4, max_size=30)


@every_tuner
@LAWS
@given(space=spaces(), seed=st.integers(0, 2**63), steps=STEPS)
def test_one_seed_gives_one_course(make: Any, space: Space, seed: int, steps: list[int]) -> None:
    first, second = bench(make, space, seed), bench(make, space, seed)

    go_on(first, steps)
    go_on(second, steps)

    assert first.history == second.history


@every_tuner
@LAWS
@given(space=spaces(), seed=st.integers(0, 99), steps=STEPS, data=st.data())
def test_a_course_goes_on_alike_wherever_it_was_cut(
    make: Any, space: Space, seed: int, steps: list[int], data: Any
) -> None:
    straight = bench(make, space, seed)
    go_on(straight, steps)
    cut = data.draw(st.integers(0, len(straight.history)), label="cut")
    more = data.draw(STEPS, label="more")

    replayed = bench(make, space, seed, straight.history[:cut])
    for record in straight.history[cut:]:  # what is missing is asked for again, and told again
        match record:
            case Asked(trial):
                assert replayed.begin() == trial.number
                assert replayed.history[-1] == record
            case Answered(number, parameter):
                replayed.build(number, questions=1)
                assert replayed.history[-1] == record, parameter
            case TrialResult(trial, status, score):
                replayed.tell(trial.number, status, score)
    go_on(straight, more)
    go_on(replayed, more)

    assert replayed.values == straight.values


@LAWS
@given(space=spaces(finite=True, scoped=True), hands=st.integers(1, 4), surfaces=st.booleans())
def test_a_grid_tries_every_point_once_by_however_many_hands(space: Space, hands: int, surfaces: bool) -> None:
    assume(size(space) < 400)
    made = bench(Grid, dataclasses.replace(space, known=()) if surfaces else space)

    keep_busy(made, hands, most=200)

    assume(len(made.values) < 200)
    assert sorted(map(str, map(_sorted, made.values.values()))) == sorted(map(str, map(_sorted, space.points())))


def keep_busy(made: Bench, hands: int, most: int) -> None:
    """Have so many trials under way, and end the one that was asked for first, until no more come."""
    running: list[int] = []
    while len(made.values) < most:
        turn = made.ask() if len(running) < hands else Turn.WAIT
        if isinstance(turn, int):
            running.append(turn)
        elif turn is Turn.DONE or not running:
            return
        else:
            made.tell(running.pop(0))


@LAWS
@given(space=spaces(finite=True, scoped=True), points=st.lists(st.randoms(use_true_random=False), max_size=4))
def test_kerastuners_random_search_tries_no_point_twice(space: Space, points: list[Any]) -> None:
    made = bench(Random, space)
    for random in points:
        _take_given(made, space, random.choice(space.points()))

    tried = made.run(30)[len(points) :]

    before = list(islice(made.values.values(), len(points)))
    texts = [str(_sorted(values)) for values in tried]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {str(_sorted(values)) for values in before}


def _take_given(made: Bench, space: Space, point: Values) -> None:
    """A trial that takes a point of another study, as the desk has it."""
    number = made.begin()
    if isinstance(number, Turn):
        return
    values = made.values[number]
    while asked := next((one for one in space.wants(values) if one.name not in values), None):
        values[asked.name] = point[asked.name]
        if asked.kind != "fixed":
            made.tuner.note(number, asked, point[asked.name])  # type: ignore[attr-defined]
        made.history.append(Answered(number, asked, point[asked.name]))
    made.tell(number)


@pytest.mark.parametrize(
    "make", [Random, Grid, MAKERS["optuna.random"], lambda: TPE(startup_trials=200)], ids=list(MAKERS)
)
@LAWS
@given(parameter=numbers(finite=True))
def test_both_ends_of_a_small_grid_and_all_between_are_tried(make: Any, parameter: Parameter) -> None:
    parameter = dataclasses.replace(parameter, name="x")
    space = Space(((parameter, ()),), (parameter,))
    assume(len(values_of(parameter)) <= 8)

    wanted, tried = set(values_of(parameter)), set()
    for seed in range(4):
        tried |= {one["x"] for one in bench(make, space, seed).run(60)}
        if tried >= wanted:
            break

    assert tried == wanted


def _sorted(values: Values) -> list[tuple[str, Value]]:
    return sorted(values.items())
