"""Lays out a run: a fresh project with the space, hpsearch's experiment, and the same rows for the peers."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hpsearch.loading import load
from hpsearch.parts import make_dataset
from hpsearch.paths import Project
from hpsearch.splits import Splits
from hpsearch.trial import Fit
from hpsearch.worker.epochs import VALIDATION_BATCH
from hpsearch.worker.rows import rows_at_once
from sides.job import Job
from sides.via_hpsearch import write_experiment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """What is the same for all sides of a comparison; `data` is an experiment's [data] table."""

    build: str
    data: dict[str, Any]
    epochs: int
    batch_size: int
    seed: int
    search: dict[str, Any] = field(default_factory=dict)
    fixed: str = ""
    """The text of configurations.json, where the work is fixed."""
    count: int = 0
    """How many configurations it holds."""


def lay_out(setting: Setting, project: Path) -> tuple[Path, Job]:
    """Make the project, and give hpsearch's experiment file and the job for a peer.

    The data are prepared here, before any clock runs, as they are by `hpsearch data get` for a person.
    """
    shutil.copytree(ROOT / "searchspace", project / "searchspace", ignore=shutil.ignore_patterns("__pycache__"))
    if setting.fixed:
        shutil.copy(ROOT / "benchmarks" / "fixed" / "configured.py", project)
        (project / "configurations.json").write_text(setting.fixed, encoding="utf-8")
    tables = {
        "data": setting.data,
        "model": {"build": setting.build},
        "search": setting.search,
        "train": {"epochs": setting.epochs, "batch_size": setting.batch_size},
        "final": {"finalists": 1, "seeds": 1},
    }
    file = write_experiment(project, tables, setting.seed)
    experiment = load(file, Project(project))
    prepared = make_dataset(experiment).prepare(lambda _what, _done, _total: None)
    split = Splits(experiment, prepared.folder / "train" / "labels.npy", project / "split").file(Fit(0, 0))
    return file, Job(
        project=str(project), build=setting.build, data=str(prepared.folder / "train"), image_shape=prepared.shape,
        split=str(split), rows=_training_rows(split), class_names=prepared.class_names, epochs=setting.epochs,
        batch_size=setting.batch_size, validation_batch=_validation_batch(setting.batch_size, prepared.shape),
        seed=setting.seed, diary=str(project / "diary.jsonl"), cores=cores(), fixed=setting.count,
    )  # fmt: skip


def _validation_batch(batch_size: int, shape: Sequence[int]) -> int:
    """As many rows as hpsearch's own loop validates at once."""
    return max(batch_size, rows_at_once(VALIDATION_BATCH, shape))


def _training_rows(split: Path) -> int:
    with np.load(split) as chosen:
        return len(chosen["train"])


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def add_data_options(parser: argparse.ArgumentParser, source: str | None = None) -> None:
    """The options that say where the images are."""
    parser.add_argument("--source", default=source, help="data set: mnist, mnist-5k, or idx with --data")
    parser.add_argument("--data", type=Path, help="folder with the data set's files, unless they are to be fetched")
    parser.add_argument("--train", help="for idx: the beginning of the training files' names")
    parser.add_argument("--transposed", action="store_true", help="for idx: the images lie on their side")


def data_table(options: argparse.Namespace, source: str, validation: float) -> dict[str, Any]:
    """The experiment's [data] table for these options; exit where they lack a folder that is needed."""
    table: dict[str, Any] = {"source": source, "validation": validation}
    if source == "idx":
        if options.data is None:
            sys.exit("these images are one's own files: say with --data in which folder they are")
        table |= {"folder": str(options.data.absolute()), "transposed": options.transposed}
        return table | ({"train": options.train} if options.train else {})
    return table | ({"mirror": str(options.data.absolute())} if options.data else {})
