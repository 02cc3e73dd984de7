"""Whether rows can be divided into those that train and those that validate, and what is said when they cannot."""

import re
from pathlib import Path

import numpy as np
import pytest
from data_makers import write_pair
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold, train_test_split

from hpsearch.__main__ import main
from hpsearch.dividing import Strata, hindrance
from hpsearch.errors import DataRefused
from hpsearch.experiment import Data, Experiment
from hpsearch.splits import Splits

SHARES = st.floats(0.001, 0.999)
COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def strata(counts: list[int]) -> Strata:
    return Strata(sum(counts), len(counts), "the smallest", min(counts), max(counts))


@given(COUNTS, SHARES)
def test_what_is_let_pass_is_what_scikit_learn_can_divide(counts: list[int], share: float) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    try:
        train_test_split(labels, test_size=share, stratify=labels)
        divided = True
    except ValueError:
        divided = False

    assert (hindrance(Data(validation=share), strata(counts)) is None) == divided


@pytest.mark.filterwarnings("ignore:The least populated class")  # which some folds then do not validate
@given(COUNTS, st.integers(2, 12))
def test_what_is_let_pass_is_what_scikit_learn_can_fold(counts: list[int], folds: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    try:
        list(StratifiedKFold(folds).split(labels, labels))
        divided = True
    except ValueError:
        divided = False

    assert (hindrance(Data(folds=folds), strata(counts)) is None) == divided


@given(COUNTS, SHARES)
def test_what_is_advised_would_do(counts: list[int], share: float) -> None:
    mistake = hindrance(Data(validation=share), strata([max(2, count) for count in counts]))
    if mistake is None:
        return

    advised, rows = re.search(r"validation = (\S+) or .* take (\S+) training", mistake.mend).groups()

    many = int(rows.replace(",", ""))
    assert hindrance(Data(validation=float(advised)), strata([max(2, count) for count in counts])) is None
    assert hindrance(Data(validation=share), Strata(many, len(counts), "a", 2)) is None
    assert hindrance(Data(validation=share), Strata(many - 1, len(counts), "a", 2)) is not None


def test_some_class_has_a_row_for_every_fold() -> None:
    few, one = (hindrance(Data(folds=5), strata([count, 1])) for count in (4, 1))

    assert few.what == "data.folds = 5 wants as many training rows of a class, and the largest has 4"
    assert few.mend == "set data.folds = 4 or less, or take more rows"
    assert one.mend == "take more rows"
    assert hindrance(Data(folds=5), strata([9, 1])) is None


@pytest.mark.promise("63")
@pytest.mark.parametrize(
    ("data", "counts", "said"),
    [
        ({}, [6] * 10, "validates on 9 of 60 training rows, fewer than the 10 classes; the smallest, 'a', has 6"),
        ({"validation": 0.95}, [6] * 10, "trains on 3 of 60 training rows, fewer than the 10 classes"),
        ({}, [30, 1, 30], "the class 'b' has 1 training row, which cannot both train and validate"),
        ({"folds": 10}, [8, 9], "data.folds = 10 wants as many training rows of a class, and the largest has 9"),
    ],
)
def test_rows_that_cannot_be_divided_are_refused_before_anything_is_written(
    tmp_path: Path, data: dict[str, float], counts: list[int], said: str
) -> None:
    np.save(tmp_path / "labels.npy", np.repeat(np.arange(len(counts)), counts))
    experiment = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "data": data})

    with pytest.raises(DataRefused, match=re.escape(said)):
        Splits(experiment, tmp_path / "labels.npy", tmp_path / "splits").prepare("abcdefghij")

    assert not (tmp_path / "splits").exists()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([9, 3, 7], "the class 'b' has 3 training rows, fewer than data.folds = 5: some folds validate without it"),
        ([9, 5, 7], ""),
    ],
)
def test_a_class_with_fewer_rows_than_folds_is_told_in_one_sentence_and_without_scikit_learns_warning(
    tmp_path: Path, counts: list[int], said: str, recwarn: pytest.WarningsRecorder
) -> None:
    np.save(tmp_path / "labels.npy", np.repeat(np.arange(len(counts)), counts))
    experiment = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "data": {"folds": 5}})

    assert Splits(experiment, tmp_path / "labels.npy", tmp_path / "splits").prepare("abcdefghij") == said

    assert not recwarn.list


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 80 drawings of its own in ten classes, of which 60 train."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "m.py").write_text("def build(hp):\n    return None\n")
    rest = '[model]\nbuild = "m:build"\n[search]\ntrials = 3\n[train]\nbatch_size = 4\n'
    (tmp_path / "experiments" / "own.toml").write_text(f'name = "a"\n[data]\nsource = "idx"\nfolder = "own"\n{rest}')
    (tmp_path / "experiments" / "digits.toml").write_text(f'name = "a"\n{rest}')
    images = np.random.default_rng(0).integers(0, 256, (80, 4, 4), dtype=np.uint8)
    write_pair(tmp_path / "own", "train", images, np.arange(80) % 10)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("file", "setting", "code", "said"),
    [
        ("own", "seed=1", 2, "own.toml, line 2: data.validation = 0.15 validates on 9 of 60 training rows"),
        ("own", "seed=1", 2, "set data.validation = 0.17 or more, or take 61 training rows or more"),
        ("own", "data.folds=6", 0, ""),
        ("own", "data.validation=0.17", 0, ""),
        ("digits", "data.validation=0.001", 2, "data.validation = 0.001 validates on 4 of 4,000 training rows"),
    ],
)
def test_check_says_so_at_the_key_where_the_source_can_tell(
    capsys: pytest.CaptureFixture[str], file: str, setting: str, code: int, said: str
) -> None:
    assert main(["check", f"experiments/{file}.toml", "--set", setting]) == code
    assert said in capsys.readouterr().err
