"""Puts a verdict into words: how accurate the winner is and how surely, whether it is a tie, what was luck."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from hpsearch import words
from hpsearch.objective import is_accuracy
from hpsearch.records import Comparison, Finalist, FoldComparison, Verdict

MOST_NAMED = 5  # studies in one sentence
LONGEST_METRIC = 40  # signs
SMALL = 0.01  # scores, of whose differences four decimals show little


def accuracy(verdict: Verdict) -> str:
    """The headline: the expected accuracy, and what stands behind it."""
    return f"{words.score(verdict.expected_accuracy)}{surety(verdict)}"


def surety(verdict: Verdict) -> str:
    """Over how many seeds the accuracy is, how sure, and how far a single training may be from it.

    Such as " over 3 seeds (95 % interval 0.9641 to 0.9746, of their mean; seeds differ by 0.0021)".
    """
    winner = _winner(verdict)
    judged = winner.test_accuracies if winner else ()
    over = f" over {len(judged)} seeds" if len(judged) > 1 else ""
    if verdict.interval is None:
        return over
    low, high = map(words.score, verdict.interval)
    differ = seeds_differ_by(judged)
    alone = verdict.interval_of == "model" or differ is None
    of = "this one model" if alone else f"their mean; seeds differ by {differ:.4f}"
    return f"{over} (95 % interval {low} to {high}, of {of})"


def seeds_differ_by(accuracies: Sequence[float]) -> float | None:
    """The standard deviation, from seed to seed, of what a model reads rightly; None of one seed, which tells none.

    It is that of single trainings, where an interval of their mean says nothing of a single one.
    """
    return stdev(accuracies) if len(accuracies) > 1 else None


def _winner(verdict: Verdict) -> Finalist | None:
    return next((one for one in verdict.finalists if one.trial == verdict.winner), None)


def winner(verdict: Verdict, metric: str) -> str:
    """Who won, by which mean of the objective's metric if that is no accuracy, and which accuracy is to be expected."""
    scores = won.scores if (won := _winner(verdict)) and not is_accuracy(metric) else ()
    by = f"{words.clean(metric, LONGEST_METRIC)} {words.score(fmean(scores))}, " if scores else ""
    return f"winner: trial {verdict.winner}, {by}expected accuracy {accuracy(verdict)}"


def exported(verdict: Verdict) -> str:
    """What the one exported model read of the test split."""
    rows = f"{verdict.test_rows:,} test images that no search saw"
    read = f"model accuracy {words.score(verdict.model_accuracy)}, on {rows}"
    if verdict.refit:
        return f"exported: a model of all rows, validation too; {read}; it compares with no other figure here"
    seed = "first" if verdict.model_fit.startswith("whole") else "median"  # those on all rows have no score to rank by
    return f"exported: its {seed} seed's model; {read}"


def failures(verdict: Verdict) -> str:
    """Under how many seeds finalists failed, which no other figure tells; "" where none did."""
    fell = [f"trial {one.trial} {failed(one)}" for one in verdict.finalists if one.failed_seeds]
    said = [f"{', '.join(fell)}; who failed under fewer ranks first"] if fell else []
    winner = _winner(verdict)
    if winner and winner.median_fit.startswith("whole"):
        seeds = _seeds(winner)
        lacking = seeds - len(winner.test_accuracies)
        said += [f"of the winner, {lacking} of its {seeds} trainings on all rows failed"] if lacking > 0 else []
    return "; ".join(said)


def failed(finalist: Finalist) -> str:
    """Such as "failed under 2 of 3 seeds"; "" if it did not."""
    if not finalist.failed_seeds:
        return ""
    share = f"{finalist.failed_seeds} of" if finalist.scores else "all"
    return f"failed under {share} {words.count(_seeds(finalist), 'seed')}"


def _seeds(finalist: Finalist) -> int:
    return len(finalist.scores) + finalist.failed_seeds


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
    winner = _winner(verdict)
    return abs(fmean(winner.scores) - fmean(other.scores)) if winner else 0.0


