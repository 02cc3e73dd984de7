"""hpsearch itself: the experiment file for a job, and its ledger read as a diary."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.errors import FolderUnusable, StateDamaged
from hpsearch.ledger import Ledger
from hpsearch.paths import Project
from hpsearch.records import Answered, News
from hpsearch.trial import Measure
from sides.job import Entry

NAME = "benchmark"


def write_experiment(project: Path, tables: Mapping[str, Mapping[str, Any]], seed: int) -> Path:
    """Write an experiment file with these tables of plain values, and give its path."""
    lines = [f'name = "{NAME}"', f"seed = {seed}"]
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path = project / "experiments" / f"{NAME}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class LedgerDiary:
    """The news of a study under way as a diary's entries; the ledger is only read."""

    def __init__(self, project: Path) -> None:
        """The ledger may not be there yet."""
        self._path, self._last = Project(project).study(NAME).ledger, 0
        self._configurations: dict[int, Any] = {}

    def news(self) -> list[Entry]:
        """The entries since the last time; `searched` is the study's own clock in seconds."""
        try:
            ledger = Ledger(self._path, writer=False)
        except (FolderUnusable, StateDamaged):  # not there, or not whole yet: it is being made
            return []
        fresh = list(ledger.read(self._last))
        ledger.close()
        return [entry for one in fresh if (entry := self._entry(one))]

    def _entry(self, news: News) -> Entry | None:
        """The entry for a record, if it is an epoch of the search: the finals are not a peer's business."""
        self._last = news.number
        match news.body:
            case Answered(trial, parameter, value) if parameter.name == "configuration":
                self._configurations[trial] = value
            case Measure(attempt, epoch, metrics, seconds) if attempt.fit.kind == "search":
                trial = attempt.fit.trial
                return {
                    "what": "epoch", "time": news.time_ms / 1000, "searched": news.searched, "seconds": seconds,
                    "trial": trial, "epoch": epoch, "val_accuracy": metrics["val_accuracy"],
                    "configuration": self._configurations.get(trial),
                }  # fmt: skip
        return None
