"""What `hpsearch export` gives away: the model that was asked for, in formats that give what it gives, or nothing."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from commands import BUILD, lay_out, program, run, settings, told
from waiting import wait_until

from hpsearch import artefacts, failpoints, files, machine, paths, plugins, records
from hpsearch.__main__ import main
from hpsearch.contender_files import data_of
from hpsearch.contenders import find
from hpsearch.errors import ExperimentRefused, FolderUnusable, StateDamaged
from hpsearch.export_place import refuse_place
from hpsearch.exported import read_export
from hpsearch.formats import Formats, chosen, missing
from hpsearch.orders import Slot
from hpsearch.predict.answerer import KINDS, answering
from hpsearch.study import read
from hpsearch.worker import process, starting
from hpsearch.worker.answering import DONE, Source, answer
from hpsearch.worker.ending import kill
from hpsearch.worker.rebuilding import Remains, rebuild
from hpsearch.worker.task import Task

FIRST = "keras.layers.Flatten()])\n"
DRAWN = "    model.add(keras.layers.Rescaling(np.random.choice([-1.0, 1.0], 256).tolist()))\n"
SPACE = BUILD.replace("import keras\n", "import keras\nimport numpy as np\n").replace(FIRST, FIRST + DRAWN)
SMALL = settings(
    "search.trials=2", "train.epochs=2", "train.keep=2", "final.finalists=1", "final.seeds=1", "tracking.mlflow=false"
)
MORE = [name for name in plugins.known("exporters") if missing(name)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the study `digits`: two trials, one of which won and one that the test split never saw.

    Its models hold constants that are drawn when they are built, and are no weights.
    """
    folder = lay_out(tmp_path_factory.mktemp("export"), SPACE)
    run(folder, *SMALL)
    return folder


