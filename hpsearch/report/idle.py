"""Says which parameters matter so little that they may be fixed, to search the rest more closely."""

from collections.abc import Sequence

from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.findings import completed, tried_throughout
from hpsearch.report.importance import Weight
from hpsearch.space import Values

ENOUGH = 50  # completed trials; with fewer the weights are too unsure to give up a parameter for good
LITTLE = 0.05  # a share of the importance that is no reason to search


def idle(facts: Facts, weights: Sequence[Weight]) -> Values:
    """The parameters of little weight on which no other one hangs, each with the value that the best trial has.

    {} where too few trials are completed. A name that was asked for in several ways is left out: each has a weight of
    its own, and the one of a branch that none of the best took has none. So is what was tried in a part of its range
    alone: what the rest does is not known.
    """
    done = completed(facts)
    if len(done) < ENOUGH:
        return {}
    best, several = done[0].values, facts.several
    partly = {one.name for one in facts.parameters if not tried_throughout(one, done)}
    names = [one.name for one in weights if one.high < LITTLE and one.name not in several | partly]
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
