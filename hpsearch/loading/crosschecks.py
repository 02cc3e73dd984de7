"""Finds the mistakes of an experiment that no single key shows: keys that contradict each other or make no sense."""

import math
import re
from collections.abc import Iterator
from typing import Any

from hpsearch.dividing import Strata, hindrance
from hpsearch.errors import ExperimentRefused
from hpsearch.experiment import RACED, Experiment, Range
from hpsearch.loading.metric_names import metric_findings
from hpsearch.loading.part_checks import ends_by_itself
from hpsearch.loading.plain_words import shown
from hpsearch.loading.toml_places import Finding, Place, dotted
from hpsearch.narrowing import narrow
from hpsearch.protocols import Outline
from hpsearch.space import BATCH_SIZE, searched_batch_size

ADDRESS = re.compile(r"^(?:databricks|uc|[a-z][a-z0-9+.-]*://.*|databricks(?:-uc)?:.*)$", re.DOTALL)


def crosschecks(experiment: Experiment) -> list[Finding]:
    """Everything that contradicts something else within the experiment itself."""
    return [
        *_division(experiment),
        *_race(experiment),
        *_end(experiment),
        *_start(experiment),
        *metric_findings(experiment.objective),
        *_ranges(experiment),
        *_searched_batch(experiment),
        *_option_values(experiment),
        *_addresses(experiment),
    ]


def rows_check(experiment: Experiment, outline: Outline | None) -> list[Finding]:
    """What the training rows are too few for; nothing if they are not known."""
    return [*_indivisible(experiment, outline), *_batches(experiment, outline.train_rows)] if outline else []


def _indivisible(experiment: Experiment, outline: Outline) -> Iterator[Finding]:
    """A class that cannot be on both sides, or a side too small for all classes."""
    if outline.smallest is None or experiment.data.allow_empty_class:  # then fewer may be there than have a name
        return
    if mistake := hindrance(experiment.data, Strata(outline.train_rows, outline.classes, *outline.smallest)):
        yield Finding(tuple(mistake.where.split(".")), mistake.what, mistake.mend)


def _batches(experiment: Experiment, rows: int) -> list[Finding]:
    """Batches larger than the part of the rows that trains."""
    data = experiment.data
    share = 1 - 1 / data.folds if data.folds else 1 - (data.holdout or 0)
    training = max(1, math.floor(rows * share))
    listed = isinstance(experiment.train.batch_size, list)
    return [
        Finding(
            ("train", "batch_size", index) if listed else ("train", "batch_size"),
            f"batch_size {size:,} is more than the {training:,} rows that train",
            f"choose {_sensible(training):,} or less",
        )
        for index, size in enumerate(experiment.train.batch_sizes)
        if size > training
    ]


def _sensible(rows: int) -> int:
    """The largest power of two that gives at least eight steps an epoch."""
    return 1 << max(0, (rows // 8).bit_length() - 1)


def _division(experiment: Experiment) -> Iterator[Finding]:
    if experiment.data.folds and experiment.data.validation:
        yield Finding(
            ("data", "folds"),
            "folds and validation exclude each other",
            "keep folds for cross-validation, or validation for one split",
        )


def _race(experiment: Experiment) -> Iterator[Finding]:
    if not experiment.search.race or experiment.races:
        return
    if not experiment.data.several:
        what, mend = "there is one fit a trial, so that none can be dropped after the first", "set data.folds = 5"
    else:
        what, mend = f"the objective is {experiment.objective}, which no single image has", f'search for "{RACED}"'
    yield Finding(
        ("search", "race"), f"search.race compares images over folds or repeats, but {what}", f"{mend}, or race = false"
    )


def _end(experiment: Experiment) -> Iterator[Finding]:
    search = experiment.search
    if search.trials is None and search.time is None and not ends_by_itself(search.tuner):
        yield Finding(
            ("search",), "the search has no end: neither trials nor time is given", 'add trials = 20 or time = "30m"'
        )


def _start(experiment: Experiment) -> Iterator[Finding]:
    if experiment.search.start_from == experiment.name:
        mend = "give this one another name, or leave the key out"
        yield Finding(("search", "start_from"), "a study cannot start from itself", mend)


def _ranges(experiment: Experiment) -> Iterator[Finding]:
    for name, narrowed in experiment.space.items():
        if narrowed == []:
            yield Finding(("space", name), f"space.{name} is an empty list", "list at least one choice")
        if isinstance(narrowed, Range):
            yield from _range(("space", name), narrowed)


def _range(place: Place, given: Range) -> Iterator[Finding]:
    if given.min > given.max:
        yield Finding(place, f"{dotted(place)}: min {given.min} is more than max {given.max}", "exchange the two")
    if given.sampling in {"log", "reverse_log"} and given.min <= 0:
        what = f"{dotted(place)}: {given.sampling} sampling cannot begin at {given.min}"
        yield Finding((*place, "min"), what, "choose a min above 0, or sampling = 'linear'")
    if given.step is not None and given.step <= (1 if given.sampling in {"log", "reverse_log"} else 0):
        what = f"{dotted(place)}: a step of {given.step} leads nowhere"
        yield Finding((*place, "step"), what, "a step is more than 0; with log sampling it is a factor above 1")


def _searched_batch(experiment: Experiment) -> Iterator[Finding]:
    """What [space] wants of the batch size that [train] has searched, and that cannot be."""
    if len(experiment.train.batch_sizes) > 1 and experiment.space.get(BATCH_SIZE) != []:
        try:
            narrow(searched_batch_size(experiment.train.batch_sizes), experiment.wishes)
        except ExperimentRefused as refused:
            for mistake in refused.mistakes:
                yield Finding(("space", BATCH_SIZE), f"{mistake.where}: {mistake.what}", mistake.mend)


def _option_values(experiment: Experiment) -> Iterator[Finding]:
    for table in ("tuner_options", "pruner_options"):
        for key, value in getattr(experiment.search, table).items():
            if not _plain(value):
                place = ("search", table, key)
                yield Finding(
                    place, f"{dotted(place)} is {shown(value)}", "options are text, finite numbers or booleans"
                )


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    return isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _addresses(experiment: Experiment) -> Iterator[Finding]:
    mirror, mlflow = experiment.data.mirror or "", experiment.tracking.mlflow
    if "://" in mirror and not mirror.startswith(("http://", "https://", "file://")):
        yield Finding(("data", "mirror"), "data.mirror is no address", "it is a folder, or begins with https://")
    if isinstance(mlflow, str) and (mlflow.startswith("file:") or not ADDRESS.match(mlflow)):
        yield Finding(
            ("tracking", "mlflow"),
            "tracking.mlflow is a plain folder, in which MLflow keeps no runs any more",
            "write sqlite:///mlruns/mlflow.db, a server's address with its http://, or false for no MLflow",
        )