def _failed_more(verdict: Verdict) -> list[int]:
    """The finalists that failed under more seeds than the winner, which told them apart."""
    winner = _winner(verdict)
    least = winner.failed_seeds if winner else 0
    return [one.trial for one in verdict.finalists if one.failed_seeds > least]


def _ahead(other: Comparison, uncertain: Sequence[int]) -> bool:
    """Whether another finalist than the winner clearly did better on the test split; of one seed the counts tell."""
    if other.interval:
        return other.interval[1] < 0
    return other.trial not in uncertain and other.only_other_right > other.only_winner_right


def luck(verdict: Verdict) -> str:
    """How far the search's best score was too good; "" where nothing is known of it."""
    if verdict.optimism is None:
        return ""
    size, which = _size(abs(verdict.optimism), verdict), "better" if verdict.optimism >= 0 else "worse"
    how = f"{size} {which} than" if float(size) else "as good as"
    alone = max((len(one.scores) for one in verdict.finalists), default=0) == 1
    again = "its configuration's score under a fresh seed" if alone else "its configuration's mean over fresh seeds"
    line = f"the best score of the search was {how} {again}"
    if verdict.bootstrap_optimism is None:
        return line
    expected = _size(max(0.0, verdict.bootstrap_optimism), verdict)  # of few trials the bootstrap may err to below none
    if verdict.left_out:
        return f"{line}; at least {expected} of luck was to be expected" if float(expected) else line
    return f"{line}; {f'{expected} of' if float(expected) else 'no'} luck was to be expected"


def _size(difference: float, verdict: Verdict) -> str:
    """A difference of scores with four decimals, or with digits of its own where the scores are as small as those."""
    scores = [abs(score) for one in verdict.finalists for score in one.scores]
    return f"{difference:.2e}" if scores and max(scores) < SMALL else f"{difference:.4f}"


def looks(judged: Mapping[str, int | None], openings: int = 1) -> str:
    """How many models, study by study, the test split was shown to: the more, the less its figures are worth."""
    known = {words.clean(study, 60): many for study, many in judged.items() if many}
    if not known:
        return ""
    line = f"this test split has judged {words.count(sum(known.values()), 'model')}"
    if len(known) > 1:
        line += f" ({_shares(known)})"
    if unread := [words.clean(study, 60) for study, many in judged.items() if many is None]:
        line += f"; not counted: {', '.join(unread[:MOST_NAMED])}, whose ledger cannot be read"
    if openings > 1:
        line += f"; it was opened {openings} times, and what came later was chosen in its light"
    return line


def _shares(known: Mapping[str, int]) -> str:
    shares = list(known.items())
    named, others = (shares, []) if len(shares) <= MOST_NAMED else (shares[: MOST_NAMED - 1], shares[MOST_NAMED - 1 :])
    rest = [f"{sum(many for _, many in others)} of {len(others)} other studies"] if others else []
    return ", ".join([*(f"{many} of {study}" for study, many in named), *rest])


def sentences(verdict: Verdict, metric: str, judged: Mapping[str, int | None], openings: int) -> list[str]:
    """All of it, a line each; `metric` is the objective's."""
    return list(by_name(verdict, metric, judged, openings).values())


def by_name(verdict: Verdict, metric: str, judged: Mapping[str, int | None], openings: int) -> dict[str, str]:
    """The same by what each tells of."""
    said = {
        "winner": winner(verdict, metric),
        "exported": exported(verdict),
        "failed seeds": failures(verdict),
        "other finalists": tie(verdict, metric),
        "luck": luck(verdict),
        "test split": looks(judged, openings),
    }
    return {name: line for name, line in said.items() if line}


def _trials(verdict: Verdict, numbers: Sequence[int]) -> str:
    told = ((f"trial {number}", apart(verdict, number)) for number in numbers)
    return " and ".join(f"{trial} ({figure})" if figure else trial for trial, figure in told)
