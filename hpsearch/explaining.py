"""Explains a study: which parameters mattered and how surely, and what its findings are, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.figures import varying
from hpsearch.report.findings import FEWEST_TRIALS, BoundHit, Finding, Gathered, NeverHelped, completed, find
from hpsearch.report.importance import Weight, weigh
from hpsearch.space import Values
from hpsearch.trackers import words

LITTLE = 0.05  # a share of the importance that is no reason to search
ENOUGH_TO_FIX = 50  # completed trials; with fewer the weights are too unsure to give up a parameter for good


@dataclass(frozen=True)
class Explanation:
    """What a study says of its parameters; `trials` completed ones bear it out, fewer than `needed` say nothing.

    `unweighed` are parameters that vary, but that fewer than `needed` of them had.
    `idle` are parameters whose share of the importance is small in nearly every draw, and on which no other one hangs,
    with the values that the best trial has; it takes fifty trials to say so.
    """

    study: str
    trials: int
    needed: int
    weights: tuple[Weight, ...]
    unweighed: tuple[str, ...]
    findings: tuple[Finding, ...]
    idle: Values


def explain(facts: Facts) -> Explanation:
    """Weigh the parameters of a study and find what its trials say of them."""
    done = completed(facts)
    weights = weigh(facts) if len(done) >= FEWEST_TRIALS else ()
    weighed = {one.name for one in weights}
    unweighed = tuple(sorted(name for name in varying(done) if name not in weighed))
    return Explanation(facts.name, len(done), FEWEST_TRIALS, weights, unweighed, find(facts), _idle(weights, done))


def _idle(weights: Sequence[Weight], done: Sequence[TrialFacts]) -> Values:
    """What may be fixed: little weight in a study of many trials, and no other parameter hangs on it."""
    if len(done) < ENOUGH_TO_FIX:
        return {}
    names = [one.name for one in weights if one.high < LITTLE]
    best = done[0].values
    return {name: best[name] for name in names if name in best and not _opens(name, done)}


def _opens(name: str, done: Sequence[TrialFacts]) -> bool:
    """Whether a value of this parameter decides, as far as was seen, whether another one is asked for."""
    others = {other for trial in done for other in trial.values if other != name}
    for other in others:
        seen = [(trial.values[name], other in trial.values) for trial in done if name in trial.values]
        there, away = ({value for value, asked in seen if asked is wanted} for wanted in (True, False))
        if there and away and not there & away:
            return True
    return False


def in_words(finding: Finding) -> str:
    """A finding as half a sentence."""
    name = words.clean(finding.parameter.name, 40)
    match finding:
        case BoundHit(parameter, end, hits, best):
            side, bound = ("lower", parameter.low) if end == "low" else ("upper", parameter.high)
            return f"{name}: {hits} of the best {best} trials that have it lie at its {side} bound, {_number(bound)}"
        case NeverHelped(_, choice, tried, best):
            had = words.count(tried, "trial")
            return f"{name} = {words.value(choice)}: {had} had it, and none of the best {best} that have {name}"
        case Gathered(_, low, high, best):
            return f"{name}: all of the best {best} trials that have it lie between {_number(low)} and {_number(high)}"


def _number(bound: float | None) -> str:
    return words.value(bound if bound is not None else 0)
