"""What `hpsearch export` gives away: the model that was tested, and no other."""

import hashlib
import json
from pathlib import Path

import pytest
from test_mlflow import whole_story

from hpsearch import records
from hpsearch.__main__ import main
from hpsearch.ledger import Ledger
from hpsearch.paths import Project, make
from hpsearch.records import Asked
from hpsearch.trial import Trial

TESTED = b"the model that was tested"
ANOTHER = b"another model"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the finished study "tiny"."""
    study = Project(tmp_path).study("tiny")
    bodies = [news.body for news in whole_story()]
    bodies[2:2] = [Asked(Trial(number)) for number in range(3)]
    opened = records.TestOpened({"final-0000-r1-f0": digest(TESTED)})
    make(study.best)
    (study.best / "model.keras").write_bytes(TESTED)
    ledger = Ledger(study.ledger)
    for body in bodies:
        ledger.write(opened if isinstance(body, records.TestOpened) else body)
    ledger.close()
    (study.best / "manifest.json").write_text(json.dumps({"model": {"sha256": digest(TESTED)}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def best(project: Path) -> Path:
    return Project(project).study("tiny").best


def test_the_tested_model_is_exported_with_its_manifest(project: Path) -> None:
    code = main(["export", "tiny", "--out", "out"])

    assert code == 0
    assert (project / "out" / "model.keras").read_bytes() == TESTED
    assert (project / "out" / "manifest.json").exists()


@pytest.mark.promise("P23", "H27")
def test_another_model_is_refused_even_when_the_manifest_beside_it_vouches_for_it(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (best(project) / "model.keras").write_bytes(ANOTHER)
    (best(project) / "manifest.json").write_text(json.dumps({"model": {"sha256": digest(ANOTHER)}}))

    code = main(["export", "tiny", "--out", "out"])

    assert code == 4
    assert "not the model that was tested" in capfd.readouterr().err
    assert not (project / "out").exists()


@pytest.mark.promise("39")
@pytest.mark.parametrize("lost", ["model.keras", "manifest.json"])
def test_what_is_missing_is_named(project: Path, lost: str, capfd: pytest.CaptureFixture[str]) -> None:
    (best(project) / lost).unlink()

    code = main(["export", "tiny", "--out", "out"])

    assert code == 4
    assert f"{lost}: the m" in capfd.readouterr().err
