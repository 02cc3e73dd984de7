"""Trials as tables: chosen, ordered, written, and read by a notebook."""

import csv
import hashlib
import json

import optuna
import pandas as pd
import pytest
from kept_studies import asked_bodies, four_trials, keep
from stories import EXPERIMENT, half_fixed

import hpsearch
from hpsearch import files, paths, records
from hpsearch.__main__ import main
from hpsearch.cli.run import _Place
from hpsearch.errors import ExperimentRefused, NothingCompleted, StateDamaged
from hpsearch.study import set_aside


@pytest.fixture
def project(tmp_path, monkeypatch):
    keep(tmp_path, four_trials())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(capsys, *words):
    """The numbers of the trials that `hpsearch show --json` tells, in their order."""
    assert main(["show", "tiny", "--json", *words]) == 0
    return [trial["number"] for trial in json.loads(capsys.readouterr().out)["trials"]]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("status = completed", [1, 0]),
        ("kind=b", [1, 2]),
        ("score > 0.6 and wide = yes", [2]),
        ("score > 0.6 or status=failed", [1, 2, 3]),
        ("not (kind = b or kind = a)", [3]),
        ("units >= 16 and units != 64", [1]),
        ("failure ~ DEEP", [3]),
        ("params.kind == '=1+1'", [3]),
        ("val_loss < 0.2", [1]),
        ("score = high", []),
    ],
)
def test_trials_are_chosen_by_what_they_had_and_came_to(project, capsys, wish, found):
    assert numbers(capsys, "--where", wish) == found


def test_a_trial_without_a_value_meets_no_claim_about_it(project, capsys):
    assert numbers(capsys, "--where", "units < 100 or units >= 100") == [1, 2]


@pytest.mark.parametrize(
    ("column", "found"),
    [("score", [1, 0, 2, 3]), ("-score", [2, 0, 1, 3]), ("seconds", [0, 1, 2, 3]), ("-units", [2, 1, 0, 3])],
)
def test_trials_are_ordered_by_a_column_and_what_is_missing_comes_last(project, capsys, column, found):
    assert numbers(capsys, "--sort", column) == found


def test_the_help_says_which_way_scores_are_sorted(capsys):
    assert main(["show", "--help"]) == 0

    assert "score means best first, -score worst first" in " ".join(capsys.readouterr().out.split())


def test_the_first_few_are_told_with_the_wanted_columns(project, capsys):
    assert main(["show", "tiny", "--columns", "number,units,val_loss", "--top", "2"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["number", "units", "metrics.val_loss"]
    assert [line.split() for line in lines[1:3]] == [["1", "16", "0.1"], ["0", "-", "0.5"]]
    assert lines[-1] == "2 of 4 trials"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--where", "unit > 3"], "did you mean 'units'?"),
        (["--where", "status = complete"], "no trial's status is ever 'complete'\n  did you mean 'completed'?"),
        (["--where", "score >"], "a value is missing at the end"),
        (["--where", "score ! 3"], "cannot be read: at '! 3'"),
        (["--where", "(score > 3"], "a ) is missing"),
        (["--where", "score > 3 4"], "what is '4' to mean here?"),
        (["--where", "score and 3"], "'and' is no sign"),
        (["--where", "(" * 99], "it goes too deep"),
        (["--where", "not " * 600], "it is too long"),
        (["--where", "__import__('os').system('x') = 1"], "there is no column '__import__'"),
        (["--sort", "-unitz"], "did you mean 'units'?"),
        (["--columns", "number,"], "there is no column ''"),
    ],
)
def test_words_that_cannot_be_read_are_refused_with_what_is_wrong(project, capsys, words, told):
    assert main(["show", "tiny", *words]) == 2

    assert told in capsys.readouterr().err


def test_a_table_is_written_as_csv_in_which_nothing_is_a_formula(project, capsys):
    assert main(["table", "tiny", "--csv", "trials.csv"]) == 0

    with (project / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "0", "2", "3"]
    assert rows[0]["params.units"] == "16"
    assert rows[1]["params.units"] == ""
    assert rows[3]["params.kind"] == "'=1+1"
    assert capsys.readouterr().out == "wrote trials.csv\n"


def test_a_table_without_a_file_goes_to_standard_output(project, capsys):
    assert main(["table", "tiny", "--where", "wide = no", "--columns", "number,status"]) == 0

    assert capsys.readouterr().out == "number,status\n1,completed\n3,failed\n"


def test_a_table_is_written_as_parquet_with_its_types(project):
    assert main(["table", "tiny", "--parquet", "trials.parquet"]) == 0

    read = pd.read_parquet(project / "trials.parquet")
    assert read["params.units"].dropna().tolist() == [16, 64]
    assert str(read["params.wide"].dtype) == "boolean"
    assert str(read["score"].dtype) == "float64"


def test_a_column_that_is_named_twice_is_written_once(project):
    assert main(["table", "tiny", "--parquet", "trials.parquet", "--columns", "units,params.units,score,score"]) == 0

    assert list(pd.read_parquet(project / "trials.parquet")) == ["params.units", "score"]


def test_a_table_tells_programs_its_rows(project, capsys):
    assert main(["table", "tiny", "--json", "--columns", "number,units,wide"]) == 0

    assert json.loads(capsys.readouterr().out)[:2] == [
        {"number": 1, "params.units": 16, "params.wide": False},
        {"number": 0, "params.units": None, "params.wide": True},
    ]


