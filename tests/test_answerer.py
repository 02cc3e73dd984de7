"""A model that a word names answers for images, from a process that may die."""

import shutil
import signal
import threading
import tracemalloc
from pathlib import Path

import hostile_models
import numpy as np
import psutil
import pytest
from kept_studies import four_trials, keep
from readers import DIGITS, WINNER, unseen_images, vouch

from hpsearch import files, paths
from hpsearch.errors import ExperimentRefused, NothingCompleted, StateDamaged
from hpsearch.orders import Slot
from hpsearch.predict import answerer as module
from hpsearch.predict.answerer import answering
from hpsearch.worker import process
from hpsearch.worker.answering import _probes
from hpsearch.worker.ending import ChildDied


def test_the_noise_that_tells_logits_from_probabilities_takes_no_more_memory_than_it_has():
    tracemalloc.start()
    try:
        large, many = _probes((2000, 3000), 64), _probes((28, 28), 64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (large.shape, many.shape) == ((21, 2000, 3000), (64, 28, 28))
    assert peak < large.nbytes + 1_000_000
    assert many[0].mean() > 200
    assert many[-1].mean() < 20


@pytest.fixture(scope="module")
def digits(home):
    return unseen_images()


@pytest.fixture(scope="module")
def winner(home):
    """The study's winner, answering for several tests."""
    with answering(home, "digits") as answerer:
        yield answerer


@pytest.fixture
def another(home, tmp_path):
    """A copy of the project, to be harmed."""
    shutil.copytree(home.root, tmp_path / "another", ignore=shutil.ignore_patterns("cache"))
    return paths.Project(tmp_path / "another")


def accuracy(answerer, digits):
    images, labels = digits
    return (answerer.probabilities(images).argmax(axis=1) == labels).mean()


def test_the_winner_of_a_study_answers_with_probabilities(winner, digits):
    images, _ = digits

    probabilities = winner.probabilities(images)

    assert (winner.class_names, winner.shape, winner.framing) == (DIGITS, (28, 28), "mnist")
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (len(images), 10)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(winner, digits) > 0.85


def test_one_image_is_answered_as_in_a_batch_and_no_image_with_no_row(winner, digits):
    images, _ = digits

    assert np.allclose(winner.probabilities(images[:1]), winner.probabilities(images[:700])[:1], atol=1e-6)
    assert winner.probabilities(images[:0]).shape == (0, 10)


def test_images_of_another_shape_or_type_are_refused(winner, digits):
    with pytest.raises(ValueError, match=r"uint8 of rows × \(28, 28\), not float32"):
        winner.probabilities(digits[0][:2].astype(np.float32))
    with pytest.raises(ValueError, match=r"not uint8 of \(2, 28, 27\)"):
        winner.probabilities(digits[0][:2, :, 1:])


def test_threads_may_ask_at_once(winner, digits):
    images, _ = digits
    right, wrong = winner.probabilities(images[:40]), []

    def ask(row):
        answers = [winner.probabilities(images[row : row + 1]) for _ in range(10)]
        wrong.extend(answer for answer in answers if not np.allclose(answer, right[row], atol=1e-5))

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_noise_is_unlike_the_training_data_and_digits_are_not(winner, digits):
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)

    assert winner.unlike(noise).min() > 1
    assert (winner.unlike(digits[0]) > 1).mean() < 0.02


@pytest.mark.usefixtures("winner")  # it has kept them
def test_what_training_images_look_like_is_kept_so_that_the_data_may_be_gone(another, monkeypatch, tmp_path):
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "empty"))

    with answering(another, "digits") as answerer:
        assert answerer.shape == (28, 28)
    assert not (tmp_path / "empty").exists()


def test_a_study_in_which_nothing_can_be_kept_answers_all_the_same(another, digits):
    best = another.study("digits").best
    shutil.rmtree(best, ignore_errors=True)
    best.write_text("in the way of a folder")

    with answering(another, "digits") as answerer:
        assert accuracy(answerer, digits) > 0.85
        assert np.isfinite(answerer.unlike(digits[0][:2])).all()


def test_a_trial_of_which_only_weights_are_kept_is_built_again(home, digits):
    with answering(home, "digits:1") as answerer:
        assert answerer.label == "digits:1"
        assert accuracy(answerer, digits) > 0.85


def test_a_killed_model_process_is_one_clear_error_and_no_process_is_left(home, digits):
    with answering(home, "digits") as answerer:
        process = child(answerer)
        process.send_signal(signal.SIGKILL)

        for _ in range(2):
            with pytest.raises(ChildDied, match=r"digits: the process that holds the model was killed by SIGKILL"):
                answerer.probabilities(digits[0][:3])

    assert not process.is_running()


