"""Explains a study: which parameters mattered and how surely, and what its findings are, in words."""

from dataclasses import dataclass

from hpsearch.findings import FEWEST_TRIALS, BoundHit, Finding, Gathered, NeverHelped, completed, find
from hpsearch.report.facts import Facts
from hpsearch.report.importance import Weight, weigh
from hpsearch.space import Values
from hpsearch.trackers import words

LITTLE = 0.05  # a share of the importance that is no reason to search


@dataclass(frozen=True)
class Explanation:
    """What a study says of its parameters; `trials` completed ones bear it out, fewer than `needed` say nothing.

    `idle` are parameters whose share of the importance is small in nearly every draw, with the values that the best
    trial has.
    """

    study: str
    trials: int
    needed: int
    weights: tuple[Weight, ...]
    findings: tuple[Finding, ...]
    idle: Values


def explain(facts: Facts) -> Explanation:
    """Weigh the parameters of a study and find what its trials say of them."""
    done = completed(facts)
    weights = weigh(facts) if len(done) >= FEWEST_TRIALS else ()
    best = done[0].values if done else {}
    known = {parameter.name for parameter in facts.parameters}
    idle = {one.name: best[one.name] for one in weights if one.high < LITTLE and one.name in best and one.name in known}
    return Explanation(facts.name, len(done), FEWEST_TRIALS, weights, find(facts), idle)


def in_words(finding: Finding) -> str:
    """A finding as half a sentence."""
    name = words.clean(finding.parameter.name, 40)
    match finding:
        case BoundHit(parameter, end, hits, best):
            side, bound = ("lower", parameter.low) if end == "low" else ("upper", parameter.high)
            return f"{name}: {hits} of the best {best} trials that have it lie at its {side} bound, {_number(bound)}"
        case NeverHelped(_, choice, tried, best):
            return f"{name} = {words.value(choice)}: {words.count(tried, 'trial')} had it, and none of the best {best}"
        case Gathered(_, low, high, best):
            return f"{name}: all of the best {best} trials that have it lie between {_number(low)} and {_number(high)}"


def _number(bound: float | None) -> str:
    return words.value(bound if bound is not None else 0)
