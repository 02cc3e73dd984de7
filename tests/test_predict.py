"""What `hpsearch predict` says of pictures, and what is left when it is stopped."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from commands import hpsearch
from PIL import Image
from readers import unseen_images
from written import file_of, page, seven

from hpsearch.drawings import is_drawing, mark
from hpsearch.errors import ExperimentRefused
from hpsearch.predict.reading import Guess, Reading
from hpsearch.predict.showing import Drawings
from hpsearch.predict.sights import Character, Picture
from hpsearch.predict.sources import refuse_strangers, sources

MANY = 4000  # some eight seconds' work: whoever is slow to interrupt it is still in time


@pytest.fixture(scope="module")
def pictures(home, tmp_path_factory):
    """A folder of twenty real digits on paper, named by what they show, and their labels."""
    folder = tmp_path_factory.mktemp("pictures")
    images, labels = unseen_images()
    for row in range(20):
        enlarged = Image.fromarray(255 - images[row]).resize((84, 84), Image.Resampling.BICUBIC)
        enlarged.save(folder / f"{row:02}-shows-{labels[row]}.png")
    return folder


@pytest.fixture(scope="module")
def model(exported):
    """A model that is soon there, because it needs no TensorFlow."""
    pytest.importorskip("onnxruntime")
    return exported["onnx"]


def command(*words):
    return [sys.executable, "-m", "hpsearch", "predict", *map(str, words)]


def predict(*words, code=0, cwd=".", given=b""):
    """What the command says and complains of, in this process, with these bytes on standard input."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        done = hpsearch(Path(cwd), "predict", *words, code=code)
    return done.stdout, done.stderr


