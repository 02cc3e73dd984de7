"""The finals: the best trials once more on fresh seeds, one winner, and one look at the test split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, median_low

from hpsearch import winner
from hpsearch.crew import Crew
from hpsearch.errors import Interrupted, NothingCompleted
from hpsearch.leaving import Leave
from hpsearch.narrowing import narrow
from hpsearch.orders import Question
from hpsearch.protocols import Executor, Prepared
from hpsearch.records import Answered, Finalist, FinalistsChosen, TestOpened, Verdict
from hpsearch.search import PATIENCE_SECONDS, candidates
from hpsearch.seeds import derive
from hpsearch.study import Study
from hpsearch.trial import Fit
from hpsearch.worker.fit import model_file
from hpsearch.worker.judging import Judgement, judge


@dataclass
class Finale:
    """The finals of one study."""

    study: Study
    crew: Crew
    executor: Executor
    data: Prepared
    root: Path
    leave: Leave

    def hold(self) -> Verdict:
        """Train the finalists, choose the winner, open the test split; what was done in earlier sessions stands."""
        if self.study.state.verdict:
            return self.study.state.verdict
        self._make(self._final_fits(self._finalists()))
        ranking = self._ranking()
        models = self._models(ranking)
        judgements = self._open_test(models)
        verdict = self._verdict(ranking, models, judgements)
        self.study.record(verdict, durable=True)
        return verdict

    def _finalists(self) -> Sequence[int]:
        if self.study.state.finalists:
            return self.study.state.finalists
        best = candidates(self.study)[: self.study.experiment.final.finalists]
        if not best:
            name = self.study.experiment.name
            message = f"no trial completed, so there is nothing to choose from\n  see why with: hpsearch show {name}"
            raise NothingCompleted(message)
        chosen = FinalistsChosen(tuple(result.trial.number for result in best))
        self.study.record(chosen, durable=True)
        return chosen.trials

    def _final_fits(self, finalists: Sequence[int]) -> Iterator[tuple[Fit, int | None]]:
        seeds, folds = range(self.study.experiment.final.seeds), range(self.study.experiment.data.folds or 1)
        for trial, repeat, fold in product(finalists, seeds, folds):
            yield Fit(trial, self._seed("final", trial, repeat, fold), "final", fold, repeat), None

    def _seed(self, *words: object) -> int:
        return derive(self.study.experiment.seed, *words)

    def _make(self, fits: Iterator[tuple[Fit, int | None]]) -> None:
        waiting = [(fit, until) for fit, until in fits if fit not in self.study.state.finals]
        while waiting or self.crew.running:
            while waiting and self.crew.free and not self.leave():
                self.crew.begin(*waiting.pop(0))
            for event in self.crew.news(PATIENCE_SECONDS):
                if isinstance(event, Question):
                    self._answer(event)
            if self.leave():
                self.crew.stop("interrupted", at_once=True)
                waiting = []
        if self.leave():
            message = "interrupted"
            raise Interrupted(message)

    def _answer(self, question: Question) -> None:
        """A branch that the search never took gets its default, within the experiment's [space]."""
        parameter = narrow(question.parameter, self.study.experiment.space)
        self.study.record(Answered(question.attempt.fit.trial, parameter, parameter.default))
        self.crew.answer(question.attempt, parameter.default)

    def _ranking(self) -> list[tuple[int, list[float]]]:
        """The finalists that came through, best mean validation score first, each with a score a seed."""
        folds = self.study.experiment.data.folds or 1
        ranking = []
        for trial in self.study.state.finalists:
            ends = [
                (fit, end) for fit, end in self.study.state.finals.items() if (fit.trial, fit.kind) == (trial, "final")
            ]
            by_seed = [[end.score for fit, end in ends if fit.repeat == seed] for seed in self._seeds()]
            whole = [[score for score in scores if score is not None] for scores in by_seed]
            if means := [fmean(scores) for scores in whole if len(scores) == folds]:
                ranking.append((trial, means))
        if not ranking:
            name = self.study.experiment.name
            message = f"every finalist failed when it was trained again\n  see why with: hpsearch show {name}"
            raise NothingCompleted(message)
        objective = self.study.experiment.objective
        return sorted(ranking, key=lambda entry: objective.key(fmean(entry[1])))

    def _seeds(self) -> range:
        return range(self.study.experiment.final.seeds)

    def _models(self, ranking: list[tuple[int, list[float]]]) -> dict[Fit, Path]:
        """The models that the test split will judge: those it was opened for, if it was opened before."""
        if self.study.experiment.data.folds:
            fit = self._whole_fit(ranking[0][0])
            self._make(iter([(fit, self._median_best_epoch(fit.trial))]))
            fits = [fit]
        else:
            fits = [fit for fit in self.study.state.finals if fit.kind == "final" and fit.trial in dict(ranking)]
        if opened := self.study.state.opened:
            fits = [fit for fit in fits if fit.name in opened.models]
        if not any(fit.trial == ranking[0][0] and fit in self.study.state.finals for fit in fits):
            message = f"trial {ranking[0][0]} won, but training its model failed; run the experiment again to retry"
            raise NothingCompleted(message)
        return {fit: model_file(self.study.paths.fits, fit) for fit in fits}

    def _whole_fit(self, trial: int) -> Fit:
        return Fit(trial, self._seed("whole", trial), "whole")

    def _median_best_epoch(self, trial: int) -> int:
        ends = [end for fit, end in self.study.state.finals.items() if fit.trial == trial]
        return median_low([end.best_epoch for end in ends if end.best_epoch])

    def _open_test(self, models: dict[Fit, Path]) -> dict[Fit, Judgement]:
        if opened := self.study.state.opened:
            digests = opened.models
        else:
            digests = {fit.name: winner.digest(file) for fit, file in models.items()}
            self.study.record(TestOpened(digests), durable=True)
        for fit, file in models.items():
            winner.verify(file, digests[fit.name])
        build = self.study.experiment.model.build
        files = list(models.values())
        judged = self.executor.call(judge, self.root, build, self.data.folder, files, self.data.class_names)
        return dict(zip(models, judged, strict=True))

    def _verdict(
        self, ranking: list[tuple[int, list[float]]], models: dict[Fit, Path], judgements: dict[Fit, Judgement]
    ) -> Verdict:
        best = ranking[0][0]
        exported = self._median_fit([fit for fit in models if fit.trial == best])
        finalists = tuple(
            Finalist(trial, tuple(scores), tuple(judgements[fit].accuracy for fit in models if fit.trial == trial))
            for trial, scores in ranking
        )
        judgement = judgements[exported]
        return Verdict(
            best, exported.name, finalists, self.data.test_rows, judgement.accuracy,
            judgement.report, judgement.confusion, self.data.class_names,
        )  # fmt: skip

    def _median_fit(self, fits: list[Fit]) -> Fit:
        """The fit with the winner's median validation score: neither its luckiest nor its unluckiest seed."""
        objective = self.study.experiment.objective
        ordered = sorted(fits, key=lambda fit: (objective.key(self.study.state.finals[fit].score), fit.repeat))
        return ordered[(len(ordered) - 1) // 2]
