"""Drops a trial when the folds it has had show that it is worse than the best finished trial.

The race is a fold of the ledger: what it says of a fit depends on what ended before that fit and on nothing else, so
that a study which was killed says the same again.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hpsearch import hits, paired
from hpsearch.fits import search_fits
from hpsearch.splits import Splits
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Fit, How, Status, TrialResult

if TYPE_CHECKING:
    from hpsearch.paired import Hits, Rows

AFTER = "after {} of {} fits"  # how the reason begins, which the ledger keeps
PEERS = 30  # ended trials that tell how much fits scatter: the last ones, so that a long study asks no longer


class Evidence(Protocol):
    """What is known of the fits that ended."""

    def rows(self, fit: Fit) -> "Rows":
        """The rows it was validated on."""

    def hits(self, fit: Fit) -> "Hits | None":
        """Which of them it got right; None if that was not kept."""


class Kept:
    """The evidence in a study's folder, where workers left it."""

    def __init__(self, study: Study, splits: Splits) -> None:
        """Read nothing yet."""
        self._paths, self._splits = study.paths, splits
        self._rows: dict[tuple[int, int], Rows] = {}

    def rows(self, fit: Fit) -> "Rows":
        """The validation rows of the fit's split."""
        import numpy as np

        if _place(fit) not in self._rows:
            with np.load(self._splits.file(fit)) as split:
                self._rows[_place(fit)] = split["validation"]
        return self._rows[_place(fit)]

    def hits(self, fit: Fit) -> "Hits | None":
        """What its worker kept in its folder."""
        return hits.read(self._paths.fit(fit.name).hits)


@dataclass(frozen=True)
class Leader:
    """The best finished trial, and its fits by repeat and fold."""

    number: int
    score: float
    fits: dict[tuple[int, int], Fit]
    leads: dict[int, paired.Lead | None] = field(default_factory=dict)  # over its peers, as far as asked for


class Race:
    """Who leads, who is under way with which finished fits, and who was shown to be worse."""

    def __init__(self, fits: int, evidence: Evidence) -> None:
        """Begin before the first trial of a study whose trials have so many fits each."""
        self._count, self._evidence = fits, evidence
        self._leader: Leader | None = None
        self._finished = 0
        self._open: dict[int, list[Fit]] = {}
        self._peers: dict[int, list[Fit]] = {}
        self._reasons: dict[int, str] = {}

    def hear(self, told: AttemptEnd | TrialResult, *, judging: bool = True) -> None:
        """Take in the end of a fit or a trial; a trial of which it is known how it ended needs no `judging`."""
        match told:
            case AttemptEnd(attempt, How.FINISHED, failure=None) if attempt.fit.kind == "search":
                number = attempt.fit.trial
                self._open.setdefault(number, []).append(attempt.fit)
                if judging and len(self._open[number]) < self._count and (reason := self._judge(number)):
                    self._reasons[number] = reason
            case TrialResult(reason=reason) if reason != OUT_OF_TIME:
                self._end(told)

    def reason(self, trial: int) -> str:
        """Why an open trial is to be dropped; "" if it is not."""
        return self._reasons.get(trial, "")

    def _end(self, result: TrialResult) -> None:
        number = result.trial.number
        self._reasons.pop(number, None)
        fits = self._open.pop(number, [])
        if result.status is Status.FAILED:
            return
        if len(fits) > 1:
            self._peers[number] = fits
            if len(self._peers) > PEERS:
                del self._peers[next(iter(self._peers))]
        if result.status is Status.COMPLETED and result.score is not None:
            self._finished += 1
            if self._leader is None or result.score > self._leader.score:
                self._leader = Leader(number, result.score, {_place(fit): fit for fit in fits})

    def _judge(self, trial: int) -> str:
        leader = self._leader
        if leader is None or (found := self._lead(leader, self._open[trial])) is None:
            return ""
        folds = len({fold for _, fold in leader.fits})
        margin = paired.margin(found, self._leads(leader), self._count, self._finished, folds)
        if found.share <= margin:
            return ""
        return (
            f"{AFTER.format(found.fits, self._count)} {100 * found.share:.2f} points behind trial {leader.number} "
            f"on the same {found.images:,} images, where chance explains {100 * margin:.2f}"
        )

    def _leads(self, leader: Leader) -> Iterator[paired.Lead]:
        for peer, fits in self._peers.items():
            if peer != leader.number:
                if peer not in leader.leads:
                    leader.leads[peer] = self._lead(leader, fits)
                if known := leader.leads[peer]:
                    yield known

    def _lead(self, leader: Leader, behind: Iterable[Fit]) -> paired.Lead | None:
        """The leader's lead on these fits of another trial; None where evidence of one is missing."""
        shared = []
        for fit in behind:
            counterpart = leader.fits.get(_place(fit))
            if counterpart is None:
                return None
            rows, ahead, hit = self._evidence.rows(fit), self._evidence.hits(counterpart), self._evidence.hits(fit)
            if ahead is None or hit is None or not len(rows) == len(ahead) == len(hit):
                return None
            shared.append(paired.Shared(rows, ahead, hit))
        return paired.lead(shared)


def dropped(result: TrialResult) -> bool:
    """Whether it was the race that ended a trial: all fits that it had were made whole."""
    return result.status is Status.PRUNED and re.match(AFTER.format(r"\d+", r"\d+"), result.reason) is not None


def _place(fit: Fit) -> tuple[int, int]:
    return fit.repeat, fit.fold


def taken_up(study: Study, splits: Splits) -> Race | None:
    """The race as the study's earlier sessions left it; None where the experiment wants none."""
    if not study.experiment.races:
        return None
    race = Race(len(list(search_fits(study.experiment, 0))), Kept(study, splits))
    for news in study.ledger.recall((AttemptEnd, TrialResult)):
        match news.body:
            case AttemptEnd(attempt) as end:
                result = study.state.courses[attempt.fit.trial].result
                race.hear(end, judging=result is None or result.reason == OUT_OF_TIME)
            case TrialResult() as result:
                race.hear(result)
    return race