@pytest.fixture(scope="module")
def exported(finished: Path) -> Path:
    """The winner in every format that can be had here."""
    program(finished, "export", "digits", "--format", "all", "--out", "every", TMPDIR=str(files.make(finished / "tmp")))
    return finished / "every"


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may change, and stands in."""
    shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("cache", "every", "tmp"))
    (tmp_path / "copy" / "cache").symlink_to(finished / "cache")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("HPSEARCH_DATA", str(finished / "cache"))
    return tmp_path / "copy"


def an_export(project: Path, name: str = "out") -> dict[str, bytes]:
    """An earlier export, of another model, as its bytes."""
    models = {"model.keras": b"of another model"}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in models.items()}
    said = {
        "version": 1, "class_names": ["0", "1"], "files": digests,
        "input": {"shape": [4, 4], "dtype": "uint8", "ink": "bright on dark"},
        "framing": {"kind": "mnist"}, "formats": {"keras": {"path": "model.keras"}},
    }  # fmt: skip
    folder = files.make(project / name)
    for file, content in (models | {"manifest.json": json.dumps(said).encode()}).items():
        (folder / file).write_bytes(content)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def model_of(project: Path) -> Path:
    return next(project.glob("mlruns/studies/digits/fits/final-*/model.keras"))


def the_winner(project: Path) -> int:
    return int(told(project, "best", "digits")["winner"])


def weights_of_another_shape() -> bytes:
    header = json.dumps({"state": {}, "arrays": [["float32", [3]]]}).encode()
    body = len(header).to_bytes(8, "little") + header + bytes(12)
    return hashlib.sha256(body).digest() + body


def looks_at(project: Path) -> list[records.TestLooked]:
    """What was noted of looks at the test split after the finals."""
    return [news.body for news in read(paths.Project(project), "digits") if isinstance(news.body, records.TestLooked)]


@pytest.mark.skipif(bool(MORE), reason=f"the extra export is not installed: {', '.join(MORE)}")
def test_every_format_gives_what_the_model_gives(exported: Path) -> None:
    read = read_export(exported)

    formats = read.manifest["formats"]
    assert set(formats) == set(plugins.known("exporters"))
    for name, said in formats.items():
        assert said["largest_difference"] <= (0.2 if name == "litert-int8" else 1e-5)
        assert said["accuracy"] == pytest.approx(read.manifest["test"]["model_accuracy"], abs=0.01)
        assert min(said["bytes"], said["single_ms"], said["batch_ms"]) > 0
        assert said["batch"] == 128
    assert (read.shape, len(read.class_names)) == ((16, 16), 10)
    assert read.framing in {"mnist", "emnist"}
    assert "likeness.npz" in read.manifest["files"]


def test_an_exported_folder_answers_as_its_study_does(
    exported: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(finished / "cache"))
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16), dtype=np.uint8)

    with (
        answering(paths.Project(finished), str(exported)) as folder,
        answering(paths.Project(finished), "digits") as own,
    ):
        given, wanted = folder.probabilities(images), own.probabilities(images)
        unlike = folder.unlike(images), own.unlike(images)

    assert given == pytest.approx(wanted, abs=1e-5)
    assert unlike[0] == pytest.approx(unlike[1])
    assert (folder.class_names, folder.framing) == (own.class_names, own.framing)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or machine.cores() < 2, reason="there is one core to give")
@pytest.mark.parametrize("file", [file for file in ("model.tflite", "model.onnx") if KINDS[file] not in MORE])
def test_a_model_is_read_on_no_more_cores_than_there_are_for_it(
    exported: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # whose threads would be fewer, too
    given, threads = os.sched_getaffinity(0), []
    for cores in ({min(given)}, given):
        os.sched_setaffinity(0, cores)
        try:
            child, line = starting.fresh(answer, (Source(KINDS[file], exported / file),), (16, 16), 10, method="spawn")
        finally:
            os.sched_setaffinity(0, given)
        with line:
            assert line.recv_bytes() == DONE
            threads.append(psutil.Process(child.pid).num_threads())
        kill(child)

    assert threads[0] < threads[1]


def test_an_export_leaves_nothing_where_temporary_files_are_kept(exported: Path) -> None:
    assert [file.name for file in (exported.parent / "tmp").iterdir()] == []


def test_the_code_that_the_card_shows_runs_as_it_stands_and_gives_the_same(exported: Path) -> None:
    shown = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    program = "\n".join(f"exec({code!r}, {{}})" for code in shown)

    done = subprocess.run([sys.executable, "-c", program], cwd=exported, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    answers = dict(zip(read_export(exported).formats, done.stdout.splitlines(), strict=True))
    answers.pop("litert-int8", "")  # which may read an empty image otherwise
    assert len({answer.partition("]")[0] for answer in answers.values()}) == 1


def test_nothing_exported_names_the_place_the_machine_or_the_person(exported: Path) -> None:
    import getpass
    import socket

    words = [str(exported.parent), "site-packages", f"/{getpass.getuser()}/"]
    host = re.compile(rb"\b%s\b" % re.escape(socket.gethostname().encode()))  # of a few letters it is in many a binary

    told = [
        (file, word)
        for file, content in contents(exported).items()
        for word in words
        if word.encode() in content or (b"\0" not in content and host.search(content))
    ]

    assert told == []


def share_right(model: Path, data: Path, split: Path) -> float:
    """Of the validation rows, by an exported `.keras` file."""
    from hpsearch.worker.model_reading import read_model

    rows = np.load(split)["validation"]
    images, labels = (np.load(data / "train" / name)[rows] for name in ("images.npy", "labels.npy"))
    return float((np.asarray(read_model(model)(images)).argmax(axis=1) == labels).mean())


def test_a_trial_that_was_never_judged_is_exported_as_it_was_trained_with_all_that_was_drawn_and_its_look_noted(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    number = 1 - the_winner(project)
    trial = find(paths.Project(project), f"digits:{number}")
    data, split = data_of(trial, lambda *_: None), trial.folder.splits / "holdout.npz"
    capfd.readouterr()

    code = main(["export", trial.label, "--out", "out", "--json"])

    assert code == 0
    printed = capfd.readouterr()
    assert json.loads(printed.out)["trial"] == number
    assert printed.err.replace("a person's own print\n", "") == ""
    assert [(look.why, list(look.models)) for look in looks_at(project)] == [("export", [f"search-000{number}-r0-f0"])]
    assert set(read_export(project / "out").formats) == {"keras"}
    read = process.call(share_right, project / "out" / "model.keras", data.folder, split, slot=Slot())
    assert read == pytest.approx(trial.end.score)


@pytest.mark.promise("43")
@pytest.mark.parametrize("words", [["export", "--out", "out"], ["compare", "digits"], ["predict", "a.png"]])
def test_weights_are_put_into_no_other_code_than_they_were_trained_in(
    project: Path, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    other = f"digits:{1 - the_winner(project)}"
    (project / "a.png").touch()
    (project / "spaces" / "small.py").write_text(SPACE.replace('"relu"', '"tanh"'))  # into which the weights would fit

    code = main([words[0], other, *words[1:]])

    assert code == 6
    said = capfd.readouterr().err
    assert f"{other}: only weights are kept of this model, and what builds it changed since they were trained" in said
    assert "the code of the search space, in spaces/small.py\n  bring back what was there" in said
    assert not (project / "out").exists()
    assert looks_at(project) == []


@pytest.mark.promise("39")
@pytest.mark.parametrize("damage", [lambda content: content[:-1] + b"\xff", lambda _: weights_of_another_shape()])
def test_weights_that_are_damaged_or_another_models_are_refused(
    project: Path, damage: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    winner = the_winner(project)
    weights = project / f"mlruns/studies/digits/fits/search-000{1 - winner}-r0-f0/best.bin"
    weights.write_bytes(damage(weights.read_bytes()))

    code = main(["export", f"digits:{1 - winner}", "--out", "out"])

    said = capfd.readouterr().err
    assert code == 4
    assert "best.bin: no model can be made of these weights\n  ValueError: " in said
    assert "Traceback" not in said
    assert looks_at(project) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hp.Int('depth', 1, 2)", "build_model asks for 'depth' now; it did not when the trial was trained"),
        ("{}['a key']", "KeyError: 'a key'"),
        ("pass", "build returned nothing"),
    ],
)
def test_a_model_that_cannot_be_built_again_is_refused_in_one_line(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "space.py").write_text(f"def build(hp):\n    {line}\n")
    remains = Remains("space:build", {}, Task((4, 4), 2, ("0", "1"), 10, 1, 5), tmp_path / "best.bin", 1)

    with pytest.raises(StateDamaged, match=f"no model can be made of these weights\n  .*{re.escape(words)}"):
        process.call(rebuild, tmp_path, remains, tmp_path / "model.keras", slot=Slot())


@pytest.mark.promise("39", "P23", "H27")
@pytest.mark.parametrize(("content", "words"), [(b"another", "not the model that was tested"), (None, "is missing")])
def test_another_model_than_the_tested_one_is_refused(
    project: Path, content: bytes | None, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if content:
        model_of(project).write_bytes(content)
    else:
        shutil.rmtree(model_of(project).parent)

    code = main(["export", "digits", "--out", "out"])

    assert code == 4
    assert words in capfd.readouterr().err
    assert not (project / "out").exists()


@pytest.mark.parametrize(
    ("formats", "words"),
    [
        ("keras,keras", "'keras' is wanted twice"), ("kreas", "no format 'kreas'"), ("keras,", "no format ''"),
        ("kreas,onix", "no format 'onix'"), ("all,keras", "it stands alone"),
    ],
)  # fmt: skip
def test_formats_that_cannot_be_had_are_refused(formats: str, words: str) -> None:
    with pytest.raises(ExperimentRefused, match=words):
        chosen(formats)


def test_a_format_whose_runtime_is_not_installed_is_refused_with_the_pip_line_and_not_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugins.part("exporters", "onnx"), "needs", ("onnx", "a_runtime_that_is_nowhere"))

    with pytest.raises(ExperimentRefused, match=r'a_runtime_that_is_nowhere.*\n.*pip install "hpsearch\[export\]"'):
        chosen("keras,onnx")
    assert "onnx" not in chosen("all").names
    assert {"keras", "saved-model"} <= set(chosen("all").names)
    assert chosen("all").as_can_be


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda out: (out / "mine.txt").write_text("mine"), "not an earlier export"),
        (lambda out: (out / "manifest.json").write_text("{}"), "not an earlier export"),
        (lambda out: (an_export(out.parent), (out / "mine.txt").write_text("mine")), "'mine.txt', which would be lost"),
        (lambda out: (out.rmdir(), out.symlink_to("images")), "no folder"),
    ],
)  # fmt: skip
def test_a_folder_that_holds_something_else_is_left_alone(
    project: Path, make: Any, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "out").mkdir()
    make(project / "out")
    before = contents(project / "out")

    code = main(["export", "digits", "--out", "out"])

    assert code == 2
    assert words in capfd.readouterr().err
    assert contents(project / "out") == before


def test_a_folder_that_cannot_be_replaced_is_refused_at_once(
    tmp_path: Path, mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = files.make(tmp_path / "here" / "inside")
    monkeypatch.chdir(here)

    for folder in (here, here.parent, here / ".."):
        with pytest.raises(ExperimentRefused, match=r"you are in this folder(.|\n)*name a folder inside it"):
            refuse_place(folder)
    refuse_place(here / "new")
    with pytest.raises(ExperimentRefused, match=r"this is the root of a disk(.|\n)*name a folder inside it"):
        refuse_place(mounted("size=8k"))


def test_an_earlier_export_is_replaced_whole_by_one_of_a_study_as_it_is_called_now(project: Path) -> None:
    before, studies = an_export(project), project / "mlruns" / "studies"
    (studies / "digits").rename(studies / "digits.before-1")  # set aside

    code = main(["export", "digits.before-1", "--out", "out"])

    assert code == 0
    assert read_export(project / "out").manifest["study"] == "digits.before-1"
    assert (project / "out" / "README.md").read_text(encoding="utf-8").startswith("# digits.before-1, trial ")
    assert contents(project / "out")["model.keras"] != before["model.keras"]
    assert [path.name for path in project.glob(".out*")] == []


@pytest.mark.promise("9")
@pytest.mark.parametrize("place", ["out.filled", "out.renamed"])
def test_a_killed_export_leaves_the_old_one_or_the_new_one(project: Path, place: str) -> None:
    before = an_export(project)

    program(project, "export", "digits", "--out", "out", code=-signal.SIGKILL, HPSEARCH_FAILPOINT=f"{place}=kill")

    after = read_export(project / "out")
    assert (contents(project / "out") == before) is (place != "out.renamed")
    assert (after.manifest.get("study") == "digits") is (place == "out.renamed")


def export_while(project: Path, failpoint: str, act: Callable[[Path], Any]) -> tuple[int, Any]:
    """Export into "out" while another thread acts upon the folder that is being filled; the code, and what it gave."""

    def acted() -> Any:
        wait_until(lambda: any(project.glob(".out.*.part/manifest.json")))
        (filled,) = project.glob(".out.*.part")
        return act(filled)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as aside:
        patch.setattr(failpoints, "_wanted", {failpoint: ("sleep:2", 1)})
        patch.setattr(failpoints, "_reached", {})
        given = aside.submit(acted)
        return main(["export", "digits", "--out", "out"]), given.result()


@pytest.mark.parametrize("before", ["nothing", "an earlier export"])
def test_what_somebody_puts_into_the_folder_while_an_export_works_is_left_alone(
    project: Path, before: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if before != "nothing":
        an_export(project)

    def put(_filled: Path) -> dict[str, bytes]:
        mine = files.make(project / "out") / "mine.txt"
        mine.write_text("mine", encoding="utf-8")
        return contents(project / "out")

    code, there = export_while(project, "out.filled", put)

    said = capfd.readouterr().err
    assert code == 2, said
    assert "mine.txt" in said or "not an earlier export" in said
    assert contents(project / "out") == there
    assert [path.name for path in project.glob(".out*")] == []


def test_an_artefact_that_is_damaged_before_it_was_tried_out_fails_the_export(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def damage(filled: Path) -> None:
        model = filled / "model.keras"
        model.write_bytes(model.read_bytes()[:-1] + b"\xff")

    code, _ = export_while(project, "export.written", damage)

    said = capfd.readouterr().err
    assert code == 4
    assert "model.keras: this is not the file that was written" in said
    assert "Traceback" not in said
    assert [path.name for path in project.glob("*out*")] == []


@pytest.mark.parametrize("name", [name for name in ("saved-model", "onnx", "litert") if name not in MORE])
def test_a_disk_that_is_full_is_told_with_its_place_and_not_as_the_formats_fault(
    project: Path, mounted: Callable[[str], Path], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    disk = mounted("size=8k")

    code = main(["export", "digits", "--format", name, "--out", str(disk / "out")])

    assert code == 7
    said = capfd.readouterr().err
    assert f"disk full: {disk}" in said
    assert "Traceback" not in said
    assert list(disk.iterdir()) == []


def test_a_full_disk_beside_the_export_is_the_one_that_is_named(project: Path, mounted: Callable[[str], Path]) -> None:
    disk, winner = mounted("size=8k"), find(paths.Project(project), "digits")
    data = data_of(winner, lambda *_: None)
    place = (project, "spaces.small:build", winner.file, data.folder / "test", data.class_names, disk / "wanted.npy")

    with pytest.raises(FolderUnusable, match=f"disk full: {disk}/wanted.npy"):
        process.call(artefacts.reference, *place, slot=Slot())


def test_all_takes_what_is_there() -> None:
    assert chosen("all") == Formats(
        tuple(name for name in plugins.known("exporters") if name not in MORE), as_can_be=True
    )
