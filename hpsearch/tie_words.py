"""Puts into words how the other finalists stand beside the winner: who ties with it, who fell behind, how surely."""

import math
from collections.abc import Sequence
from statistics import fmean

from hpsearch import words
from hpsearch.objective import is_accuracy
from hpsearch.records import Comparison, Finalist, FoldComparison, Verdict

LONGEST_METRIC = 40  # signs


def tie(verdict: Verdict, metric: str) -> str:
    """What the data tell of the other finalists; "" where there are none, or nothing is known of them.

    On the test split accuracies are compared, whatever the objective's `metric` is.
    """
    others = [one.trial for one in verdict.finalists if one.trial != verdict.winner]
    if verdict.interval is None or not others:
        return ""
    failed = _failed_more(verdict)
    ahead = [one.trial for one in verdict.comparisons if _ahead(one, (*verdict.ties, *failed))]
    behind = [one for one in others if one not in (*verdict.ties, *ahead, *failed)]
    of_one_seed = [one.trial for one in verdict.comparisons if one.interval is None and one.trial in behind]
    said = _tied(verdict, metric)
    if fell := [one for one in behind if one not in of_one_seed]:
        said.append(f"{_trials(verdict, fell)} fell behind, and not by chance")
    for one in of_one_seed:
        said.append(f"the model of {_trials(verdict, [one])} reads fewer of these images, which another seed may turn")
    if ahead:
        better = f"{_trials(verdict, ahead)} did better on the test split"
        said.append(f"{better}; but validation chooses, or the test would be none")
    return "; ".join(said)


def apart(verdict: Verdict, trial: int) -> str:
    """By which figure a finalist is told apart from the winner, or is not; "" where there is none.

    Such as "0.0031 behind, 95 % interval -0.0012 to 0.0074": in accuracy, or in the scores of folds.
    """
    found = _beside(verdict, trial)
    if found is None or found.difference is None:
        return _sureness(verdict, trial)
    return f"{abs(found.difference):.4f} {'behind' if found.difference >= 0 else 'ahead'}, {_sureness(verdict, trial)}"


def _sureness(verdict: Verdict, trial: int) -> str:
    """The interval of that figure; of single models McNemar's p, for all pairs of finalists that came through."""
    found = _beside(verdict, trial)
    if isinstance(found, Comparison) and found.interval is None:
        pairs = math.comb(sum(bool(one.scores) for one in verdict.finalists), 2)
        return f"McNemar's p = {min(1.0, found.p * pairs):.2g}"
    if found is None or found.difference is None or found.interval is None:
        return ""
    low, high = sorted(math.copysign(1, found.difference) * bound for bound in found.interval)
    return f"95 % interval {low:.4f} to {high:.4f}"


def _beside(verdict: Verdict, trial: int) -> Comparison | FoldComparison | None:
    known: tuple[Comparison | FoldComparison, ...] = (*verdict.comparisons, *verdict.fold_comparisons)
    return next((one for one in known if one.trial == trial), None)


def _tied(verdict: Verdict, metric: str) -> list[str]:
    """What is said of those that are not told apart from the winner; only of such as are near it that they will do."""
    tied = {one.trial: one for one in verdict.finalists if one.trial in verdict.ties}
    near = [trial for trial, one in tied.items() if _near(verdict, one, metric)]
    by, said = words.clean(metric, LONGEST_METRIC), []
    if near:
        alike = f"a tie with {_trials(verdict, near)}"
        free = f"{alike}: nothing here says which is better, so take the one you like"
        other = f"{alike} in accuracy (by {by} the winner ranks first; how surely is not tested)"
        said.append(free if is_accuracy(metric) else other)
    for trial, one in tied.items():
        if trial not in near:
            behind = f"{words.score(_lag(verdict, one))} behind in {'accuracy' if one.test_accuracies else by}"
            sure = f" ({sureness})" if (sureness := _sureness(verdict, trial)) else ""
            said.append(f"trial {trial} is {behind}{sure}, but too unsurely to tell the two apart")
    return said


def _near(verdict: Verdict, other: Finalist, metric: str) -> bool:
    """Whether a finalist's mean lies where the winner's interval says that the winner's own may lie, or above.

    Few seeds that differ much tell nothing apart, also not what is far behind. Of scores that are no accuracies the
    interval says nothing.
    """
    if verdict.interval is None or not (other.test_accuracies or is_accuracy(metric)):
        return False
    return _lag(verdict, other) <= verdict.expected_accuracy - verdict.interval[0]


def _lag(verdict: Verdict, other: Finalist) -> float:
    """How far a finalist's mean test accuracy lies behind the winner's; its mean score where it was not judged."""
    if other.test_accuracies:
        return verdict.expected_accuracy - fmean(other.test_accuracies)
    winner = verdict.won
    return abs(fmean(winner.scores) - fmean(other.scores)) if winner else 0.0


def _failed_more(verdict: Verdict) -> list[int]:
    """The finalists that failed under more seeds than the winner, which told them apart."""
    winner = verdict.won
    least = winner.failed_seeds if winner else 0
    return [one.trial for one in verdict.finalists if one.failed_seeds > least]


def _ahead(other: Comparison, uncertain: Sequence[int]) -> bool:
    """Whether another finalist than the winner clearly did better on the test split; of one seed the counts tell."""
    if other.interval:
        return other.interval[1] < 0
    return other.trial not in uncertain and other.only_other_right > other.only_winner_right


def _trials(verdict: Verdict, numbers: Sequence[int]) -> str:
    told = ((f"trial {number}", apart(verdict, number)) for number in numbers)
    return " and ".join(f"{trial} ({figure})" if figure else trial for trial, figure in told)
