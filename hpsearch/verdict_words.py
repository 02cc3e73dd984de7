"""Puts a verdict into words: how accurate the winner is and how surely, who failed, what was luck."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from hpsearch import tie_words, words
from hpsearch.objective import is_accuracy
from hpsearch.records import Finalist, Verdict

MOST_NAMED = 5  # studies in one sentence
SMALL = 0.01  # scores, of whose differences four decimals show little


def accuracy(verdict: Verdict) -> str:
    """The headline: the expected accuracy, and what stands behind it."""
    return f"{words.score(verdict.expected_accuracy)}{surety(verdict)}"


def surety(verdict: Verdict) -> str:
    """Over how many seeds the accuracy is, how sure, and how far a single training may be from it.

    Such as " over 3 seeds (95 % interval 0.9641 to 0.9746, of their mean; seeds differ by 0.0021)".
    """
    winner = verdict.won
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


def winner(verdict: Verdict, metric: str) -> str:
    """Who won, by which mean of the objective's metric if that is no accuracy, and which accuracy is to be expected."""
    scores = won.scores if (won := verdict.won) and not is_accuracy(metric) else ()
    by = f"{words.clean(metric, tie_words.LONGEST_METRIC)} {words.score(fmean(scores))}, " if scores else ""
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
    winner = verdict.won
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
        "other finalists": tie_words.tie(verdict, metric),
        "luck": luck(verdict),
        "test split": looks(judged, openings),
    }
    return {name: line for name, line in said.items() if line}
