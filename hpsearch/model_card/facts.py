"""Gathers what is known of an exported model as plain data: the model card for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hpsearch import provenance, verdict_words
from hpsearch.class_report import worst_pairs
from hpsearch.contenders import Contender
from hpsearch.model_card.limits import limits
from hpsearch.protocols import Prepared
from hpsearch.records import Finalist, Verdict
from hpsearch.space import BATCH_SIZE
from hpsearch.state import State
from hpsearch.statistics import accuracy_of_one
from hpsearch.winner import figures
from hpsearch.worker.judging import Judgement
from hpsearch.worker.measuring import timed_together

MOST_PAIRS = 10
EXPECTED = ("expected_accuracy", "interval", "interval_of")


@dataclass(frozen=True)
class Case:
    """All that a card is made of: the export's manifest with its figures, and what stands behind it.

    `read` is what Keras's own model read on the test split, `state` that of its study, `parameters` the number of its
    weights; `judged` says of each study of the project how many models it showed the test split to: see `looks`.
    """

    manifest: Mapping[str, Any]
    read: Judgement
    contender: Contender
    data: Prepared
    state: State
    parameters: int
    judged: Mapping[str, int | None]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the study, if this is the model that it chose."""
        verdict = self.state.verdict
        return verdict if verdict and verdict.model_fit == self.contender.fit else None


def test_figures(case: Case) -> dict[str, Any]:
    """How good the model is, for the manifest: this very model, and of a winner what its configuration promises."""
    said: dict[str, Any] = {"rows": case.data.test_rows, "model_accuracy": case.read.accuracy}
    if case.verdict:
        told = figures(case.verdict)
        said |= {key: told[key] for key in (*EXPECTED, "trained_on_validation_rows")}
    return said


def gather(case: Case) -> dict[str, Any]:
    """The model card as plain data, without paths, names of machines or persons."""
    manifest = case.manifest
    card = {
        "version": manifest["version"],
        **{key: manifest[key] for key in ("study", "trial", "values", "model", "input", "class_names")},
        "won": case.verdict is not None,
        "data": {
            **manifest["data"],
            "train_rows": case.data.train_rows,
            "test_rows": case.data.test_rows,
            "classes": len(case.data.class_names),
        },
        "figures": _figures(case),
        "classes": _classes(case),
        "most_confused": _confused(case),
        "weights": case.parameters,
        "formats": manifest["formats"],
        "measured_on": {
            "processor": provenance.processor(),
            "cpus": provenance.machine()["cpus"],
            "batch": timed_together(case.data.shape),
        },
        "training": _training(case),
        "checked_with": provenance.versions(),
    }
    return {**card, "limits": limits(card)}


def _figures(case: Case) -> dict[str, Any]:
    """The model's own accuracy and its configuration's are two things, and have a word each."""
    rows = case.data.test_rows
    own = {
        "accuracy": case.read.accuracy,
        "interval": accuracy_of_one(round(case.read.accuracy * rows), rows),
        "macro_f1": case.read.report["macro avg"]["f1-score"],
        "rows": rows,
    }
    known = [many for many in case.judged.values() if many is not None]
    unread = len(case.judged) - len(known)
    looks = {"judged_models": sum(known), "ledgers_not_read": unread, "openings": case.state.openings}
    finalists = case.state.verdict.finalists if case.state.verdict else ()
    finalist = next((one for one in finalists if one.trial == case.contender.trial), None)
    return {
        "model": own,
        "configuration": _configuration(case, finalist.test_accuracies if finalist else ()),
        "trained_again": _trained_again(finalist),
        "seeds_failed": verdict_words.failed(finalist) if finalist else "",
        "looks": looks,
    }


def _configuration(case: Case, judged: Sequence[float]) -> dict[str, Any] | None:
    """What the test split showed of the model's like; the interval is drawn for the model that was chosen alone."""
    if case.verdict:
        told = figures(case.verdict)
        refit = told["trained_on_validation_rows"]
        return {
            **{key: told[key] for key in EXPECTED},
            "seeds": max(1, len(judged)),
            "seeds_differ_by": verdict_words.seeds_differ_by(judged),
            "model_has_validation_rows": refit,
        }
    if not judged:
        return None
    several = len(judged) > 1
    return {
        "expected_accuracy": fmean(judged),
        "interval": None,
        "interval_of": "configuration" if several else "model",
        "seeds": len(judged),
        "seeds_differ_by": verdict_words.seeds_differ_by(judged),
        "model_has_validation_rows": False,
    }


def _trained_again(finalist: Finalist | None) -> dict[str, Any] | None:
    """What the finals know of a configuration that no test accuracy tells of: with folds, all but the winner's."""
    if finalist is None or finalist.test_accuracies or not finalist.scores:
        return None
    return {"seeds": len(finalist.scores), "validation_score": fmean(finalist.scores)}


def _classes(case: Case) -> list[dict[str, Any]]:
    report = case.read.report
    keys = {"precision": "precision", "recall": "recall", "f1": "f1-score", "rows": "support"}
    return [{"name": name, **{key: report[name][said] for key, said in keys.items()}} for name in case.data.class_names]


def _confused(case: Case) -> list[dict[str, Any]]:
    names, counts = case.data.class_names, case.read.confusion
    return [
        {"true": names[true], "read_as": names[other], "times": times, "share": times / sum(counts[true])}
        for true, other, times in worst_pairs(counts, MOST_PAIRS)
    ]


def _batch_size(contender: Contender) -> int | None:
    """None where the person's code asked for it, because only that code knows what it did with the answer."""
    sizes = contender.experiment.train.batch_sizes
    if len(sizes) == 1:
        return None if BATCH_SIZE in contender.values else sizes[0]
    return int(contender.values.get(BATCH_SIZE, sizes[0]))


def _training(case: Case) -> dict[str, Any]:
    """The recipe of this very model, and how its training went."""
    contender, train = case.contender, case.contender.experiment.train
    end, fit = contender.end, contender.end.attempt.fit
    packages = (*provenance.SHAPING, "hpsearch", "numpy", "python")
    return {
        "build": contender.experiment.model.build,
        "objective": str(contender.experiment.objective),
        "tuner": contender.experiment.search.tuner,
        "trials_searched": len(case.state.results),
        "epochs": end.epochs,
        "most_epochs": train.epochs,
        "best_epoch": end.best_epoch,
        "batch_size": _batch_size(contender),
        "early_stopping": train.early_stopping,
        "class_weight": train.class_weight,
        "seed": fit.seed,
        "kind": fit.kind,
        "fits": len(result.scores) if (result := case.state.courses[fit.trial].result) and result.scores else 1,
        "validation_score": end.score,
        "seconds": end.seconds,
        "git_commit": contender.session.provenance.get("git_commit", ""),
        "code_sha256": contender.session.identity.get("code", ""),
        "versions": {name: version for name, version in contender.session.provenance.items() if name in packages},
    }
