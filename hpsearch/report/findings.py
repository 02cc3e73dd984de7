"""Finds what a study's completed trials say of its parameters: what hit a bound, what never helped.

The best fifth of the trials (five at least) is held against all that were completed, by the values that these had: a
finding that chance alone gives more often than once in a hundred times, were the scores dealt out by lot among them,
is none. So nothing is found of a parameter that stood still, nor because a tuner did not draw evenly.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.space import Parameter, Value, Values, same
from hpsearch.trial import Status

FEWEST_TRIALS = 10
BEST_SHARE, FEWEST_BEST = 0.2, 5
EDGE = 0.15  # of a range: what lies nearer to its bound lies at it
CHANCE = 0.01


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
    """All of the best trials that have the parameter lie in a small part of its range, from `low` to `high`.

    Where nothing was tried beyond them the part goes on to the bound of the range.
    """

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
            hits = list(_bounds_hit(parameter, done, best))
            found += [*hits, *_never_helped(parameter, done, best), *(() if hits else _gathered(parameter, done, best))]
    return tuple(found)


def took_several(rows: Iterable[Values]) -> set[str]:
    """The names of the parameters that took more than one value."""
    seen: dict[str, set[tuple[str, Value]]] = {}
    for values in rows:
        for name, value in values.items():
            seen.setdefault(name, set()).add((type(value).__name__, value))  # True == 1 == 1.0, but are three values
    return {name for name, values in seen.items() if len(values) > 1}


def tried_throughout(parameter: Parameter, done: Sequence[TrialFacts]) -> bool:
    """Whether trials had each of its choices, or values at both ends of its range."""
    if choices := _choices(parameter):
        given = [trial.values[parameter.name] for trial in done if parameter.name in trial.values]
        return all(any(same(value, choice) for value in given) for choice in choices)
    places = _places(parameter, done)
    return bool(places) and min(places) <= EDGE and max(places) >= 1 - EDGE


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


def _places(parameter: Parameter, trials: Sequence[TrialFacts]) -> list[float]:
    return [place(parameter, number) for number in _numbers(parameter, trials)]


def _choices(parameter: Parameter) -> tuple[Value, ...]:
    """What there is to choose from; () for a number."""
    return parameter.choices or (False, True) if parameter.kind in {"choice", "boolean"} else ()


def _bounds_hit(parameter: Parameter, done: Sequence[TrialFacts], best: Sequence[TrialFacts]) -> Iterator[BoundHit]:
    tried, places = _places(parameter, done), _places(parameter, best)
    sides: tuple[tuple[Literal["low", "high"], float, float], ...] = (("low", 0.0, EDGE), ("high", 1 - EDGE, 1.0))
    many = len(places)
    for end, first, last in sides:
        there, hits = (sum(first <= one <= last for one in some) for some in (tried, places))
        if many >= FEWEST_BEST and 2 * hits > many and _at_least(hits, many, there, len(tried)) < CHANCE:
            yield BoundHit(parameter, end, hits, many)


def _at_least(hits: int, drawn: int, those: int, of: int) -> float:
    """How often chance draws `hits` of `those`, or more, where it draws so many of so many (hypergeometric).

    By logarithms, for there may be thousands.
    """
    ways = _log_ways(of, drawn)
    each = range(max(hits, drawn + those - of), min(drawn, those) + 1)
    return math.fsum(math.exp(_log_ways(those, n) + _log_ways(of - those, drawn - n) - ways) for n in each)


def _log_ways(of: int, drawn: int) -> float:
    """The logarithm of how many ways there are to draw so many of so many."""
    return math.lgamma(of + 1) - math.lgamma(drawn + 1) - math.lgamma(of - drawn + 1)


def _never_helped(
    parameter: Parameter, done: Sequence[TrialFacts], best: Sequence[TrialFacts]
) -> Iterator[NeverHelped]:
    given, helpful = (
        [one.values[parameter.name] for one in some if parameter.name in one.values] for some in (done, best)
    )
    many = len(helpful)
    for choice in _choices(parameter):
        tried = sum(same(value, choice) for value in given)
        if many < FEWEST_BEST or not tried or any(same(value, choice) for value in helpful):
            continue
        if _at_least(many, many, len(given) - tried, len(given)) < CHANCE:
            yield NeverHelped(parameter, choice, tried, many)


def _gathered(parameter: Parameter, done: Sequence[TrialFacts], best: Sequence[TrialFacts]) -> Iterator[Gathered]:
    tried, numbers = _numbers(parameter, done), _numbers(parameter, best)
    many = len(numbers)
    if many < FEWEST_BEST:
        return
    low, high = min(numbers), max(numbers)
    within = sum(low <= one <= high for one in tried)
    beyond = len(tried) - within
    # In this part all of the best lie with the first chance; in it or another that holds no more of those tried, with
    # the second one: the distribution of the range of a sample, without replacement.
    if _at_least(many, many, within, len(tried)) * (1 + many * beyond / within) < CHANCE:
        low = low if min(tried) < low else float(parameter.low or 0)
        high = high if max(tried) > high else float(parameter.high or 0)
        yield Gathered(parameter, low, high, many)