def test_a_model_process_that_hangs_is_given_up(home, digits, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with answering(home, "digits") as answerer:
        child(answerer).send_signal(signal.SIGSTOP)

        with pytest.raises(ChildDied, match=r"was not done after 0\.5 s"):
            answerer.probabilities(digits[0])


def child(answerer):
    return psutil.Process(answerer._process.pid)


def test_a_model_that_is_not_the_tested_one_is_refused(another):
    file = another.study("digits").fits / WINNER.name / "model.keras"
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    with pytest.raises(StateDamaged, match="not the model that was tested"), answering(another, "digits"):
        pass


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("digit", r"no study 'digit' .*\n  did you mean 'digits'\?\n  or name a folder that hpsearch export wrote"),
        ("digits:7", "names no trial"),
        ("digits:x", "names no trial"),
        ("", "there is no study"),
    ],
)
def test_words_that_name_no_model_are_refused(home, word, says):
    with pytest.raises(ExperimentRefused, match=says), answering(home, word):
        pass


def test_a_study_goes_before_a_folder_of_its_name(home, tmp_path, monkeypatch, winner):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StateDamaged, match="there is no manifest here"), answering(home, "./digits"):
        pass
    with answering(home, "digits") as answerer:
        assert answerer.label == "digits"


def test_an_exported_folder_answers_without_the_project_and_as_the_study_does(exported, winner, digits, tmp_path):
    images, _ = digits

    with answering(paths.Project(tmp_path), str(exported["keras"])) as answerer:
        assert (answerer.class_names, answerer.shape, answerer.framing) == (DIGITS, (28, 28), "mnist")
        assert np.allclose(answerer.probabilities(images), winner.probabilities(images), atol=1e-5)
        assert np.isnan(answerer.unlike(images[:2])).all()


def test_a_folder_with_onnx_alone_needs_no_tensorflow_and_tells_nobody(exported, winner, digits, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    images, _ = digits
    monkeypatch.setenv("TMPDIR", str(files.make(tmp_path / "tmp")))  # where ONNX Runtime numbers what it tells of

    with answering(paths.Project(tmp_path), str(exported["onnx"])) as answerer:
        assert np.allclose(answerer.probabilities(images), winner.probabilities(images), atol=1e-5)
        assert not [line.path for line in child(answerer).memory_maps() if "tensorflow" in line.path]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_where_the_keras_file_needs_the_projects_code_another_format_answers(exported, winner, digits, tmp_path):
    pytest.importorskip("onnxruntime")
    images, _ = digits

    with answering(paths.Project(tmp_path), str(exported["both"])) as answerer:
        assert np.allclose(answerer.probabilities(images), winner.probabilities(images), atol=1e-5)


def test_a_keras_file_that_needs_the_projects_code_is_refused_where_it_is_alone(exported, tmp_path):
    says = r"the model cannot be used\n  .*model\.keras: the model cannot be loaded(.|\n)*own layers"

    with pytest.raises(StateDamaged, match=says), answering(paths.Project(tmp_path), str(exported["own"])):
        pass


def test_a_damaged_export_is_refused_before_anything_is_loaded(exported, tmp_path):
    folder = shutil.copytree(exported["keras"], tmp_path / "damaged")
    (folder / "model.keras").write_bytes(b"another")

    says = r"model\.keras: this is not the file that was written"
    with pytest.raises(StateDamaged, match=says), answering(paths.Project(tmp_path), str(folder)):
        pass


@pytest.mark.parametrize("name", ["a layer with code", "two thousand million units", "weights that are nowhere stored"])
def test_an_export_whose_manifest_vouches_for_a_hostile_model_is_refused(exported, tmp_path, name, hostile):
    folder = shutil.copytree(exported["keras"], tmp_path / "hostile")
    shutil.copyfile(hostile[name], folder / "model.keras")
    vouch(folder)

    with pytest.raises(StateDamaged, match="cannot be loaded"), answering(paths.Project(tmp_path), str(folder)):
        pass
    assert not (Path.cwd() / hostile_models.CANARY).exists()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return process.call(hostile_models.make, tmp_path_factory.mktemp("hostile"), slot=Slot())


def test_a_study_without_a_winner_says_what_to_do(another):
    shutil.rmtree(another.study("digits").folder)
    keep(another.root, four_trials())

    with pytest.raises(NothingCompleted, match="has no winner yet"), answering(another, "tiny"):
        pass
