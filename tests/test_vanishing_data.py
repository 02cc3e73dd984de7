"""Data that memory cannot hold are refused beforehand; those that go in mid-run end the session and fail no trial."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import odd_jobs
import psutil
import pytest
from commands import environment, hpsearch, run, trials, wait_for_a_trial
from data_makers import Heard, write_pair, write_table
from test_faults import local  # noqa: F401 - a fixture
from test_local import hear, order

from hpsearch import machine
from hpsearch.datasets import memory, scratch
from hpsearch.datasets.table import Csv
from hpsearch.errors import DataRefused
from hpsearch.protocols import Prepared
from hpsearch.trial import How


def of_bytes(size: float, name: str = "own") -> Prepared:
    """A prepared set whose training images take so many bytes."""
    return Prepared(Path(), name, "", ("a", "b"), (1000, 1000), int(size / 1e6), 1, "official")


@pytest.mark.promise("64")
@pytest.mark.parametrize(("share", "warned"), [(0.3, False), (0.7, True)])
def test_images_that_take_more_than_half_of_the_memory_are_warned_of(share: float, warned: bool) -> None:
    said = memory.heed(of_bytes(share * machine.memory()))

    assert bool(said) == warned
    assert ("warning: the images of own take" in said) == warned


def test_images_of_ones_own_are_not_called_by_the_kind_of_their_file() -> None:
    said = memory.heed(of_bytes(0.7 * machine.memory(), "csv"))

    assert said.startswith("warning: your images (data.source = csv) take ")


@pytest.mark.promise("64")
def test_images_that_take_nearly_all_of_the_memory_are_refused() -> None:
    with pytest.raises(DataRefused, match=r"own: needs .* GB of memory, .* GB are free\n  free some"):
        memory.heed(of_bytes(machine.memory()))


@pytest.mark.promise("64")
def test_a_table_that_memory_cannot_hold_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    with (tmp_path / "own.csv").open("wb") as file:
        file.truncate(4 * psutil.virtual_memory().total)  # it takes no room on the disk

    with pytest.raises(DataRefused, match="GB of memory"):
        Csv(tmp_path / "own.csv").prepare(Heard())


PEAK = """
import resource, sys
from hpsearch import plugins
source, key, place, *wishes = sys.argv[1:]
data = plugins.make("datasets", source, {key: place} | dict.fromkeys(wishes, True))
import numpy, psutil, filelock
limit = psutil.Process().memory_info().data + 60_000_000
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(data.prepare(lambda *_: None).train_rows)
"""


@pytest.mark.promise("64")
@pytest.mark.parametrize("words", [("npz", "file", "own.npz"), ("idx", "folder", "own", "transposed", "invert")])
def test_a_set_is_prepared_in_less_memory_than_it_takes(words: tuple[str, ...], tmp_path: Path) -> None:
    images, labels = np.zeros((12_000, 100, 100), np.uint8), np.arange(12_000) % 3
    images[:, 0, :2] = np.arange(12_000, dtype=np.uint16)[:, None].view(np.uint8)
    match words[0]:
        case "npz":
            np.savez_compressed(tmp_path / "own.npz", x=images, y=labels)
        case "idx":
            write_pair(tmp_path / "own", "train", images, labels, suffix="")

    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout.strip(), done.returncode) == ("9600", 0), done.stderr


def test_rows_are_chosen_alike_in_memory_and_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4), np.uint8)
    rows = np.arange(50) % 3 == 0

    on_disk = scratch.chosen(images, rows, "own", small=0)

    assert np.array_equal(on_disk, scratch.chosen(images, rows, "own"))
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.promise("64")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems signal it otherwise")
def test_a_file_that_is_cut_while_a_trial_maps_it_fails_the_trial_for_its_data(
    local: object,  # noqa: F811
    tmp_path: Path,
) -> None:
    executor = local(odd_jobs.reads_a_cut_file, recipe=tmp_path / "images.npy")  # type: ignore[operator]
    executor.submit(order())

    end = hear(executor)[-1]

    assert (end.how, end.failure.kind) == (How.FINISHED, "data")
    assert "cut short" in end.failure.message


@pytest.mark.promise("64")
def test_data_that_vanish_in_mid_run_end_the_session_and_the_same_command_goes_on(project: Path) -> None:
    shutil.rmtree(project / "images")
    pixels = np.random.default_rng(0).integers(0, 256, (400, 8, 8), np.uint8)
    pixels[::2, :4] //= 9
    write_table(project / "own.csv", pixels, np.arange(400) % 2)
    words = ["source=csv", "file=own.csv", "validation=0.2"]
    sets = [f"--set=data.{word}" for word in words] + [
        "--set=search.trials=2", "--set=workers.count=1", "--set=tracking.mlflow=false",
        "--set=final.finalists=1", "--set=final.seeds=1",
    ]  # fmt: skip
    text = (project / "experiments" / "digits.toml").read_text().replace('folder = "images"\n', "")
    (project / "experiments" / "digits.toml").write_text(text.replace("epochs = 6", "epochs = 150"))
    process = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", "run", "experiments/digits.toml", *sets],
        cwd=project, env=environment(project), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_a_trial(project, process)

    shutil.rmtree(project / "cache" / "prepared")
    said = process.communicate(timeout=200)

    assert process.returncode == 9, said
    assert "the prepared data are gone or damaged" in said[1]
    assert "the same command prepares them again" in said[1]
    assert "Traceback" not in said[1]
    assert [trial["status"] for trial in trials(project)] == ["completed", "interrupted"]
    done = run(project, *sets, "--json")
    assert json.loads(done.stdout)["counts"] == {"completed": 2}
    hpsearch(project, "best", "digits")
