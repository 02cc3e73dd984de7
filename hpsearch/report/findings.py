"""Finds what a study's completed trials say of its parameters: what hit a bound, what never helped.

The best fifth of the trials (five at least) is held against chance: a finding that chance alone gives more often than
once in a hundred times, were a parameter of no matter and its values drawn evenly, is none.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.space import Parameter, Value, same
from hpsearch.trial import Status

FEWEST_TRIALS = 10
BEST_SHARE, FEWEST_BEST = 0.2, 5
EDGE = 0.15  # of a range: what lies nearer to its bound lies at it
CHANCE = 0.01
SLACK = 1e-6  # of a step, for what floating point did on the way


@dataclass(frozen=True)
class BoundHit:
    """So many of the best trials that have the parameter lie at one end of its range."""

    parameter: Parameter
    end: Literal["low", "high"]
    hits: int
    best: int


@dataclass(frozen=True)
class NeverHelped:
    """A choice that `tried` trials had, and none of the `best` ones that have the parameter."""

    parameter: Parameter
    choice: Value
    tried: int
    best: int


@dataclass(frozen=True)
class Gathered:
    """All of the best trials that have the parameter lie in a small part of its range, from `low` to `high`."""

    parameter: Parameter
    low: float
    high: float
    best: int


Finding = BoundHit | NeverHelped | Gathered


def completed(facts: Facts) -> list[TrialFacts]:
    """The completed trials that have a score, best first."""
    return [trial for trial in facts.trials if trial.status == Status.COMPLETED and trial.score is not None]


def best_of(done: Sequence[TrialFacts]) -> Sequence[TrialFacts]:
    """The best fifth of trials that come best first, five at least, and those that score as the last of these does."""
    many = max(FEWEST_BEST, round(BEST_SHARE * len(done)))
    return [*done[:many], *takewhile(lambda trial: trial.score == done[many - 1].score, done[many:])]


def find(facts: Facts) -> tuple[Finding, ...]:
    """All findings, parameter by parameter; () with fewer than ten completed trials, or where the best are all of them.

    A name that was asked for in several ways (other bounds, other choices) is left out: its values lie on no one scale.
    """
    done = completed(facts)
    if len(done) < FEWEST_TRIALS:
        return ()
    best, several = best_of(done), facts.several
    if len(best) == len(done):
        return ()
    found: list[Finding] = []
    for parameter in facts.parameters:
        if parameter.name not in several:
            hits = list(_bounds_hit(parameter, best))
            found += [*hits, *_never_helped(parameter, done, best), *(() if hits else _gathered(parameter, best))]
    return tuple(found)


def place(parameter: Parameter, value: float) -> float:
    """Where a value lies in the parameter's range, from 0 to 1, on the scale on which it is drawn."""
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    if parameter.sampling == "reverse_log":
        return 1 - place_between(low + high - value, low, high, log=True)
    return place_between(value, low, high, log=parameter.sampling == "log")


def place_between(value: float, low: float, high: float, *, log: bool) -> float:
    """Where a value lies between two others, from 0 to 1."""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _numbers(parameter: Parameter, trials: Sequence[TrialFacts]) -> list[float]:
    """The trials' values within a numeric parameter's range; [] for any other parameter."""
    if parameter.kind not in {"int", "float"} or parameter.low is None or parameter.high is None:
        return []
    given = [trial.values[parameter.name] for trial in trials if parameter.name in trial.values]
    return [float(value) for value in given if parameter.low < parameter.high and parameter.contains(value)]


def _bounds_hit(parameter: Parameter, best: Sequence[TrialFacts]) -> Iterator[BoundHit]:
    places = [place(parameter, number) for number in _numbers(parameter, best)]
    sides: tuple[tuple[Literal["low", "high"], float, float], ...] = (("low", 0.0, EDGE), ("high", 1 - EDGE, 1.0))
    many = len(places)
    for end, first, last in sides:
        hits = sum(first <= one <= last for one in places)
        if many >= FEWEST_BEST and 2 * hits > many and _at_least(hits, many, _share(parameter, first, last)) < CHANCE:
            yield BoundHit(parameter, end, hits, many)


def _steps(parameter: Parameter) -> float:
    """How many steps a range has; infinitely many where it has no grid."""
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    if parameter.sampling != "linear":
        return math.log(high / low) / math.log(parameter.step) if parameter.step else math.inf
    step = parameter.step or (1 if parameter.kind == "int" else 0)
    return (high - low) / step if step else math.inf


def _share(parameter: Parameter, first: float, last: float) -> float:
    """The share of a range's even draws that lie between two places of it, both included.

    Of a grid of three values, each end has a third.
    """
    steps = _steps(parameter)
    if not math.isinf(steps):
        inside = math.floor(last * steps + SLACK) - math.ceil(first * steps - SLACK) + 1
        return max(1, inside) / (math.floor(steps + SLACK) + 1)
    return last - first if parameter.kind == "float" else _share_of_integers(parameter, first, last)


def _share_of_integers(parameter: Parameter, first: float, last: float) -> float:
    """The same for integers on a logarithmic scale, of which a small one is drawn more often than its place is wide.

    As Optuna draws them: a logarithm from half below the range to half above it, rounded. KerasTuner rounds down what
    it draws up to one above; that differs little.
    """
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    if parameter.sampling == "reverse_log":
        first, last = 1 - last, 1 - first
    least = math.ceil(low * (high / low) ** first - SLACK)
    most = math.floor(low * (high / low) ** last + SLACK)
    return math.log((most + 0.5) / (least - 0.5)) / math.log((high + 0.5) / (low - 0.5))


def _at_least(hits: int, of: int, chance: float) -> float:
    """How often chance alone gives so many hits, or more (binomial); by logarithms, for there may be thousands."""
    if chance >= 1:
        return 1.0
    yes, no, ways = math.log(chance), math.log1p(-chance), math.lgamma(of + 1)
    logs = (ways - math.lgamma(n + 1) - math.lgamma(of - n + 1) + n * yes + (of - n) * no for n in range(hits, of + 1))
    return math.fsum(map(math.exp, logs))


def _never_helped(
    parameter: Parameter, done: Sequence[TrialFacts], best: Sequence[TrialFacts]
) -> Iterator[NeverHelped]:
    if parameter.kind not in {"choice", "boolean"}:
        return
    given, helpful = (
        [one.values[parameter.name] for one in some if parameter.name in one.values] for some in (done, best)
    )
    many = len(helpful)
    for choice in parameter.choices or (False, True):
        tried = sum(same(value, choice) for value in given)
        if many < FEWEST_BEST or not tried or any(same(value, choice) for value in helpful):
            continue
        if math.comb(len(given) - tried, many) / math.comb(len(given), many) < CHANCE:
            yield NeverHelped(parameter, choice, tried, many)


def _gathered(parameter: Parameter, best: Sequence[TrialFacts]) -> Iterator[Gathered]:
    numbers = _numbers(parameter, best)
    if len(numbers) < FEWEST_BEST:
        return
    places = [place(parameter, number) for number in numbers]
    many, share = len(places), min(1.0, _share(parameter, min(places), max(places)))
    # Of so many even draws, all lie in one part of this share with this chance (the distribution of their range).
    if many * share ** (many - 1) - (many - 1) * share**many < CHANCE:
        yield Gathered(parameter, min(numbers), max(numbers), many)
