"""Explains a study: which parameters mattered and how surely, and what its findings are, in words."""

from dataclasses import dataclass

from hpsearch import words
from hpsearch.as_optuna import plain_name
from hpsearch.report.facts import Facts
from hpsearch.report.findings import (
    FEWEST_TRIALS,
    BoundHit,
    Finding,
    Gathered,
    NeverHelped,
    completed,
    find,
    took_several,
)  # fmt: skip
from hpsearch.report.idle import idle
from hpsearch.report.importance import Weight, weigh
from hpsearch.report.untold import often_varied
from hpsearch.space import Values


@dataclass(frozen=True)
class Explanation:
    """What a study says of its parameters; `trials` completed ones bear it out, fewer than `needed` say nothing.

    Without `weights` no parameter can be told from chance, or there was nothing to weigh.
    `unweighed` are parameters that took several values, but that fewer than `needed` of them had, or had in any one of
    several ways.
    `idle` are parameters whose share of the importance is small in nearly every draw, and on which no other one hangs,
    with the values that the best trial has; it takes fifty trials to say so.
    `alone` is the one parameter that took several values and that `needed` trials had, where there is no other: a share
    says nothing of it.
    """

    study: str
    trials: int
    needed: int
    weights: tuple[Weight, ...]
    unweighed: tuple[str, ...]
    findings: tuple[Finding, ...]
    idle: Values
    alone: str = ""


def explain(facts: Facts) -> Explanation:
    """Weigh the parameters of a study and find what its trials say of them."""
    done = completed(facts)
    weights = weigh(facts) if len(done) >= FEWEST_TRIALS else ()
    weighed = {name for one in weights for name in (one.name, plain_name(one.name))}
    often = often_varied(facts)
    several = took_several(trial.values for trial in done)
    rare = (name for name in several if name not in weighed and (weights or name not in often))
    return Explanation(
        facts.name, len(done), FEWEST_TRIALS, weights, tuple(sorted(rare)), find(facts), idle(facts, weights),
        "".join(often) if len(often) == 1 and not weights else "",
    )  # fmt: skip


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
