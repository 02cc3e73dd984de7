"""Nothing is decided by the wall clock: it may jump by hours while a search goes on."""

import io
import random
import re
import time
from contextlib import closing, suppress
from pathlib import Path

import figures
import numpy as np
import pytest
from instant import Instant
from test_search import go

import hpsearch
from hpsearch import files, paths
from hpsearch.errors import Interrupted
from hpsearch.experiment import Experiment
from hpsearch.listening import told_again
from hpsearch.objective import Objective
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trackers.plain_lines import PlainLines

TRIALS = 12
TWO_HOURS = 7200.0
EXPERIMENT = Experiment.model_validate(
    {"name": "a", "model": {"build": "m:f"}, "search": {"trials": TRIALS, "time": "1h"}}
)


def searched(folder, out, leave=lambda results: False):
    """One session: what every record's number was, and all results."""
    np.save(folder / "labels.npy", np.arange(200) % 4)
    with closing(Study(EXPERIMENT, paths.Study(files.make(folder / "a")))) as study:
        lines = PlainLines(Objective.parse("max val_accuracy"), out, before=study.state.last)
        for news in told_again(study):
            lines.hear(news)
        study.listen(lines.hear)
        splits = Splits(EXPERIMENT, folder / "labels.npy", study.paths.splits)
        with suppress(Interrupted):
            go(study, splits, Instant(), leave=lambda: leave(study.state.results))
        return study.state.results, [news.number for news in study.ledger.read()], study.clock.seconds()


@pytest.fixture
def jumping(monkeypatch):
    """A wall clock that is set two hours on or back whenever it is read."""
    dice, real = random.Random(50), time.time_ns

    def jump():
        return real() + int(dice.choice([-1, 1]) * TWO_HOURS * 1e9)

    def begin():
        monkeypatch.setattr(time, "time_ns", jump)
        monkeypatch.setattr(time, "time", lambda: jump() / 1e9)

    return begin


@pytest.mark.promise("50", "P18")
def test_a_clock_that_jumps_by_hours_changes_no_trial_no_order_and_no_line(tmp_path, jumping):
    undisturbed, steady = io.StringIO(), files.make(tmp_path / "steady")
    searched(steady, undisturbed, leave=lambda results: len(results) >= 5)
    results, _, _ = searched(steady, undisturbed)
    said, shaken = io.StringIO(), files.make(tmp_path / "shaken")
    jumping()

    searched(shaken, said, leave=lambda results: len(results) >= 5)
    found, numbers, seconds = searched(shaken, said)

    figures.note("P18", trials=len(found), other=sum(one != was for one, was in zip(found, results, strict=True)))
    assert found == results
    assert len(found) == TRIALS
    assert numbers == sorted(set(numbers)) == list(range(1, len(numbers) + 1))
    assert said.getvalue() == undisturbed.getvalue()
    assert seconds < TWO_HOURS / 2


@pytest.mark.promise("50", "P18")
def test_the_wall_clock_is_read_only_to_stamp_records():
    package = Path(hpsearch.__file__).parent
    readers = [file for file in package.rglob("*.py") if re.search(r"\btime\.time(_ns)?\(|\.now\(", file.read_text())]

    assert [file.name for file in readers] == ["ledger.py"]