def test_most_digits_are_read_rightly_by_a_study_and_told_in_the_order_of_their_names(home, pictures):
    out, _ = predict("digits", pictures, "--json", "--batch", "7", cwd=home.root)

    told = [json.loads(line) for line in out.splitlines()]
    assert [one["picture"] for one in told] == [str(file) for file in sorted(pictures.iterdir())]
    assert sum(one["text"] == one["picture"][-5] for one in told) >= 15
    for one in told:
        (character,) = one["characters"]
        assert character["class"] == one["text"]
        assert sum(character["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert one["size"] == [84, 84]


def test_people_get_rows_with_the_next_classes_and_what_to_doubt(model, pictures, tmp_path):
    page([(0.5, 0.5), (0.51, 0.5)], pen=90).save(tmp_path / "blot.png")

    out, _ = predict(model, min(pictures.iterdir()), tmp_path / "blot.png", "--top", "2", "--one")

    head, digit, blot = out.splitlines()
    assert head.split() == ["picture", "at", "reads", "surely", "or", "doubts"]
    assert digit.count("%") == 2
    assert "unlike the training data" in blot


def test_a_model_that_learnt_characters_framed_otherwise_is_warned_of(model, pictures, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["framing"]["otherwise"] = True
    (folder / "manifest.json").write_text(json.dumps(manifest))
    picture = next(pictures.iterdir())

    (_, warned), (_, silent) = (predict(one, picture) for one in (folder, model))

    assert "characters are shown to it otherwise than it learnt them" in warned
    assert "warning" not in silent


def test_what_cannot_be_read_is_named_and_the_others_are_answered(model, pictures, tmp_path):
    (tmp_path / "a\x1b[2J.png").write_text("no picture")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "seven.png").write_bytes(file_of(seven()))

    out, err = predict(model, tmp_path, code=9)

    assert "seven.png" in out
    assert "a\\x1b[2J.png: " in err
    assert "blank.png: nothing is written on it" in err
    assert "2 of 3 pictures could not be read" in err
    assert "Traceback" not in err


def test_a_picture_comes_by_standard_input_and_what_was_seen_is_drawn(model, tmp_path):
    words = command(model, "-", "--json", "--show", tmp_path / "seen")

    done = subprocess.run(words, input=file_of(seven()), capture_output=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["picture"] == "-"
    (drawn,) = (tmp_path / "seen").iterdir()
    assert drawn.name == "-.seen.png"
    assert Image.open(drawn).size[0] > 200


def test_what_was_seen_is_drawn_in_its_shape(tmp_path):
    (tmp_path / "seven.png").write_bytes(file_of(seven()))
    wide = Character((0, 0, 9, 9), np.zeros((20, 40), np.uint8))
    picture = Picture("seven.png", Image.open(tmp_path / "seven.png").size, (wide,), dark_on_light=True)
    reading = Reading(picture, (Guess((0, 0, 9, 9), (("7", 1.0),), None),))

    drawn = np.asarray(Image.open(Drawings(tmp_path / "seen").draw(reading, tmp_path / "seven.png")))

    tile = drawn[:112, -120:-8].max(axis=2) == 0
    assert tile[:56].all()
    assert not tile[56:].any()


def test_drawings_take_the_place_of_earlier_ones_and_of_nothing_else(model, tmp_path):
    mine = {"seven.png": file_of(seven()), "seven.seen.png": file_of(seven(pen=20)), "seven-2.seen.png": b"my words"}
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)

    for _ in range(2):
        predict(model, "seven.png", "--show", ".", cwd=tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine
    (drawn,) = {file.name for file in tmp_path.iterdir()} - set(mine)
    assert drawn == "seven-3.seen.png"


def test_drawings_among_the_pictures_are_passed_over_by_name_and_in_a_folder(model, tmp_path):
    (tmp_path / "seven.png").write_bytes(file_of(seven()))

    predict(model, "seven.png", "--show", ".", cwd=tmp_path)

    out, _ = predict(model, "seven.png", "seven.seen.png", ".", "--show", ".", "--json", cwd=tmp_path)

    assert [json.loads(line)["picture"] for line in out.splitlines()] == ["seven.png", "seven.png"]
    assert {file.name for file in tmp_path.iterdir()} == {"seven.png", "seven.seen.png", "seven-2.seen.png"}


@pytest.mark.parametrize(
    ("words", "named"),
    [(["seen/a.png"], "seen/a.png"), (["seen"], "seen"), (["seen", "seen/a.png"], "seen, …")],
)
def test_who_names_only_drawings_is_told_so(words, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seen").mkdir()
    Image.new("RGB", (300, 200)).save(tmp_path / "seen" / "a.png", pnginfo=mark())

    with pytest.raises(ExperimentRefused, match=f"^{named}: only drawings of ours, which are not read"):
        refuse_strangers(words)


def test_a_drawing_is_known_by_its_mark_and_by_nothing_else(tmp_path):
    ours, plain, words = tmp_path / "mine.png", tmp_path / "b.seen.png", tmp_path / "c.seen.png"
    Image.new("RGB", (300, 200)).save(ours, pnginfo=mark())
    Image.new("RGB", (300, 200)).save(plain)
    words.write_text("hpsearch, drawing")
    os.mkfifo(tmp_path / "d.seen.png")

    assert [file.name for file in sorted(tmp_path.iterdir()) if is_drawing(file)] == ["mine.png"]


def test_lines_of_characters_are_read_as_text(model, tmp_path):
    images, labels = unseen_images()
    chosen = [int(np.flatnonzero(labels == digit)[0]) for digit in (1, 2, 7, 0)]
    sheet = np.full((90, 360), 255, np.uint8)
    for place, row in enumerate(chosen):
        left = 20 + 60 * place + 70 * (place > 1)
        sheet[17:73, left : left + 56] -= np.array(Image.fromarray(images[row]).resize((56, 56)))
    Image.fromarray(sheet).save(tmp_path / "page.png")

    out, _ = predict(model, tmp_path / "page.png")

    _, *characters, (_, kind, *words) = [line.split() for line in out.splitlines()]
    assert kind == "text"
    assert [len(word) for word in words] == [2, 2]
    assert "".join(words) == "".join(character[3] for character in characters)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["missing.png"], "missing.png: there is no such file or folder"),
        (["empty"], "empty: there is no picture in this folder"),
        (["-", "-"], "it can be read only once"),
        ([""], "'': there is no such file"),
    ],
)
def test_words_that_name_no_picture_are_refused(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("")

    with pytest.raises(ExperimentRefused, match=says):
        refuse_strangers(words)


def test_a_wrong_word_ends_the_command_before_a_model_is_loaded(model):
    began = time.monotonic()

    _, err = predict(model, "missing.png", code=2)

    assert "missing.png: there is no such file" in err
    assert time.monotonic() - began < 10


def test_a_folder_is_read_to_its_depths_in_the_order_of_names(tmp_path):
    for name in ("b/2.png", "b/10.JPG", "a.png", "c.txt", ".hidden/x.png", "b/.y.png", "e.jfif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "d").symlink_to(tmp_path / "b", target_is_directory=True)

    found = [source.file.relative_to(tmp_path) for source in sources([str(tmp_path)], tmp_path, io.BytesIO())]

    assert list(map(str, found)) == ["a.png", "b/10.JPG", "b/2.png", "e.jfif"]


@pytest.mark.parametrize("name", ["a.HEIC", "a.heif", "a.avif", "a.gif"])
def test_pictures_of_kinds_that_are_not_read_are_found_in_a_folder_so_that_they_are_told_of(tmp_path, name):
    (tmp_path / name).write_bytes(b"")

    refuse_strangers([str(tmp_path)])
    found = [source.file.name for source in sources([str(tmp_path)], tmp_path, io.BytesIO())]

    assert found == [name]


def test_too_much_on_standard_input_is_named_and_the_others_are_answered(model, tmp_path):
    (tmp_path / "seven.png").write_bytes(file_of(seven()))

    out, err = predict(model, "-", tmp_path / "seven.png", code=9, given=bytes(30_000_001))

    assert "-: more than 30,000,000 bytes" in err
    assert "seven.png" in out
    assert "1 of 2 pictures could not be read" in err


@pytest.fixture
def many(tmp_path):
    """A folder of so many pictures that reading them takes a while: few files under many names each."""
    folder = tmp_path / "many"
    folder.mkdir()
    content = file_of(seven(size=(60, 70), pen=4))
    for number in range(MANY):
        file, first = folder / _name(number), folder / _name(number - number % 1000)
        if file == first:  # a file on NTFS takes 1,024 names at most
            file.write_bytes(content)
        else:
            file.hardlink_to(first)
    return folder


def _name(number):
    return f"{number:05}.png"


def begun(model, many):
    """The command, after its first answers; its processes, and the file that its answers go to."""
    answers = many.parent / "answers.jsonl"
    with answers.open("w") as out:
        process = subprocess.Popen(
            command(model, many, "--json", "--batch", "32"), stdout=out, stderr=subprocess.PIPE, text=True
        )
    while answers.read_text().count("\n") < 10:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process, psutil.Process(process.pid).children(recursive=True), answers


def test_ctrl_c_leaves_at_once_with_what_was_answered(model, many):
    process, children, answers = begun(model, many)

    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130, err
    assert time.monotonic() - asked < 10
    assert "Traceback" not in err
    told = [json.loads(line)["picture"] for line in answers.read_text().splitlines()]
    assert told == [str(many / _name(number)) for number in range(len(told))]
    assert len(told) < MANY
    assert not psutil.wait_procs(children, 5)[1]


def test_a_killed_model_process_ends_the_command_in_one_clear_line(model, many):
    process, children, answers = begun(model, many)

    holder = next(child for child in children if any("onnxruntime" in file.path for file in child.memory_maps()))
    holder.kill()
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"{model}: the process that holds the model was killed by SIGKILL" in err
    assert "Traceback" not in err
    told = [json.loads(line)["picture"] for line in answers.read_text().splitlines()]
    assert told == [str(many / _name(number)) for number in range(len(told))]
    assert not psutil.wait_procs(children, 5)[1]
