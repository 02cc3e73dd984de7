"""What every tuner must do: subclass TunerContract in a module of tests and override the fixture `make`.

class TestMine(TunerContract):
    @pytest.fixture
    def make(self):
        return Mine
"""

# ruff: noqa: D102, PLR2004 - a test is named by its sentence, and counts are what it says

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from hpsearch.grid import fits
from hpsearch.objective import Objective
from hpsearch.protocols import Brief, Tuner, Turn
from hpsearch.records import Answered, Asked
from hpsearch.space import Condition, Parameter, Value, Values
from hpsearch.trial import Failure, Status, Trial, TrialResult

UNITS = Parameter("units", "int", 64, low=16, high=512, step=2, sampling="log")
RATE = Parameter("rate", "float", 1e-3, low=1e-5, high=1e-1, sampling="log")
MOMENTUM = Parameter("momentum", "float", 0.9, low=0.5, high=0.999, sampling="reverse_log")
DROPOUT = Parameter("dropout", "float", 0.0, low=0.0, high=0.5, step=0.1)
OPTIMIZER = Parameter("optimizer", "choice", "sgd", choices=("sgd", "adam"))
BATCH = Parameter("batch", "choice", 32, choices=(32, 64, 128), ordered=True)
BIAS = Parameter("bias", "boolean", default=False, choices=(True, False))
NESTEROV = Parameter(
    "nesterov", "boolean", default=False, choices=(True, False), conditions=(Condition("optimizer", ("sgd",)),)
)
FLAT = (UNITS, RATE, MOMENTUM, DROPOUT, OPTIMIZER, BATCH, BIAS)
CONDITIONAL = (OPTIMIZER, RATE, NESTEROV)
LAYERS = Parameter("layers", "int", 1, low=1, high=3)
TINY = (OPTIMIZER, Parameter("layers", "int", 1, low=1, high=2))
OBJECTIVE = Objective("max", "val_accuracy")


def brief(space: Sequence[Parameter] = FLAT, seed: int = 7) -> Brief:
    """A brief without history."""
    return Brief(OBJECTIVE, seed, trials=None, epochs=9, space=tuple(space))


def loop(values: Values) -> list[Parameter]:
    """What a build_model with a loop over its layers asks for next, one name at a time."""
    units = [Parameter(f"units_{i}", "int", 32, low=16, high=256, step=16) for i in range(int(values.get("layers", 0)))]
    return [LAYERS, *units, RATE]


class Bench:
    """Plays the search against a tuner: asks, answers, tells, and keeps the history as a ledger would."""

    def __init__(self, tuner: Tuner, given: Brief, wants: Callable[[Values], Sequence[Parameter]]) -> None:
        self.tuner, self._wants = tuner, wants
        self.history = list(given.history)
        self.values: dict[int, Values] = {}
        for record in self.history:
            match record:
                case Asked(trial):
                    self.values[trial.number] = {}
                case Answered(number, parameter, value):
                    self.values[number][parameter.name] = value
        tuner.begin(given)

    def ask(self) -> Turn | int:
        """Ask for the next trial and build its model, as far as questions go."""
        turn = self.begin()
        if not isinstance(turn, Turn):
            self.build(turn)
        return turn

    def begin(self) -> Turn | int:
        """Ask for the next trial, and no more."""
        number = len(self.values)
        trial = self.tuner.ask(number)
        if isinstance(trial, Turn):
            return trial
        assert trial.number == number
        self.history.append(Asked(trial))
        self.values[number] = {}
        return number

    def build(self, number: int, questions: int = 1000) -> None:
        """Answer what build_model asks for and does not know yet."""
        values = self.values[number]
        wanted = len(values) + questions
        while len(values) < wanted and (parameter := self._next(values)):
            value = self.tuner.suggest(number, parameter)
            assert parameter.contains(value), f"{value!r} lies outside {parameter}"
            assert fits(parameter, value) or value == parameter.default, f"{value!r} lies between steps of {parameter}"
            values[parameter.name] = value
            self.history.append(Answered(number, parameter, value))

    def _next(self, values: Values) -> Parameter | None:
        return next((p for p in self._wants(values) if p.name not in values and p.active(values)), None)

    def tell(self, number: int, status: Status = Status.COMPLETED, score: float | None = None) -> None:
        """End a trial, by a score that its values decide unless another one is given."""
        trial = Trial(number, dict(self.values[number]))
        if status is Status.FAILED:
            result = TrialResult(trial, status, failure=Failure("ValueError", "negative shape"))
        else:
            result = TrialResult(trial, status, _score(trial.values) if score is None else score, best_epoch=3)
        self.history.append(result)
        self.tuner.tell(result)

    def run(self, count: int) -> list[Values]:
        """Make trials one after another, each seventh failing and each fifth pruned; stop early when done."""
        for _ in range(count):
            number = self.ask()
            if isinstance(number, Turn):
                break
            self.tell(number, _fate(number))
        return list(self.values.values())


