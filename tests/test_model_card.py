"""What a model card says of models that are no winners: of this very model, and of what is known of its like."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stories import EXPERIMENT, ROW, began, fit_story

from hpsearch import paths
from hpsearch.contenders import find
from hpsearch.experiment import Experiment
from hpsearch.fits import search_fits
from hpsearch.ledger import Ledger
from hpsearch.model_card.facts import Case, gather
from hpsearch.protocols import Prepared
from hpsearch.records import Asked
from hpsearch.state import State
from hpsearch.study import read
from hpsearch.trial import AttemptEnd, Fit, Status, Trial, TrialResult
from hpsearch.worker.judging import Judgement

FOLDED = Experiment.model_validate({**EXPERIMENT.model_dump(exclude_none=True), "data": {"folds": 2}})


@pytest.fixture
def project(tmp_path: Path) -> paths.Project:
    return paths.Project(tmp_path)


def keep(project: paths.Project, bodies: Sequence[Any], *files: str) -> None:
    """Write a study's ledger, and these files into its folder."""
    folder = paths.make(project.study("tiny").folder)
    with closing(Ledger(project.study("tiny").ledger)) as ledger:
        for body in bodies:
            ledger.write(body)
    for file in files:
        paths.make((folder / file).parent)
        (folder / file).write_bytes(b"weights")


def trained(fit: Fit, scores: list[float], seconds: float) -> list[Any]:
    """The story of a fit that took so long."""
    *story, end = fit_story(fit, scores)
    return [*story, replace(end, seconds=seconds)]


def result(number: int, fits: Sequence[Any]) -> TrialResult:
    """A trial's own result, over all its fits."""
    ends = [body for body in fits if isinstance(body, AttemptEnd)]
    scores = [end.score for end in ends]
    return TrialResult(
        Trial(number, {"rate": 0.1}), Status.COMPLETED, sum(scores) / len(scores), min(end.best_epoch for end in ends),
        sum(end.seconds for end in ends),
    )  # fmt: skip


def card(project: paths.Project, word: str) -> dict[str, Any]:
    """The card of the model that the word names."""
    state = State()
    for news in read(project, "tiny"):
        state.take(news)
    data = Prepared(project.root, "two", "d" * 64, ("nought", "one"), (4, 4), 200, 100, "official")
    manifest = {
        "version": 1, "study": "tiny", "trial": 0, "values": {}, "model": {}, "class_names": ["nought", "one"],
        "input": {"shape": [4, 4], "ink": "bright on dark"}, "formats": {},
        "data": {"name": "two", "test_from": "official"},
    }  # fmt: skip
    report = {"nought": ROW, "one": ROW, "macro avg": ROW}
    read_rows = Judgement(0.8, report, ((40, 10), (10, 40)), np.zeros(100, np.int64), np.ones(100, np.float32))
    return gather(Case(manifest, read_rows, find(project, word), data, state, 7, 1))


def test_of_a_trial_with_folds_the_model_of_one_fold_is_told_and_not_their_mean(project: paths.Project) -> None:
    one, other = search_fits(FOLDED, 0)
    fits = [*trained(one, [0.6, 0.7, 0.5], seconds=2.0), *trained(other, [0.9], seconds=40.0)]
    keep(project, [*began(FOLDED), Asked(Trial(0)), *fits, result(0, fits)], f"fits/{one.name}/best.bin")

    training = card(project, "tiny:0")["training"]

    assert (training["epochs"], training["best_epoch"], training["validation_score"]) == (3, 2, 0.7)
    assert (training["seconds"], training["seed"]) == (2.0, one.seed)
