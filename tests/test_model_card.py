"""What a model card says of models that are no winners: of this very model, and of what is known of its like."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import kept_studies
import numpy as np
import pytest
from stories import EXPERIMENT, ROW, began, fit_story, trial_story

from hpsearch import files, paths
from hpsearch.contenders import find
from hpsearch.experiment import Experiment
from hpsearch.fits import search_fits
from hpsearch.model_card.facts import Case, gather
from hpsearch.model_card.page import page
from hpsearch.protocols import Prepared
from hpsearch.records import Asked, Finalist, FinalistsChosen, Verdict
from hpsearch.records import TestOpened as Opened
from hpsearch.state import State
from hpsearch.study import read
from hpsearch.trial import AttemptEnd, Fit, Status, Trial, TrialResult
from hpsearch.worker.judging import Judgement

FOLDED = Experiment.model_validate({**EXPERIMENT.model_dump(exclude_none=True), "data": {"folds": 2}})


@pytest.fixture
def project(tmp_path: Path) -> paths.Project:
    return paths.Project(tmp_path)


def keep(project: paths.Project, bodies: list[Any], *kept: str) -> None:
    """Write a study's ledger, and these files into its folder."""
    folder = kept_studies.keep(project.root, bodies).folder
    for file in kept:
        files.make((folder / file).parent)
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