def _fate(number: int) -> Status:
    if number % 7 == 3:
        return Status.FAILED
    return Status.PRUNED if number % 5 == 2 else Status.COMPLETED


def _score(values: Values) -> float:
    return sum(len(str(value)) * (place + 1) % 11 for place, value in enumerate(values.values())) / 100


class TunerContract:
    """The promises of a tuner."""

    ends = False
    """Whether the tuner says DONE when it has nothing new to give."""
    repeats = False
    """Whether another seed gives the same values (a grid's does)."""

    @pytest.fixture
    def make(self) -> Callable[[], Tuner]:
        """Override: what makes a new tuner."""
        raise NotImplementedError

    @contextmanager
    def bench(
        self,
        make: Callable[[], Tuner],
        given: Brief,
        wants: Callable[[Values], Sequence[Parameter]] | None = None,
    ) -> Iterator[Bench]:
        """A bench whose tuner is closed at the end."""
        tuner = make()
        try:
            yield Bench(tuner, given, wants or (lambda _: given.space))
        finally:
            tuner.close()

    def test_values_lie_inside_the_space(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as bench:
            tried = bench.run(25)

        names = {parameter.name for parameter in FLAT}
        assert len(tried) == 25
        assert all(set(values) == names for values in tried)
        assert len({tuple(values.values()) for values in tried}) > 20

    def test_one_seed_gives_the_same_values_again(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as first, self.bench(make, brief()) as second:
            assert first.run(20) == second.run(20)

    @pytest.mark.parametrize("seed", [0, 1, 2**62])
    def test_every_seed_is_a_seed_of_its_own(self, make: Callable[[], Tuner], seed: int) -> None:
        with (
            self.bench(make, brief(seed=seed)) as first,
            self.bench(make, brief(seed=seed)) as again,
            self.bench(make, brief(seed=seed + 1)) as other,
        ):
            values = first.run(4)

            assert values == again.run(4)
            assert self.repeats or values != other.run(4)

    def test_inactive_parameters_are_neither_planned_nor_asked_for(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief(CONDITIONAL)) as bench:
            tried = bench.run(15)
            planned = [record.trial.values for record in bench.history if isinstance(record, Asked)]

        assert {values["optimizer"] for values in tried} == {"sgd", "adam"} or self.repeats
        assert all(("nesterov" in values) == (values["optimizer"] == "sgd") for values in tried)
        assert not any("nesterov" in values and values["optimizer"] == "adam" for values in planned)

    def test_names_may_surface_while_a_model_is_built(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief((LAYERS, RATE)), loop) as bench:
            tried = bench.run(15)

        assert all(f"units_{int(values['layers']) - 1}" in values for values in tried)

    def test_a_space_may_be_unknown_at_first(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief(()), loop) as bench:
            tried = bench.run(3)

        assert tried
        assert "layers" in tried[0]

    def test_a_name_may_mean_another_range_in_another_trial(self, make: Callable[[], Tuner]) -> None:
        narrow = Parameter("rate", "float", 0.5, low=0.4, high=0.6)
        words = dataclasses.replace(OPTIMIZER, choices=("sgd", "lion"))

        with self.bench(make, brief((RATE, OPTIMIZER))) as bench:
            bench.run(3)
            number = len(bench.values)
            bench.tuner.ask(number)

            assert narrow.contains(bench.tuner.suggest(number, narrow))
            assert words.contains(bench.tuner.suggest(number, words))

    def test_a_fixed_parameter_keeps_its_value(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief((RATE, UNITS.fixed_to(48)))) as bench:
            tried = bench.run(3)

        assert {values["units"] for values in tried} == {48}

    @pytest.mark.parametrize("asked", [1, 4, 13, 22])
    def test_a_replayed_tuner_goes_on_like_an_undisturbed_one(self, make: Callable[[], Tuner], asked: int) -> None:
        self._goes_on_alike(make, brief(CONDITIONAL + FLAT[:1]), None, asked, in_flight=1)

    @pytest.mark.parametrize("asked", [4, 13, 22])
    def test_a_replayed_loop_goes_on_like_an_undisturbed_one(self, make: Callable[[], Tuner], asked: int) -> None:
        self._goes_on_alike(make, brief((LAYERS, RATE)), loop, asked, in_flight=1)

    @pytest.mark.parametrize("asked", [5, 14, 23])
    def test_a_replay_with_trials_in_flight_goes_on_too(self, make: Callable[[], Tuner], asked: int) -> None:
        self._goes_on_alike(make, brief(), None, asked, in_flight=3)

    def _goes_on_alike(
        self,
        make: Callable[[], Tuner],
        given: Brief,
        wants: Callable[[Values], Sequence[Parameter]] | None,
        asked: int,
        in_flight: int,
    ) -> None:
        with self.bench(make, given, wants) as straight:
            _keep_busy(straight, asked, in_flight)
            so_far = dataclasses.replace(given, history=tuple(straight.history))
            with self.bench(make, so_far, wants) as replayed:
                _keep_busy(straight, asked + 5, in_flight)
                _keep_busy(replayed, asked + 5, in_flight)

                assert len(straight.values) == asked + 5 or self.ends
                assert replayed.values == straight.values

    def test_a_trial_killed_while_its_model_was_built_gets_the_same_values(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as straight:
            straight.run(12)
            number = straight.ask()
            assert isinstance(number, int)
            cut = tuple(straight.history[:-4])

            with self.bench(make, dataclasses.replace(brief(), history=cut)) as replayed:
                replayed.build(number)

                assert replayed.values == straight.values

    def test_a_trial_killed_half_built_while_others_ended_gets_the_same_values(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as straight:
            straight.run(14)
            half = straight.begin()
            assert isinstance(half, int)
            straight.build(half, questions=2)
            other = straight.ask()
            if isinstance(other, int):
                straight.tell(other, score=0.9)

            with self.bench(make, dataclasses.replace(brief(), history=tuple(straight.history))) as replayed:
                for bench in (straight, replayed):
                    bench.build(half)
                    bench.tell(half, score=0.8)
                    bench.run(2)

                assert replayed.values == straight.values

    def test_failed_trials_do_not_end_the_search(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as bench:
            for _ in range(12):
                number = bench.ask()
                assert isinstance(number, int)
                bench.tell(number, Status.FAILED)

            assert isinstance(bench.ask(), int)

    def test_scores_that_are_no_numbers_do_no_harm(self, make: Callable[[], Tuner]) -> None:
        with self.bench(make, brief()) as bench:
            for score in (float("nan"), float("inf"), float("-inf"), 0.5):
                number = bench.ask()
                assert isinstance(number, int)
                bench.tell(number, score=score)

            assert isinstance(bench.ask(), int)

    def test_an_exhausted_space_ends_the_search(self, make: Callable[[], Tuner]) -> None:
        if not self.ends:
            pytest.skip("this tuner may repeat itself")
        with self.bench(make, brief(TINY)) as bench:
            tried = bench.run(40)
            last = bench.ask()

        assert last is Turn.DONE
        distinct: set[tuple[Value, ...]] = {tuple(values.values()) for values in tried}
        assert len(distinct) == len(tried) <= 4


def _keep_busy(bench: Bench, until: int, in_flight: int) -> None:
    """Ask until so many trials were asked for, ending the oldest whenever all hands are full or the tuner waits."""
    ended = {record.trial.number for record in bench.history if isinstance(record, TrialResult)}
    running = [number for number in bench.values if number not in ended]
    while len(bench.values) < until:
        turn = bench.ask() if len(running) < in_flight else Turn.WAIT
        if isinstance(turn, int):
            running.append(turn)
        elif running:
            oldest = running.pop(0)
            bench.tell(oldest, _fate(oldest))
        else:
            return
