"""How many models a test split was shown to, over all studies of a project."""

import kept_studies
import pytest

from hpsearch import looks, paths
from hpsearch.errors import StateDamaged
from hpsearch.records import SessionBegan
from hpsearch.records import TestLooked as Looked
from hpsearch.records import TestOpened as Opened
from hpsearch.verdict_words import looks as in_words


@pytest.fixture
def project(tmp_path):
    return paths.Project(tmp_path)


def opened(*models, split="s", images="", negative=""):
    digests = {"split": split, "images": images, "negative": negative}
    return Opened({f"final-{model}": model for model in models}, **digests)


def keep(project, name, *records):
    kept_studies.keep(project.root, [SessionBegan(name, {}, {}, (), {}), *records], name)


def test_studies_on_one_test_split_are_counted_together_and_others_are_not(project):
    keep(project, "mlp", opened("a", "b", split="s"), Looked({"search-3": "c"}, "compare", "s"))
    keep(project, "cnn", opened("d", split="s"))
    keep(project, "letters", opened("e", "f", split="another"))
    keep(project, "searching")

    assert looks.of_study(project, "cnn") == {"cnn": 1, "mlp": 3}
    assert looks.of_study(project, "letters") == {"letters": 2}
    assert looks.of_study(project, "searching") == {}
    assert looks.of_split(project, {"s"}) == {"cnn": 1, "mlp": 3}


def test_studies_on_the_same_test_images_in_another_order_are_counted_together(project):
    keep(project, "others", opened("a", split="as pictures", images="i"))
    keep(project, "pictures", opened("b", split="as pictures", images="i"))
    keep(project, "archive", Looked({"search-3": "c"}, "compare", "as an archive", "i"))

    assert looks.of_study(project, "archive") == {"archive": 1, "others": 1, "pictures": 1}
    assert looks.of_split(project, {"as an archive", "i"}) == {"archive": 1, "others": 1, "pictures": 1}


def test_a_study_on_the_negatives_of_the_same_test_images_is_counted_too(project):
    keep(project, "paper", opened("a", split="dark on bright"))
    keep(project, "turned", opened("b", split="bright on dark", images="i", negative="dark on bright"))
    keep(project, "looked", Looked({"search-3": "c"}, "compare", "bright on dark", "i", "dark on bright"))

    assert looks.of_study(project, "turned") == {"turned": 1, "looked": 1, "paper": 1}
    assert looks.of_study(project, "paper") == {"paper": 1, "looked": 1, "turned": 1}


def test_a_model_that_two_studies_hold_counts_once(project):
    keep(project, "first", opened("a", "b"))
    keep(project, "first-copied", opened("a", "b"))

    assert looks.of_study(project, "first-copied") == {"first-copied": 2}


def test_a_model_that_is_shown_again_counts_once(project):
    keep(project, "first", opened("a", "b"), Looked({"whole": "a"}, "compare"), opened("a", "c"))

    assert looks.of_study(project, "first") == {"first": 3}


def test_the_weights_of_every_epoch_that_was_judged_count_too(project):
    curves = Opened({"final-a": "a", "final-b": "b"}, {"final-a": ("a1", "a2", "a3"), "final-b": ("b1",)}, "s")
    keep(project, "curves", curves, Looked({"final-a": "a", "search-3": "a2"}, "compare", "s"))

    assert looks.of_study(project, "curves") == {"curves": 6}


def test_another_studys_damage_is_told_and_its_own_is_an_error(project):
    keep(project, "sound", opened("a"))
    keep(project, "broken", opened("b"))
    project.study("broken").ledger.write_bytes(b"no ledger")

    found = looks.of_study(project, "sound")

    assert found == {"sound": 1, "broken": None}
    assert in_words(found) == "this test split has judged 1 model; not counted: broken, whose ledger cannot be read"
    with pytest.raises(StateDamaged):
        looks.of_study(project, "broken")


def test_the_words_name_some_studies_and_count_the_others():
    many = {f"s{number}": number for number in range(1, 8)}

    assert in_words({"mlp": 4, "cnn": 3}) == "this test split has judged 7 models (4 of mlp, 3 of cnn)"
    assert in_words(many) == (
        "this test split has judged 28 models (1 of s1, 2 of s2, 3 of s3, 4 of s4, 18 of 3 other studies)"
    )
    assert in_words({}) == in_words({"mlp": 0}) == ""
    assert in_words({"mlp": 4}, 2).endswith("it was opened 2 times, and what came later was chosen in its light")
