"""Folders may have any name that the system allows, and studies any that the rule allows; others are refused by it."""

import json
from contextlib import closing

import numpy as np
import pytest
from click.testing import CliRunner
from instant import Instant
from test_search import go

from hpsearch import files, paths
from hpsearch.backup import Backup
from hpsearch.cli.show import show
from hpsearch.cli.studies import list_studies
from hpsearch.errors import ExperimentRefused
from hpsearch.experiment import Experiment
from hpsearch.loading import load
from hpsearch.loading.name_check import name_findings
from hpsearch.records import SessionBegan
from hpsearch.repair import repair
from hpsearch.report.facts import gather
from hpsearch.report.html import write_report
from hpsearch.splits import Splits
from hpsearch.study import Study, held, read

FOLDERS = [
    "plain", "two words", "ümläut", "日本語", "it's", 'say "so"', "100 %", "%2e%2e", "a\nb", "?mode=ro", "#tag",
    "a;b&c", "é" * 120, "x" * 200,
]  # fmt: skip
EXPERIMENT = Experiment.model_validate({"name": "a.b-c_d", "model": {"build": "m:f"}, "search": {"trials": 3}})


@pytest.mark.promise("58")
@pytest.mark.parametrize("name", FOLDERS)
def test_a_study_is_searched_shown_backed_up_and_repaired_in_a_folder_of_any_name(tmp_path, monkeypatch, name):
    project = paths.Project(tmp_path / name)
    place = project.study(EXPERIMENT.name)
    monkeypatch.chdir(files.make(project.root))
    np.save("labels.npy", np.arange(200) % 4)
    with held(place), closing(Study(EXPERIMENT, place)) as study, closing(Backup(place)) as backup:
        study.listen(backup.hear)
        study.record(SessionBegan(EXPERIMENT.name, EXPERIMENT.model_dump(mode="json"), {}, (), {}))
        go(study, Splits(EXPERIMENT, project.root / "labels.npy", place.splits), Instant())
    write_report(gather(read(project, EXPERIMENT.name)), place.report)
    place.ledger.write_bytes(b"")

    repaired = repair(place)

    assert repaired.trials == 3
    assert json.loads(CliRunner().invoke(list_studies, ["--json"]).output)[0]["trials"] == 3
    assert len(json.loads(CliRunner().invoke(show, [EXPERIMENT.name, "--json"]).output)["trials"]) == 3
    assert {file.parts[0] for file in (found.relative_to(tmp_path) for found in tmp_path.rglob("*"))} == {name}


@pytest.mark.promise("58")
@pytest.mark.parametrize("name", ["", "two words", "ü", "a/b", "../a", "-a", ".a", "a\nb", "a%b", "'a'", '"', "a" * 81])
def test_a_study_name_outside_the_rule_is_refused_with_the_rule(tmp_path, name):
    file = tmp_path / "a.toml"
    file.write_text('[model]\nbuild = "m:f"\n[search]\ntrials = 1\n')

    with pytest.raises(ExperimentRefused, match="must be a name of at most 80 letters"):
        load(file, paths.Project(tmp_path), [f"name={json.dumps(name)}"])


@pytest.mark.promise("58")
@pytest.mark.parametrize("name", ["a", "a." * 40, "a" * 80])
def test_the_name_that_a_changed_study_is_offered_is_free_and_one_that_a_study_may_have(tmp_path, name):
    project = paths.Project(tmp_path)
    offered = []
    for _ in range(9):
        another = project.free_name(name)
        files.make(project.study(another).folder)
        project.study(another).ledger.touch()
        offered.append(another)

    assert len(set(offered)) == 9
    for another in offered:
        assert Experiment.model_validate({**EXPERIMENT.model_dump(mode="json"), "name": another}).name == another


@pytest.mark.promise("58")
def test_a_name_that_another_study_has_in_other_capitals_is_refused_and_not_offered(tmp_path):
    project = paths.Project(tmp_path)
    files.make(project.study("mnist").folder)
    project.study("mnist").ledger.touch()
    file = tmp_path / "a.toml"
    file.write_text('name = "MNIST"\n[model]\nbuild = "m:f"\n[search]\ntrials = 1\n')

    with pytest.raises(ExperimentRefused, match=r"line 1: there is a study 'mnist', and on many disks 'MNIST' would"):
        load(file, project)

    assert project.free_name("MNIST") == "MNIST-2"
    files.make(project.study("MNIST").folder)
    project.study("MNIST").ledger.touch()
    assert [name_findings(name, project) for name in ("MNIST", "mnist")] == [[], []]
