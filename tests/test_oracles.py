"""What KerasTuner's oracles make of spaces that depend on values, and of trials that they would plan otherwise."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from oracles_here import Grid, Random

from hpsearch.errors import ExperimentRefused
from hpsearch.protocols import Past, Turn
from hpsearch.records import Answered, Asked
from hpsearch.space import Condition, Parameter, Value, Values
from hpsearch.testing.tuners import Bench, brief
from hpsearch.trial import Status, Trial, TrialResult

KIND = Parameter("kind", "choice", "a", choices=("a", "b"))
COARSE = Parameter("units", "int", 10, low=10, high=100, step=30)
FINE = Parameter("units", "int", 16, low=16, high=64, step=16)
FIRST = Parameter("units_0", "int", 32, low=32, high=256, step=32)
DROPOUT = Parameter("dropout", "float", 0.0, low=0.0, high=0.5, step=0.1)
BY_DROPOUT = list(product("ab", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)))
HEAD = Parameter("head", "choice", "x", choices=("x", "y"))
both = pytest.mark.parametrize("make", [Grid, Random])


def branches(values: Values) -> list[Parameter]:
    """Another grid of one name on each branch of a plain `if`."""
    return [KIND, COARSE if values.get("kind") == "a" else FINE]


def second(values: Values, **changes: Any) -> list[Parameter]:
    return [FIRST, dataclasses.replace(FIRST, name="units_1", **changes)]


def under(parameter: Parameter, parent: str, value: Value) -> Parameter:
    return dataclasses.replace(parameter, conditions=(Condition(parent, (value,)),))


def points(tried: Sequence[Values]) -> list[tuple[Value, ...]]:
    return sorted(tuple(values.values()) for values in tried)


def resumed(make: Any, space: Sequence[Parameter], history: Sequence[Past]) -> Bench:
    """A tuner that a session begins with this history."""
    return Bench(make(), dataclasses.replace(brief(space), history=tuple(history)), lambda _: space)


def ended(number: int, values: Values) -> TrialResult:
    return TrialResult(Trial(number, values), Status.COMPLETED, 0.5, best_epoch=3)


def answered(space: Sequence[Parameter], some: Sequence[tuple[Value, ...]]) -> Iterator[Past]:
    """Trials that had these values."""
    for number, point in enumerate(some):
        yield Asked(Trial(number))
        yield from (Answered(number, parameter, value) for parameter, value in zip(space, point, strict=True))
        yield ended(number, {parameter.name: value for parameter, value in zip(space, point, strict=True)})


@pytest.mark.parametrize("known", [(KIND, COARSE, FINE), (KIND, COARSE), (KIND,), ()])
def test_a_grid_tries_another_grid_on_another_branch_once(known: tuple[Parameter, ...]) -> None:
    made = Bench(Grid(), brief(known), branches)

    tried = made.run(100)

    assert points(tried) == [*product("a", (10, 40, 70, 100)), *product("b", (16, 32, 48, 64))]


def test_random_search_finds_every_point_of_another_grid_on_another_branch_and_ends() -> None:
    made = Bench(Random(), brief((KIND, COARSE, FINE)), branches)

    tried = made.run(100)

    assert sorted(set(points(tried))) == [*product("a", (10, 40, 70, 100)), *product("b", (16, 32, 48, 64))]
    assert len(tried) <= 8 + 4  # a plan whose every point was tried leads to one of them once


def test_a_grid_that_would_never_end_is_refused_and_not_listed_in_memory() -> None:
    seeds = Parameter("seed", "int", 0, low=0, high=2**31, step=1)

    with pytest.raises(ExperimentRefused, match=r"^search.tuner: .* 2147483649 values of 'seed'\n  list fewer in "):
        Bench(Grid(), brief([seeds]), lambda _: [seeds]).ask()


def test_a_grid_tries_a_choice_that_is_listed_twice_once() -> None:
    twice = dataclasses.replace(KIND, choices=("a", "b", "a"))

    tried = Bench(Grid(), brief((twice, HEAD)), lambda _: (twice, HEAD)).run(10)

    assert points(tried) == [*product("ab", "xy")]


@both
def test_a_default_that_depends_on_a_value_makes_no_dimension(make: Any) -> None:
    made = Bench(make(), brief(second({})), lambda values: second(values, default=values.get("units_0", 32)))

    tried = made.run(100)

    assert len(set(points(tried))) == len(tried) > 50
    assert len(made.tuner.mind._oracle.hyperparameters.space) == 2


@both
def test_what_hangs_on_a_fixed_value_that_surfaced_late_takes_all_its_values(make: Any) -> None:
    normalized = Parameter("normalized", "fixed", default=True)
    dropout = under(DROPOUT, "normalized", value=True)

    def wants(values: Values) -> list[Parameter]:
        return [KIND, normalized, dropout] if values.get("kind") == "b" else [KIND]

    tried = Bench(make(), brief((KIND,)), wants).run(50)

    assert {one["dropout"] for one in tried if one["kind"] == "b"} == {value for _, value in BY_DROPOUT}


@pytest.mark.parametrize(
    ("on_a", "on_b"),
    [
        (under(HEAD.fixed_to("x"), "kind", "a"), under(HEAD, "kind", "b")),
        (under(dataclasses.replace(HEAD, choices=("x", "z")), "kind", "a"), under(HEAD, "kind", "b")),
        (HEAD.fixed_to("x"), HEAD),
        (HEAD.fixed_to("w"), HEAD),
        (HEAD.fixed_to("y"), HEAD.fixed_to("x")),
        (dataclasses.replace(HEAD, default="y", choices=("y", "x")), HEAD.fixed_to("x")),
        (HEAD.fixed_to("x"), under(HEAD, "kind", "b")),
    ],
)
@pytest.mark.parametrize("met", ["both branches", "one branch", "the other branch", "none"])
@both
def test_what_hangs_on_a_name_of_several_branches_takes_all_its_values_on_each(
    make: Any, met: str, on_a: Parameter, on_b: Parameter
) -> None:
    units = under(COARSE, "head", "x")
    known = {"both branches": (on_a, on_b, units), "one branch": (on_a, units), "the other branch": (on_b, units)}

    def wants(values: Values) -> list[Parameter]:
        head = {"a": [on_a], "b": [on_b]}.get(str(values.get("kind")), [])
        return [KIND, *head, *[units] * (values.get("head") == "x")]

    tried = Bench(make(), brief((KIND, *known.get(met, ()))), wants).run(50)

    for kind, head in (("a", on_a), ("b", on_b))[make is Random :]:  # random search may end before its last point
        values = head.choices or (head.default,)
        assert {(one["head"], one.get("units")) for one in tried if one["kind"] == kind} == {
            (value, units) for value in values for units in ((10, 40, 70, 100) if value == "x" else (None,))
        }
    assert len(tried) < 50


def test_random_search_tries_what_it_planned_where_all_else_was_tried_and_ends() -> None:
    on_a, units = dataclasses.replace(HEAD, choices=("x", "z")), under(COARSE, "head", "x")

    def wants(values: Values) -> list[Parameter]:
        return [KIND, on_a if values.get("kind") == "a" else HEAD, *[units] * (values.get("head") == "x")]

    tried = Bench(Random(), brief((KIND, on_a)), wants).run(50)

    assert {one.get("units") for one in tried if one["kind"] == "b"} == {None, 10, 40, 70, 100}
    assert len(tried) < 20


def test_random_search_ends_where_a_branch_does_not_ask_for_what_its_values_allow() -> None:
    on_a, units = dataclasses.replace(HEAD, choices=("x", "z")), under(COARSE, "head", "x")

    def wants(values: Values) -> list[Parameter]:
        if values.get("kind") == "b":
            return [KIND, HEAD]
        return [KIND, on_a, *[units] * (values.get("head") == "x")]

    tried = Bench(Random(), brief((KIND, on_a, units)), wants).run(50)

    assert {one["head"] for one in tried if one["kind"] == "b"} == {"x", "y"}
    assert len(tried) < 20


def test_random_search_looks_at_the_whole_of_a_range_that_depends_on_a_value() -> None:
    made = Bench(Random(), brief(second({}, high=32)), lambda values: second(values, high=values.get("units_0", 32)))

    tried = made.run(100)

    assert len(set(points(tried))) > 30  # of 36: it is done after 21 collisions
    assert len(tried) <= len(set(points(tried))) + 8


def test_a_range_that_depends_on_a_decimal_makes_no_dimensions() -> None:
    first = Parameter("dropout_0", "float", 0.2, low=0.0, high=0.5)
    below = Parameter("dropout_1", "float", 0.0, low=0.0, high=0.2)
    made = Bench(
        Random(), brief((first, below)), lambda values: [first, dataclasses.replace(below, high=values.get(first.name))]
    )

    tried = made.run(60)

    assert max(one["dropout_1"] for one in tried) > 0.2
    assert len(made.tuner.mind._oracle.hyperparameters.space) == 2


def test_two_trials_under_way_do_not_draw_one_point() -> None:
    made = Bench(Random(), brief((KIND, COARSE, FINE)), branches)

    for _ in range(6):
        made.ask()

    assert len(set(points(list(made.values.values())))) == 6


@both
def test_a_space_that_was_tried_to_its_end_is_done(make: Any) -> None:
    space = (KIND, DROPOUT)
    made = resumed(make, space, list(answered(space, [*BY_DROPOUT, ("a", 0.3)])))

    assert made.ask() is Turn.DONE


@both
def test_trials_that_were_planned_otherwise_count_as_they_were(make: Any) -> None:
    space = (KIND, DROPOUT)
    made = resumed(make, space, list(answered(space, BY_DROPOUT[::2][::-1])))

    tried = made.run(50)[6:]

    assert len(set(points(tried)) - set(BY_DROPOUT[::2])) == len(tried)
    assert make is Random or len(tried) == 6


def test_a_grid_goes_on_where_its_choices_are_asked_for_in_another_order() -> None:
    before = dataclasses.replace(KIND, name="size", default=32, choices=(32, 128, 64), ordered=True)
    now = dataclasses.replace(before, choices=(32, 64, 128))
    history = list(answered((before,), [(32,), (128,)]))
    made = Bench(Grid(), dataclasses.replace(brief((before,)), history=tuple(history)), lambda _: (now,))

    tried = made.run(10)[2:]

    assert tried == [{"size": 64}]


def test_a_grid_that_said_wait_before_a_name_surfaced_is_replayed_alike() -> None:
    def wants(values: Values) -> list[Parameter]:
        return [KIND, COARSE] if values.get("kind") == "b" else [KIND]

    made = Bench(Grid(), brief((KIND,)), wants)
    made.ask()
    late = made.begin()
    waits = made.begin()

    again = Bench(Grid(), dataclasses.replace(brief((KIND,)), history=tuple(made.history)), wants)
    for one in (made, again):
        one.build(late)
        one.tell(0)
        one.run(3)

    assert waits is Turn.WAIT
    assert again.values == made.values