def card(
    project: paths.Project,
    word: str,
    judged: Mapping[str, int | None] | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The card of the model that the word names, after so many looks at the test split."""
    state = State()
    for news in read(project, "tiny"):
        state.take(news)
    data = Prepared(project.root, "two", "d" * 64, ("nought", "one"), (4, 4), 200, 100, "official")
    manifest = {
        "version": 1, "study": "tiny", "trial": 0, "values": {}, "class_names": ["nought", "one"],
        "model": {"sha256": "0" * 64}, "input": {"shape": [4, 4], "ink": "bright on dark"}, "formats": {},
        "data": {"name": "two", "test_from": "official", "licence": "", "sha256": "d" * 64},
    }  # fmt: skip
    report = report or {"nought": ROW, "one": ROW, "macro avg": ROW}
    read_rows = Judgement(0.8, report, ((40, 10), (10, 40)), np.zeros(100, np.int64), np.ones(100, np.float32))
    return gather(Case(manifest, read_rows, find(project, word), data, state, 7, judged or {"tiny": 1}))


def test_of_a_trial_with_folds_the_model_of_one_fold_is_told_and_not_their_mean(project: paths.Project) -> None:
    one, other = search_fits(FOLDED, 0)
    fits = [*trained(one, [0.6, 0.7, 0.5], seconds=2.0), *trained(other, [0.9], seconds=40.0)]
    keep(project, [*began(FOLDED), Asked(Trial(0)), *fits, result(0, fits)], f"fits/{one.name}/best.bin")

    training = card(project, "tiny:0")["training"]

    assert (training["epochs"], training["best_epoch"], training["validation_score"]) == (3, 2, 0.7)
    assert (training["seconds"], training["seed"]) == (2.0, one.seed)


def in_the_finals(project: paths.Project, seeds: int, *, refit: bool = False) -> None:
    """Keep a study whose trial 0 won over trial 1; the winner's model may be one more, of all rows."""
    searched = [body for number in (0, 1) for body in (Asked(Trial(number)), *trial_story(number, [0.9]))]
    finals = [Fit(trial, 7, "final", repeat=seed) for trial in (0, 1) for seed in range(seeds)]
    fits = [*finals, *([Fit(0, 9, "whole")] if refit else [])]
    digests = {fit.name: sha256(b"weights").hexdigest() for fit in fits}
    median = "r1-f0" if seeds > 1 else "r0-f0"
    finalists = [
        Finalist(trial, (0.9,) * seeds, (high, high - 0.02, high - 0.04)[:seeds], f"final-000{trial}-{median}")
        for trial, high in ((0, 0.82), (1, 0.8))
    ]
    verdict = Verdict(
        0, "whole-0000-r0-f0" if refit else f"final-0000-{median}", tuple(finalists), 100, 0.8, {}, (),
        ("nought", "one"), (0.7, 0.9), "configuration" if seeds > 1 else "model", refit=refit,
    )  # fmt: skip
    stories = [body for fit in fits for body in fit_story(fit, [0.8, 0.9])]
    bodies = [*began(), *searched, FinalistsChosen((0, 1)), *stories, Opened(digests), verdict]
    keep(project, bodies, *(f"fits/{name}/model.keras" for name in digests), "fits/search-0001-r0-f0/best.bin")


ONCE = "it was trained once, and what another seed gives is not known"


@pytest.mark.parametrize(
    ("refit", "word", "mean"), [(False, "tiny:1", 0.78), (True, "tiny:1", 0.78), (True, "tiny:0", 0.8)]
)
def test_of_a_finalist_that_was_not_chosen_the_mean_over_its_seeds_is_told(
    project: paths.Project, refit: bool, word: str, mean: float
) -> None:
    in_the_finals(project, seeds=3, refit=refit)

    found = card(project, word)

    configuration = found["figures"]["configuration"]
    assert configuration["expected_accuracy"] == pytest.approx(mean)
    assert (configuration["seeds"], configuration["interval"]) == (3, None)
    assert "It is not the model that its study chose." in found["limits"]
    assert not any("seed gives" in line or "validation rows" in line for line in found["limits"])
    text = page(found)
    assert f"is expected to read {mean:.4f} in the mean, by 3 seeds, which differ by 0.0200." in text
    assert "A Keras model that reads images, not the one that its study chose." in text


def test_of_a_finalist_with_a_single_seed_no_other_is_known(project: paths.Project) -> None:
    in_the_finals(project, seeds=1)

    limits = card(project, "tiny:1")["limits"]

    assert "Only one model of its configuration was judged: what another seed gives is not known." in limits
    assert not any(ONCE in line for line in limits)


@pytest.mark.parametrize(
    ("scores", "judged", "failed", "told"),
    [
        ((0.9,), (0.8,), 2, "is expected to read 0.8000, but it failed under 2 of 3 seeds."),
        ((), (), 3, "Its **configuration**, trained again, failed under all 3 seeds."),
    ],
)
def test_of_a_finalist_that_failed_under_some_seeds_it_is_told(
    project: paths.Project, scores: tuple[float, ...], judged: tuple[float, ...], failed: int, told: str
) -> None:
    fit = Fit(1, 7, "final")
    models = {fit.name: sha256(b"weights").hexdigest()} if judged else {}
    finalists = (Finalist(0, (0.9,) * 3, (0.8,) * 3), Finalist(1, scores, judged, fit.name if judged else "", failed))
    verdict = Verdict(0, "final-0000-r0-f0", finalists, 100, 0.8, {}, (), ("nought", "one"), (0.7, 0.9))
    bodies = [*began(), *(Asked(Trial(number)) for number in (0, 1)), *trial_story(1, [0.9]), FinalistsChosen((0, 1))]
    bodies += [*(fit_story(fit, [0.8]) if judged else []), Opened(models), verdict]
    keep(project, bodies, *(f"fits/{name}/model.keras" for name in models), "fits/search-0001-r0-f0/best.bin")

    found = card(project, "tiny:1")

    assert told in page(found)
    assert any(f"failed under {'all' if failed == 3 else '2 of'} 3 seeds" in line for line in found["limits"])
    assert not any("seed gives is not known" in line for line in found["limits"])


def test_of_a_finalist_with_folds_that_was_not_chosen_the_mean_score_of_the_finals_is_told(
    project: paths.Project,
) -> None:
    fits = [body for fit in search_fits(FOLDED, 1) for body in trained(fit, [0.7], seconds=1.0)]
    whole = Fit(0, 7, "whole")
    finalists = (Finalist(0, (0.9, 0.92), (0.8,), whole.name), Finalist(1, (0.85, 0.87), ()))
    verdict = Verdict(0, whole.name, finalists, 100, 0.8, {}, (), ("nought", "one"), (0.7, 0.9))
    bodies = [*began(FOLDED), *(Asked(Trial(number)) for number in (0, 1)), *fits, result(1, fits)]
    bodies += [FinalistsChosen((0, 1)), *fit_story(whole, [0.8]), Opened({whole.name: "0" * 64}), verdict]
    keep(project, bodies, f"fits/{next(search_fits(FOLDED, 1)).name}/best.bin")

    found = card(project, "tiny:1")

    assert found["figures"]["trained_again"] == {"seeds": 2, "validation_score": pytest.approx(0.86)}
    assert "**Its configuration**, trained again, came to val\\_accuracy 0.8600, by the mean over 2 seeds" in page(
        found
    )
    assert "Its configuration was trained again, but none of those models was shown the test split." in found["limits"]
    assert not any("trained once" in line or "seed gives" in line for line in found["limits"])


def test_of_a_trial_with_folds_that_was_in_no_finals_it_is_told_that_it_is_one_of_several(
    project: paths.Project,
) -> None:
    fits = [body for fit in search_fits(FOLDED, 0) for body in trained(fit, [0.7], seconds=1.0)]
    whole = replace(result(0, fits), scores={"fold_0": 0.7, "fold_1": 0.7})
    keep(project, [*began(FOLDED), Asked(Trial(0)), *fits, whole], f"fits/{next(search_fits(FOLDED, 0)).name}/best.bin")

    limits = card(project, "tiny:0")["limits"]

    assert any(
        "it is one of 2 of its trial, each on other rows, and what another seed gives is not" in line for line in limits
    )


def test_a_class_without_test_rows_is_not_told_to_be_missed(project: paths.Project) -> None:
    keep(project, [*began(), Asked(Trial(0)), *trial_story(0, [0.5, 0.8])], "fits/search-0000-r0-f0/best.bin")
    report = {"nought": {**ROW, "recall": 0.7}, "one": {**dict.fromkeys(ROW), "support": 0.0}, "macro avg": ROW}

    told = card(project, "tiny:0", report=report)

    (missed,) = [line for line in told["limits"] if line.startswith("It misses")]
    assert missed == "It misses most often, by recall: nought (0.70)."
    assert "| one | – | – | – | 0 |" in page(told)


def test_of_the_winner_the_interval_is_told_too(project: paths.Project) -> None:
    in_the_finals(project, seeds=3)

    found = card(project, "tiny")

    assert found["figures"]["configuration"]["interval"] == (0.7, 0.9)
    assert found["figures"]["configuration"]["seeds_differ_by"] == pytest.approx(0.02)
    assert (
        "is expected to read 0.8000 in the mean (95 % interval 0.7000 to 0.9000, of that mean; a single training may "
        "lie outside), by 3 seeds, which differ by 0.0200."
    ) in page(found)
    assert not any("study chose" in line for line in found["limits"])


def test_of_a_winner_with_a_single_seed_the_interval_is_not_passed_off_as_its_configurations(
    project: paths.Project,
) -> None:
    in_the_finals(project, seeds=1)

    text = page(card(project, "tiny"))

    assert "(95 % interval 0.7000 to 0.9000, of its one judged model)." in text


def test_of_a_trial_that_was_in_no_finals_nothing_is_known_of_another_seed(project: paths.Project) -> None:
    keep(project, [*began(), Asked(Trial(0)), *trial_story(0, [0.9])], "fits/search-0000-r0-f0/best.bin")

    found = card(project, "tiny:0")

    assert found["figures"]["configuration"] is None
    assert any(ONCE in line for line in found["limits"])


@pytest.mark.parametrize(
    ("judged", "told"),
    [
        ({"tiny": 1}, ""),
        ({"tiny": 2, "other": 3}, "has judged 5 models: "),
        ({"tiny": 1, "broken": None}, "has judged 1 model, not counting 1 ledger that cannot be read: "),
        ({"tiny": 4, "a": None, "b": None}, "has judged 4 models, not counting 2 ledgers that cannot be read: "),
    ],
)
def test_the_card_counts_the_models_that_the_split_has_judged_and_says_what_is_not_counted(
    project: paths.Project, judged: Mapping[str, int | None], told: str
) -> None:
    in_the_finals(project, seeds=3)

    limits = card(project, "tiny", judged)["limits"]

    found = [line for line in limits if line.startswith("This test split")]
    assert len(found) == bool(told)
    assert all(told in line for line in found)
