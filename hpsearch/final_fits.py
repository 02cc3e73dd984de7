"""The fits of the finals: which those of a trial are, which are made, and which a hand without other work may begin."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from hpsearch.crew import Crew
from hpsearch.narrowing import narrow
from hpsearch.orders import Event, Question
from hpsearch.records import Answered
from hpsearch.seeds import derive
from hpsearch.space import Parameter, Value
from hpsearch.study import Study
from hpsearch.trial import Fit


class FinalFits:
    """Those of one study. A hand that the end of the search leaves without work begins them early."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.early: set[Fit] = set()  # begun in this session while the search lasted

    def of(self, trials: Sequence[int]) -> Iterator[Fit]:
        """Those of the slowest trial first: of what is made last, little is left when a hand finds nothing to do."""
        folds = range(self._study.experiment.data.folds or 1)
        slowest_first = sorted(trials, key=self._seconds_of_a_fit, reverse=True)
        for trial, repeat, fold in product(slowest_first, self.seeds, folds):
            yield Fit(trial, self._seed("final", trial, repeat, fold), "final", fold, repeat)

    @property
    def seeds(self) -> range:
        """The numbers of the seeds that each finalist is trained under."""
        return range(self._study.experiment.final.seeds)

    def whole(self, trial: int, seeds: Iterable[int]) -> list[Fit]:
        """Those on all training rows."""
        return [Fit(trial, self._seed("whole", trial, *([seed] if seed else [])), "whole", 0, seed) for seed in seeds]

    def _seed(self, *words: object) -> int:
        return derive(self._study.experiment.seed, *words)

    def _seconds_of_a_fit(self, trial: int) -> float:
        result = self._study.state.courses[trial].result
        return result.seconds / max(1, len(result.scores)) if result else 0.0

    def made(self, fit: Fit, until: int | None = None) -> bool:
        """Whether a fit has come through, until that epoch, and its model, if it may be judged, is still there.

        A HyperModel's own fit may have ended by itself before, as it would again.
        """
        end = self._study.state.finals.get(fit)
        if end is None:
            return False
        enough = until is None or end.epochs == until or (end.epochs < until and bool(end.reason))
        judged = fit.kind == "whole" or not self._study.experiment.data.folds
        return enough and (not judged or self._study.paths.fit(fit.name).model.exists())

    def next(self, trials: Sequence[int]) -> Fit | None:
        """The next fit of these trials to begin early; none that ever took its session down with it."""
        cut_off = self._study.state.cut_off
        waiting = (fit for fit in self.of(trials) if fit not in self.early and fit not in cut_off)
        if (fit := next((fit for fit in waiting if not self.made(fit)), None)) is not None:
            self.early.add(fit)
        return fit

    def hear(self, event: Event, crew: Crew) -> None:
        """Answer what a final fit asks: a branch that the search never took gets its default, within [space]."""
        if isinstance(event, Question):
            crew.reply(event, self._default)

    def _default(self, trial: int, asked: Parameter) -> Value:
        parameter = narrow(asked, self._study.experiment.wishes)
        self._study.record(Answered(trial, parameter, parameter.default))
        return parameter.default
