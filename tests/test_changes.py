"""What changed since the last session: every key of the experiment may change freely or is refused by its name."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import chaos
import figures
import pytest
from pydantic import BaseModel

from hpsearch import provenance
from hpsearch.datasets.held_out import RULE
from hpsearch.errors import StudyChanged
from hpsearch.experiment import Experiment
from hpsearch.identity import Identity
from hpsearch.protocols import Prepared
from hpsearch.records import SessionBegan
from hpsearch.state import State

BEFORE = {
    "name": "a",
    "seed": 1,
    "data": {"source": "idx", "folder": "images", "train": "train", "test": "test", "mirror": "https://a.example"},
    "model": {"build": "space:build"},
    "space": {"units": [1, 2]},
    "search": {"tuner": "optuna.tpe", "trials": 5, "time": "1h"},
}
FREE: dict[str, Any] = {
    "name": "b",
    "data.file": "elsewhere.npz",
    "data.folder": "elsewhere",  # the bytes of the data have a digest of their own
    "data.mirror": "https://b.example",
    "search.trials": 9,
    "search.time": "2h",
    "search.max_failures": 7,
    "search.max_consecutive_failures": 8,
    "train.keep": 1,
    "train.trial_timeout": "10m",
    "train.stall_timeout": "5m",
    "train.trial_memory": "2GB",
    "final.finalists": 2,
    "final.seeds": 5,
    "final.refit": "all",
    "final.keep_epochs": True,
    "workers.kind": "inline",
    "workers.count": 3,
    "workers.gpus": 1,
    "workers.per_gpu": 2,
    "tracking.mlflow": "http://127.0.0.1:5000",
    "tracking.experiment": "others",
    "tracking.register_as": "digits",
}
FIXED: dict[str, Any] = {
    "seed": 2,
    "data.source": "mnist-5k",
    "data.train": "other",
    "data.test": "another",
    "data.size": [28, 28],
    "data.transposed": True,
    "data.invert": True,
    "data.validation": 0.3,
    "data.folds": 4,
    "data.repeats": 2,
    "data.allow_empty_class": True,
    "model.build": "space:build_other",
    "space": {"units": [1, 2, 3]},
    "search.tuner": "optuna.random",
    "search.tuner_options": {"multivariate": False},
    "search.pruner": "median",
    "search.pruner_options": {"min_epochs": 3},
    "search.objective": "min val_loss",
    "search.race": False,
    "search.start_from": "another",
    "train.epochs": 7,
    "train.batch_size": [32, 64],
    "train.early_stopping": 3,
    "train.loop": "fit",
    "train.compile": True,
    "train.precision": "mixed_bfloat16",
    "train.class_weight": "balanced",
}


def keys(model: type[BaseModel] = Experiment, above: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        part = field.annotation
        inner = isinstance(part, type) and issubclass(part, BaseModel)
        found += keys(part, f"{above}{name}.") if inner else [f"{above}{name}"]
    return found


def experiment(key: str = "", value: Any = None) -> Experiment:
    said = Experiment.model_validate(BEFORE).model_dump(mode="json", exclude_unset=True)
    table, _, name = key.rpartition(".")
    if key:
        (said.setdefault(table, {}) if table else said)[name] = value
    return Experiment.model_validate(said)


@pytest.fixture
def identity(tmp_path: Path) -> Any:
    (tmp_path / "space.py").write_text("def build(hp):\n    return hp.Int('n', 1, 2)\n")

    def identity(wanted: Experiment, digest: str = "d1") -> Identity:
        data = Prepared(tmp_path, "idx", digest, ("a", "b"), (2, 2), 10, 2, "", "")
        return Identity(wanted, data, tmp_path)

    return identity


def state_of(identity: Identity) -> State:
    """As a session of it left the study."""
    digests = identity.digests(("space.py",))
    session = SessionBegan("a", provenance.public(identity.experiment), digests, ("space.py",), {})
    return State(session=session)


def test_a_study_from_before_data_invert_goes_on_without_it() -> None:
    before = provenance.public(experiment())
    del before["data"]["invert"]

    for now in (experiment(), experiment("data.invert", value=False)):
        assert provenance.differences(before, provenance.public(now)) == []


def test_a_study_goes_on_when_its_file_says_the_share_that_validates_by_default() -> None:
    silent, written = experiment(), experiment("data.validation", 0.15)
    folds = experiment("data.folds", 3)

    assert provenance.differences(provenance.public(silent), provenance.public(written)) == []
    assert provenance.differences(provenance.public(written), provenance.public(silent)) == []
    assert provenance.differences(provenance.public(silent), provenance.public(folds)) != []


def test_every_key_of_an_experiment_is_in_one_of_the_two_tables() -> None:
    figures.note("P17", keys=len(keys()), refused=len(FIXED), free=len(FREE))
    assert sorted({*FREE, *FIXED}) == sorted(keys())
    assert not {*FREE} & {*FIXED}


@pytest.mark.promise("42", "44", "45", "P17")
@pytest.mark.parametrize("key", FIXED)
def test_a_key_that_makes_another_study_is_refused_by_its_name(identity: Any, key: str) -> None:
    before = state_of(identity(experiment()))

    with pytest.raises(StudyChanged) as refused:
        identity(experiment(key, FIXED[key])).refuse_if_changed(before)

    assert f"  {key}" in str(refused.value)
    assert " -> " in str(refused.value)
    assert "--fresh" in str(refused.value)


@pytest.mark.promise("42", "P17")
@pytest.mark.parametrize("key", FREE)
def test_a_key_that_leaves_the_study_the_same_may_change(identity: Any, key: str) -> None:
    before = state_of(identity(experiment()))

    identity(experiment(key, FREE[key])).refuse_if_changed(before)

    assert experiment(key, FREE[key]) != experiment()


@pytest.mark.promise("46", "P17")
def test_other_data_under_the_same_name_are_refused_with_their_digests(identity: Any) -> None:
    before = state_of(identity(experiment()))

    with pytest.raises(StudyChanged, match="the data: SHA-256 d1 -> d2"):
        identity(experiment(), "d2").refuse_if_changed(before)


@pytest.mark.parametrize(
    ("test_from", "facts", "told"),
    [
        ("content-hash", {}, True),
        ("content-hash", {"held_out_by": "1"}, True),
        ("content-hash", {"held_out_by": str(RULE)}, False),
        ("official", {}, False),
    ],
)
def test_where_an_earlier_hpsearch_held_the_test_rows_out_that_is_told_of_other_data(
    identity: Any, test_from: Any, facts: dict[str, str], told: bool
) -> None:
    state = state_of(identity(experiment()))
    before = State(session=replace(state.session, provenance=facts))
    now = identity(experiment(), "d2")

    with pytest.raises(StudyChanged, match="the data: SHA-256 d1 -> d2") as refused:
        replace(now, data=replace(now.data, test_from=test_from)).refuse_if_changed(before)

    assert ("even of the same files" in str(refused.value)) == told


@pytest.mark.promise("43", "P17")
@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("# why\ndef build(hp):\n\n    return hp.Int( 'n', 1, 2 )  # here\n", True),
        ("def build(hp):\n    return hp.Int('n', 1, 3)\n", False),
        ("", False),
    ],
)
def test_code_that_says_something_else_is_refused(identity: Any, tmp_path: Path, code: str, same: bool) -> None:
    now = identity(experiment())
    before = state_of(now)
    (tmp_path / "space.py").write_text(code)

    if same:
        now.refuse_if_changed(before)
    else:
        with pytest.raises(StudyChanged, match=r"the code of the search space, in space\.py"):
            now.refuse_if_changed(before)


@pytest.mark.promise("43", "P17")
def test_code_that_is_gone_is_refused(identity: Any, tmp_path: Path) -> None:
    now = identity(experiment())
    before = state_of(now)
    (tmp_path / "space.py").unlink()

    with pytest.raises(StudyChanged, match="the code of the search space"):
        now.refuse_if_changed(before)


@pytest.mark.promise("47")
@pytest.mark.parametrize(
    ("package", "old", "new", "told"),
    [
        ("keras", "3.14.1", "3.15.0", True),
        ("tensorflow", "2.20.0", "3.0.0", True),
        ("keras-tuner", "1.4.8", "2.0.0", True),
        ("optuna", "4.9.0", "5.0.0", True),
        ("keras", "3.15.0", "3.15.1", False),
        ("numpy", "1.26.0", "2.2.0", False),
        ("optuna", "", "5.0.0", False),
    ],
)
def test_a_package_that_shapes_results_is_told_of_when_more_than_its_patch_level_changed(
    package: str, old: str, new: str, told: bool
) -> None:
    upgrades = provenance.upgrades({package: old}, {package: new})

    assert upgrades == ([f"{package} {old} -> {new}"] if told else [])


@pytest.mark.promise("47")
def test_a_study_that_goes_on_with_another_keras_or_another_plug_in_says_so(tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(chaos.HERE / "fake_parts" / "fake_parts-1.dist-info", older / "fake_parts-0.9.dist-info")
    (older / "keras-3.1.0.dist-info").mkdir()
    for name, version in (("keras", "3.1.0"), ("fake_parts", "0.9")):
        about = f"Name: {name.replace('_', '-')}\nVersion: {version}\n"
        (older / f"{name}-{version}.dist-info" / "METADATA").write_text(about)
    killed = {"HPSEARCH_FAILPOINT": "TrialResult.durable=kill", "HPSEARCH_FAILPOINT_COUNTS": str(tmp_path)}
    first = {"PYTHONPATH": os.pathsep.join([str(older), str(chaos.ROOT), str(chaos.HERE / "fake_parts")])}
    arena = chaos.Arena(tmp_path / "project", trials=1, epochs=1, more=killed | first)
    assert arena.start().wait(60) == -signal.SIGKILL
    assert "since the last session" not in arena.output.read_text()
    arena.more = {}

    assert arena.finish() == 0

    said = arena.output.read_text()
    assert "warning: since the last session keras 3.1.0 -> " in said
    assert "warning: since the last session fake-parts 0.9 -> 1: further trials may differ" in said