def test_a_program_is_told_the_names_that_a_branch_fixes_as_a_list(tmp_path, monkeypatch, capsys):
    keep(tmp_path, half_fixed())
    monkeypatch.chdir(tmp_path)

    assert main(["show", "tiny", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["partly_fixed"] == ["units"]


def test_a_place_that_cannot_be_written_is_told(project, capsys):
    assert main(["table", "tiny", "--csv", "nowhere/trials.csv"]) == 7

    assert "nowhere/trials.csv: cannot be written (there is no such folder)" in capsys.readouterr().err


def test_a_notebook_reads_a_study_as_tables(tmp_path):
    keep(tmp_path, asked_bodies())

    study = hpsearch.open_study("tiny", tmp_path)

    assert list(study.trials["number"]) == [0, 1, 2]
    assert list(study.trials["status"]) == ["completed", "pruned", "failed"]
    assert study.trials.loc[0, "params.rate"] == 0.1
    accuracy = study.curves.query("trial == 0 and metric == 'val_accuracy'")
    assert list(zip(accuracy["epoch"], accuracy["value"], strict=True)) == [(1, 0.5), (2, 0.8), (3, 0.7)]
    assert study.verdict.winner == 0
    assert study.facts.finished


def test_a_notebook_finds_the_tested_model_though_its_copy_in_best_is_gone(tmp_path):
    opened = records.TestOpened({"final-0000-r1-f0": hashlib.sha256(b"tested").hexdigest()})
    folder = keep(tmp_path, [opened if isinstance(body, records.TestOpened) else body for body in asked_bodies()])
    tested = folder.fit("final-0000-r1-f0").model
    files.write_text(files.make(tested.parent) / tested.name, "tested")

    assert hpsearch.open_study("tiny", tmp_path).model_file == tested

    tested.write_bytes(b"another")
    with pytest.raises(StateDamaged, match="not the model that was tested"):
        hpsearch.open_study("tiny", tmp_path).winner_model()


def test_a_notebook_sees_what_came_since_when_it_reads_again(tmp_path):
    bodies = four_trials()
    folder = keep(tmp_path, bodies[:6])
    study = hpsearch.open_study("tiny", tmp_path)
    before = len(study.trials)
    folder.ledger.unlink()
    keep(tmp_path, bodies)

    study.reload()

    assert (before, len(study.trials)) == (1, 4)


def test_an_empty_study_has_empty_tables_of_the_types_that_others_have(tmp_path):
    keep(tmp_path, [])

    study = hpsearch.open_study("tiny", tmp_path)

    assert study.trials.empty
    assert study.curves.empty
    assert study.trials.dtypes.astype(str).to_dict() == {
        "number": "Int64", "status": "str", "score": "float64", "best_epoch": "Int64", "seconds": "float64",
        "reason": "str", "failure": "str",
    }  # fmt: skip
    with pytest.raises(NothingCompleted, match="no winner yet"):
        study.winner_model()


def test_a_study_that_is_not_there_is_refused_with_the_nearest_name(tmp_path):
    keep(tmp_path, four_trials())

    with pytest.raises(ExperimentRefused, match="did you mean 'tiny'"):
        hpsearch.open_study("tinny", tmp_path)


@pytest.mark.parametrize("root", ["typo", "~/typo"])
def test_a_folder_that_is_not_there_opens_no_study_of_the_project_around_it(project, monkeypatch, root):
    monkeypatch.setenv("HOME", str(project))

    with pytest.raises(ExperimentRefused, match=r"typo: there is no such folder"):
        hpsearch.open_study("tiny", root)


def test_a_notebook_may_name_a_project_from_the_home_folder(project, monkeypatch):
    (project / "digits").mkdir()
    keep(project / "digits", asked_bodies())
    monkeypatch.setenv("HOME", str(project))

    assert len(hpsearch.open_study("tiny", "~/digits").trials) == 3


def test_a_study_is_copied_into_an_optuna_storage_once(project, capsys):
    assert main(["table", "tiny", "--optuna", "sqlite:///optuna.db"]) == 0
    assert main(["table", "tiny", "--optuna", "sqlite:///optuna.db"]) == 2

    copy = optuna.load_study(study_name="tiny", storage="sqlite:///optuna.db")
    assert "has a study 'tiny' already" in capsys.readouterr().err
    assert copy.best_trial.number == 1
    assert [trial.state.name for trial in copy.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL"]


def test_an_optuna_address_is_refused_without_its_secret(project, capsys):
    assert main(["table", "tiny", "--optuna", "nonsense://me:S3CRET@host/db"]) == 2

    told = capsys.readouterr().err
    assert "cannot be opened" in told
    assert "S3CRET" not in told


def test_a_study_that_was_set_aside_is_told_of_and_copied_by_the_name_that_it_has_now(project, capsys):
    set_aside(paths.Project(project).study("tiny"))
    keep(project, four_trials())
    storage = f"sqlite:///{project}/optuna.db"

    codes = [main(["table", name, "--optuna", storage]) for name in ("tiny", "tiny.before-1")]
    capsys.readouterr()
    codes += [main(["show", "tiny.before-1"]), main(["trial", "tiny.before-1", "0"])]

    assert codes == [0] * 4
    assert optuna.get_all_study_names(storage) == ["tiny", "tiny.before-1"]
    out = capsys.readouterr().out
    assert "tiny.before-1: 4 trials" in out
    assert "trial 0 of tiny.before-1: completed" in out


def test_after_its_run_a_study_that_was_set_aside_is_told_of_by_the_name_that_it_has_now(project):
    set_aside(paths.Project(project).study("tiny"))
    place = _Place(paths.Project(project), plain=True)

    place.report(EXPERIMENT.renamed("tiny.before-1"))

    assert place.facts.name == "tiny.before-1"
