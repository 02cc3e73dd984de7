"""The models that people name are found, each study of them read once."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest
from data_makers import drawings, flip, write_pictures
from kept_studies import keep
from stories import began, trial_story

from hpsearch import contenders, paths
from hpsearch.__main__ import main
from hpsearch.cli.compare import _show
from hpsearch.comparing import Compared, Comparison, compare
from hpsearch.contender_files import data_of, note_looks
from hpsearch.contenders import find, find_all
from hpsearch.datasets.folder import Folder
from hpsearch.datasets.prepared import SplitDigests
from hpsearch.errors import DataRefused, ExperimentRefused, RunningElsewhere, StudyChanged
from hpsearch.records import Asked
from hpsearch.records import TestLooked as Looked
from hpsearch.repair import repair
from hpsearch.study import held, read
from hpsearch.trial import Attempt, Failure, Fit, Status, Trial

SPLIT = SplitDigests("a split", "its images", "its negatives")


@pytest.fixture
def project(tmp_path):
    searched = [body for number in (0, 1) for body in (Asked(Trial(number)), *trial_story(number, [0.5 + number / 10]))]
    for name in ("one", "other"):
        folder = keep(tmp_path, [*began(), *searched], name)
        for number in (0, 1):
            weights = folder.fits / f"search-000{number}-r0-f0" / "best.bin"
            weights.parent.mkdir(parents=True)
            weights.write_bytes(f"{name} {number}".encode())
    return paths.Project(tmp_path)


def test_models_are_found_in_the_order_of_their_words_and_each_study_is_read_once(project, monkeypatch):
    reads, read = Counter(), contenders.read

    def counted(project, name):
        reads[name] += 1
        return read(project, name)

    monkeypatch.setattr(contenders, "read", counted)

    found = find_all(project, ["one:1", "other:0", "one:0"])

    assert [(one.label, one.folder.folder.name, one.trial, one.end.score) for one in found] == [
        ("one:1", "one", 1, 0.6), ("other:0", "other", 0, 0.5), ("one:0", "one", 0, 0.5),
    ]  # fmt: skip
    assert len({one.sha256 for one in found}) == 3
    assert reads == {"one": 1, "other": 1}


@pytest.mark.parametrize(
    ("kind", "folds", "rows"),
    [
        ("search", None, "all but the validation rows"),
        ("final", None, "all but the validation rows"),
        ("search", 5, "all but one of 5 folds"),
        ("whole", 5, "all rows"),
        ("whole", None, "all rows"),
    ],
)
def test_a_model_says_which_rows_it_learnt_from(project, kind, folds, rows):
    one = find(project, "one:1")
    experiment = one.session.experiment | {"data": {"folds": folds}}
    end = replace(one.end, attempt=Attempt(Fit(1, 0, kind)))

    assert replace(one, end=end, session=replace(one.session, experiment=experiment)).trained_on == rows


@pytest.mark.parametrize("others", ["all but one of 5 folds", "all rows"])
def test_models_that_learnt_from_unlike_rows_are_shown_with_a_word_of_it(others, capsys):
    models = [
        Compared(name, name, 0, 0.9, (0.8, 0.95), 9, 9, 1.0, 1.0, 1.0, rows, {})
        for name, rows in (("one", "all rows"), ("other", others))
    ]

    _show(Comparison(tuple(models), (), 100, "", (), {}, 128))

    told = "trained on unlike rows: one on all rows, other on all but one of 5 folds"
    assert (told in capsys.readouterr().out) == (others != "all rows")


def test_a_model_is_not_compared_with_itself(project):
    there = project.study("one").fits / "search-0001-r0-f0" / "best.bin"
    (project.study("other").fits / "search-0000-r0-f0" / "best.bin").write_bytes(there.read_bytes())
    found = find_all(project, ["one:0", "one:1", "other:0"])

    with pytest.raises(ExperimentRefused, match="one:1 and other:0 are the same model"):
        compare(project, found, lambda *_: None)


def test_the_data_of_a_study_are_found_by_their_digest_wherever_their_source_is(project, cache, tmp_path):
    images, labels = drawings()
    pictures = write_pictures(tmp_path / "pictures", images, labels)
    made = Folder(pictures).prepare(lambda *_: None)
    Folder(write_pictures(tmp_path / "others", images // 2, labels)).prepare(lambda *_: None)
    one = find(project, "one:1")
    experiment = one.session.experiment | {"data": {"source": "folder", "folder": str(pictures)}}
    one = replace(one, session=replace(one.session, experiment=experiment, identity={"data": made.digest}))
    shutil.rmtree(pictures)

    assert data_of(one, lambda *_: None) == made

    flip(made.folder / "train" / "images.npy", -1)
    with pytest.raises(DataRefused, match=r"mend data\.folder"):
        data_of(one, lambda *_: None)
    write_pictures(pictures, images // 4, labels)
    with pytest.raises(StudyChanged, match="no longer those that the study was made on"):
        data_of(one, lambda *_: None)


def test_of_a_trial_that_failed_it_is_said_why_there_is_no_model(tmp_path):
    failure = Failure("oom", "too large\nby far")
    ended = replace(trial_story(0, [0.5])[-1], status=Status.FAILED, score=None, failure=failure)
    keep(tmp_path, [*began(), Asked(Trial(0)), ended], "one")

    with pytest.raises(ExperimentRefused) as refused:
        find(paths.Project(tmp_path), "one:0")

    assert str(refused.value) == (
        "one:0: trial 0 failed and left no model (oom: too large)\n  see more: hpsearch trial one 0"
    )


@pytest.mark.parametrize("word", ["one:7", "one:x", "one:", "oen:0", f"one:{'7' * 5000}"])
def test_of_several_words_the_wrong_one_is_named(project, word):
    with pytest.raises(ExperimentRefused, match=r"'one?:|did you mean 'one'"):
        find_all(project, ["other:0", word])


def looks_at(project, name):
    """The looks that a study has noted, each with the fits that it is of."""
    return [list(news.body.models) for news in read(project, name) if isinstance(news.body, Looked)]


@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_look_is_noted_in_no_other_study_than_that_of_the_model(project, begun_anew):
    found = find(project, "one:1")
    folder = project.study("one").folder
    folder.rename(folder.with_name("moved"))
    if begun_anew:
        *fit, end, result = trial_story(1, [0.6])
        keep(project.root, [*began(), Asked(Trial(1)), *fit, replace(end, seconds=9.0), result], "one")

    with pytest.raises(StudyChanged, match="one:1: its study is no longer what it was when this model was found"):
        note_looks([(found, SPLIT)], "export")

    assert folder.exists() is begun_anew
    assert [looks_at(project, name) for name in project.studies()] == [[]] * len(project.studies())


def test_looks_at_models_of_several_studies_are_noted_in_all_of_them_or_in_none(project):
    shown = [(one, SPLIT) for one in find_all(project, ["one:0", "other:1", "one:1"])]

    with held(project.study("other")), pytest.raises(RunningElsewhere, match="'other' is in use"):
        note_looks(shown, "compare")

    assert [looks_at(project, name) for name in ("one", "other")] == [[], []]
    note_looks(shown, "compare")
    assert looks_at(project, "one") == [["search-0000-r0-f0", "search-0001-r0-f0"]]
    assert looks_at(project, "other") == [["search-0001-r0-f0"]]


def test_a_look_that_was_noted_outlives_the_loss_of_the_ledger(project):
    note_looks([(find(project, "one:1"), SPLIT)], "compare")
    project.study("one").ledger.write_bytes(b"")

    repair(project.study("one"))

    assert looks_at(project, "one") == [["search-0001-r0-f0"]]


@pytest.mark.parametrize("command", [["compare", "one:0", "other:1"], ["export", "other:1", "--out", "out"]])
def test_a_model_of_a_study_that_is_in_use_is_refused_before_any_work(project, monkeypatch, capsys, command):
    monkeypatch.chdir(project.root)

    with held(project.study("other")):
        code = main(command)

    assert code == 5
    assert "the study 'other' is in use by" in capsys.readouterr().err
