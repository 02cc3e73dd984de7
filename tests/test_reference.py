"""The tables of the reference experiments say what the ledger says."""

import re
from dataclasses import replace
from pathlib import Path

from stories import began, finals, trial_story
from stories import told as numbered

import reference
from hpsearch import records
from hpsearch.records import SessionEnded
from hpsearch.trial import Measure
from reference_tables import Aim, section, told

ROOT = Path(__file__).parents[1]


def study(*, curves=(), **changes):
    """Two trials and the finals, whose verdict is changed; a final fit trains two epochs."""
    *trained, opened, verdict = finals()
    verdict = replace(verdict, **changes)
    known = [
        replace(body, metrics={**body.metrics, "accuracy": body.metrics["val_accuracy"] + 0.1})
        if isinstance(body, Measure)
        else body
        for body in trained
    ]
    trials = [*trial_story(0, [0.5, 0.8]), *trial_story(1, [0.6])]
    answered = [records.Answered(number, parameter("rate"), 0.1 * (number + 1)) for number in (0, 1)]
    asked = [records.Asked(records.Trial(number)) for number in (0, 1)]
    end = SessionEnded(finished=True, reason="the budget is spent")
    return told(numbered([*began(), *asked, *answered, *trials, *known, opened, *curves, verdict, end]))


def parameter(name):
    return next(one for one in began()[1].parameters if one.name == name)


def rows(text):
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_each_finalist_has_a_row_with_its_scores_and_what_it_was_to_reach():
    aim = Aim("validation", (({"rate": 0.1}, 0.75),))

    text = section("Two rates.", "hpsearch run x.toml", study(), aim)

    head, _, first, second, *_ = rows(text)
    assert head == [
        "trial",
        "rate",
        "validation, search",
        "validation, finals",
        "test, finals",
        "validation, aim",
    ]
    assert first == ["0 ★", "0.1", "80.00", "80.00 (80.00 … 80.00)", "80.00 (79.00 … 81.00)", "75.00"]
    assert second == ["1", "0.2", "60.00", "", "69.00", ""]
    assert "100 images, was opened once" in text


def test_the_epochs_are_means_over_the_seeds_that_were_judged():
    curves = [records.TestCurve("final-0000-r0-f0", (0.6, 0.7)), records.TestCurve("final-0000-r1-f0", (0.7, 0.9))]

    text = section("", "hpsearch run x.toml", study(curves=curves))

    table = rows(text[text.index("Epoch by epoch") :])
    assert table[0] == ["epoch", "0.1: training", "0.1: validation", "0.1: test"]
    assert table[2:4] == [["1", "80.00", "70.00", "65.00"], ["2", "90.00", "80.00", "80.00"]]


def test_without_judged_epochs_there_is_no_table_of_them():
    assert "Epoch by epoch" not in section("", "hpsearch run x.toml", study())


def test_the_confusions_are_those_of_the_exported_model():
    text = section("", "hpsearch run x.toml", study())

    assert rows(text)[-2:] == [["**nought**", "40", "10"], ["**one**", "5", "45"]]


def test_how_sure_the_verdict_is_stands_below_the_table():
    text = section("", "hpsearch run x.toml", study(interval=(0.71, 0.88), ties=(1,)))

    assert "★, trained anew, is expected to reach 80.00 % (71.00 … 88.00, at 95 %)." in text
    assert "do not tell it apart from trial 1." in text


def test_of_many_classes_only_the_pairs_that_are_confused_most_are_listed():
    names = tuple(f"class {number}" for number in range(16))
    row = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 50.0}
    counts = tuple(tuple(40 if row == column else 0 for column in range(16)) for row in range(15))
    given = {"class_names": names, "confusion": (*counts, (7, *[0] * 14, 33))}

    text = section("", "hpsearch run x.toml", study(**given, report=dict.fromkeys((*names, "macro avg"), row)))

    assert rows(text)[-1] == ["class 15", "class 0", "7"]


def test_a_section_takes_the_place_of_its_older_one_and_leaves_the_others():
    old = reference.page(reference.page("", "## a\n\nold\n"), "## b\n\nother\n")

    new = reference.page(old, "## a\n\nnew\n")

    assert re.findall(r"^## .*\n\n.*$", new, flags=re.MULTILINE) == ["## a\n\nnew", "## b\n\nother"]


def test_the_page_lists_every_experiment_and_says_which_has_not_been_run():
    new = reference.page("", "## mnist-ann\n\nnew\n")

    listed = {row[0]: row[3] for row in rows(new)[2:]}
    assert listed["[mnist-ann](#mnist-ann)"] == ""
    assert listed["mnist-four-mlps"] == reference.NOT_YET
    assert "mnist-cnn" in listed


def test_a_command_names_the_images_and_not_where_they_lie():
    settings = ["--set", "data.source=idx", "--set", "data.folder=/home/me/scans"]

    assert reference.command("mnist_cnn", settings) == (
        "hpsearch run experiments/mnist_cnn.toml --set data.source=idx --set data.folder=FOLDER"
    )


def test_every_reference_experiment_begins_with_what_it_is():
    for name in reference.NAMES:
        said = reference.about((ROOT / "experiments" / f"{name}.toml").read_text(encoding="utf-8"))

        assert said.endswith(".")
        assert "#" not in said


def test_the_page_is_the_one_that_would_be_written_today():
    page = reference.PAGE.read_text(encoding="utf-8")

    assert reference.page(page) == page
    for name in (*reference.NAMES, *reference.LONG):
        assert reference.about((ROOT / "experiments" / f"{name}.toml").read_text(encoding="utf-8")) in page
