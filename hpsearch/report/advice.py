"""Says what to try next, as far as the trials bear it out, in sentences."""

from collections.abc import Iterator, Sequence

from hpsearch import words
from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.findings import FEWEST_TRIALS, BoundHit, NeverHelped, best_of, completed, find
from hpsearch.report.idle import idle
from hpsearch.report.importance import Weight
from hpsearch.report.new_bounds import widened
from hpsearch.trial import Status

FAILED = 0.2


def advice(facts: Facts, weights: Sequence[Weight]) -> list[str]:
    """What to try next; [] when nothing can be said yet."""
    done = completed(facts)
    told = list(_failures(facts))
    if len(done) < FEWEST_TRIALS:
        return [*told, *(_too_few(facts, len(done)) if facts.trials else [])]
    best = best_of(done)
    return [*told, *_of_parameters(facts), *_epochs(facts, best), *_idle(facts, weights)]


def _too_few(facts: Facts, done: int) -> list[str]:
    trials = facts.counts.get(Status.COMPLETED, 0) + facts.counts.get(Status.PRUNED, 0)
    enough = f"run {FEWEST_TRIALS} or more (search.trials)"
    if trials > done:  # so many were begun already, perhaps more than ten
        enough = f"{FEWEST_TRIALS} must come to their end, and {done} of {trials} did: raise search.trials"
    wanted = "" if facts.ended_by_tuner else f"; {enough}"
    return [f"With {words.count(done, 'completed trial')} nothing can be said of single parameters{wanted}."]


def _failures(facts: Facts) -> Iterator[str]:
    failed = facts.counts.get("failed", 0)
    if failed > FAILED * len(facts.trials):
        yield f"{failed} of {words.count(len(facts.trials), 'trial')} failed: mend that before searching on."


def _of_parameters(facts: Facts) -> Iterator[str]:
    """Ranges whose end the best trials lie at are perhaps too narrow, choices in none of the best are in the way."""
    for finding in find(facts):
        name = words.clean(finding.parameter.name, 40)
        match finding:
            case BoundHit(parameter) if widened(finding) == (parameter.low, parameter.high):
                continue  # beyond nought, one or all of a share the next experiment would not go either
            case BoundHit(parameter, end, hits, best):
                side, bound = ("lower", parameter.low) if end == "low" else ("upper", parameter.high)
                yield (
                    f"Widen {name}: {hits} of the best {best} trials that have it lie at the {side} end "
                    f"of its range ({words.value(bound or 0)})."
                )
            case NeverHelped(_, choice, tried, best):
                value = words.value(choice)
                had = words.count(tried, "trial")
                yield f"Leave out {name} = {value}: {had} had it, and none of the best {best} that have {name}."


def _epochs(facts: Facts, best: Sequence[TrialFacts]) -> Iterator[str]:
    most = facts.experiment.get("train", {}).get("epochs")
    last = [trial for trial in best if most and trial.best_epoch == most]
    if most and len(last) > len(best) / 2:
        yield (
            f"Train longer (train.epochs): {len(last)} of the best {len(best)} trials were at their best in the last "
            f"of {words.count(most, 'epoch')} (usual where the learning rate falls to the end)."
        )


def _idle(facts: Facts, weights: Sequence[Weight]) -> Iterator[str]:
    if little := [words.clean(name, 40) for name in idle(facts, weights)]:
        yield f"Fix what matters little, to search the rest more closely: {', '.join(little)}."
