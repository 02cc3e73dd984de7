"""Hands out the next fit, answers for its trial's values, and closes a trial when its fits have ended."""

from collections.abc import Callable
from itertools import islice
from statistics import fmean, median_low

from hpsearch import grid, words
from hpsearch.consulting import Consulted
from hpsearch.fits import part, search_fits
from hpsearch.keeping import Keeping
from hpsearch.narrowing import narrow
from hpsearch.protocols import Tuner, Turn
from hpsearch.race import Race
from hpsearch.reached import reached
from hpsearch.records import NO_FURTHER, Answered, Asked
from hpsearch.shortlist import best_first
from hpsearch.space import Parameter, Value, Values, once
from hpsearch.state import MOST_LOSSES, OUT_OF_TIME, Course
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Failure, Fit, How, Status, Trial, TrialResult


class Desk:
    """Stands between the tuner, which thinks in trials, and the crew, which makes fits."""

    def __init__(self, study: Study, tuner: Tuner, race: Race | None) -> None:
        """Begin with the trials that an earlier session left unfinished."""
        self._study, self._tuner, self._race = study, Consulted(study, tuner), race
        self._keeping = Keeping(study)
        self._open: dict[int, list[Fit]] = {}
        self._cut_short: dict[Fit, AttemptEnd] = {}  # by the spent time
        left = (course for course in study.state.taken_up() if not self._closed_late(course))
        self._left = [course for course in left if not self._given_up(course)]
        self._left.sort(key=lambda course: self._cut_off(course.number), reverse=True)  # these begin alone, see Crew
        self.reason = ""

    def next_fit(self, full: Callable[[int], bool]) -> Fit | None:
        """The next fit to begin: of a trial under way, one left over, or a new one; None when there is none now.

        A trial that is `full` has enough hands at work, and its next fold or repeat waits for one of them.
        """
        if self.out_of_time:
            return None
        return self._waiting_fit(full) or self._fit_left_over() or self._fit_of_new_trial()

    def _waiting_fit(self, full: Callable[[int], bool]) -> Fit | None:
        for number, fits in sorted(self._open.items()):
            if fits and self._study.state.courses[number].built and not full(number):
                return fits.pop(0)
        return None

    def _fit_left_over(self) -> Fit | None:
        return self._first_fit(self._left.pop(0)) if self._left else None

    def _closed_late(self, course: Course) -> bool:
        """Close a trial whose fits had all ended when its session was cut off before its result was written."""
        results = (self._result(course, end, "") for end in list(course.ends.values()))
        result = next(filter(None, results), None)
        if result:
            self._close(result)
        return result is not None

    def _given_up(self, course: Course) -> bool:
        """Close a trial that was under way too often when a session ended without a word, the last time alone."""
        if (times := self._cut_off(course.number)) <= MOST_LOSSES:
            return False
        message = (
            f"{times} sessions in a row ended without a word while it was trained, and no epoch was done in between; "
            "it may need more memory than there is (see train.trial_memory)"
        )
        seconds, failure = sum(end.seconds for end in course.ends.values()), Failure("lost", message)
        self._close(TrialResult(course.trial, Status.FAILED, seconds=seconds, failure=failure))
        return True

    def _cut_off(self, trial: int) -> int:
        found = self._study.state.cut_off.items()
        return max((times for fit, times in found if (fit.trial, fit.kind) == (trial, "search")), default=0)

    def _fit_of_new_trial(self) -> Fit | None:
        number = len(self._study.state.courses)
        wanted = self._study.experiment.search.trials
        if wanted is not None and number >= wanted:
            self.reason = words.count(wanted, "trial")
            return None
        match self._tuner.ask(number):
            case Trial() as trial:
                self._study.record(Asked(trial))  # durable with the beginning of its first fit, which comes next
                return self._first_fit(self._study.state.courses[number])
            case Turn.DONE:
                self.reason = f"{NO_FURTHER} after {words.count(number, 'trial')}"
        return None

    def _first_fit(self, course: Course) -> Fit:
        fits = [fit for fit in search_fits(self._study.experiment, course.number) if fit not in course.ends]
        fits.sort(key=lambda fit: self._study.state.cut_off.get(fit, 0), reverse=True)  # as in `_left`
        self._open[course.number] = fits[1:]
        return fits[0]

    def certain_finalists(self) -> list[int]:
        """The trials that stay finalists while others end, best first; none while more trials are to come.

        Each trial under way can push one of the best out, and as a rule no more: not where it has the values of one
        that it then stands for, nor where as the new leader it changes the places of those that the race dropped.
        """
        certain = self._study.experiment.final.finalists - len(self._open)
        if certain <= 0 or not self._open or not self.reason or self.out_of_time:
            return []
        ended = (result.trial.number for result in best_first(self._study))
        return list(islice((number for number in ended if number not in self._open), certain))

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget is spent, which is the reason for the search's end then."""
        limit = self._study.experiment.seconds
        if limit is None or self._study.clock.seconds() < limit:
            return False
        self.reason = f"{self._study.experiment.search.time} of searching"
        return True

    def answer(self, number: int, parameter: Parameter) -> Value:
        """The value of a parameter for a trial: the one it has, the fixed one, the planned one, or the tuner's."""
        course = self._study.state.courses[number]
        if parameter.name in course.values:
            return course.values[parameter.name]
        narrowed = narrow(parameter, self._study.experiment.wishes)
        value = self._choose(course, narrowed)
        self._study.record(Answered(number, narrowed, value))
        return value

    def _choose(self, course: Course, parameter: Parameter) -> Value:
        if parameter.kind == "fixed":
            return parameter.default
        known = self._planned(course.number).get(parameter.name)
        if known is not None and grid.fits(parameter, known) and self._tuner.note(course.number, parameter, known):
            return known
        return self._tuner.suggest(course.number, parameter)

    def _planned(self, number: int) -> Values:
        planned = self._study.state.planned
        return planned.points[number] if planned and number < len(planned.points) else {}

    def fit_ended(self, end: AttemptEnd, pruned: str) -> TrialResult | None:
        """Take in the end of a fit; give the trial's result if that closes it (an interrupted one stays open)."""
        course = self._study.state.courses[end.attempt.fit.trial]
        if course.number not in self._open:
            if course.result:  # it was stopped because its trial had ended, and may have kept a last checkpoint
                self._keeping.tidy(course.result)
            return None
        if self._race:
            self._race.hear(end)
        if not (result := self._result(course, end, pruned)):
            return None
        del self._open[course.number]
        self._close(result)
        return result

    def _close(self, result: TrialResult) -> None:
        self._study.record(result, durable=True)
        if self._race:
            self._race.hear(result)
        self._keeping.tidy(result)
        if result.reason != OUT_OF_TIME:
            self._tuner.tell(result)

    def close_for_time(self) -> None:
        """Where time is out: close the trials that it caught, by what their fits have come to.

        It caught them in a fit, between two of them, or before they were taken up after an interruption.
        """
        caught = {course.number: course for course in self._study.state.taken_up() if course.tried}
        if not (caught and self.out_of_time):
            return
        untold = {fit for fit in self._study.state.epochs if fit.trial in caught and fit not in self._cut_short}
        cut_short = reached(self._study, untold, OUT_OF_TIME) | self._cut_short
        for number, course in caught.items():
            fits = search_fits(self._study.experiment, number)
            ends = course.ends | {fit: cut_short[fit] for fit in fits if fit in cut_short}
            self._close(self._mean(course, list(ends.values()), Status.PRUNED, OUT_OF_TIME))

    def _result(self, course: Course, end: AttemptEnd, pruned: str) -> TrialResult | None:
        failure = Failure("lost", end.reason) if end.how is How.LOST else end.failure
        ends = {**course.ends, end.attempt.fit: end}
        if failure:
            seconds = sum(one.seconds for one in ends.values())
            return TrialResult(course.trial, Status.FAILED, seconds=seconds, failure=failure)
        if all(fit in course.ends for fit in search_fits(self._study.experiment, course.number)):
            return self._mean(course, list(ends.values()), Status.COMPLETED, end.reason)
        if pruned := pruned or (self._race.reason(course.number) if self._race else ""):
            return self._mean(course, list(ends.values()), Status.PRUNED, pruned)
        if end.how is How.INTERRUPTED and end.reason == OUT_OF_TIME:
            self._cut_short[end.attempt.fit] = end  # until the trial's other fits have done their epoch, too
        return None

    def _mean(self, course: Course, ends: list[AttemptEnd], status: Status, reason: str) -> TrialResult:
        ends = sorted(ends, key=lambda end: (end.attempt.fit.repeat, end.attempt.fit.fold))
        scored = [end for end in ends if end.score is not None]
        seconds = sum(end.seconds for end in ends)
        if not scored:
            return TrialResult(course.trial, status, seconds=seconds, reason=reason)
        names = set.intersection(*(set(end.metrics) for end in scored))
        metrics = {once(name): fmean(end.metrics[name] for end in scored) for name in sorted(names)}
        score = fmean(end.score for end in scored if end.score is not None)
        epoch = median_low([end.best_epoch or 0 for end in scored])
        return TrialResult(course.trial, status, score, epoch, seconds, metrics, reason, scores=self._scores(scored))

    def _scores(self, scored: list[AttemptEnd]) -> dict[str, float]:
        """The score of each fold and repeat that came to its end; nothing where a trial is one fit."""
        data = self._study.experiment.data
        whole = {part(data, end.attempt.fit): end.score for end in scored if end.how is How.FINISHED}
        return {name: score for name, score in whole.items() if name and score is not None}
