"""Opens the test split, once, for the models of the finals, and draws up the verdict from what they read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch import conclusions, epoch_curves, winner
from hpsearch.conclusions import Standing
from hpsearch.datasets.prepared import test_digests
from hpsearch.objective import is_accuracy
from hpsearch.predictions import Predictions, keep
from hpsearch.protocols import Executor, Prepared
from hpsearch.records import Finalist, FoldComparison, TestOpened, Verdict
from hpsearch.shortlist import candidates
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import Fit, Status
from hpsearch.worker.judging import Judgement, judgement, read_test
from hpsearch.worker.rows import open_arrays
from hpsearch.worker.unchanged import Code


@dataclass
class OneLook:
    """The one look of a study's finals at its test split."""

    study: Study
    executor: Executor
    data: Prepared
    code: Code

    def judge(self, models: Mapping[Fit, Path]) -> dict[Fit, Judgement]:
        """Judge these model files; their digests are in the ledger before, what they read is kept before the verdict.

        Raise StateDamaged when one is not what the test split was opened for, StudyChanged when the code changed, by
        which a person's own layers are read.
        """
        self.code.refuse_if_changed()
        if opened := self.study.state.opened:
            digests = opened.models
        else:
            digests = {fit.name: winner.digest(file) for fit, file in models.items()}
            listed = epoch_curves.listed(self.study, models)
            self.study.record(TestOpened(digests, listed, *test_digests(self.data)), durable=True)
        for fit, file in models.items():
            winner.verify(file, digests[fit.name])
        build, files = self.study.experiment.model.build, list(models.values())
        with self.code.kept():
            readings = self.executor.call(read_test, self.code.root, build, self.data.folder, files)
        _, labels = open_arrays(self.data.folder / "test", "r")
        judgements = {
            fit: judgement(labels, predicted, confidence, self.data.class_names)
            for fit, (predicted, confidence) in zip(models, readings, strict=True)
        }
        for fit, judged in judgements.items():
            read = Predictions(judged.predicted, judged.confidence, self.data.digest)
            keep(self.study.paths.predictions / f"{fit.name}.npz", read)
        return judgements

    def verdict(self, ranking: Sequence[Standing], judgements: Mapping[Fit, Judgement]) -> Verdict:
        """The verdict on finalists, best first, of whom the first has a judged model."""
        standings = [self._judged(standing, judgements) for standing in ranking]
        exported, refit = self._exported(standings[0], judgements)
        shown = judgements[exported]
        bare = Verdict(
            exported.trial, exported.name, (*(_finalist(one, judgements) for one in standings), *self._fallen(ranking)),
            self.data.test_rows, shown.accuracy, shown.report, shown.confusion, self.data.class_names,
        )  # fmt: skip
        return replace(self._with_surety(bare, standings), refit=refit)

    def _fallen(self, ranking: Sequence[Standing]) -> Iterator[Finalist]:
        """The finalists that failed under every seed."""
        through, seeds = {standing.trial for standing in ranking}, self.study.experiment.final.seeds
        for trial in self.study.state.finalists:
            if trial not in through:
                yield Finalist(trial, (), (), failed_seeds=seeds)

    def _judged(self, standing: Standing, judgements: Mapping[Fit, Judgement]) -> Standing:
        import numpy as np

        labels = np.load(self.data.folder / "test" / "labels.npy")
        kind = "whole" if self.study.experiment.data.folds else "final"
        rights = {
            fit: judged.predicted == labels
            for fit, judged in judgements.items()
            if (fit.trial, fit.kind) == (standing.trial, kind)
        }
        return replace(standing, rights=rights, median=self._median_fit(list(rights)) if rights else None)

    def _exported(self, standing: Standing, judgements: Mapping[Fit, Judgement]) -> tuple[Fit, bool]:
        """The winner's median model; the one trained on validation rows too, if that was asked for."""
        again = [fit for fit in judgements if fit.kind == "whole" and fit not in standing.rights]
        return (again[0], True) if again else (self._median_fit(list(standing.rights)), False)

    def _median_fit(self, fits: list[Fit]) -> Fit:
        """The fit with the median validation score; of an even number the worse of the middle two, to flatter nothing.

        Those on all training rows have no such score: there the first seed stands for all.
        """
        if fits[0].kind == "whole":
            return min(fits, key=lambda fit: fit.repeat)
        objective = self.study.experiment.objective
        ordered = sorted(fits, key=lambda fit: (objective.key(self.study.state.finals[fit].score), fit.repeat))
        return ordered[len(ordered) // 2]

    def _with_surety(self, verdict: Verdict, standings: Sequence[Standing]) -> Verdict:
        compared, on_folds = conclusions.comparisons(standings), self._on_folds(standings)
        sure = replace(
            verdict,
            interval=conclusions.interval(standings),
            interval_of="configuration" if standings[0].varied else "model",
            comparisons=compared,
            fold_comparisons=on_folds or (),
            ties=conclusions.ties(standings, compared, on_folds),
        )
        return self._with_optimism(sure, standings)

    def _on_folds(self, standings: Sequence[Standing]) -> tuple[FoldComparison, ...] | None:
        """None in a study without folds."""
        objective, folds = self.study.experiment.objective, self.study.experiment.data.folds
        if not folds:
            return None
        image = folds / self.data.train_rows if is_accuracy(objective.metric) else 0.0
        return conclusions.fold_comparisons(objective, standings, folds, image)

    def _with_optimism(self, verdict: Verdict, standings: Sequence[Standing]) -> Verdict:
        experiment, searched = self.study.experiment, candidates(self.study)
        objective, repeats = experiment.objective, experiment.data.repeats
        if not searched:  # time let no trial have all its folds
            return verdict
        pruned = self.study.state.with_status(Status.PRUNED)
        return replace(
            verdict,
            optimism=conclusions.optimism(objective, searched[0], standings),
            bootstrap_optimism=conclusions.luck(objective, searched, standings, experiment.seed, repeats),
            left_out=sum(result.reason != OUT_OF_TIME for result in pruned),
        )


def _finalist(standing: Standing, judgements: Mapping[Fit, Judgement]) -> Finalist:
    tested = tuple(judgements[fit].accuracy for fit in standing.rights)
    median = standing.median.name if standing.median else ""
    return Finalist(standing.trial, standing.scores, tested, median, standing.failed)
